//! The Worker: events in, answers out, D1, KV and WebCrypto behind the ports. The only place that
//! names `worker`.
//!
//! `entry.mjs` is the module that the runtime loads; it calls the events below. They never return
//! `Err`: a failure is an answer too.

mod ports;
mod runtime;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use worker::wasm_bindgen::{self, JsValue, prelude::wasm_bindgen};
use worker::wasm_bindgen_futures::future_to_promise;
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event, js_sys, web_sys, worker_sys};

use crate::actions::housekeeping;
use crate::api;
use crate::api::http::message::{Forward, Handled};
use crate::context::noted::Noted;
use crate::context::{Cx, HeaderReader};
use crate::domain::config::Config;
use crate::domain::identity::opaque_token;
use crate::domain::time::Millis;
use crate::error::Fault;
use crate::memory::isolate::Memory;
use crate::memory::metered::{Meter, MeteredShared, MeteredSql};
use crate::ports::{Decisions, Entropy, Issuers, LocalFuture, Log, Signatures, Tasks, Timer};
use ports::{d1, decisions, issuers, kv, limiter, origin, shared, timer, webcrypto};
use runtime::answers::outbound;
use runtime::log::ConsoleLog;
use runtime::request::WorkerRequest;
use runtime::streams::Event;
use runtime::{executor, gate, variables};

thread_local! {
    // Values only (and `CryptoKey`s, see `webcrypto`): handles of D1, KV and streams belong to the
    // request that made them.
    static ISOLATE: Isolate = Isolate {
        memory: Rc::new(Memory::default()),
        signatures: Rc::new(webcrypto::WebCrypto),
        issuers: Rc::new(issuers::Web),
        timer: Rc::new(timer::Timeouts),
        entropy: Rc::new(Random),
        log: Rc::new(ConsoleLog),
        config: OnceCell::new(),
        counts_decisions: Cell::new(false),
        ids: RefCell::default(),
    };
}

/// What every request of an isolate has at hand.
struct Isolate {
    memory: Rc<Memory>,
    signatures: Rc<dyn Signatures>,
    issuers: Rc<dyn Issuers>,
    timer: Rc<dyn Timer>,
    entropy: Rc<dyn Entropy>,
    log: Rc<dyn Log>,
    config: OnceCell<Result<Rc<Config>, Vec<String>>>,
    /// Whether the deployment has a data set for decisions.
    counts_decisions: Cell<bool>,
    /// Random bytes for ids.
    ids: RefCell<Vec<u8>>,
}

impl Isolate {
    fn meter(&self, noted: &Rc<Noted>) -> Meter {
        Meter {
            memory: Rc::clone(&self.memory),
            noted: Rc::clone(noted),
            timer: Rc::clone(&self.timer),
        }
    }
}

/// The fetch event. What waits for nothing, as a warm verification, is answered at once; the rest
/// by a promise.
#[wasm_bindgen(js_name = fetch)]
pub fn fetch(request: web_sys::Request, env: Env, context: worker_sys::Context) -> JsValue {
    executor::answered(Box::pin(
        async move { answer(request, env, Context::new(context)).await.into() },
    ))
}

/// A question of another Worker, which is bound to the entrypoint `Gate`. The answer is an object,
/// or a promise of one; `entry.mjs` names the operations.
#[wasm_bindgen(js_name = gate)]
pub fn gate(
    operation: String,
    question: JsValue,
    env: Env,
    context: worker_sys::Context,
) -> JsValue {
    let answer = async move {
        gate::object_of(&answer_gate(&operation, &question, env, Context::new(context)).await)
    };
    executor::answered(Box::pin(answer))
}

async fn answer_gate(operation: &str, question: &JsValue, env: Env, context: Context) -> String {
    let question = gate::text_of(question);
    #[cfg(feature = "panic_probe")]
    runtime::panics::probe(&gate::token_in(question.as_deref())).await;
    let request_id = Random.id();
    let config = match config(&env) {
        Ok(config) => config,
        Err(problems) => {
            return api::gate::refuse(&ConsoleLog, operation, &request_id, now(), problems);
        }
    };
    let cx =
        cx(Rc::new(env), config, Rc::new(Background(context)), request_id, Rc::new(|_: &str| None));
    api::gate::answer(&cx, operation, question.as_deref()).await
}

async fn answer(request: web_sys::Request, env: Env, context: Context) -> web_sys::Response {
    let env = Rc::new(env);
    let request_id = Random.id();
    let request = match WorkerRequest::new(request) {
        Ok(request) => Rc::new(request),
        Err(error) => return outbound(api::unreadable(&request_id, &error)),
    };
    #[cfg(feature = "panic_probe")]
    runtime::panics::probe(api::http::message::Inbound::path(&*request)).await;
    let config = match config(&env) {
        Ok(config) => config,
        Err(problems) => {
            return outbound(api::refuse(&ConsoleLog, &*request, &request_id, now(), problems));
        }
    };
    let client = Rc::clone(&request);
    let request_header = Rc::new(move |name: &str| client.header_of_config(name));
    let background = Rc::new(Background(context));
    let cx = cx(
        Rc::clone(&env),
        config,
        Rc::<Background>::clone(&background),
        request_id,
        request_header,
    );
    match api::handle(&cx, &*request).await {
        Handled::Answered(response) => outbound(response),
        Handled::Passed(forward) => pass(&cx, &request, &forward, &env, &background).await,
    }
}

