//! Answers that wait for something, as promises, and who polls them.
//!
//! The first poll is immediate: a promise for each warm verification costs 18 % more. What waits is
//! polled right where an event has happened. With the tickets beside this file that makes a cold
//! check 6 % cheaper than `future_to_promise` and `JsFuture` (`bench/NOTES.md`).
//!
//! The trap is that the waker of the first poll wakes nobody. The second poll, at once, has the
//! answer's own waker. A future that keeps its first waker, as `worker::Delay` does, would never
//! end, so `ports::timer` yields before it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{self, Poll, Wake, Waker};

use worker::js_sys::Promise;
use worker::wasm_bindgen::{self, JsValue, closure::Closure, prelude::wasm_bindgen};

use crate::ports::LocalFuture;

type Answer = LocalFuture<'static, JsValue>;

#[wasm_bindgen(module = "/src/edge/runtime/crossing.mjs")]
extern "C" {
    /// A promise of this instance of the wasm, which nothing else can fulfil.
    type Promised;

    fn promised() -> Promised;
    #[wasm_bindgen(method, getter)]
    fn promise(this: &Promised) -> Promise;
    #[wasm_bindgen(method)]
    fn resolve(this: &Promised, answer: JsValue);
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(task: &JsValue);
}

/// An answer that waits.
struct Waiting {
    answer: Answer,
    waker: Waker,
    promised: Promised,
}

/// The answers of this isolate that wait. No borrow outlives a poll, or a call to JavaScript.
struct Queue {
    waiting: RefCell<BTreeMap<u32, Waiting>>,
    woken: RefCell<VecDeque<u32>>,
    next: Cell<u32>,
    /// The woken are being polled, or will be without a task.
    is_polled: Cell<bool>,
    /// The task that polls them.
    task: JsValue,
}

thread_local! {
    static QUEUE: Queue = Queue {
        waiting: RefCell::default(),
        woken: RefCell::default(),
        next: Cell::new(0),
        is_polled: Cell::new(false),
        task: Closure::<dyn Fn()>::new(poll_woken).into_js_value(),
    };
}

/// The number of an answer that waits.
struct Number(u32);

impl Wake for Number {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        QUEUE.with(|queue| {
            queue.woken.borrow_mut().push_back(self.0);
            let is_first = queue.woken.borrow().len() == 1;
            if is_first && !queue.is_polled.get() {
                queue_microtask(&queue.task);
            }
        });
    }
}

/// The answer, where it is there at once; else a promise of it.
pub(in crate::edge) fn answered(mut answer: Answer) -> JsValue {
    if let Poll::Ready(response) =
        answer.as_mut().poll(&mut task::Context::from_waker(Waker::noop()))
    {
        return response;
    }
    let number = QUEUE.with(|queue| queue.next.replace(queue.next.get().wrapping_add(1)));
    let promised = promised();
    let promise = promised.promise();
    // Poll again with its own waker: the first poll used a no-op waker, so nothing would wake it.
    poll(number, Waiting { answer, waker: Waker::from(Arc::new(Number(number))), promised });
    promise.into()
}

/// Lets something happen, and polls who waited for it. Nothing of wasm may be under way.
pub(in crate::edge) fn happened(event: impl FnOnce()) {
    QUEUE.with(|queue| queue.is_polled.set(true));
    event();
    poll_woken();
}

fn poll_woken() {
    QUEUE.with(|queue| queue.is_polled.set(true));
    while let Some(number) = QUEUE.with(|queue| queue.woken.borrow_mut().pop_front()) {
        // One may be woken twice, and have ended meanwhile.
        if let Some(waiting) = QUEUE.with(|queue| queue.waiting.borrow_mut().remove(&number)) {
            poll(number, waiting);
        }
    }
    QUEUE.with(|queue| queue.is_polled.set(false));
}

fn poll(number: u32, mut waiting: Waiting) {
    match waiting.answer.as_mut().poll(&mut task::Context::from_waker(&waiting.waker)) {
        Poll::Ready(response) => waiting.promised.resolve(response),
        Poll::Pending => {
            QUEUE.with(|queue| queue.waiting.borrow_mut().insert(number, waiting));
        }
    }
}
