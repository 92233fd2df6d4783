//! `Server-Timing` tells administrators how long the parts of an answer took. For other callers
//! these times would reveal what Postern knows.
//!
//! On the platform the clock does not advance during computation. So there is no duration for the
//! isolate's memory, and the other durations are the times the Worker waited.

use crate::context::Cx;
use crate::context::noted::Cost;

pub const HEADER: &str = "server-timing";

/// The value for an administrator's request; `None` for any other.
#[must_use]
pub fn of(cx: &Cx) -> Option<String> {
    if !cx.noted.is_by_administrator() {
        return None;
    }
    let (hits, misses) = cx.noted.looks();
    let mut value = format!(
        "mem;desc=\"{}, {}\"",
        counted(hits, "hit", "hits"),
        counted(misses, "miss", "misses")
    );
    push(&mut value, "cache", &cx.noted.cache, &counted(cx.noted.cache.asked(), "look", "looks"));
    let d1 = &cx.noted.d1;
    let rows = if d1.rows() == 0 { String::new() } else { format!(", {} rows read", d1.rows()) };
    push(&mut value, "d1", d1, &format!("{}{rows}", counted(d1.asked(), "query", "queries")));
    Some(value)
}

fn push(value: &mut String, name: &str, cost: &Cost, what: &str) {
    if cost.asked() > 0 {
        value.extend([", ", name, ";dur=", &cost.time().0.to_string(), ";desc=\"", what, "\""]);
    }
}

fn counted(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
