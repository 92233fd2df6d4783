//! An answer, as the runtime wants it: copied from a kept one of its kind.
//!
//! A new object with new headers for each answer costs a warm verification 28 % more
//! (`bench/NOTES.md`). The trap is that a kept answer must hold no value of a caller, so only
//! constants are kept, and no answer that sets a cookie.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use worker::wasm_bindgen::{self, JsValue, prelude::wasm_bindgen};
use worker::{Response as WorkerResponse, ResponseBody, web_sys};

use crate::api::http::message::{Header, Pages, Response};
use crate::edge::runtime::log::ConsoleLog;
use crate::ports::Log as _;

/// How many kinds of answers are kept; there are a few dozen.
const MAX_KINDS: usize = 100;

thread_local! {
    static KINDS: RefCell<Vec<Rc<Kind>>> = const { RefCell::new(Vec::new()) };
}

#[wasm_bindgen(module = "/src/edge/runtime/crossing.mjs")]
extern "C" {
    fn kind(text: &str) -> JsValue;
    fn respond(kind: &JsValue, text: &str, body_at: usize, body: &JsValue) -> web_sys::Response;
}

/// Answers that have the same status and the same headers, but for the values of some, which are
/// empty here.
struct Kind {
    like: Response,
    kept: JsValue,
}

impl Kind {
    /// The kind of an answer, which is made where it is not kept.
    fn of(response: &Response) -> Rc<Self> {
        KINDS.with_borrow_mut(|kinds| {
            if let Some(known) = kinds.iter().find(|kind| kind.is_of(response)) {
                return Rc::clone(known);
            }
            let new = Rc::new(Self::new(response));
            // Nobody's cookie is kept.
            if !new.like.headers.iter().any(|(name, _)| *name == "set-cookie") {
                if kinds.len() == MAX_KINDS {
                    kinds.clear();
                }
                kinds.push(Rc::clone(&new));
            }
            new
        })
    }

    fn new(response: &Response) -> Self {
        let blank = |like: Response, header: &Header| {
            like.with(header.0, constant(header).unwrap_or_default())
        };
        let like = response.headers.iter().fold(Response::empty(response.status), blank);
        let lines =
            like.headers.iter().map(|(name, value)| format!("\n{name}\n{}", first_line(value)));
        let text: String = [like.status.to_string()].into_iter().chain(lines).collect();
        Self { kept: kind(&text), like }
    }

    fn is_of(&self, response: &Response) -> bool {
        let same = |(a, b): (&Header, &Header)| {
            is_same(a.0, b.0) && same_constant(constant(a), constant(b))
        };
        let (ours, theirs) = (&self.like.headers, &response.headers);
        self.like.status == response.status
            && ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(same)
    }
}

/// The value, where it is the same in all answers of a kind.
fn constant((_, value): &Header) -> Option<&'static str> {
    match value {
        Cow::Borrowed(text) if !text.is_empty() => Some(text),
        Cow::Borrowed(_) | Cow::Owned(_) => None,
    }
}

fn same_constant(a: Option<&'static str>, b: Option<&'static str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => is_same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Constants mostly are the same text at the same place.
fn is_same(a: &'static str, b: &'static str) -> bool {
    std::ptr::eq(a, b) || a == b
}

/// No value of ours has a line break; one that had would say what was not meant.
fn first_line(value: &str) -> &str {
    value.split('\n').next().unwrap_or_default()
}

/// The answer, in one text and one crossing; `crossing.mjs` says how the text is made.
pub(in crate::edge) fn outbound(response: Response) -> web_sys::Response {
    let kind = Kind::of(&response);
    let mut text = String::with_capacity(64 + response.body.len());
    for (_, value) in response.headers.iter().filter(|header| constant(header).is_none()) {
        text.push_str(first_line(value));
        text.push('\n');
    }
    let body_at = utf16_length(&text);
    let body = match response.pages {
        Some(pages) => stream(response.body, pages),
        None if matches!(response.status, 204 | 304) => JsValue::NULL,
        None => {
            text.push_str(&response.body);
            JsValue::UNDEFINED
        }
    };
    respond(&kind.kept, &text, body_at, &body)
}

/// How long JavaScript takes the text to be.
fn utf16_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The body's beginning, and then page after page. A failure breaks the connection, so that nobody
/// takes a part for the whole.
fn stream(begin: String, pages: Pages) -> JsValue {
    let begin = futures_util::stream::once(async move { Ok(begin.into_bytes()) });
    let rest = futures_util::stream::unfold(pages, |mut pages| async move {
        let page = pages().await?;
        let broken = |error| {
            ConsoleLog.line(&format!("a long answer broke off: {error:?}"));
            worker::Error::RustError("the answer broke off".to_owned())
        };
        Some((page.map(String::into_bytes).map_err(broken), pages))
    });
    match WorkerResponse::from_stream(futures_util::StreamExt::chain(begin, rest))
        .map(|response| response.body().clone())
    {
        Ok(ResponseBody::Stream(stream)) => stream.into(),
        _ => JsValue::NULL,
    }
}
