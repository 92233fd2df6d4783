//! The departments and groups that a user is in, and those departments that lie above.

use crate::domain::permissions::directory::UnitKind;

/// A department or group whose grants reach a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Which of the two.
    pub kind: UnitKind,
    /// Its id.
    pub id: i64,
    /// Its name, where it is registered and has one.
    pub name: Option<String>,
    /// The department above.
    pub parent_id: Option<i64>,
    /// Why its grants reach the user.
    pub through: Through,
}

/// Why the grants of a department or group reach a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The user is in it.
    Membership,
    /// Their token says that they are in the group.
    Token,
    /// It lies above a department that they are in.
    DepartmentBelow,
}

impl Through {
    /// The words in answers, in the order of the variants.
    pub const NAMES: [&'static str; 3] = ["membership", "token", "departmentBelow"];

    /// The word in answers.
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

/// The way from a department that the user is in up to one that lies above: each with the next one above it. Empty where there is none.
#[must_use]
pub fn path_to(department: i64, reached: &[Reached]) -> Vec<&Reached> {
    let find = |id: i64| reached.iter().find(|unit| unit.kind == UnitKind::Department && unit.id == id);
    let is_start = |unit: &&Reached| unit.kind == UnitKind::Department && unit.through == Through::Membership;
    let way = |start| {
        let mut way: Vec<&Reached> = vec![start];
        // The schema refuses circles; the length is bounded all the same.
        while way.len() <= reached.len() {
            let last = way.last()?;
            if last.id == department {
                return Some(way);
            }
            way.push(find(last.parent_id?)?);
        }
        None
    };
    reached.iter().filter(is_start).filter_map(way).min_by_key(Vec::len).unwrap_or_default()
}