async fn pass(
    cx: &Cx,
    request: &WorkerRequest,
    forward: &Forward,
    env: &Env,
    background: &Background,
) -> web_sys::Response {
    let event = Event { request: request.inner(), env, context: background.0.as_ref() };
    match origin::pass(&event, forward, background).await {
        Ok(response) => response,
        Err(error) => outbound(api::origin_failed(cx, request, &error)),
    }
}

/// Whether a stream that a request of `holder` has opened may stay open. It is asked by
/// streams.mjs, with what the request came with.
#[wasm_bindgen(js_name = mayStayOpen)]
pub fn may_stay_open(
    request: web_sys::Request,
    env: Env,
    context: worker_sys::Context,
    holder: String,
) -> js_sys::Promise {
    future_to_promise(async move {
        let (Ok(request), Ok(config)) = (WorkerRequest::new(request), config(&env)) else {
            return Ok(JsValue::FALSE);
        };
        let request = Rc::new(request);
        let client = Rc::clone(&request);
        let request_header = Rc::new(move |name: &str| client.header_of_config(name));
        let cx = cx(
            Rc::new(env),
            config,
            Rc::new(Background(Context::new(context))),
            Random.id(),
            request_header,
        );
        let cx = Cx { is_recheck: true, ..cx };
        Ok(api::may_stay_open(&cx, &*request, &holder).await.into())
    })
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    let config = match config(&env) {
        Ok(config) => config,
        Err(problems) => {
            return ConsoleLog.line(&format!("the scheduled event: {}", problems.join("; ")));
        }
    };
    let cx = cx(Rc::new(env), config, Rc::new(NoBackground), Random.id(), Rc::new(|_: &str| None));
    // Failures are logged where they occur; the next event tries again.
    drop(housekeeping::run(&cx).await);
}

/// The variables, and whether the bindings are there; looked at once an isolate.
fn config(env: &Env) -> Result<Rc<Config>, Vec<String>> {
    let read = || {
        let missing = |kind: &str, name: &str| format!("the {kind} binding {name} is missing");
        let bindings = [
            env.d1(d1::BINDING).is_err().then(|| missing("D1", d1::BINDING)),
            env.kv(kv::BINDING).is_err().then(|| missing("KV", kv::BINDING)),
        ];
        let missing: Vec<_> = bindings.into_iter().flatten().collect();
        let all = variables::bindings(env);
        ISOLATE.with(|isolate| isolate.counts_decisions.set(all.contains_key(decisions::BINDING)));
        match Config::read(&all) {
            Ok(config) if missing.is_empty() => Ok(Rc::new(config)),
            Ok(_) => Err(missing),
            Err(problems) => Err(problems.into_iter().chain(missing).collect()),
        }
    };
    ISOLATE.with(|isolate| isolate.config.get_or_init(read).clone())
}

fn cx(
    env: Rc<Env>,
    config: Rc<Config>,
    tasks: Rc<dyn Tasks>,
    request_id: String,
    request_header: HeaderReader,
) -> Cx {
    let noted = Rc::new(Noted::default());
    ISOLATE.with(|isolate| Cx {
        sql: Rc::new(MeteredSql::new(d1::D1::new(Rc::clone(&env)), isolate.meter(&noted))),
        kv: Rc::new(kv::WorkersKv::new(Rc::clone(&env))),
        shared: Rc::new(MeteredShared::new(Rc::new(shared::DataCentre), isolate.meter(&noted))),
        decisions: isolate
            .counts_decisions
            .get()
            .then(|| Rc::new(decisions::DataSet::new(Rc::clone(&env))) as Rc<dyn Decisions>),
        limiter: Rc::new(limiter::RateLimit::new(env)),
        signatures: Rc::clone(&isolate.signatures),
        issuers: Rc::clone(&isolate.issuers),
        timer: Rc::clone(&isolate.timer),
        entropy: Rc::clone(&isolate.entropy),
        tasks,
        log: Rc::clone(&isolate.log),
        memory: Rc::clone(&isolate.memory),
        config,
        now: now(),
        request_header,
        noted,
        request_id,
        is_recheck: false,
        must_read: Cell::new(false),
        ended_session: Cell::new(None),
        stale_by: Cell::new(None),
    })
}

fn now() -> Millis {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds, which a double holds exactly"
    )]
    Millis(js_sys::Date::now() as i64)
}

struct Random;

/// How many random bytes are asked for at once, for ids that are no secret. To ask for each id
/// costs a warm verification up to 16 % more (`bench/NOTES.md`).
const ID_BYTES: usize = 4096;

impl Random {
    fn id(&self) -> String {
        ISOLATE.with(|isolate| {
            let ids = &mut *isolate.ids.borrow_mut();
            if ids.len() < 16 {
                let mut fresh = vec![0; ID_BYTES];
                // An id that repeats is a nuisance in the log; nothing relies on it.
                let _ = self.fill(&mut fresh);
                *ids = fresh;
            }
            let mut bytes = [0; 16];
            for (byte, random) in bytes.iter_mut().zip(ids.drain(ids.len().saturating_sub(16)..)) {
                *byte = random;
            }
            opaque_token::token(bytes).expose().to_owned()
        })
    }
}

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Fault> {
        getrandom::fill(buffer).map_err(|error| Fault::new(format!("no random bytes: {error}")))
    }
}

struct Background(Context);

impl Tasks for Background {
    fn spawn(&self, task: LocalFuture<'static, ()>) {
        self.0.wait_until(task);
    }
}

/// The scheduled event waits for all that it does.
struct NoBackground;

impl Tasks for NoBackground {
    fn spawn(&self, _: LocalFuture<'static, ()>) {}
}
