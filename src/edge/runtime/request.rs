//! A request of the runtime, behind [`Inbound`].

use std::cell::RefCell;

use futures_util::StreamExt;
use worker::ByteStream;
use worker::js_sys::JsString;
use worker::wasm_bindgen::{self, prelude::wasm_bindgen};
use worker::web_sys::Request;

use crate::api::http::message::{Inbound, MAX_BODY_BYTES};
use crate::error::{Error, Result};
use crate::ports::LocalFuture;

thread_local! {
    // The names of headers that are asked for, as JavaScript has them: constants of ours, a few
    // dozen. Two measurements disagree about what this gains (`bench/NOTES.md`).
    static NAMES: RefCell<Vec<(&'static str, JsString)>> = const { RefCell::new(Vec::new()) };
}

#[wasm_bindgen(module = "/src/edge/runtime/crossing.mjs")]
extern "C" {
    fn header(request: &Request, name: &JsString) -> Option<String>;
    fn country(request: &Request) -> Option<String>;
}

/// A request of the runtime. Its URL is read once; headers and the body are read when asked for.
pub(in crate::edge) struct WorkerRequest {
    request: Request,
    method: String,
    url: String,
    origin_end: usize,
    path_end: usize,
}

impl WorkerRequest {
    pub(in crate::edge) fn new(request: Request) -> Result<Self> {
        let (method, mut url) = (request.method(), request.url());
        if let Some(fragment) = url.find('#') {
            url.truncate(fragment);
        }
        let unreadable = || Error::invalid("url", "must be absolute");
        let host = url.find("://").ok_or_else(unreadable)? + 3;
        let rest = url.get(host..).ok_or_else(unreadable)?;
        let origin_end = host + rest.find(['/', '?']).unwrap_or(rest.len());
        let path_end = url.find('?').unwrap_or(url.len());
        Ok(Self { request, method, url, origin_end, path_end })
    }
}

impl WorkerRequest {
    /// A header by a name that the configuration says.
    pub(in crate::edge) fn header_of_config(&self, name: &str) -> Option<String> {
        self.request.headers().get(name).ok().flatten()
    }

    /// The runtime's own request, for the way to the origin.
    pub(in crate::edge) fn inner(&self) -> &Request {
        &self.request
    }
}

impl Inbound for WorkerRequest {
    fn method(&self) -> &str {
        &self.method
    }

    fn origin(&self) -> &str {
        self.url.get(..self.origin_end).unwrap_or_default()
    }

    fn path(&self) -> &str {
        self.url.get(self.origin_end..self.path_end).filter(|path| !path.is_empty()).unwrap_or("/")
    }

    fn query(&self) -> &str {
        self.url.get(self.path_end..).unwrap_or_default().trim_start_matches('?')
    }

    fn headers(&self) -> Vec<(String, String)> {
        worker::Headers(self.request.headers()).entries().collect()
    }

    fn header(&self, name: &'static str) -> Option<String> {
        let name = NAMES.with_borrow_mut(|names| {
            let known =
                names.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone());
            known.unwrap_or_else(|| {
                let text = JsString::from(name);
                names.push((name, text.clone()));
                text
            })
        });
        header(&self.request, &name)
    }

    fn country(&self) -> Option<String> {
        country(&self.request)
    }

    fn body(&self) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let too_large = || Error::TooLarge { what: "body", limit_bytes: MAX_BODY_BYTES };
            let declared =
                self.header("content-length").and_then(|length| length.parse::<usize>().ok());
            if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
                return Err(too_large());
            }
            let Some(stream) = self.request.body() else { return Ok(Vec::new()) };
            let mut stream = ByteStream::from(stream);
            let mut body = Vec::new();
            while let Some(chunk) = stream.next().await {
                // The client went away, or sent less than it declared.
                body.extend(chunk.map_err(|_| Error::invalid("body", "ended before its end"))?);
                if body.len() > MAX_BODY_BYTES {
                    return Err(too_large());
                }
            }
            Ok(body)
        })
    }
}
