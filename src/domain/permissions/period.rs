//! The period in which a grant is valid, and values that change at moments known in advance.
//!
//! Memory keeps such a value together with its coming changes. So a grant expires on time in every
//! isolate, without a read and without an entry in the change feed.

use std::rc::Rc;

use crate::domain::permissions::permission::{Permission, Permissions};
use crate::domain::time::Millis;

/// The changes kept of one value. After the last of them the value is read again.
pub const MAX_CHANGES: usize = 16;

/// From `starts_at` up to, but not including, `expires_at`. `None` is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// Included.
    pub starts_at: Option<Millis>,
    /// Excluded.
    pub expires_at: Option<Millis>,
}

/// The position of a moment relative to a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Before,
    Within,
    After,
}

impl Period {
    pub const ALWAYS: Self = Self { starts_at: None, expires_at: None };

    /// Fails if the period would be empty. The error is a phrase to put after `expiresAt`.
    pub fn new(starts_at: Option<Millis>, expires_at: Option<Millis>) -> Result<Self, String> {
        if starts_at.zip(expires_at).is_some_and(|(start, end)| start >= end) {
            return Err("must be later than startsAt".to_owned());
        }
        Ok(Self { starts_at, expires_at })
    }

    #[must_use]
    pub fn phase(self, now: Millis) -> Phase {
        if self.expires_at.is_some_and(|end| end <= now) {
            Phase::After
        } else if self.starts_at.is_some_and(|start| now < start) {
            Phase::Before
        } else {
            Phase::Within
        }
    }

    #[must_use]
    pub fn contains(self, now: Millis) -> bool {
        self.phase(now) == Phase::Within
    }
}

impl Phase {
    /// The word that answers use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "scheduled",
            Self::Within => "active",
            Self::After => "expired",
        }
    }
}

/// A value, and how it will change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InTime<T> {
    /// It never changes by itself.
    Always(T),
    /// It changes at known moments.
    Changing(Rc<Course<T>>),
}

// An isolate's memory holds 50,000 standings, and nearly none of them ever changes.
#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<InTime<crate::domain::permissions::permission::Standing>>() <= 8);

/// The values over time.
#[derive(Debug, PartialEq, Eq)]
pub struct Course<T> {
    first: T,
    /// In ascending order: from this moment on, the value is this.
    changes: Vec<(Millis, T)>,
    /// Changes after this moment are not known. `None` if all changes are known.
    known_until: Option<Millis>,
}

impl<T: Copy> InTime<T> {
    /// The value at a moment. `None` if that moment is not known and the value must be read again.
    #[must_use]
    pub fn at(&self, now: Millis) -> Option<T> {
        let course = match self {
            Self::Always(value) => return Some(*value),
            Self::Changing(course) => course,
        };
        if course.known_until.is_some_and(|end| end <= now) {
            return None;
        }
        let past = course.changes.iter().rev().find(|(from, _)| *from <= now);
        Some(past.map_or(course.first, |(_, value)| *value))
    }

    /// Applies `make` to the value of every moment.
    #[must_use]
    pub fn map<U>(self, make: impl Fn(T) -> U) -> InTime<U> {
        match self {
            Self::Always(value) => InTime::Always(make(value)),
            Self::Changing(course) => InTime::Changing(Rc::new(Course {
                first: make(course.first),
                changes: course.changes.iter().map(|(from, value)| (*from, make(*value))).collect(),
                known_until: course.known_until,
            })),
        }
    }
}

/// The union of the grants that are valid, now and at each later moment.
#[must_use]
pub fn union(grants: &[(Permissions, Period)], now: Millis) -> InTime<Permissions> {
    let mut counts = Counts::default();
    let mut events: Vec<(Millis, bool, Permissions)> = Vec::new();
    for (permissions, period) in grants {
        match period.phase(now) {
            Phase::After => continue,
            Phase::Within => counts.change(*permissions, true),
            Phase::Before => {
                events.extend(period.starts_at.map(|start| (start, true, *permissions)));
            }
        }
        events.extend(period.expires_at.map(|end| (end, false, *permissions)));
    }
    let first = counts.union();
    events.sort_unstable_by_key(|(at, ..)| *at);
    let (mut changes, mut last) = (Vec::new(), first);
    for moment in events.chunk_by(|(one, ..), (other, ..)| one == other) {
        for (_, begins, permissions) in moment {
            counts.change(*permissions, *begins);
        }
        let (Some((at, ..)), next) = (moment.first(), counts.union()) else { continue };
        if next == last {
            continue;
        }
        if changes.len() == MAX_CHANGES {
            return InTime::Changing(Rc::new(Course { first, changes, known_until: Some(*at) }));
        }
        changes.push((*at, next));
        last = next;
    }
    if changes.is_empty() {
        InTime::Always(first)
    } else {
        InTime::Changing(Rc::new(Course { first, changes, known_until: None }))
    }
}

