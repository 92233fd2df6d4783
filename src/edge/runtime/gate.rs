//! How the questions of other Workers, and the answers to them, cross between JavaScript and wasm.

use worker::wasm_bindgen::{self, JsValue, prelude::wasm_bindgen};

#[wasm_bindgen(module = "/src/edge/runtime/gate.mjs")]
extern "C" {
    /// The JSON text of a question; `None` where it has too many values, or too long ones.
    #[wasm_bindgen(js_name = textOf)]
    pub(in crate::edge) fn text_of(question: &JsValue) -> Option<String>;
    /// The answer that a JSON text of ours is.
    #[wasm_bindgen(js_name = objectOf)]
    pub(in crate::edge) fn object_of(text: &str) -> JsValue;
}

/// The token of a question, by which tests say how the probe is to end.
#[cfg(feature = "panic_probe")]
pub(in crate::edge) fn token_in(question: Option<&str>) -> String {
    let question =
        serde_json::from_str::<serde_json::Value>(question.unwrap_or_default()).unwrap_or_default();
    question.get("token").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}
