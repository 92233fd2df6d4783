//! Answers, as the runtime takes them: at once, or as promises.

use std::task::{self, Poll, Waker};

use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::future_to_promise;

use crate::ports::LocalFuture;

/// The answer, where it waits for nothing; else a promise of it.
///
/// A promise for each warm verification would cost 18 % more (`bench/NOTES.md`). The trap is that
/// the waker of the first poll wakes nobody, so a future that keeps its first waker never ends.
/// `worker::Delay` is such a future: `ports::timer` yields before it.
pub(in crate::edge) fn answered(mut answer: LocalFuture<'static, JsValue>) -> JsValue {
    match answer.as_mut().poll(&mut task::Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => future_to_promise(async move { Ok(answer.await) }).into(),
    }
}
