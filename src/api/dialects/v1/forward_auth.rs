//! Answers reverse proxies that ask whether a request may pass, and who makes it.

use super::checks::{self, Asked};
use crate::actions::caller::{Caller, Credential, Hints};
use crate::actions::permissions::{self, Question};
use crate::actions::rules;
use crate::api::http::credentials;
use crate::api::http::destination;
use crate::api::http::forwarded::Forwarded;
use crate::api::http::identity;
use crate::api::http::login;
use crate::api::http::message::{Header, Inbound, Response};
use crate::api::http::navigation;
use crate::api::http::query::Query;
use crate::api::http::route::{ANY_METHOD, Access, Call, Group, Handler, Route, handler};
use crate::api::http::session_cookie;
use crate::api::http::shape::{Answer, Field, Kind, optional, required};
use crate::api::http::token_parameters::{tokens_in, without_tokens};
use crate::api::http::verdict;
use crate::context::Cx;
use crate::domain::method;
use crate::domain::origin::{Demand, Matched};
use crate::domain::permissions::permission::Permission;
use crate::domain::redaction;
use crate::error::{Error, Refusal, Result};

const QUERY: &[Field] = &[
    checks::APP,
    optional("service", Kind::INT64, "a service on which the user must have a permission"),
    optional("permission", checks::PERMISSION.kind, "that permission"),
    REDIRECT,
];

const REDIRECT: Field = optional(
    "redirect",
    Kind::Int64 { min: 0, max: 1 },
    "1: the proxy passes redirects on to its client; then pages opened with a token are redirected \
     to their URL without it, and others to LOGIN_URL",
);

/// The last segment of a path by which a proxy says that it passes redirects on.
const REDIRECTS: &str = "redirect";

const SERVICE: Field =
    required("service", Kind::INT64, "the service on which the user must have the permission");

const ABOUT: &str = "\
    The proxy sends the client's URL in X-Forwarded-Uri, X-Original-URI or X-Original-URL; its \
    query may carry the token. `service` and `permission` must be sent together: one without the \
    other is refused with 400. So is an unknown parameter, unless it is a token app's. If the \
    request may change something, a cookie is refused from a page of another origin. The method \
    is taken from X-Forwarded-Method or X-Original-Method, the origin from X-Forwarded-Proto with \
    X-Forwarded-Host.";

const ABOUT_PATHS: &str = "\
    Every method is accepted. The proxy sends the client's URL in the headers, as for \
    `/v1/forward-auth`, or appends it to this path after `/-`. The query of this path is never \
    read as parameters of Postern.";

/// The kind of decision, as analytics record it.
const DECIDES: &str = "forward-auth";

pub(super) const GROUP: Group = Group {
    parameters: &[SERVICE, checks::PERMISSION],
    routes: &[
        Route::get("forward_auth", &["/v1/forward-auth"], handler!(bare))
            .summary("Answers a reverse proxy: 200 with identity headers, 401 or 403")
            .about(ABOUT)
            .decides(DECIDES)
            .access(Access::Shown)
            .is_about_client()
            .query(QUERY)
            .refuses(&[404])
            .answers(Answer::empty(200)),
        Route::of("POST", "forward_auth_posted", &["/v1/forward-auth"], handler!(bare))
            .summary("Answers a reverse proxy that passes the client's method on")
            .about(ABOUT)
            .decides(DECIDES)
            .access(Access::Shown)
            .writes(false)
            .is_about_client()
            .query(QUERY)
            .refuses(&[404])
            .answers(Answer::empty(200)),
        by_path(
            "forward_auth_signed_in",
            &["/v1/forward-auth/signed-in", "/v1/forward-auth/signed-in/redirect"],
            handler!(signed_in),
        )
        .summary(
            "Answers a reverse proxy: 200 with identity headers if the user is signed in, \
             otherwise 401",
        ),
        by_path(
            "forward_auth_permission",
            &[
                "/v1/forward-auth/{service}/{permission}",
                "/v1/forward-auth/{service}/{permission}/redirect",
            ],
            handler!(with_permission),
        )
        .summary(
            "Answers a reverse proxy: 200 if the user has the permission on the service, otherwise \
             401 or 403",
        ),
        by_path(
            "forward_auth_rules",
            &["/v1/forward-auth/rules", "/v1/forward-auth/rules/redirect"],
            handler!(by_rules),
        )
        .summary(
            "Answers a reverse proxy as ORIGIN_PUBLIC and ORIGIN_RULES decide for the client's \
             method and URL",
        )
        .refuses(&[405]),
    ],
};

