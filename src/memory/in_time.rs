//! Reads D1 before an answer, with a time limit.
//!
//! D1 sometimes takes seconds. Then the answer comes from copies, and the reading continues behind
//! the answer, so that memory is updated as soon as D1 answers.

use crate::context::Cx;
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::Selection;
use crate::error::{Error, Fault, Result};
use crate::memory::isolate::STALL_GIVEN_UP;
use crate::memory::reading::{self, Found, Wanted};
use crate::memory::{copy, shared};
use crate::ports::{LocalFuture, within};
use crate::store::sql::PATIENCE;

/// After this time, the copy in KV is fetched while the reading goes on, so that the copy is there
/// when patience ends.
const COPY_FETCHED_AFTER: Millis = Millis(1_000);

/// Reads D1 now. Fails with `Unavailable` if D1 fails or does not answer in time.
pub(super) async fn read(
    cx: &Cx,
    wanted: &[Wanted],
    selection: Option<&Selection>,
) -> Result<Found> {
    let (behind, wanted, selection) = (cx.clone(), wanted.to_vec(), selection.cloned());
    let mut reading: LocalFuture<'static, Result<Found>> =
        Box::pin(async move { reading::read(&behind, &wanted, selection.as_ref()).await });
    let mut found = within(&*cx.timer, COPY_FETCHED_AFTER, &mut reading).await;
    if found.is_none() {
        fetch_copy_beside(cx);
        found = within(&*cx.timer, PATIENCE - COPY_FETCHED_AFTER, &mut reading).await;
    }
    if let Some(found) = found {
        match &found {
            Ok(_) => cx.must_read.set(false),
            Err(_) => cx.memory.end_reading(),
        }
        return found.map(|found| published(cx, found));
    }
    cx.memory.note_stall(cx.timer.now());
    cx.log.line(&format!("D1 did not answer in {} ms", PATIENCE.0));
    go_on_behind(cx, reading);
    Err(Error::Unavailable(Fault::new("D1 did not answer in time")))
}

fn published(cx: &Cx, mut found: Found) -> Found {
    if let Some(news) = found.news.take() {
        shared::publish(cx, news);
    }
    found
}

/// The result is not used here: memory caches what KV answers for a moment.
fn fetch_copy_beside(cx: &Cx) {
    let beside = cx.clone();
    cx.tasks.spawn(Box::pin(async move { drop(copy::fetch(&beside).await) }));
}

fn go_on_behind(cx: &Cx, mut reading: LocalFuture<'static, Result<Found>>) {
    let behind = cx.clone();
    cx.tasks.spawn(Box::pin(async move {
        match within(&*behind.timer, STALL_GIVEN_UP, &mut reading).await {
            Some(found) => drop(found.map(|found| published(&behind, found))),
            None => behind.memory.note_failure(behind.timer.now()),
        }
    }));
}
