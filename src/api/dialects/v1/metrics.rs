//! Metrics in the text format of Prometheus.

use crate::actions::metrics;
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::Answer;
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::metrics::{CONTENT_TYPE, text};
use crate::error::Result;

const EXAMPLE: &str = "\
    # HELP postern_feed_reads_total Readings of the change feed by this isolate.\n\
    # TYPE postern_feed_reads_total counter\n\
    postern_feed_reads_total 7\n";

const COMMENT: &str = "\
    The counters belong to the isolate that answered. They start with it and are lost with it.\n\
    Another isolate may answer the next request: postern_isolate_start_time_seconds tells them \
    apart.";

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[Route::get("show_metrics", &["/v1/metrics"], handler!(show))
        .summary(
            "Shows the counters of the isolate that answers, and the state of D1 and KV, in the \
             text format of Prometheus",
        )
        .about(
            "A Worker runs in many isolates, and each has its own counters. The page \
             `docs/watch.md` explains them. A monitor's key needs only `decisions`.",
        )
        .access(Access::Administrator)
        .keys(Keys::With(May::Decisions))
        .answers(Answer::texts(200, &[("text/plain", EXAMPLE)]))],
};

async fn show(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    Ok(Response::text(200, CONTENT_TYPE, text(COMMENT, &metrics::families(cx).await)))
}
