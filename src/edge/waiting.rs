//! Answers that wait for something, as promises, and who polls them.
//!
//! They are polled by a task that the runtime queues, as usual, or right where an event has happened: the task and its promises cost more than
//! a verification does.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{self, Poll, Wake, Waker};

use worker::js_sys::Promise;
use worker::wasm_bindgen::{self, JsValue, closure::Closure, prelude::wasm_bindgen};
use worker::web_sys;

use crate::ports::LocalFuture;

type Answer = LocalFuture<'static, web_sys::Response>;

#[wasm_bindgen(module = "/src/edge/crossing.mjs")]
extern "C" {
    /// A promise of this instance of the wasm, which nothing else can fulfil.
    type Promised;

    fn promised() -> Promised;
    #[wasm_bindgen(method, getter)]
    fn promise(this: &Promised) -> Promise;
    #[wasm_bindgen(method)]
    fn resolve(this: &Promised, answer: web_sys::Response);
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

thread_local! {
    // No borrow outlives a poll, or a call to JavaScript.
    static WAITING: RefCell<BTreeMap<u32, Waiting>> = const { RefCell::new(BTreeMap::new()) };
    static WOKEN: RefCell<VecDeque<u32>> = const { RefCell::new(VecDeque::new()) };
    static NEXT: Cell<u32> = const { Cell::new(0) };
    /// The woken are being polled, or will be without a task.
    static POLLED: Cell<bool> = const { Cell::new(false) };
    static TASK: JsValue = Closure::<dyn Fn()>::new(poll_woken).into_js_value();
}

/// The number of an answer that waits.
struct Number(u32);

impl Wake for Number {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let is_first = WOKEN.with_borrow_mut(|woken| {
            woken.push_back(self.0);
            woken.len() == 1
        });
        if is_first && !POLLED.get() {
            TASK.with(queue_microtask);
        }
    }
}

/// The answer, where it is there at once; else a promise of it.
pub(super) fn answered(mut answer: Answer) -> JsValue {
    if let Poll::Ready(response) = answer.as_mut().poll(&mut task::Context::from_waker(Waker::noop())) {
        return response.into();
    }
    let number = NEXT.get();
    NEXT.set(number.wrapping_add(1));
    let promised = promised();
    let promise = promised.promise();
    // It is polled again, for its own waker to be known where it waits.
    poll(number, Waiting { answer, waker: Waker::from(Arc::new(Number(number))), promised });
    promise.into()
}

/// Lets something happen, and polls who waited for it. Nothing of wasm may be under way.
pub(super) fn happened(event: impl FnOnce()) {
    POLLED.set(true);
    event();
    poll_woken();
}

fn poll_woken() {
    POLLED.set(true);
    while let Some(number) = WOKEN.with_borrow_mut(VecDeque::pop_front) {
        // One may be woken twice, and have ended meanwhile.
        if let Some(waiting) = WAITING.with_borrow_mut(|all| all.remove(&number)) {
            poll(number, waiting);
        }
    }
    POLLED.set(false);
}

fn poll(number: u32, mut waiting: Waiting) {
    match waiting.answer.as_mut().poll(&mut task::Context::from_waker(&waiting.waker)) {
        Poll::Ready(response) => waiting.promised.resolve(response),
        Poll::Pending => {
            WAITING.with_borrow_mut(|all| all.insert(number, waiting));
        }
    }
}
