//! `fetch`, behind [`Issuers`].

use futures_util::StreamExt;
use web_sys::{AbortSignal, Url};
use worker::{Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response};

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
    fn fetch<'a>(
        &'a self,
        url: &'a HttpsUrl,
        limit: Millis,
    ) -> LocalFuture<'a, Result<Published, FetchProblem>> {
        Box::pin(async move {
            // Over the body, too.
            let signal = AbortSignal::timeout_with_u32(u32::try_from(limit.0).unwrap_or_default());
            in_time(follow(url, &signal).await, &signal)
        })
    }

    fn introspect<'a>(
        &'a self,
        url: &'a HttpsUrl,
        authorization: String,
        form: String,
        limit: Millis,
    ) -> LocalFuture<'a, Result<Vec<u8>, FetchProblem>> {
        Box::pin(async move {
            let signal = AbortSignal::timeout_with_u32(u32::try_from(limit.0).unwrap_or_default());
            in_time(post(url, &authorization, &form, &signal).await, &signal)
        })
    }
}

fn in_time<T>(outcome: Result<T, FetchProblem>, signal: &AbortSignal) -> Result<T, FetchProblem> {
    let is_late = |problem: &FetchProblem| {
        signal.aborted() && matches!(problem, FetchProblem::Unreachable(_))
    };
    outcome.map_err(|problem| if is_late(&problem) { FetchProblem::TimedOut } else { problem })
}

async fn post(
    url: &HttpsUrl,
    authorization: &str,
    form: &str,
    signal: &AbortSignal,
) -> Result<Vec<u8>, FetchProblem> {
    let send = async || {
        let headers = Headers::new();
        headers.set("user-agent", USER_AGENT)?;
        headers.set("accept", "application/json")?;
        headers.set("content-type", "application/x-www-form-urlencoded")?;
        headers.set("authorization", authorization)?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post)
            .with_redirect(RequestRedirect::Manual)
            .with_headers(headers)
            .with_body(Some(form.into()));
        let request = Request::new_with_init(url.as_str(), &init)?;
        Fetch::Request(request).send_with_signal(&signal.clone().into()).await
    };
    let response = send().await.map_err(unreachable)?;
    match response.status_code() {
        200 => read(response).await.map(|published| published.body),
        300..=399 => {
            Err(FetchProblem::BadRedirect("a question about a token follows none".to_owned()))
        }
        status => Err(refused(status)),
    }
}

/// What a status says that is no success.
fn refused(code: u16) -> FetchProblem {
    match code {
        401 | 403 => FetchProblem::Forbidden(code),
        404 | 410 => FetchProblem::NotFound(code),
        _ => FetchProblem::Status(code),
    }
}

async fn follow(url: &HttpsUrl, signal: &AbortSignal) -> Result<Published, FetchProblem> {
    let mut url = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let response = get(&url, signal).await.map_err(unreachable)?;
        match response.status_code() {
            200 => return read(response).await,
            301 | 302 | 303 | 307 | 308 => url = target(&url, &response)?,
            status => return Err(refused(status)),
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

/// Where a redirect leads, which must be a place that could have been registered. By the runtime's
/// URL: a second reader of them would be the largest part of the wasm.
fn target(from: &HttpsUrl, response: &Response) -> Result<HttpsUrl, FetchProblem> {
    let nowhere = || FetchProblem::BadRedirect("it leads nowhere".to_owned());
    let location = response.headers().get("location").map_err(unreachable)?.ok_or_else(nowhere)?;
    let joined = Url::new_with_base(&location, from.as_str()).map_err(|_| nowhere())?;
    joined.set_hash("");
    HttpsUrl::parse(&joined.href())
        .map_err(|why| FetchProblem::BadRedirect(format!("where it leads {why}")))
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
