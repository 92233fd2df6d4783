//! The HTTP side of Postern. A request goes from dialect to route, access check, handler and
//! envelope.
//!
//! Dialects never import each other.

pub mod dialects;
pub mod gate;
pub mod gateway;
pub mod http;
pub mod refusals;

use std::cell::RefCell;
use std::rc::Rc;

use crate::actions::access_tokens;
use crate::actions::authenticate;
use crate::actions::caller::{Caller, Credential, Hints, UserCaller};
use crate::context::Cx;
use crate::context::noted::Answers;
use crate::domain::applications::application::Application;
use crate::domain::browsers::EndedSession;
use crate::domain::config::Config;
use crate::domain::origin::Origin;
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Refusal, Result};
use crate::ports::{Decision, Log};

use crate::api::dialects::{Found, authzen, v1};
use crate::api::http::challenge;
use crate::api::http::console_cookie;
use crate::api::http::console_host::{self, CONSOLE};
use crate::api::http::cors::{self, Preflight};
use crate::api::http::credentials;
use crate::api::http::login;
use crate::api::http::message::{
    self, Authority, Handled, Header, Inbound, MAX_URL_BYTES, Response,
};
use crate::api::http::misplaced;
use crate::api::http::navigation;
use crate::api::http::pages::{self, Language};
use crate::api::http::parameters;
use crate::api::http::query::Query;
use crate::api::http::route::{Access, BesideHeaders, Call, Dialect, Route};
use crate::api::http::server_timing;
use crate::api::http::session_cookie;
use crate::api::refusals::{Refused, Status};

/// A write answers with this header. A read that sends it back sees at least that write.
const BOOKMARK: &str = "x-postern-bookmark";

/// The header of an answer that relies on copies because D1 did not answer in time; its value is
/// their age.
const STALE: &str = "x-postern-stale";

/// The header with the reason of a refusal, one word that is the same in every dialect.
const REASON: &str = "x-postern-reason";

/// Answers a request, or says how it is forwarded to the origin. It never fails: failures are
/// answers, too.
pub async fn handle(cx: &Cx, request: &dyn Inbound) -> Handled {
    cx.memory.counters.begin(cx.now);
    if let Some(response) = preflight(cx, request) {
        return Handled::Answered(finish(request, &cx.request_id, Some(cx), response));
    }
    let dialect = answering(cx, request);
    let handled = handle_in(cx, dialect, request).await;
    let class =
        if let Handled::Answered(response) = &handled { class(response.status) } else { PASSED };
    cx.memory.counters.request(name(cx, dialect), class);
    handled
}

/// The class of forwarded requests, whose status the origin decides.
const PASSED: &str = "passed";

fn class(status: u16) -> &'static str {
    match status {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

/// The dialect's name in the log and in counters.
fn name(cx: &Cx, dialect: Option<&Dialect>) -> &'static str {
    match dialect {
        Some(dialect) => dialect.name,
        None if cx.config.origins.is_empty() => "none",
        None => GATEWAY,
    }
}

/// The gateway's name in the log and in counters.
const GATEWAY: &str = "gateway";

async fn handle_in(cx: &Cx, dialect: Option<&Dialect>, request: &dyn Inbound) -> Handled {
    let answer = answer(cx, dialect, request).await;
    let told_otherwise = cx.noted.take_refused();
    note_decision(cx, name(cx, dialect), answer.as_ref().err().or(told_otherwise.as_ref()));
    match answer {
        Ok(Handled::Answered(response)) => {
            if let Some(error) = told_otherwise {
                refuse_as(cx, dialect, request, &error, response.status);
            }
            Handled::Answered(timed(
                cx,
                dialect,
                finish(request, &cx.request_id, Some(cx), response),
            ))
        }
        Ok(Handled::Passed(mut forward)) => {
            forward.answer_headers.push(("x-request-id", cx.request_id.clone().into()));
            forward.answer_headers.extend(cors::headers(cx, request));
            forward.answer_headers.extend(stale(cx));
            if let Some(taken_back) = taken_back(cx, request) {
                forward.answer_headers.extend([taken_back, ("cache-control", "no-store".into())]);
            }
            Handled::Passed(forward)
        }
        Err(error) => Handled::Answered(timed(cx, dialect, fail(cx, dialect, request, &error))),
    }
}

