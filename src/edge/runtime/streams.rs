//! What stays open through the gateway, and who watches it: `streams.mjs`, by timers of the
//! request.

use std::cell::OnceCell;

use worker::js_sys::{Array, Function};
use worker::wasm_bindgen::{self, JsCast, JsValue, prelude::wasm_bindgen};
use worker::web_sys::{Headers, ReadableStream, Request, Response};
use worker::{Env, worker_sys};

use crate::api::http::message::Authority;
use crate::domain::staleness::{RECHECK_PATIENCE, RECHECKED_EVERY};

thread_local! {
    static ASK: OnceCell<Function> = const { OnceCell::new() };
}

#[wasm_bindgen(module = "/src/edge/runtime/streams.mjs")]
extern "C" {
    /// What a stream is watched by.
    type Watch;

    fn watch(
        ask: &Function,
        values: &Array,
        ends_at: f64,
        every_ms: f64,
        patience_ms: f64,
    ) -> Watch;
    #[wasm_bindgen(catch)]
    fn relay(answer: &Response, headers: &Headers, watch: &Watch) -> Result<Response, JsValue>;
    /// The answer that changes the protocol, with these headers.
    #[wasm_bindgen(catch, js_name = withHeaders)]
    pub(in crate::edge) fn with_headers(
        answer: &Response,
        headers: &Headers,
    ) -> Result<Response, JsValue>;
    #[wasm_bindgen(catch)]
    fn pump(body: &ReadableStream, watch: &Watch) -> Result<ReadableStream, JsValue>;
}

/// Says whom a stream asks whether it may stay open: a function of `entry.mjs`, which asks the
/// instance that there is then. To be called once an instance.
#[wasm_bindgen(js_name = onStream)]
pub fn on_stream(ask: Function) {
    ASK.with(|told| drop(told.set(ask)));
}

/// What a request came with. A stream that it opens keeps this, to be judged by it again.
pub(in crate::edge) struct Event<'a> {
    pub(in crate::edge) request: &'a Request,
    pub(in crate::edge) env: &'a Env,
    pub(in crate::edge) context: &'a worker_sys::Context,
}

impl Event<'_> {
    /// The answer to a client whose WebSocket is relayed to the origin's until its authority ends.
    pub(in crate::edge) fn relay(
        &self,
        answer: &Response,
        headers: &Headers,
        authority: &Authority,
    ) -> Result<Response, JsValue> {
        relay(answer, headers, &self.watch(authority)?)
    }

    /// A body that ends when its authority does.
    pub(in crate::edge) fn pump(
        &self,
        body: &ReadableStream,
        authority: &Authority,
    ) -> Result<ReadableStream, JsValue> {
        pump(body, &self.watch(authority)?)
    }

    fn watch(&self, authority: &Authority) -> Result<Watch, JsValue> {
        let ask = ASK
            .with(|told| told.get().cloned())
            .ok_or("entry.mjs has not said whom a stream asks")?;
        let env: &JsValue = self.env.unchecked_ref();
        let values = Array::of4(self.request, env, self.context, &authority.holder().into());
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds, which a double holds exactly"
        )]
        let ms = |time: i64| time as f64;
        let ends_at = authority.ends_at.map_or(f64::INFINITY, |end| ms(end.0));
        Ok(watch(&ask, &values, ends_at, ms(RECHECKED_EVERY.0), ms(RECHECK_PATIENCE.0)))
    }
}
