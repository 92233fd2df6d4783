//! `Server-Timing`: where the time of an answer went, for administrators only. To anybody else, how
//! long something took would tell what Postern knows.
//!
//! On the platform the clock stands still while the Worker computes. So there is no time of the
//! memory, and what the others take is time that the Worker has waited.

use crate::context::Cx;
use crate::context::noted::Cost;

/// The header.
pub const HEADER: &str = "server-timing";

/// Its value for the request of an administrator; `None` for any other.
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
