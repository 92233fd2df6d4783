//! The Worker: events in, answers out, D1 and KV behind the ports. The only place that names `worker`.
//!
//! `entry.mjs` is the module that the runtime loads; it calls the events below. They never return `Err`: a failure is an answer too.

mod inbound;
mod kv;
mod origin;
mod sql;

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use worker::{Context, Env, Headers, Request, Response as WorkerResponse, ScheduleContext, ScheduledEvent, console_error, event, web_sys};

use crate::actions::housekeeping;
use crate::api;
use crate::api::http::{Handled, Inbound as _, Pages, Response};
use crate::domain::config::Config;
use crate::domain::opaque_token;
use crate::domain::time::Millis;
use crate::domain::trust::Trust;
use crate::error::Fault;
use crate::ports::{Cx, Entropy, Kv, LocalFuture, Log, Sql, Tasks};
use inbound::WorkerRequest;

thread_local! {
    // Values only: handles of D1, KV and streams belong to the request that made them.
    static TRUST: Rc<Trust> = Rc::new(Trust::default());
    static CONFIG: OnceCell<Result<Rc<Config>, Vec<String>>> = const { OnceCell::new() };
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    let request_id = Random.id();
    let request = match WorkerRequest::new(request) {
        Ok(request) => request,
        Err(error) => return outbound(api::unreadable(&request_id, &error)),
    };
    #[cfg(feature = "panic_probe")]
    #[expect(clippy::panic, reason = "the feature exists for this, and is never part of a deployment")]
    if request.path() == "/panic" {
        panic!("the probe panics");
    }
    let config = match config(&env) {
        Ok(config) => config,
        Err(problems) => return outbound(api::refuse(&request, &request_id, now(), problems)),
    };
    let address = request.header("cf-connecting-ip");
    let background = Rc::new(Background(context));
    let cx = match cx(&env, config, background, request_id.clone(), address) {
        Ok(cx) => cx,
        Err(problem) => return outbound(api::refuse(&request, &request_id, now(), vec![problem])),
    };
    match api::handle(&cx, &request).await {
        Handled::Answered(response) => outbound(response),
        Handled::Passed(forward) => match origin::pass(&request.inner(), &forward, &*cx.tasks).await {
            Ok(response) => Ok(response),
            Err(error) => outbound(api::origin_failed(&cx, &request, &error)),
        },
    }
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    let config = match config(&env) {
        Ok(config) => config,
        Err(problems) => return ConsoleLog.line(&format!("the scheduled event: {}", problems.join("; "))),
    };
    match cx(&env, config, Rc::new(NoBackground), Random.id(), None) {
        // Failures are logged where they occur; the next event tries again.
        Ok(cx) => drop(housekeeping::run(&cx).await),
        Err(problem) => ConsoleLog.line(&format!("the scheduled event: {problem}")),
    }
}

fn config(env: &Env) -> Result<Rc<Config>, Vec<String>> {
    let read = || Config::read(|name| env.var(name).ok().map(|value| value.to_string())).map(Rc::new);
    CONFIG.with(|config| config.get_or_init(read).clone())
}

fn cx(env: &Env, config: Rc<Config>, tasks: Rc<dyn Tasks>, request_id: String, address: Option<String>) -> Result<Cx, String> {
    let database = env.d1("DB").map_err(|_| "the D1 binding DB is missing".to_owned())?;
    let namespace = env.kv("KV").map_err(|_| "the KV binding KV is missing".to_owned())?;
    let sql: Rc<dyn Sql> = Rc::new(sql::D1::new(database));
    let kv: Rc<dyn Kv> = Rc::new(kv::WorkersKv::new(namespace));
    Ok(Cx {
        sql,
        kv,
        entropy: Rc::new(Random),
        tasks,
        log: Rc::new(ConsoleLog),
        trust: TRUST.with(Rc::clone),
        config,
        now: now(),
        address,
        request_id,
        must_read: Cell::new(false),
    })
}

fn now() -> Millis {
    Millis(i64::try_from(worker::Date::now().as_millis()).unwrap_or(i64::MAX))
}

fn outbound(response: Response) -> worker::Result<web_sys::Response> {
    let headers = Headers::new();
    for (name, value) in &response.headers {
        headers.append(name, value)?;
    }
    let built = match (response.status, response.pages) {
        (204 | 304, _) => WorkerResponse::empty(),
        (_, None) => WorkerResponse::from_bytes(response.body.into_bytes()),
        (_, Some(pages)) => WorkerResponse::from_stream(stream(response.body, pages)),
    };
    Ok(built?.with_status(response.status).with_headers(headers).into())
}

/// The body's beginning, and then page after page. A failure breaks the connection, so that nobody takes a part for the whole.
fn stream(begin: String, pages: Pages) -> impl futures_util::TryStream<Ok = Vec<u8>, Error = worker::Error> + 'static {
    let begin = futures_util::stream::once(async move { Ok(begin.into_bytes()) });
    let rest = futures_util::stream::unfold(pages, |mut pages| async move {
        let page = pages().await?;
        let broken = |error| {
            ConsoleLog.line(&format!("a long answer broke off: {error:?}"));
            worker::Error::RustError("the answer broke off".to_owned())
        };
        Some((page.map(String::into_bytes).map_err(broken), pages))
    });
    futures_util::StreamExt::chain(begin, rest)
}

struct Random;

impl Random {
    fn id(&self) -> String {
        let mut bytes = [0; 16];
        // An id that repeats is a nuisance in the log; nothing relies on it.
        let _ = self.fill(&mut bytes);
        opaque_token::token(bytes).expose().to_owned()
    }
}

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Fault> {
        getrandom::fill(buffer).map_err(|error| Fault::new(format!("no random bytes: {error}")))
    }
}

struct ConsoleLog;

impl Log for ConsoleLog {
    fn line(&self, text: &str) {
        console_error!("{text}");
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