/// Adds `Server-Timing` for administrators.
fn timed(cx: &Cx, dialect: Option<&Dialect>, response: Response) -> Response {
    match server_timing::of(cx)
        .filter(|_| dialect.is_some_and(|dialect| dialect.name == v1::DIALECT.name))
    {
        Some(value) => response.with(server_timing::HEADER, value),
        None => response,
    }
}

/// Records a decision for analytics, if the deployment has a dataset.
fn note_decision(cx: &Cx, dialect: &'static str, refused: Option<&Error>) {
    let (Some(decisions), Some(kind)) = (&cx.decisions, cx.noted.decision()) else { return };
    let Answers { yes, no } = cx.noted.answers();
    let outcome = match (refused.map(message::status), yes, no) {
        (None, _, 0) => "yes",
        (None, 0, _) => "no",
        (None, ..) => "mixed",
        (Some(401 | 403 | 429), ..) => "refused",
        (Some(500..), ..) => "failed",
        (Some(_), ..) => "wrong",
    };
    let rule = if let Some(Error::Forbidden(Refusal::ByRule { rule, .. })) = refused {
        Some(*rule)
    } else {
        cx.noted.rule_number()
    };
    decisions.note(&Decision {
        kind,
        outcome,
        reason: refused.map_or("", Error::word),
        dialect,
        app: &cx.noted.app_name().unwrap_or_default(),
        rule,
        yes,
        no,
        begun_at: cx.now,
    });
}

/// The answer if the origin failed.
pub fn origin_failed(cx: &Cx, request: &dyn Inbound, error: &Error) -> Response {
    fail(cx, answering(cx, request), request, error)
}

/// The dialect that answers a request; `None` for the gateway and for unknown paths.
fn answering(cx: &Cx, request: &dyn Inbound) -> Option<&'static Dialect> {
    dialects::answering(&cx.config, console_host::has_gateway(cx, request), request.path())
}

/// Answers a request if the deployment lacks its secrets: every caller is refused.
#[must_use]
pub fn refuse(
    log: &dyn Log,
    request: &dyn Inbound,
    request_id: &str,
    now: Millis,
    problems: Vec<String>,
) -> Response {
    let error = Error::Misconfigured(problems);
    let dialect = dialects::owner(request.path());
    let name = dialect.map_or("none", |dialect| dialect.name);
    refusals::note_without_context(log, request_id, now, &error, &refused(request, name));
    let response = match dialect {
        None if navigation::is_answered_by_a_page(request) => {
            pages::of_failure(Language::of(request), &error, request_id, None, false)
        }
        dialect => failure(dialect.unwrap_or(&v1::DIALECT), &error, now),
    };
    finish(request, request_id, None, response)
}

/// Answers a request that cannot be parsed.
#[must_use]
pub fn unreadable(request_id: &str, error: &Error) -> Response {
    with_standard_headers(failure(&v1::DIALECT, error, Millis(0)), request_id, false)
}

/// A refusal with the status of its error.
fn refused<'r>(request: &'r dyn Inbound, dialect: &'static str) -> Refused<'r> {
    Refused { method: request.method(), path: request.path(), dialect, ..Refused::default() }
}

