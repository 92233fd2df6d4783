//! The queue of requests that want to hash a password.
//!
//! An isolate computes one hash at a time, in order of arrival. A request that only checks an open
//! stream again goes first, because a long wait would close the stream.
//!
//! This queue keeps the hash, and the request does not: the platform drops a request whose client
//! has left, and never frees what that request held. So at most one hash takes its 19 MiB, whoever
//! leaves.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use argon2id::Argon2id;

use crate::domain::time::Millis;

/// The largest number of waiting requests. Each waits about 50 ms for every request before it.
pub const WAITING: usize = 200;
/// A request that was not seen for this long is gone: the platform drops a request whose client has
/// left.
const SEEN_WITHIN: Millis = Millis::from_seconds(1);

/// The queue. The first place has its turn.
#[derive(Default)]
pub struct Hashing {
    queue: RefCell<VecDeque<Place>>,
    latest: Cell<u64>,
    /// The hash that is being computed, and the number of its place.
    current: RefCell<Option<(u64, Argon2id)>>,
}

struct Place {
    number: u64,
    goes_first: bool,
    seen_at: Millis,
}

impl Hashing {
    /// Joins the queue at its end, or, if `goes_first`, before all who wait and do not go first.
    /// Returns the number of the place. Returns `None` if too many wait; this refuses nobody who
    /// goes first.
    pub fn join(&self, now: Millis, goes_first: bool) -> Option<u64> {
        let mut queue = self.queue.borrow_mut();
        queue.retain(|place| now - place.seen_at < SEEN_WITHIN);
        if queue.len() > WAITING && !goes_first {
            return None;
        }
        let number = self.latest.get() + 1;
        self.latest.set(number);
        // The hash of the first place is being computed, so nobody goes before it.
        let before = queue.iter().skip(1).take_while(|place| place.goes_first).count() + 1;
        let index = if goes_first { before.min(queue.len()) } else { queue.len() };
        queue.insert(index, Place { number, goes_first, seen_at: now });
        Some(number)
    }

    /// Notes that the holder of this place is still there, and returns how many are before it. If
    /// the place was given up because its holder was away too long, the holder joins again at the
    /// end.
    pub fn before(&self, number: u64, now: Millis) -> usize {
        let mut queue = self.queue.borrow_mut();
        match queue.iter_mut().find(|place| place.number == number) {
            Some(place) => place.seen_at = now,
            None => queue.push_back(Place { number, goes_first: false, seen_at: now }),
        }
        queue.retain(|place| now - place.seen_at < SEEN_WITHIN);
        queue.iter().take_while(|place| place.number != number).count()
    }

    /// How many hash or wait, as they were last seen.
    #[must_use]
    pub fn waiting(&self, now: Millis) -> usize {
        self.queue.borrow().iter().filter(|place| now - place.seen_at < SEEN_WITHIN).count()
    }

    /// Computes up to `blocks` more blocks of this place's hash. Starts again if another place's
    /// hash was begun since. Returns the tag when it is complete.
    pub fn go_on(
        &self,
        number: u64,
        blocks: usize,
        begin: impl FnOnce() -> Argon2id,
    ) -> Option<Vec<u8>> {
        let mut current = self.current.borrow_mut();
        if current.as_ref().is_none_or(|(of, _)| *of != number) {
            // Drop the old hash first, so that there are never two.
            *current = None;
            *current = Some((number, begin()));
        }
        let tag = current.as_mut().and_then(|(_, hash)| hash.go_on(blocks));
        if tag.is_some() {
            // If the same place hashes again, that is a new hash.
            *current = None;
        }
        tag
    }

