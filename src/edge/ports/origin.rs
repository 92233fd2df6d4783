//! The way to the origin and back: bodies flow past the wasm as the streams that they are, in both
//! directions.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use worker::js_sys::{BigInt, Reflect, Uint8Array};
use worker::wasm_bindgen::{self, JsCast, JsValue, prelude::wasm_bindgen};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{
    AbortController, Headers, ReadableStream, ReadableStreamDefaultReader, Request, RequestCache,
    RequestInit, RequestRedirect, Response, ResponseInit, TransformStream, WorkerGlobalScope,
    WritableStreamDefaultWriter,
};
use worker::worker_sys::FixedLengthStream;
use worker::{Delay, js_sys};

use crate::api::gateway::is_hop_by_hop;
use crate::api::http::caching;
use crate::api::http::cookies;
use crate::api::http::cors;
use crate::api::http::message::Forward;
use crate::api::http::origin_urls;
use crate::api::http::session_cookie;
use crate::domain::path_readings;
use crate::edge::ports::timer::Yield;
use crate::edge::runtime::streams::{self, Event};
use crate::error::{Error, Fault, Result};
use crate::ports::Tasks;

#[wasm_bindgen(module = "/src/edge/runtime/crossing.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = setCookies)]
    fn set_cookies(headers: &Headers) -> js_sys::Array;
}

/// Carries a request to the origin. The answer is the origin's, with `forward.answer_headers`; its
/// body has yet to come.
pub(in crate::edge) async fn pass(
    event: &Event<'_>,
    forward: &Forward,
    tasks: &dyn Tasks,
) -> Result<Response> {
    let client = event.request;
    Yield::default().await;
    let abort = AbortController::new().map_err(|error| fault(&error))?;
    let alive = Rc::new(Cell::new(now()));
    let init = RequestInit::new();
    init.set_method(&client.method());
    init.set_headers(&headers(forward)?.into());
    init.set_redirect(RequestRedirect::Manual);
    if !forward.is_for_everybody {
        // The platform's cache goes by the URL, and would answer the next user with it.
        init.set_cache(RequestCache::NoStore);
    }
    init.set_signal(Some(&abort.signal()));
    let body = if forward.has_body { body(client, &alive, tasks)? } else { None };
    if let Some(body) = body {
        init.set_body(&body);
    }
    let request =
        Request::new_with_str_and_init(&forward.url, &init).map_err(|error| fault(&error))?;
    if !path_readings::is_same(&forward.url, &request.url()) {
        return Err(Error::invalid("url", "would reach the origin as another path"));
    }
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let answer = std::pin::pin!(JsFuture::from(scope.fetch_with_request(&request)));
    let silence = std::pin::pin!(silence(&alive, forward.timeout_s));
    match select(answer, silence).await {
        Either::Left((Ok(response), _)) => back(response.unchecked_into(), forward, event),
        Either::Left((Err(error), _)) => Err(fault(&error)),
        Either::Right(_) => {
            abort.abort();
            Err(Error::OriginTimedOut { timeout_s: forward.timeout_s })
        }
    }
}

/// The answer that changes the protocol. Its connection is watched, where somebody was asked who
/// they are.
fn upgraded(
    origin: Response,
    forward: &Forward,
    event: &Event<'_>,
) -> std::result::Result<Response, JsValue> {
    let headers = Headers::new_with_headers(&origin.headers())?;
    let is_changed = put_cookies(&origin.headers(), &headers, &forward.origin)?;
    match &forward.authority {
        Some(authority) => event.relay(&origin, &headers, authority),
        None if is_changed => streams::with_headers(&origin, &headers),
        None => Ok(origin),
    }
}

/// The answer as the client gets it. What stays open is watched, where somebody was asked who they
/// are.
fn back(origin: Response, forward: &Forward, event: &Event<'_>) -> Result<Response> {
    let status = origin.status();
    if status == 101 {
        return upgraded(origin, forward, event).map_err(|error| fault(&error));
    }
    let headers = Headers::new_with_headers(&origin.headers()).map_err(|error| fault(&error))?;
    for name in origin.headers().keys().into_iter().flatten().filter_map(|name| name.as_string()) {
        let stays = !is_hop_by_hop(&name)
            && (forward.is_for_everybody || !caching::is_for_shared_caches(&name))
            && (!forward.is_preflight || cors::is_of_answer(&name));
        if !stays {
            headers.delete(&name).map_err(|error| fault(&error))?;
        }
    }
    if !forward.is_for_everybody {
        let said = headers.get("cache-control").map_err(|error| fault(&error))?.unwrap_or_default();
        headers.set("cache-control", &caching::private(&said)).map_err(|error| fault(&error))?;
    }
    for name in ["location", "content-location"] {
        let said = headers.get(name).map_err(|error| fault(&error))?;
        if let Some(public) =
            said.and_then(|said| origin_urls::public_location(&said, &forward.origin))
        {
            headers.set(name, &public).map_err(|error| fault(&error))?;
        }
    }
    put_cookies(&origin.headers(), &headers, &forward.origin).map_err(|error| fault(&error))?;
    for (name, value) in &forward.answer_headers {
        let put = if matches!(*name, "vary" | "set-cookie") {
            headers.append(name, value)
        } else {
            headers.set(name, value)
        };
        put.map_err(|error| fault(&error))?;
    }
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_status_text(&origin.status_text());
    init.set_headers(&headers);
    let mut body =
        origin.body().filter(|_| !forward.is_preflight && !matches!(status, 204 | 205 | 304));
    if let (Some(authority), Some(stream)) = (&forward.authority, &body)
        && is_event_stream(&headers)
    {
        // One that is closed early is not as long as it was to be.
        headers.delete("content-length").map_err(|error| fault(&error))?;
        body = Some(event.pump(stream, authority).map_err(|error| fault(&error))?);
    }
    // An origin may answer with a status that is none.
    Response::new_with_opt_readable_stream_and_init(body.as_ref(), &init)
        .map_err(|error| fault(&error))
}