const fn by_path(
    operation: &'static str,
    paths: &'static [&'static str],
    handler: Handler,
) -> Route {
    Route::of(ANY_METHOD, operation, paths, handler)
        .about(ABOUT_PATHS)
        .decides(DECIDES)
        .access(Access::Shown)
        .writes(false)
        .takes_client_url()
        .refuses(&[404])
        .answers(Answer::empty(200))
}

async fn bare(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let asked = checks::asked(call)?;
    let forwarded = Forwarded::in_headers(call.request);
    let redirects = call.query.declared_integer(&REDIRECT)? == Some(1);
    let hints = checks::hints(call, asked)?;
    let answer = async {
        let query = forwarded.query().map(|query| tokens_in(&query));
        let (caller, credential) =
            identify(cx, call, &forwarded, query.as_ref().unwrap_or(call.query), hints).await?;
        if let Some(Asked { service_id, permission, .. }) = asked {
            require(cx, &caller, service_id, permission).await?;
        }
        identified(cx, call, &forwarded, &caller, &credential, redirects)
    };
    or_to_sign_in(cx, call, &forwarded, redirects, answer.await)
}

async fn signed_in(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (forwarded, redirects) = asked_by_path(call, 3);
    let answer = async {
        let (caller, credential) = identify_by_url(cx, call, &forwarded, Hints::default()).await?;
        identified(cx, call, &forwarded, &caller, &credential, redirects)
    };
    or_to_sign_in(cx, call, &forwarded, redirects, answer.await)
}

async fn with_permission(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let service_id = call.int64(SERVICE.name)?;
    let name = call.parameter(checks::PERMISSION.name)?;
    let permission =
        Permission::parse(name).map_err(|why| Error::invalid(checks::PERMISSION.name, why))?;
    let (forwarded, redirects) = asked_by_path(call, 4);
    let hints = Hints { service_id: Some(service_id), ..Hints::default() };
    let answer = async {
        let (caller, credential) = identify_by_url(cx, call, &forwarded, hints).await?;
        require(cx, &caller, service_id, permission).await?;
        identified(cx, call, &forwarded, &caller, &credential, redirects)
    };
    or_to_sign_in(cx, call, &forwarded, redirects, answer.await)
}

async fn by_rules(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (forwarded, redirects) = asked_by_path(call, 3);
    let matched =
        demand(cx, call.request, &forwarded).inspect_err(|error| note(cx, &forwarded, error))?;
    let what = || {
        let methods: Vec<_> =
            forwarded.methods().iter().map(|name| redaction::method(name)).collect();
        let paths: Vec<_> = forwarded.paths().map(redaction::path).collect();
        format!("{} {}", methods.join(","), paths.join(","))
    };
    if matched.demand == Demand::Nothing {
        rules::report_public(cx, &matched, &what());
        let headers = identity::headers_of_nobody();
        let response = headers
            .into_iter()
            .fold(Response::empty(200), |response, (name, value)| response.with(name, value));
        return Ok(kept_by_rules(cx, call, &forwarded, None, response));
    }
    let answer = async {
        let (caller, credential) =
            identify_by_url(cx, call, &forwarded, rules::hints(&matched)).await?;
        let what = if matched.reports.is_empty() { String::new() } else { what() };
        rules::require(cx, &caller, &matched, &what).await?;
        let told = told(cx, call, &forwarded, &caller, &credential, redirects)?;
        Ok(kept_by_rules(cx, call, &forwarded, Some(&caller), told))
    };
    or_to_sign_in(cx, call, &forwarded, redirects, answer.await)
}

/// Rules may also depend on the host, on headers that override the method, or (for methods other
/// than GET and HEAD) on `Destination`. `Vary` is too short to name those, so such a verdict is not
/// cached.
fn kept_by_rules(
    cx: &Cx,
    call: &Call<'_>,
    forwarded: &Forwarded,
    caller: Option<&Caller>,
    response: Response,
) -> Response {
    let rules = &cx.config.rules;
    if rules.looks_at_methods() || rules.looks_at_hosts() || !reads(forwarded) {
        response
    } else {
        kept(cx, call, forwarded, caller, response)
    }
}

