//! `setTimeout`, behind [`Timer`].

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use worker::{Delay, js_sys};

use crate::domain::time::Millis;
use crate::ports::{LocalFuture, Timer};

pub(in crate::edge) struct Timeouts;

impl Timer for Timeouts {
    fn now(&self) -> Millis {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "milliseconds, which a double holds exactly"
        )]
        Millis(js_sys::Date::now() as i64)
    }

    fn sleep(&self, time: Millis) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            Yield::default().await;
            Delay::from(Duration::from_millis(u64::try_from(time.0).unwrap_or_default())).await;
        })
    }
}

/// Yields once: `Delay` keeps only its first waker, and the first poll of an answer has a no-op
/// one. Without this a timer never fires.
#[derive(Default)]
pub(in crate::edge) struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
