//! `fetch`, behind [`Issuers`].

use futures_util::StreamExt;
use web_sys::{AbortSignal, Url};
use worker::{Fetch, Headers, Request, RequestInit, RequestRedirect, Response};

use crate::domain::time::Millis;
use crate::domain::tokens::fetch_problem::{FetchProblem, MAX_ANSWER_BYTES};
use crate::domain::tokens::key_source::HttpsUrl;
use crate::ports::{Issuers, LocalFuture, Published};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

/// Some issuers refuse requests without a name.
const USER_AGENT: &str = concat!("Postern/", env!("CARGO_PKG_VERSION"));
const ACCEPT: &str = "application/jwk-set+json, application/json";

pub(in crate::edge) struct Web;

impl Issuers for Web {
    fn fetch<'a>(&'a self, url: &'a HttpsUrl, limit: Millis) -> LocalFuture<'a, Result<Published, FetchProblem>> {
        Box::pin(async move {
            // Over the body, too.
            let signal = AbortSignal::timeout_with_u32(u32::try_from(limit.0).unwrap_or_default());
            let outcome = follow(url, &signal).await;
            let is_late = |problem: &FetchProblem| signal.aborted() && matches!(problem, FetchProblem::Unreachable(_));
            outcome.map_err(|problem| if is_late(&problem) { FetchProblem::TimedOut } else { problem })
        })
    }
}

async fn follow(url: &HttpsUrl, signal: &AbortSignal) -> Result<Published, FetchProblem> {
    let mut url = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let response = get(&url, signal).await.map_err(unreachable)?;
        match response.status_code() {
            200 => return read(response).await,
            301 | 302 | 303 | 307 | 308 => url = target(&url, &response)?,
            status @ (401 | 403) => return Err(FetchProblem::Forbidden(status)),
            status @ (404 | 410) => return Err(FetchProblem::NotFound(status)),
            status => return Err(FetchProblem::Status(status)),
        }
    }
    Err(FetchProblem::BadRedirect(format!("there are more than {MAX_REDIRECTS}")))
}

async fn get(url: &HttpsUrl, signal: &AbortSignal) -> worker::Result<Response> {
    let headers = Headers::new();
    headers.set("user-agent", USER_AGENT)?;
    headers.set("accept", ACCEPT)?;
    let mut init = RequestInit::new();
    init.with_redirect(RequestRedirect::Manual).with_headers(headers);
    let request = Request::new_with_init(url.as_str(), &init)?;
    Fetch::Request(request).send_with_signal(&signal.clone().into()).await
}

/// Where a redirect leads, which must be a place that could have been registered. By the runtime's URL: a second reader of them would be
/// the largest part of the wasm.
fn target(from: &HttpsUrl, response: &Response) -> Result<HttpsUrl, FetchProblem> {
    let nowhere = || FetchProblem::BadRedirect("it leads nowhere".to_owned());
    let location = response.headers().get("location").map_err(unreachable)?.ok_or_else(nowhere)?;
    let joined = Url::new_with_base(&location, from.as_str()).map_err(|_| nowhere())?;
    joined.set_hash("");
    HttpsUrl::parse(&joined.href()).map_err(|why| FetchProblem::BadRedirect(format!("where it leads {why}")))
}

async fn read(mut response: Response) -> Result<Published, FetchProblem> {
    let cache_control = response.headers().get("cache-control").map_err(unreachable)?;
    let mut stream = response.stream().map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        body.extend(chunk.map_err(unreachable)?);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(FetchProblem::TooLong);
        }
    }
    Ok(Published { body, cache_control })
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unreachable(error: worker::Error) -> FetchProblem {
    FetchProblem::Unreachable(error.to_string())
}
