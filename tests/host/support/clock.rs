//! A clock that tests set, and that goes on while everybody sleeps.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use postern::domain::time::Millis;
use postern::ports::{LocalFuture, Timer};

use super::{Queue, yield_once};

/// How often a sleeper is polled before time passes: whoever does not sleep gets on meanwhile.
const PATIENCE: u32 = 6;

/// While a request sleeps, what goes on behind the answers is polled, and in the end the time is
/// that of the sleeper who wakes first.
pub struct Clock {
    now: Cell<Millis>,
    /// When each sleeper wakes, by its number.
    sleepers: RefCell<Vec<(u64, Millis)>>,
    next: Cell<u64>,
    /// How often somebody only let others come first, and so is at work.
    yields: Cell<u64>,
    tasks: Rc<Queue>,
}

impl Clock {
    pub fn new(now: Millis, tasks: &Rc<Queue>) -> Self {
        Self {
            now: Cell::new(now),
            sleepers: RefCell::default(),
            next: Cell::new(0),
            yields: Cell::new(0),
            tasks: Rc::clone(tasks),
        }
    }

    pub fn get(&self) -> Millis {
        self.now.get()
    }

    pub fn set(&self, now: Millis) {
        self.now.set(now);
    }

    pub fn replace(&self, now: Millis) -> Millis {
        self.now.replace(now)
    }

    fn is_first(&self, number: u64) -> bool {
        let sleepers = self.sleepers.borrow();
        sleepers
            .iter()
            .min_by_key(|(_, wakes_at)| *wakes_at)
            .is_some_and(|(first, _)| *first == number)
    }
}

/// A sleeper, which is no longer one when it is dropped.
struct Sleeper<'c> {
    clock: &'c Clock,
    number: u64,
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.clock.sleepers.borrow_mut().retain(|(number, _)| *number != self.number);
    }
}

impl Timer for Clock {
    fn now(&self) -> Millis {
        self.get()
    }

    fn sleep(&self, time: Millis) -> LocalFuture<'_, ()> {
        if time == Millis(0) {
            // As a timeout of no length does: the others come first, once. No time passes
            // meanwhile.
            self.yields.set(self.yields.get() + 1);
            return Box::pin(yield_once());
        }
        let number = self.next.replace(self.next.get() + 1);
        let wakes_at = self.get() + time;
        self.sleepers.borrow_mut().push((number, wakes_at));
        let sleeper = Sleeper { clock: self, number };
        Box::pin(async move {
            let _sleeper = sleeper;
            let (mut polls, mut yields) = (0, self.yields.get());
            poll_fn(|_| {
                if self.get() >= wakes_at {
                    return Poll::Ready(());
                }
                polls = if self.yields.get() == yields { polls + 1 } else { 0 };
                yields = self.yields.get();
                self.tasks.poll();
                if polls > PATIENCE && self.is_first(number) && self.get() < wakes_at {
                    self.set(wakes_at);
                }
                if self.get() >= wakes_at { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        })
    }
}
