//! The numbers of records, which administrators see first.

use std::rc::Rc;

use crate::context::Cx;
use crate::error::{Error, Result};
pub use crate::memory::counts::Counts;
use crate::store::counts::Count;
pub use crate::store::counts::KINDS;
use crate::store::{counts, feed, sql};

/// Counts that read more rows than this are cached for a minute.
const CHEAP_ROWS: i64 = 1_000;

/// The numbers of records; `None` while D1 does not answer.
pub async fn counts(cx: &Cx) -> Result<Option<Rc<Counts>>> {
    if let Some(counts) = cx.memory.counts.get(cx.now) {
        return Ok(Some(counts));
    }
    let batch = vec![feed::select_head(), counts::select()];
    let results = match sql::query_within(cx, sql::PATIENCE, batch).await {
        Err(Error::Unavailable(_)) => return Ok(None),
        results => results?,
    };
    let head = sql::rows(&results, 0)?.first();
    let revision = head.map_or(Ok(0), |row| row.number("head"))?;
    let counted = counts::counts(sql::rows(&results, 1)?)?;
    let numbers = counted.iter().map(|Count { kind, number, .. }| (*kind, *number)).collect();
    let at_least = counted.iter().filter(|count| count.is_more).map(|count| count.kind).collect();
    let rows: i64 = counted.iter().map(|count| count.rows).sum();
    let counts = Rc::new(Counts { numbers, at_least, revision });
    if rows > CHEAP_ROWS {
        cx.memory.counts.keep(&counts, cx.now);
    }
    Ok(Some(counts))
}