async fn answer(cx: &Cx, dialect: Option<&Dialect>, request: &dyn Inbound) -> Result<Handled> {
    if request.path().len() + request.query().len() > MAX_URL_BYTES {
        return Err(Error::TooLarge { what: "url", limit_bytes: MAX_URL_BYTES });
    }
    cors::refuse_unlisted(cx, request)?;
    read_bookmark(cx, request);
    let Some(dialect) = dialect else { return elsewhere(cx, request).await };
    let Found { route, parameters } = dialects::find_in(dialect, request.method(), request.path())?;
    cx.noted.decides(route.decides);
    let query =
        if route.takes_client_url { Query::default() } else { Query::parse(request.query())? };
    let Admitted { caller, application, signed_body, credential } =
        admit(cx, dialect, route, request, &query).await?;
    if let (Some(origin), Some(caller), Some(credential)) =
        (origin_of(cx, route, request)?, &caller, &credential)
    {
        let user = gateway::judge_known(cx, request, caller).await?;
        return gateway::pass(cx, origin, request, Some((user, credential)))
            .await
            .map(Handled::Passed);
    }
    let ignored = RefCell::default();
    let call = Call {
        request,
        route,
        query: &query,
        parameters,
        caller,
        credential,
        application,
        signed_body,
        ignored,
        is_own_path,
    };
    if dialect.refuses_undeclared {
        refuse_undeclared(cx, dialect, &call).await?;
    } else {
        // A failed search for names to warn of must not fail the request.
        let undeclared = parameters::undeclared(cx, dialect, route, request, &query).await;
        call.ignored.borrow_mut().extend(undeclared.unwrap_or_default());
    }
    (route.handler)(cx, &call).await.map(Handled::Answered)
}

/// Refuses parameters and bodies that the route does not declare. Undeclared members of a declared
/// body are refused by the handler, when it reads them.
async fn refuse_undeclared(cx: &Cx, dialect: &Dialect, call: &Call<'_>) -> Result<()> {
    parameters::refuse_doubled(call.query)?;
    let undeclared =
        parameters::undeclared(cx, dialect, call.route, call.request, call.query).await?;
    match undeclared.first() {
        Some(undeclared) => Err(undeclared.refusal()),
        None => call.refuse_body().await,
    }
}

/// A path of no dialect: forwarded to the origin, if there is one.
async fn elsewhere(cx: &Cx, request: &dyn Inbound) -> Result<Handled> {
    match gateway::origin(cx, request)? {
        Some(origin) => {
            cx.noted.decides(Some(GATEWAY));
            // If CORS_ORIGINS is set, Postern has already answered the preflights that it allows.
            if let Some(asked) =
                cx.config.cors_origins.is_empty().then(|| Preflight::of(request)).flatten()
            {
                return gateway::pass_preflight(cx, origin, request, &asked).map(Handled::Passed);
            }
            let proven = gateway::judge(cx, request).await?;
            if let Some((caller, credential)) = &proven
                && let Some(begun) = gateway::begin_session(cx, request, caller, credential)?
            {
                return Ok(Handled::Answered(begun));
            }
            let proven = proven.as_ref().map(|(caller, credential)| (caller, credential));
            gateway::pass(cx, origin, request, proven).await.map(Handled::Passed)
        }
        None if request.path() == "/" && !console_host::has_gateway(cx, request) => {
            Ok(Handled::Answered(Response::empty(302).with("location", CONSOLE)))
        }
        None => Err(Error::not_found("path", request.path())),
    }
}

/// The origin that answers this route of a dialect, if ORIGIN_NODES=1 says so.
fn origin_of<'c>(cx: &'c Cx, route: &Route, request: &dyn Inbound) -> Result<Option<&'c Origin>> {
    if route.may_be_of_origin && cx.config.origins.takes_nodes {
        gateway::origin(cx, request)
    } else {
        Ok(None)
    }
}

/// Whether the gateway refuses to forward a path because an origin could read it as one of
/// Postern's own.
fn is_own_path(config: &Config, path: &str) -> Result<bool> {
    if dialects::answering(config, !config.origins.is_empty(), path).is_some() {
        return Ok(true);
    }
    match dialects::refuse_other_spelling(config, path) {
        Err(Error::NotFound { .. }) => Ok(true),
        refused => refused.map(|()| false),
    }
}

/// Whether an open stream may continue: whether its request would still pass, with the same
/// `holder`. The context must be one for rechecks.
pub async fn may_stay_open(cx: &Cx, request: &dyn Inbound, holder: &str) -> bool {
    match caller_now(cx, request).await {
        Ok(Some(caller)) => Authority::of(&caller, cx.now, 0).holder() == holder,
        Ok(None) => false,
        Err(error) => {
            let dialect = name(cx, answering(cx, request));
            let refused = Refused { is_recheck: true, ..refused(request, dialect) };
            refusals::note(cx, Some(request), &error, &refused);
            false
        }
    }
}