/// What the rules demand. Headers may name several URLs, methods and hosts, and any of them may
/// come from the client, so the demands of all combinations are joined, and those of the path in
/// `Destination`.
fn demand<'c>(cx: &'c Cx, request: &dyn Inbound, forwarded: &Forwarded) -> Result<Matched<'c>> {
    if forwarded.methods().is_empty() {
        return Err(Error::invalid(
            "x-forwarded-method",
            "is missing: let the proxy tell it in this header",
        ));
    }
    let looks_at_methods = cx.config.rules.looks_at_methods();
    if looks_at_methods && forwarded.overrides_method_in_url() {
        return Err(Error::invalid(
            "url",
            "must not have the parameter _method, since rules look at methods",
        ));
    }
    // The proxy forwards these headers, so the origin may act on any of them.
    let overrides = forwarded.overrides().iter().filter(|_| looks_at_methods);
    let methods: Vec<_> = forwarded.methods().iter().chain(overrides).collect();
    // Rules name methods in upper case. Other spellings are refused: an origin may convert them to
    // upper case, as `fetch` does.
    if !methods.iter().all(|name| method::passes(name)) {
        return Err(Error::MethodNotAllowed { allow: method::KNOWN.map(str::to_owned).to_vec() });
    }
    let hosts =
        if cx.config.rules.looks_at_hosts() { forwarded.hosts() } else { vec![String::new()] };
    if hosts.is_empty() {
        return Err(Error::invalid(
            "x-forwarded-host",
            "is missing: the proxy must tell it, since rules look at hosts",
        ));
    }
    let mut demand: Option<Matched<'_>> = None;
    let others = destination::paths(request)?;
    for path in forwarded.paths().chain(others.iter().map(String::as_str)) {
        if !path.starts_with('/') {
            return Err(Error::invalid("x-forwarded-uri", "must be a URL or its path"));
        }
        for (method, host) in
            methods.iter().flat_map(|method| hosts.iter().map(move |host| (method, host)))
        {
            let one = cx
                .config
                .rules
                .demand_as_written(method, host, path)
                .map_err(|why| Error::invalid("url", why))?;
            demand = Some(match demand {
                None => one,
                Some(before) => before.and(one),
            });
        }
    }
    demand.ok_or_else(|| {
        Error::invalid(
            "x-forwarded-uri",
            "is missing: let the proxy tell it in this header, or behind /-",
        )
    })
}

async fn identify_by_url(
    cx: &Cx,
    call: &Call<'_>,
    forwarded: &Forwarded,
    hints: Hints<'_>,
) -> Result<(Caller, Credential)> {
    let query = tokens_in(&forwarded.query().unwrap_or_default());
    identify(cx, call, forwarded, &query, hints).await
}

/// Authenticates the credential in the client's headers or in this query.
async fn identify(
    cx: &Cx,
    call: &Call<'_>,
    forwarded: &Forwarded,
    query: &Query,
    hints: Hints<'_>,
) -> Result<(Caller, Credential)> {
    let origin = forwarded.origin().unwrap_or_else(|| session_cookie::origin(cx, call.request));
    let shown = credentials::shown(cx, call.request, origin, credentials::in_query(query))?;
    let (caller, credential) = call.identify_first(cx, &shown, hints).await?;
    if credential.is_cookie() {
        let refused = credentials::refuse_other_origin_than(cx, call.request, forwarded.origin());
        refused.or_else(
            |error| if forwarded.may_change(call.request) { Err(error) } else { Ok(()) },
        )?;
    }
    Ok((caller, credential.clone()))
}

async fn require(cx: &Cx, caller: &Caller, service_id: i64, permission: Permission) -> Result<()> {
    let question = Question { service_id, user_id: caller.user()?.user.id.0, permission };
    if permissions::check(cx, caller, question).await? {
        return Ok(());
    }
    Err(Refusal::NoPermission { permission, service_id }.into())
}

