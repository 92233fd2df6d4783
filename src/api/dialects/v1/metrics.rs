//! Numbers for a monitor.

use crate::actions::metrics;
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::Answer;
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::metrics::{CONTENT_TYPE, text};
use crate::error::Result;

const EXAMPLE: &str = "# HELP postern_feed_reads_total Readings of the change feed by this isolate.\n\
                       # TYPE postern_feed_reads_total counter\npostern_feed_reads_total 7\n";

const COMMENT: &str = "The counters are those of one isolate, the one that answered. They begin with it and end with it.\n\
                       The next request may be answered by another one: postern_isolate_start_time_seconds tells them apart.";

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[Route::get("show_metrics", &["/v1/metrics"], handler!(show))
        .summary("Tells the counters of the isolate that answers, and how D1 and KV do, in the text format of Prometheus")
        .about(
            "Platforms run a Worker in many isolates, and each has counters of its own. The page `docs/watch.md` tells what they \
             are good for. A key for a monitor needs `decisions`, the least that a key may.",
        )
        .access(Access::Administrator)
        .keys(Keys::With(May::Decisions))
        .answers(Answer::texts(200, &[("text/plain", EXAMPLE)]))],
};

async fn show(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    Ok(Response::text(200, CONTENT_TYPE, text(COMMENT, &metrics::families(cx).await)))
}
