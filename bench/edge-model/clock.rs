//! Virtual time, and what waits for it.
//!
//! Nothing here uses wakers: a task is polled when the time has come for which one of its sleepers
//! waits.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use postern::domain::time::Millis;
use postern::ports::{LocalFuture, Tasks, Timer};

/// When the model begins.
const START: Millis = Millis(1_800_000_000_000);

type Task = LocalFuture<'static, ()>;

/// Microseconds since the model began, and who is to be woken when.
#[derive(Default)]
pub struct Clock {
    now: Cell<u64>,
    wakes: RefCell<BinaryHeap<Reverse<(u64, u64)>>>,
    /// The task that is being polled.
    running: Cell<u64>,
    begun: Cell<u64>,
    spawned: RefCell<Vec<Task>>,
    waiting: RefCell<HashMap<u64, Task>>,
}

impl Clock {
    /// Microseconds since the model began.
    pub fn micros(&self) -> u64 {
        self.now.get()
    }

    /// Ends after so many microseconds.
    pub async fn pause(&self, micros: u64) {
        let wakes_at = self.now.get() + micros;
        let mut woken = None;
        poll_fn(|_| {
            if self.now.get() >= wakes_at {
                return Poll::Ready(());
            }
            // A reading that goes on behind an answer is another task's from then on.
            let running = self.running.get();
            if woken.replace(running) != Some(running) {
                self.wakes.borrow_mut().push(Reverse((wakes_at, running)));
            }
            Poll::Pending
        })
        .await;
    }

    /// Begins a task, and lets it and all that it begins go on until they wait for time to pass.
    pub fn begin(&self, task: Task) {
        self.spawned.borrow_mut().push(task);
        self.begin_spawned();
    }

    fn begin_spawned(&self) {
        loop {
            let Some(task) = self.spawned.borrow_mut().pop() else { return };
            let number = self.begun.get() + 1;
            self.begun.set(number);
            self.poll(number, task);
        }
    }

    fn poll(&self, number: u64, mut task: Task) {
        self.running.set(number);
        if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.waiting.borrow_mut().insert(number, task);
        }
    }

    /// Lets time pass, and everybody go on whose time comes until then.
    pub fn pass_until(&self, then: u64) {
        loop {
            let first = self.wakes.borrow().peek().map(|Reverse(first)| *first);
            let Some((at, number)) = first.filter(|(at, _)| *at <= then) else { break };
            self.wakes.borrow_mut().pop();
            self.now.set(at);
            let task = self.waiting.borrow_mut().remove(&number);
            if let Some(task) = task {
                self.poll(number, task);
                self.begin_spawned();
            }
        }
        self.now.set(then);
    }

    /// Ends all tasks, wherever they are.
    pub fn drop_tasks(&self) {
        self.wakes.borrow_mut().clear();
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        drop(waiting);
    }
}

impl Timer for Clock {
    fn now(&self) -> Millis {
        START + Millis(i64::try_from(self.now.get() / 1_000).unwrap_or(i64::MAX))
    }

    fn sleep(&self, time: Millis) -> LocalFuture<'_, ()> {
        Box::pin(self.pause(u64::try_from(time.0).unwrap_or(0) * 1_000))
    }
}

impl Tasks for Clock {
    fn spawn(&self, task: Task) {
        self.spawned.borrow_mut().push(task);
    }
}

/// A timer by which nobody's patience with D1 or KV ends: the product's limits on waiting are 500
/// ms and more, what it sleeps for between two looks is 50 ms at most, and the cache of the data
/// centre has 100 ms.
pub struct Endless(pub Rc<Clock>);

const PATIENCE: Millis = Millis(500);

impl Timer for Endless {
    fn now(&self) -> Millis {
        self.0.now()
    }

    fn sleep(&self, time: Millis) -> LocalFuture<'_, ()> {
        if time >= PATIENCE { Box::pin(std::future::pending()) } else { self.0.sleep(time) }
    }
}
