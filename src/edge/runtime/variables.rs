//! What the runtime gives a Worker as `env`: variables, secrets, and the bindings of D1 and KV.

use serde_json::{Value, json};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Env, js_sys};

use crate::domain::config::variables::Bindings;
use crate::domain::config::variables::VARIABLES;
use crate::domain::json;

/// The values of Postern's variables, and the names of all other bindings.
pub fn bindings(env: &Env) -> Bindings {
    let names = js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>());
    let names = names.iter().filter_map(|name| name.as_string());
    let mut bindings: Bindings = names.map(|name| (name, Value::Null)).collect();
    for variable in VARIABLES {
        let value = js_sys::Reflect::get(env, &JsValue::from(variable.name));
        if let Some(value) = value.ok().filter(|value| !value.is_undefined()) {
            bindings.insert(variable.name.to_owned(), read(&value));
        }
    }
    bindings
}

/// A text as it is, anything else as JSON has it. What JSON cannot say, as a binding of another
/// kind, is an empty object, which no variable may be.
fn read(value: &JsValue) -> Value {
    if let Some(text) = value.as_string() {
        return Value::String(text);
    }
    let text = js_sys::JSON::stringify(value).ok().and_then(|text| text.as_string());
    text.and_then(|text| json::parse(text.as_bytes()).ok()).unwrap_or_else(|| json!({}))
}
