//! What `entry.mjs` has to know of a panic, after which it replaces the wasm instance.

use std::cell::OnceCell;
use std::panic;

use worker::js_sys::Function;
use worker::wasm_bindgen::{self, JsValue, prelude::wasm_bindgen};

thread_local! {
    static TOLD: OnceCell<Function> = const { OnceCell::new() };
}

/// Calls `tell` at each panic, wherever it happens: also in a callback of the runtime, whose
/// exception would reach nobody. To be called once an instance.
#[wasm_bindgen(js_name = onPanic)]
pub fn on_panic(tell: Function) {
    TOLD.with(|told| drop(told.set(tell)));
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        print(info);
        TOLD.with(|told| told.get().map(|tell| tell.call0(&JsValue::UNDEFINED)));
    }));
}

/// Ends in a panic, in a trap without a panic, or in an exception, at once or after a wait. Never
/// part of a deployment.
#[cfg(feature = "panic_probe")]
pub(in crate::edge) async fn probe(path: &str) {
    let how = path.strip_suffix("/later").unwrap_or(path);
    if how != path {
        let ready = worker::js_sys::Promise::resolve(&JsValue::NULL);
        drop(worker::wasm_bindgen_futures::JsFuture::from(ready).await);
    }
    assert_ne!(how, "/panic", "the probe panics");
    match how {
        "/trap" => std::process::abort(),
        "/throw" => wasm_bindgen::throw_str("the probe throws"),
        _ => {}
    }
}
