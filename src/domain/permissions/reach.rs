//! The departments and groups whose grants reach a user: those with the user as a member, and the
//! departments above.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use crate::domain::permissions::directory::UnitKind;

/// A department or group whose grants reach a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub kind: UnitKind,
    pub id: i64,
    /// `None` if the unit is not registered or has no name.
    pub name: Option<String>,
    /// The department above this one.
    pub parent_id: Option<i64>,
    pub through: Through,
}

/// The reason why the grants of a department or group reach a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The user is a member.
    Membership,
    /// The user's token names the group.
    Token,
    /// The user is a member of a department below this one.
    DepartmentBelow,
}

impl Through {
    /// The words that answers use, in the order of the variants.
    pub const NAMES: [&'static str; 3] = ["membership", "token", "departmentBelow"];

    #[must_use]
    pub const fn name(self) -> &'static str {
        let [membership, token, below] = Self::NAMES;
        match self {
            Self::Membership => membership,
            Self::Token => token,
            Self::DepartmentBelow => below,
        }
    }
}

/// An index of what reaches a user. One explanation may look up thousands of grants.
#[derive(Debug)]
pub struct Reach<'r> {
    units: HashMap<(UnitKind, i64), &'r Reached>,
    /// For each department, the next one below on the shortest way down to a department with the
    /// user as a member. `None` for such a department itself.
    below: HashMap<i64, Option<i64>>,
}

impl<'r> Reach<'r> {
    #[must_use]
    pub fn new(reached: &'r [Reached]) -> Self {
        let units: HashMap<_, _> =
            reached.iter().map(|unit| ((unit.kind, unit.id), unit)).collect();
        let mut below = HashMap::new();
        let is_start = |unit: &&Reached| {
            unit.kind == UnitKind::Department && unit.through == Through::Membership
        };
        let mut queue: VecDeque<_> =
            reached.iter().filter(is_start).map(|unit| (unit.id, None)).collect();
        while let Some((id, from)) = queue.pop_front() {
            let Some(unit) = units.get(&(UnitKind::Department, id)) else { continue };
            // The search is breadth-first, so an earlier way to a department is never longer.
            if let Entry::Vacant(entry) = below.entry(id) {
                entry.insert(from);
                queue.extend(unit.parent_id.map(|parent| (parent, Some(id))));
            }
        }
        Self { units, below }
    }

    /// The department or group, if its grants reach the user.
    #[must_use]
    pub fn unit(&self, kind: UnitKind, id: i64) -> Option<&'r Reached> {
        self.units.get(&(kind, id)).copied()
    }

    /// The way from a department with the user as a member up to this one, both included. Empty if
    /// there is none.
    #[must_use]
    pub fn path_to(&self, department: i64) -> Vec<&'r Reached> {
        let mut way = Vec::new();
        let mut next = Some(department).filter(|id| self.below.contains_key(id));
        while let Some(id) = next {
            way.extend(self.unit(UnitKind::Department, id));
            next = self.below.get(&id).copied().flatten();
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn department(id: i64, parent_id: Option<i64>, through: Through) -> Reached {
        Reached { kind: UnitKind::Department, id, name: None, parent_id, through }
    }

    #[test]
    fn the_shortest_way_up_is_told() {
        use Through::{DepartmentBelow, Membership};
        let reached = [
            department(1, None, DepartmentBelow),
            department(2, Some(1), DepartmentBelow),
            department(3, Some(2), Membership),
            department(4, Some(1), Membership),
            department(5, None, Membership),
        ];
        let reach = Reach::new(&reached);
        let path = |id: i64| reach.path_to(id).iter().map(|unit| unit.id).collect::<Vec<_>>();
        assert_eq!(
            [path(1), path(2), path(3), path(5), path(6)],
            [vec![4, 1], vec![3, 2], vec![3], vec![5], vec![]]
        );
    }

    #[test]
    fn a_circle_ends() {
        let reached = [
            department(1, Some(2), Through::Membership),
            department(2, Some(1), Through::DepartmentBelow),
        ];
        assert_eq!(Reach::new(&reached).path_to(2).len(), 2);
    }
}
