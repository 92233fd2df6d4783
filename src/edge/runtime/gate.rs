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