/// For each permission, the number of valid grants that give it.
#[derive(Default)]
struct Counts([usize; Permission::ALL.len()]);

impl Counts {
    fn change(&mut self, permissions: Permissions, begins: bool) {
        for (count, permission) in self.0.iter_mut().zip(Permission::ALL) {
            if permissions.has(permission) {
                *count = if begins { count.saturating_add(1) } else { count.saturating_sub(1) };
            }
        }
    }

    fn union(&self) -> Permissions {
        let given = self.0.iter().zip(Permission::ALL).filter(|(count, _)| **count > 0);
        given.fold(Permissions::NONE, |union, (_, permission)| union.with(permission))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_grant() -> impl Strategy<Value = (Permissions, Period)> {
        let bound = || proptest::option::of((0..60_i64).prop_map(Millis));
        let period = (bound(), bound())
            .prop_map(|(start, end)| Period::new(start, end).unwrap_or(Period::ALWAYS));
        (0..512_i64, period).prop_map(|(bits, period)| (Permissions::from_bits(bits), period))
    }

    proptest! {
        #[test]
        fn a_course_gives_the_value_that_reading_again_would_give(
            grants in proptest::collection::vec(some_grant(), 0..40),
            now in 0..60_i64,
        ) {
            let course = union(&grants, Millis(now));
            for at in now..70 {
                let counting = grants.iter().filter(|(_, period)| period.contains(Millis(at)));
                let expected = counting
                    .fold(Permissions::NONE, |union, (permissions, _)| union.union(*permissions));
                match course.at(Millis(at)) {
                    Some(permissions) => prop_assert_eq!(permissions, expected, "at {}", at),
                    None => prop_assert!(at > now, "it was just read"),
                }
            }
            if let InTime::Changing(course) = &course {
                prop_assert!(course.changes.len() <= MAX_CHANGES);
                prop_assert!(course.known_until.is_none() || course.changes.len() == MAX_CHANGES);
                for at in now..70 {
                    let is_known = course.known_until.is_none_or(|end| Millis(at) < end);
                    let value = InTime::Changing(Rc::clone(course)).at(Millis(at));
                    prop_assert_eq!(value.is_some(), is_known);
                }
            }
        }
    }

    #[test]
    fn a_grant_is_valid_at_its_start_and_no_longer_at_its_end() {
        let period = Period::new(Some(Millis(10)), Some(Millis(20))).unwrap();
        let phases = [9, 10, 19, 20].map(|at| period.phase(Millis(at)));
        assert_eq!(phases, [Phase::Before, Phase::Within, Phase::Within, Phase::After]);
        assert!(Period::new(Some(Millis(10)), Some(Millis(10))).is_err());
    }

    /// The property has random grants, whose union rarely changes so often.
    #[test]
    fn a_course_has_no_value_after_the_changes_that_it_knows() {
        let every_other_moment = |at| {
            let period = Period::new(Some(Millis(at)), Some(Millis(at + 1))).unwrap();
            (Permissions::of_grant([]), period)
        };
        let grants: Vec<_> = (0..40).step_by(2).map(every_other_moment).collect();
        let course = union(&grants, Millis(0));
        let has_view = |at| course.at(Millis(at)).map(|of| of.has(Permission::View));
        for at in 0..17 {
            assert_eq!(has_view(at), Some(at % 2 == 0), "{at}");
        }
        assert_eq!([17, 18, 100].map(has_view), [None; 3], "to be read again");
    }

    #[test]
    fn a_value_that_never_changes_is_stored_without_a_course() {
        let over = Period { starts_at: Some(Millis(1)), expires_at: Some(Millis(5)) };
        let begun = Period { starts_at: Some(Millis(1)), expires_at: None };
        let all = union(&[(Permissions::ALL, over), (Permissions::of_grant([]), begun)], Millis(5));
        assert_eq!(all, InTime::Always(Permissions::of_grant([])));
    }
}