/// Takes away cookies of the origin that have a name of Postern's own, and tells paths as clients
/// know them. Answers whether that changed any. Each cookie stays apart, since one may have a
/// comma.
fn put_cookies(
    of_origin: &Headers,
    headers: &Headers,
    origin_url: &str,
) -> std::result::Result<bool, JsValue> {
    let set: Vec<_> =
        set_cookies(of_origin).iter().filter_map(|cookie| cookie.as_string()).collect();
    let is_ours = |cookie: &str| cookies::sets(cookie, session_cookie::is_ours);
    let public = |cookie: &String| {
        origin_urls::public_cookie(cookie, origin_url).unwrap_or_else(|| cookie.clone())
    };
    let put: Vec<_> = set.iter().filter(|cookie| !is_ours(cookie)).map(public).collect();
    if put == set {
        return Ok(false);
    }
    headers.delete("set-cookie")?;
    put.iter().try_for_each(|cookie| headers.append("set-cookie", cookie))?;
    Ok(true)
}

fn is_event_stream(headers: &Headers) -> bool {
    let media_type = headers.get("content-type").ok().flatten().unwrap_or_default();
    media_type
        .split(';')
        .next()
        .is_some_and(|name| name.trim().eq_ignore_ascii_case("text/event-stream"))
}

fn headers(forward: &Forward) -> Result<Headers> {
    let headers = Headers::new().map_err(|error| fault(&error))?;
    for (name, value) in &forward.headers {
        headers.append(name, value).map_err(|error| fault(&error))?;
    }
    Ok(headers)
}

/// The client's body as one that is to be sent, and each part that the origin takes as a sign of
/// life.
fn body(
    client: &Request,
    alive: &Rc<Cell<f64>>,
    tasks: &dyn Tasks,
) -> Result<Option<ReadableStream>> {
    if matches!(client.method().as_str(), "GET" | "HEAD") {
        return Ok(None);
    }
    let Some(source) = client.body() else { return Ok(None) };
    let through = through(client.headers().get("content-length").ok().flatten())?;
    let reader: ReadableStreamDefaultReader = source.get_reader().unchecked_into();
    let writer = through.writable().get_writer().map_err(|error| fault(&error))?;
    let alive = Rc::clone(alive);
    // It goes on behind the answer, which an origin may begin before it has read everything.
    tasks.spawn(Box::pin(async move {
        if let Err(error) = pump(&reader, &writer, &alive).await {
            // The origin has seen no end, so that it cannot take a part for the whole.
            let _ = JsFuture::from(writer.abort_with_reason(&error)).await;
            let _ = JsFuture::from(reader.cancel_with_reason(&error)).await;
        }
    }));
    Ok(Some(through.readable()))
}

async fn pump(
    reader: &ReadableStreamDefaultReader,
    writer: &WritableStreamDefaultWriter,
    alive: &Cell<f64>,
) -> std::result::Result<(), JsValue> {
    loop {
        let read = JsFuture::from(reader.read()).await?;
        if Reflect::get(&read, &"done".into())?.is_truthy() {
            JsFuture::from(writer.close()).await?;
            return Ok(());
        }
        let chunk: Uint8Array = Reflect::get(&read, &"value".into())?.unchecked_into();
        JsFuture::from(writer.write_with_chunk(&chunk)).await?;
        alive.set(now());
    }
}

/// What a body flows through. A declared length is kept; without one the body goes in chunks.
fn through(length: Option<String>) -> Result<TransformStream> {
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) => FixedLengthStream::new_big_int(BigInt::from(length))
            .map(Into::into)
            .map_err(|error| fault(&error)),
        None => TransformStream::new().map_err(|error| fault(&error)),
    }
}

/// Ends when there was no sign of life for so many seconds.
async fn silence(alive: &Cell<f64>, timeout_s: i64) {
    let patience_ms = i32::try_from(timeout_s.saturating_mul(1000)).map_or(f64::MAX, f64::from);
    loop {
        let left = alive.get() + patience_ms - now();
        if left <= 0.0 {
            return;
        }
        Delay::from(Duration::from_secs_f64(left.min(patience_ms) / 1000.0)).await;
    }
}

fn now() -> f64 {
    js_sys::Date::now()
}

fn fault(error: &JsValue) -> Error {
    let text = error
        .as_string()
        .or_else(|| error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())));
    Error::OriginFailed(Fault::new(format!("the origin failed: {}", text.unwrap_or_default())))
}
