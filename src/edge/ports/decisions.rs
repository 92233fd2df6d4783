//! Workers Analytics Engine, behind [`Decisions`].

use std::rc::Rc;

use worker::Env;
use worker::wasm_bindgen::{self, prelude::wasm_bindgen};

use crate::ports::{Decision, Decisions};

/// The name of the binding. A deployment may do without it.
pub(in crate::edge) const BINDING: &str = "ANALYTICS";

#[wasm_bindgen(module = "/src/edge/runtime/crossing.mjs")]
extern "C" {
    fn decided(
        env: &Env,
        binding: &str,
        index: &str,
        blobs: &str,
        yes: u32,
        no: u32,
        begun_at: f64,
    );
}

/// The longest index that a data point may have, in bytes.
const MAX_INDEX: usize = 96;

/// The name of an app, cut to what an index may have.
fn begin_of(app: &str) -> &str {
    app.get(..app.floor_char_boundary(MAX_INDEX)).unwrap_or_default()
}

/// A data set of the Analytics Engine. Each decision is one crossing and one data point.
pub(in crate::edge) struct DataSet(Rc<Env>);

impl DataSet {
    pub(in crate::edge) fn new(env: Rc<Env>) -> Self {
        Self(env)
    }
}

impl Decisions for DataSet {
    fn note(&self, decision: &Decision<'_>) {
        let Decision { kind, outcome, reason, dialect, app, rule, yes, no, begun_at } = decision;
        let rule = rule.map(|rule| rule.to_string()).unwrap_or_default();
        // None of them has a line's end.
        let blobs = [*app, *kind, *outcome, *reason, rule.as_str(), *dialect].join("\n");
        let index = if app.is_empty() { *kind } else { begin_of(app) };
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds, which a double holds exactly"
        )]
        decided(&self.0, BINDING, index, &blobs, *yes, *no, begun_at.0 as f64);
    }
}