/// The caller of a forwarded request, authorized as in [`answer`].
async fn caller_now(cx: &Cx, request: &dyn Inbound) -> Result<Option<UserCaller>> {
    let Some(dialect) = answering(cx, request) else {
        if gateway::origin(cx, request)?.is_none() {
            return Ok(None);
        }
        return Ok(gateway::judge(cx, request).await?.map(|(caller, _)| caller));
    };
    let Found { route, .. } = dialects::find_in(dialect, request.method(), request.path())?;
    if origin_of(cx, route, request)?.is_none() {
        return Ok(None);
    }
    let admitted = admit(cx, dialect, route, request, &Query::parse(request.query())?).await?;
    let Some(caller) = &admitted.caller else { return Ok(None) };
    gateway::judge_known(cx, request, caller).await.cloned().map(Some)
}

/// A request with a bookmark that Postern issued reads D1's primary, which contains at least the
/// write of the bookmark. This happens before authentication, so that a revoked token is refused to
/// a caller who sends the bookmark of the revocation. Other texts are ignored: otherwise anybody
/// could force reads of D1.
fn read_bookmark(cx: &Cx, request: &dyn Inbound) {
    let Some(marked) = request.header(BOOKMARK) else { return };
    if cx.config.master_keys.bookmark_of(&marked).is_some() {
        cx.must_read.set(true);
    }
}

/// The result of the access check.
#[derive(Default)]
struct Admitted {
    caller: Option<Caller>,
    application: Option<Rc<Application>>,
    signed_body: Option<Vec<u8>>,
    credential: Option<Credential>,
}

/// Authenticates the caller, if the route demands one, before the body is read. Only a signed call
/// needs the body first.
async fn admit(
    cx: &Cx,
    dialect: &Dialect,
    route: &Route,
    request: &dyn Inbound,
    query: &Query,
) -> Result<Admitted> {
    if !route.access.is_checked_first() {
        return Ok(Admitted::default());
    }
    let beside_headers = || match dialect.beside_headers {
        BesideHeaders::Nothing => Ok(None),
        BesideHeaders::Parameters => Ok(credentials::in_query(query)),
        BesideHeaders::Cookie => credentials::of_gis_manager(request),
        BesideHeaders::Console => console_cookie::read(cx, request),
    };
    let in_headers = if route.access == Access::Client {
        credentials::of_client(request)
    } else {
        credentials::in_headers(request)
    };
    let shown = match in_headers? {
        None => beside_headers()?,
        shown => shown,
    };
    let Some(credential) = shown else {
        return if route.access == Access::Application {
            admit_application(cx, route, request, query).await
        } else {
            Err(Denied::Missing.into())
        };
    };
    if route.writes && credential.is_cookie() {
        credentials::refuse_cross_origin(cx, request)?;
    }
    let caller = authenticate::authenticate(cx, &credential, Hints::default()).await?;
    cx.noted.administrator(caller.is_administrator());
    route.let_in(&caller)?;
    Ok(Admitted { caller: Some(caller), credential: Some(credential), ..Admitted::default() })
}

/// Authenticates an application that signed its call. The handler then reads the signed body only.
async fn admit_application(
    cx: &Cx,
    route: &Route,
    request: &dyn Inbound,
    query: &Query,
) -> Result<Admitted> {
    let call = credentials::signed_call(request)?.ok_or(Denied::Missing)?;
    let application = access_tokens::find(cx, &call).await?;
    let body = request.body().await?;
    access_tokens::verify(cx, &application, &call, query.pairs(), &body, route.writes).await?;
    Ok(Admitted { application: Some(application), signed_body: Some(body), ..Admitted::default() })
}

