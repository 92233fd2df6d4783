//! The cache of a data centre, behind [`Shared`].

use worker::js_sys::Promise;
use worker::wasm_bindgen::{self, prelude::wasm_bindgen};
use worker::wasm_bindgen_futures::JsFuture;

use crate::ports::{LocalFuture, Shared};

#[wasm_bindgen(module = "/src/edge/runtime/crossing.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = sharedText)]
    fn shared_text(name: &str) -> Promise;
    fn share(name: &str, text: &str, seconds: f64) -> Promise;
}

/// What the isolates of this data centre share. Failures are answered like an entry that is not
/// there.
pub(in crate::edge) struct DataCentre;

impl Shared for DataCentre {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Option<String>> {
        Box::pin(async move { JsFuture::from(shared_text(name)).await.ok()?.as_string() })
    }

    fn put<'a>(&'a self, name: &'a str, text: String, lifetime_s: i64) -> LocalFuture<'a, ()> {
        Box::pin(async move {
            #[expect(clippy::cast_precision_loss, reason = "half an hour at most")]
            drop(JsFuture::from(share(name, &text, lifetime_s as f64)).await);
        })
    }
}
