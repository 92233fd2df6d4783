//! The latest changes that memory has read, without a gap. They show whether something that was
//! read earlier is still true.

use std::collections::VecDeque;

use crate::domain::feed::{Change, Place};
use crate::memory::feed::MAX_CHANGES;

/// The changes after `floor`, up to `head`, in ascending order.
#[derive(Debug, Default)]
pub struct Recent {
    floor: Option<Place>,
    changes: VecDeque<Change>,
    head: Option<Place>,
}

impl Recent {
    /// Begins at a place. What changed before it is unknown.
    #[must_use]
    pub fn from(place: Place) -> Self {
        Self { floor: Some(place), changes: VecDeque::new(), head: Some(place) }
    }

    /// The floor and the head.
    #[must_use]
    pub fn ends(&self) -> Option<(Place, Place)> {
        self.floor.zip(self.head)
    }

    /// In ascending order of revision.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }

    /// Adds changes up to a new head. Skips changes that are already there, because the reading may
    /// have begun earlier than the last one. Drops the oldest changes above [`MAX_CHANGES`].
    pub fn go_on(&mut self, changes: &[Change], head: Place) {
        let known = self.head.map_or(i64::MIN, |head| head.revision);
        self.changes.extend(changes.iter().filter(|change| change.revision > known).cloned());
        self.head = Some(head);
        let most = usize::try_from(MAX_CHANGES).unwrap_or(usize::MAX);
        while self.changes.len() > most {
            self.floor = self.changes.pop_front().map(|change| change.place()).or(self.floor);
        }
    }

    /// What has changed since a place; `None` if the place is unknown. After the database was
    /// restored to an earlier state, the same revision has another time, so an old place is
    /// unknown.
    #[must_use]
    pub fn since(&self, place: Place) -> Option<Vec<&Change>> {
        let is_known = self.floor == Some(place)
            || self.head == Some(place)
            || self.changes.iter().any(|change| change.place() == place);
        is_known.then(|| {
            self.changes.iter().filter(|change| change.revision > place.revision).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::feed::ChangeKind;
    use crate::domain::time::Millis;

    fn change(revision: i64) -> Change {
        Change {
            kind: ChangeKind::User,
            key: revision.to_string(),
            revision,
            at: Millis(revision * 10),
        }
    }

    fn since(recent: &Recent, place: Place) -> Option<Vec<i64>> {
        recent.since(place).map(|changes| changes.iter().map(|change| change.revision).collect())
    }

    #[test]
    fn it_knows_what_changed_since_each_place_that_it_has_seen() {
        let mut recent = Recent::from(change(3).place());
        recent.go_on(&[change(4), change(5)], change(5).place());
        recent.go_on(&[change(4), change(5), change(7)], change(7).place());
        assert_eq!(since(&recent, change(3).place()), Some(vec![4, 5, 7]));
        assert_eq!(since(&recent, change(5).place()), Some(vec![7]));
        assert_eq!(since(&recent, change(7).place()), Some(vec![]));
        assert_eq!(since(&recent, change(2).place()), None, "before it began");
        assert_eq!(since(&recent, change(8).place()), None, "not read yet");
        assert_eq!(since(&recent, Place { revision: 5, at: Millis(51) }), None, "of another past");
        assert_eq!(since(&Recent::default(), change(3).place()), None);
    }

    #[test]
    fn it_drops_the_oldest_changes_and_no_longer_knows_their_places() {
        let mut recent = Recent::from(change(0).place());
        for revision in 1..=MAX_CHANGES + 2 {
            recent.go_on(&[change(revision)], change(revision).place());
        }
        assert_eq!(recent.ends(), Some((change(2).place(), change(MAX_CHANGES + 2).place())));
        assert_eq!(since(&recent, change(1).place()), None);
        assert_eq!(
            since(&recent, change(2).place()).map(|list| list.len()),
            usize::try_from(MAX_CHANGES).ok()
        );
    }
}