/// Whether the operator should see an error as a refusal. Malformed requests and unknown paths are
/// not refusals, except at the gateway and for proxies: there every error stops a client's request.
fn is_refusal(cx: &Cx, dialect: Option<&Dialect>, request: &dyn Inbound, error: &Error) -> bool {
    let stands_in_front = || match dialect {
        Some(dialect) => dialects::find_in(dialect, request.method(), request.path())
            .is_ok_and(|found| found.route.is_about_client),
        None => matches!(gateway::origin(cx, request), Ok(Some(_))),
    };
    matches!(message::status(error), 401 | 403 | 429 | 500..) || stands_in_front()
}

/// Records a refusal that was answered with this status.
fn refuse_as(
    cx: &Cx,
    dialect: Option<&Dialect>,
    request: &dyn Inbound,
    error: &Error,
    status: u16,
) {
    if is_refusal(cx, dialect, request, error) {
        let refused =
            Refused { status: Status::Answered(status), ..refused(request, name(cx, dialect)) };
        refusals::note(cx, Some(request), error, &refused);
    }
}

/// The header with the age, in seconds, of the copies that the answer relies on.
fn stale(cx: &Cx) -> Option<Header> {
    cx.stale_by.get().map(|age| (STALE, Millis::seconds(age).to_string().into()))
}

/// The header that deletes the cookie of an ended session.
fn taken_back(cx: &Cx, request: &dyn Inbound) -> Option<Header> {
    cx.ended_session.get().map(|ended| match ended {
        EndedSession::OfGateway(cookie) => session_cookie::take_back(cx, cookie),
        EndedSession::OfConsole => console_cookie::take_back(request),
    })
}

/// The answer to a browser that opened a page of the origin: a redirect to the sign-in, or a page
/// that says what to do.
fn for_people(cx: &Cx, request: &dyn Inbound, error: &Error) -> Option<Response> {
    if !console_host::has_gateway(cx, request) || !navigation::is_answered_by_a_page(request) {
        return None;
    }
    let may_sign_in = matches!(error, Error::Unauthenticated(_)) && navigation::is_one(request);
    let to_login =
        may_sign_in.then(|| login::redirect(cx, request.path(), request.query())).flatten();
    let sign_in = matches!(error, Error::Unauthenticated(_))
        .then(|| login::page_for(cx, request.path(), request.query()))
        .flatten();
    let page = || {
        pages::of_failure(
            Language::of(request),
            error,
            &cx.request_id,
            sign_in.as_deref(),
            cx.config.browsers.in_frames,
        )
    };
    Some(to_login.unwrap_or_else(page))
}

/// A failure in the words of the dialect. A refusal is recorded for the operator.
fn fail(cx: &Cx, dialect: Option<&Dialect>, request: &dyn Inbound, error: &Error) -> Response {
    let response = failed(cx, dialect, request, error);
    refuse_as(cx, dialect, request, error, response.status);
    response
}

fn failed(cx: &Cx, dialect: Option<&Dialect>, request: &dyn Inbound, error: &Error) -> Response {
    if dialect.is_none()
        && let Some(response) = for_people(cx, request, error)
    {
        return finish(
            request,
            &cx.request_id,
            Some(cx),
            with_headers_of(error, challenge::offers_basic(request), response),
        );
    }
    let dialect = dialect.unwrap_or(&v1::DIALECT);
    let way_out = match error {
        Error::Unauthenticated(denied) if dialect.failure_with.is_some() => {
            let of_console = console_cookie::way_out(cx, request, denied).map(str::to_owned);
            of_console.or_else(|| misplaced::way_out(request, denied))
        }
        _ => None,
    };
    let response = match (dialect.failure_with, way_out) {
        (Some(failure_with), Some(way_out)) => failure_with(error, &way_out),
        _ => (dialect.failure)(error, cx.now),
    };
    finish(
        request,
        &cx.request_id,
        Some(cx),
        with_headers_of(error, challenge::offers_basic(request), response),
    )
}

/// A failure in the dialect's envelope, with the headers that HTTP requires in every dialect.
fn failure(dialect: &Dialect, error: &Error, now: Millis) -> Response {
    with_headers_of(error, false, (dialect.failure)(error, now))
}