/// Reads the client's request that a path asks about, whose own part has `segments` segments. The
/// boolean tells whether the proxy passes redirects on to its client.
fn asked_by_path(call: &Call<'_>, segments: usize) -> (Forwarded, bool) {
    let redirects = call.request.path().split('/').nth(segments + 1) == Some(REDIRECTS);
    (Forwarded::behind_path(call.request, segments + usize::from(redirects)), redirects)
}

/// If the proxy passes redirects on, a browser that opens a page without a valid credential is
/// redirected to `LOGIN_URL`.
fn or_to_sign_in(
    cx: &Cx,
    call: &Call<'_>,
    forwarded: &Forwarded,
    redirects: bool,
    answer: Result<Response>,
) -> Result<Response> {
    if let Err(error) = &answer {
        note(cx, forwarded, error);
    }
    let opens_page = || redirects && reads(forwarded) && navigation::is_one(call.request);
    match answer {
        Err(error @ Error::Unauthenticated(_)) if opens_page() => {
            let (path, query) = forwarded.path_and_query();
            login::redirect(cx, path, query).ok_or(error)
        }
        answer => answer,
    }
}

/// Records the client's method and path for the log: the proxy's own path does not tell them.
fn note(cx: &Cx, forwarded: &Forwarded, error: &Error) {
    let (path, _) = forwarded.path_and_query();
    let method = forwarded.methods().first().map_or("", String::as_str);
    cx.noted.about(if method.is_empty() { path.to_owned() } else { format!("{method} {path}") });
    cx.noted.refused(error);
}

/// Whether the proxy names only GET and HEAD.
fn reads(forwarded: &Forwarded) -> bool {
    forwarded.methods().iter().all(|method| matches!(method.as_str(), "GET" | "HEAD"))
}

/// The caller's identity, in headers that a proxy passes on. If a page was opened with a token in
/// its URL, a session begins. If the proxy passes redirects on, the browser is then redirected to
/// the URL without the token.
fn told(
    cx: &Cx,
    call: &Call<'_>,
    forwarded: &Forwarded,
    caller: &Caller,
    credential: &Credential,
    redirects: bool,
) -> Result<Response> {
    let user = caller.user()?;
    let is_secure = session_cookie::is_secure(
        forwarded.origin().unwrap_or_else(|| session_cookie::origin(cx, call.request)),
    );
    let begun = if reads(forwarded) {
        session_cookie::begin(cx, call.request, user, credential, is_secure)?
    } else {
        None
    };
    let headers = identity::headers(user).into_iter().map(|(name, value)| (name, value.into()));
    let with_all = |response: Response, headers: &mut dyn Iterator<Item = Header>| {
        headers.fold(response, |response, (name, value)| response.with(name, value))
    };
    match begun {
        Some(session) if redirects => {
            let (path, query) = forwarded.path_and_query();
            let location = navigation::location(path, &without_tokens(cx, query, Some(credential)));
            Ok(with_all(
                Response::empty(303).with("location", location),
                &mut [session].into_iter(),
            ))
        }
        begun => Ok(with_all(Response::empty(200), &mut headers.chain(begun))),
    }
}

/// The caller's identity, in an answer that a proxy may cache.
fn identified(
    cx: &Cx,
    call: &Call<'_>,
    forwarded: &Forwarded,
    caller: &Caller,
    credential: &Credential,
    redirects: bool,
) -> Result<Response> {
    let told = told(cx, call, forwarded, caller, credential, redirects)?;
    Ok(kept(cx, call, forwarded, Some(caller), told))
}

/// Lets a proxy cache a verdict. With a cookie there are two exceptions. If the request may change
/// something, the verdict depends on the page that sent it. If a page of another origin caused the
/// request, the proxy could answer from the cache when that page opens a WebSocket.
fn kept(
    cx: &Cx,
    call: &Call<'_>,
    forwarded: &Forwarded,
    caller: Option<&Caller>,
    response: Response,
) -> Response {
    if cx.config.verdict_max_age_s == 0 {
        return response;
    }
    let has_cookie = call.request.header("cookie").is_some();
    let is_for_all_pages = || {
        let is_own_page =
            credentials::refuse_other_origin_than(cx, call.request, forwarded.origin()).is_ok();
        is_own_page && !forwarded.may_change(call.request)
    };
    if has_cookie && !is_for_all_pages() {
        return response;
    }
    verdict::kept(cx, call.request, caller, verdict::FORWARDED, response)
}