    /// Leaves the queue, and drops the unfinished hash of this place.
    pub fn leave(&self, number: u64) {
        self.queue.borrow_mut().retain(|place| place.number != number);
        let mut current = self.current.borrow_mut();
        if current.as_ref().is_some_and(|(of, _)| *of == number) {
            *current = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Hashing {
        fn is_first(&self, number: u64, now: Millis) -> bool {
            self.before(number, now) == 0
        }
    }

    #[test]
    fn one_hashes_at_a_time_in_the_order_in_which_they_came() {
        let (hashing, now) = (Hashing::default(), Millis(0));
        let places: Vec<_> = (0..3).map(|_| hashing.join(now, false).unwrap()).collect();
        assert!(hashing.is_first(places[0], now));
        assert!(!hashing.is_first(places[1], now) && !hashing.is_first(places[2], now));
        hashing.leave(places[0]);
        assert!(hashing.is_first(places[1], now) && !hashing.is_first(places[2], now));
    }

    #[test]
    fn whoever_goes_first_waits_for_the_one_who_hashes_and_for_those_who_go_first_too() {
        let (hashing, now) = (Hashing::default(), Millis(0));
        let sign_ins: Vec<_> = (0..3).map(|_| hashing.join(now, false).unwrap()).collect();
        let first = [(); 2].map(|()| hashing.join(now, true).unwrap());
        assert_eq!(first.map(|number| hashing.before(number, now)), [1, 2]);
        assert_eq!(
            sign_ins.iter().map(|number| hashing.before(*number, now)).collect::<Vec<_>>(),
            [0, 3, 4]
        );
        hashing.leave(sign_ins[0]);
        assert!(hashing.is_first(first[0], now));
        let alone = Hashing::default();
        let one = alone.join(now, true).unwrap();
        assert!(alone.is_first(one, now));
    }

    #[test]
    fn whoever_leaves_while_they_wait_is_passed_over() {
        let (hashing, now) = (Hashing::default(), Millis(0));
        let places: Vec<_> = (0..3).map(|_| hashing.join(now, false).unwrap()).collect();
        hashing.leave(places[1]);
        hashing.leave(places[0]);
        assert!(hashing.is_first(places[2], now));
    }

    #[test]
    fn as_many_wait_as_are_allowed_and_then_one_more_is_refused() {
        let (hashing, now) = (Hashing::default(), Millis(0));
        let places: Vec<_> = (0..=WAITING).map(|_| hashing.join(now, false).unwrap()).collect();
        assert_eq!(hashing.join(now, false), None);
        assert!(hashing.join(now, true).is_some(), "whoever may exceed");
        hashing.leave(places[0]);
        hashing.leave(places[1]);
        assert!(hashing.join(now, false).is_some());
    }

    #[test]
    fn a_place_whose_holder_is_not_seen_for_a_second_is_given_up() {
        let hashing = Hashing::default();
        let gone = hashing.join(Millis(0), false).unwrap();
        let waits = hashing.join(Millis(0), false).unwrap();
        for now in (0..1000).step_by(50) {
            assert!(!hashing.is_first(waits, Millis(now)), "{now}");
        }
        assert!(hashing.is_first(waits, Millis(1000)));
        assert!(!hashing.is_first(gone, Millis(1000)), "who comes back is at the end");
        hashing.leave(waits);
        assert!(hashing.is_first(gone, Millis(1001)));
    }

    #[test]
    fn those_who_are_gone_do_not_count_as_waiting() {
        let hashing = Hashing::default();
        for _ in 0..=WAITING {
            hashing.join(Millis(0), false).unwrap();
        }
        assert!(hashing.join(Millis(999), false).is_none());
        assert!(hashing.join(Millis(1000), false).is_some());
    }

    #[test]
    fn a_hash_that_another_one_has_replaced_begins_anew_and_is_right() {
        let cost = argon2id::Cost { memory_kib: 64, passes: 2 };
        let begin =
            |password: &'static [u8]| move || Argon2id::begin(cost, 32, password, b"somesalt");
        let right = |password| begin(password)().go_on(usize::MAX).unwrap();
        let hashing = Hashing::default();
        let [one, other] = [(); 2].map(|()| hashing.join(Millis(0), false).unwrap());
        assert_eq!(hashing.go_on(one, 100, begin(b"one")), None);
        assert_eq!(hashing.go_on(other, 100, begin(b"other")), None);
        assert_eq!(hashing.go_on(one, 100, begin(b"one")), None, "from the beginning");
        assert_eq!(hashing.go_on(one, 100, begin(b"one")), Some(right(b"one")));
        assert_eq!(
            hashing.go_on(one, usize::MAX, begin(b"another")),
            Some(right(b"another")),
            "not the first one's tag"
        );
        hashing.leave(one);
        assert!(hashing.current.borrow().is_none());
        assert_eq!(hashing.go_on(other, 100, begin(b"other")), None);
        hashing.leave(one);
        assert_eq!(
            hashing.go_on(other, 100, begin(b"other")),
            Some(right(b"other")),
            "who has left takes nothing of others away"
        );
    }
}