fn with_headers_of(error: &Error, offers_basic: bool, response: Response) -> Response {
    let response = match error.reason() {
        Some(reason) => response.with(REASON, reason),
        None => response,
    };
    let response = match challenge::of(error, offers_basic) {
        Some(challenge) => response.with("www-authenticate", challenge),
        None => response,
    };
    match error {
        Error::MethodNotAllowed { allow } => response.with("allow", allow.join(", ")),
        Error::TooMany { retry_after_s, .. } => {
            response.with("retry-after", retry_after_s.to_string())
        }
        Error::Unavailable(fault) => match fault.retry_after_s() {
            Some(seconds) => response.with("retry-after", seconds.to_string()),
            None => response,
        },
        Error::Unauthenticated(_)
        | Error::Forbidden(_)
        | Error::NotFound { .. }
        | Error::NotAcceptable { .. }
        | Error::UnsupportedMediaType { .. }
        | Error::Conflict { .. }
        | Error::AlreadyExists { .. }
        | Error::Invalid { .. }
        | Error::TooLarge { .. }
        | Error::OriginFailed(_)
        | Error::OriginTimedOut { .. }
        | Error::Misconfigured(_)
        | Error::Internal(_) => response,
    }
}

fn finish(
    request: &dyn Inbound,
    request_id: &str,
    cx: Option<&Cx>,
    mut response: Response,
) -> Response {
    if request.method() == "HEAD" {
        response.body.clear();
        response.pages = None;
    }
    let is_secure = request.origin().starts_with("https:");
    let echoed = authzen::request_id(request);
    let request_id = echoed.as_deref().unwrap_or(request_id);
    let mut response = with_standard_headers(response, request_id, is_secure);
    let Some(cx) = cx else { return response };
    if let Some((name, value)) =
        taken_back(cx, request).filter(|(name, _)| response.header(name).is_none())
    {
        response = response.with(name, value);
    }
    if let Some((name, value)) = stale(cx).filter(|_| response.status < 500) {
        response = response.with(name, value);
    }
    if let Some(bookmark) = cx.sql.bookmark() {
        response = response.with(BOOKMARK, cx.config.master_keys.marked(&bookmark));
    }
    cors::headers(cx, request).into_iter().fold(response, |response, (name, value)| match name {
        "vary" => response.varying(cors::ORIGIN),
        _ => response.with(name, value),
    })
}

/// Headers of every answer of Postern itself, unless the handler sets them.
const STANDARD_HEADERS: [(&str, &str); 2] =
    [("cache-control", "no-store"), ("x-content-type-options", "nosniff")];

/// Further headers of answers that a browser could show as a page: it loads nothing, may not be
/// framed, and sends its URL, which may contain a token, to nobody. JSON with `nosniff` is never
/// shown as a page, so it does not get them: each header costs a warm verification about one
/// hundredth of its time.
const OF_PAGES: [(&str, &str); 2] = [
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
];

/// One year, as in the example of RFC 6797. Browsers accept it only over https, where nobody on the
/// way can have added it.
const ONLY_HTTPS: (&str, &str) = ("strict-transport-security", "max-age=31536000");

fn with_standard_headers(response: Response, request_id: &str, is_secure: bool) -> Response {
    let is_json =
        response.header("content-type").is_some_and(|media_type| media_type.ends_with("json"));
    let of_pages = OF_PAGES.into_iter().filter(|_| !is_json);
    let mut response = response.with("x-request-id", request_id.to_owned());
    for (name, value) in
        STANDARD_HEADERS.into_iter().chain(of_pages).chain(is_secure.then_some(ONLY_HTTPS))
    {
        if response.header(name).is_none() {
            response = response.with(name, value);
        }
    }
    response
}

/// The answer to a preflight from a listed origin.
fn preflight(cx: &Cx, request: &dyn Inbound) -> Option<Response> {
    cors::allowed_origin(cx, request)?;
    let asked = Preflight::of(request)?;
    match answering(cx, request) {
        Some(dialect) => {
            let found = dialects::find_in(dialect, &asked.method, request.path()).ok()?;
            if found.route.is_about_client {
                return None;
            }
        }
        None if !console_host::has_gateway(cx, request) => return None,
        None => {}
    }
    Some(asked.allowed())
}
