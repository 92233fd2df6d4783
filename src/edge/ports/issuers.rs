//! `fetch`, behind [`Issuers`].

use futures_util::StreamExt;
use web_sys::{AbortSignal, Url};
use worker::{Fetch, Request, RequestInit, RequestRedirect, Response};

use crate::domain::tokens::keys::KeySetUrl;
use crate::error::Fault;
use crate::memory::key_sets::{FETCH_TIMEOUT_S, MAX_SET_BYTES};
use crate::ports::{Issuers, LocalFuture, Published};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

pub(in crate::edge) struct Web;

impl Issuers for Web {
    fn fetch<'a>(&'a self, url: &'a KeySetUrl) -> LocalFuture<'a, Result<Published, Fault>> {
        Box::pin(async move {
            // Over the body, too.
            let signal = AbortSignal::timeout_with_u32(FETCH_TIMEOUT_S * 1000).into();
            let mut url = url.clone();
            for _ in 0..=MAX_REDIRECTS {
                let response = get(&url, &signal).await?;
                match response.status_code() {
                    200 => return read(response).await,
                    301 | 302 | 303 | 307 | 308 => url = target(&url, &response)?,
                    status => return Err(Fault::new(format!("the answer has status {status}"))),
                }
            }
            Err(Fault::new("there are too many redirects"))
        })
    }
}

async fn get(url: &KeySetUrl, signal: &worker::AbortSignal) -> Result<Response, Fault> {
    let mut init = RequestInit::new();
    init.with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url.as_str(), &init).map_err(fault)?;
    Fetch::Request(request).send_with_signal(signal).await.map_err(fault)
}

/// Where a redirect leads, which must be a place that could have been registered. By the runtime's URL: a second reader of them would be
/// the largest part of the wasm.
fn target(from: &KeySetUrl, response: &Response) -> Result<KeySetUrl, Fault> {
    let nowhere = || Fault::new("a redirect leads nowhere");
    let location = response.headers().get("location").map_err(fault)?.ok_or_else(nowhere)?;
    let joined = Url::new_with_base(&location, from.as_str()).map_err(|_| nowhere())?;
    joined.set_hash("");
    KeySetUrl::parse(&joined.href()).map_err(|why| Fault::new(format!("where a redirect leads {why}")))
}

async fn read(mut response: Response) -> Result<Published, Fault> {
    let cache_control = response.headers().get("cache-control").map_err(fault)?;
    let mut stream = response.stream().map_err(fault)?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        body.extend(chunk.map_err(fault)?);
        if body.len() > MAX_SET_BYTES {
            return Err(Fault::new(format!("the answer is longer than {MAX_SET_BYTES} bytes")));
        }
    }
    Ok(Published { body, cache_control })
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn fault(error: worker::Error) -> Fault {
    Fault::new(format!("fetch: {error}"))
}
