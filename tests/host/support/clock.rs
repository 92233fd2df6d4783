//! The clock of the tests. A test sets it, and it advances by itself when every request sleeps.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use postern::domain::time::Millis;
use postern::ports::{LocalFuture, Timer};

use super::{Queue, yield_once};

/// How often a sleeper is polled before time passes, so that requests that do not sleep make
/// progress.
const PATIENCE: u32 = 6;

/// A sleeping request polls the background tasks. When nothing else can make progress, the clock
/// jumps to the earliest wake-up time.
pub struct Clock {
    now: Cell<Millis>,
    /// The number of each sleeper, and when it wakes.
    sleepers: RefCell<Vec<(u64, Millis)>>,
    next: Cell<u64>,
    /// How often a request yielded instead of sleeping. A request that yields is still working.
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

/// Removes the sleeper from the clock when it is dropped.
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
            // Like a timeout of zero: everybody else is polled once first, and no time passes.
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
