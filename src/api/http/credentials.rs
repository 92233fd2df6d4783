//! Finds the credential of a request. The first kind that is present decides; if it is wrong, no
//! other kind is tried.

use base64ct::{Base64, Base64Unpadded, Encoding};

use crate::actions::access_tokens::SignedCall;
use crate::actions::caller::Credential;
use crate::api::http::cookies;
use crate::api::http::message::Inbound;
use crate::api::http::method_override;
use crate::api::http::query::{self, Query};
use crate::api::http::session_cookie;
use crate::context::Cx;
use crate::domain::applications::signed_call::Timestamp;
use crate::domain::browsers::Browsers;
use crate::domain::identity::{machine_key, opaque_token};
use crate::domain::secret::{PlainToken, Secret};
use crate::error::{Denied, Error, Refusal, Result};

/// The cookie of the iManager token endpoint.
pub const COOKIE: &str = "JSESSIONID";

/// The credential in `Authorization` or `X-Auth-Token`.
pub fn in_headers(request: &dyn Inbound) -> Result<Option<Credential>> {
    if let Some(value) = request.header("authorization") {
        return authorization(value.trim()).map(Some);
    }
    match request.header("x-auth-token") {
        Some(value) => single(&value).map(|token| Some(Credential::OpaqueToken(token))),
        None => Ok(None),
    }
}

/// The credential in the headers of an `OAuth` client, which form-encodes both parts of Basic (RFC
/// 6749, 2.3.1).
pub fn of_client(request: &dyn Inbound) -> Result<Option<Credential>> {
    Ok(in_headers(request)?.map(|credential| match credential {
        Credential::Password { username, password } => {
            decoded(&username, &password).unwrap_or(Credential::Password { username, password })
        }
        other => other,
    }))
}

/// A form-encoded user name and password. Many clients do not encode them: if one part has a
/// character that encoding never leaves, both parts are used unchanged. So each request is read in
/// exactly one way, and one password is tried.
fn decoded(username: &str, password: &Secret) -> Option<Credential> {
    let part = |text: &str| {
        text.chars().all(may_be_encoded).then(|| query::decode_form(text, "").ok()).flatten()
    };
    Some(Credential::Password {
        username: part(username)?,
        password: Secret::new(part(password.expose_text()?)?),
    })
}

/// The characters that form encoding or `encodeURIComponent` leaves, or writes.
fn may_be_encoded(c: char) -> bool {
    c.is_ascii_alphanumeric() || "*-._+%~!'()".contains(c)
}

/// The GIS manager's cookie, which is valid only on that system's own paths. Elsewhere the name,
/// and everywhere a value of another form, belongs to the application.
pub fn of_gis_manager(request: &dyn Inbound) -> Result<Option<Credential>> {
    let header = request.header("cookie").unwrap_or_default();
    let mut ours =
        cookies::values(&header, COOKIE).filter(|value| is_of_gis_manager(COOKIE, value));
    match (ours.next(), ours.next()) {
        (Some(_), Some(_)) => Err(Error::doubled_credential(COOKIE)),
        (value, _) => Ok(value.map(|value| Credential::Cookie(PlainToken::new(value)))),
    }
}

/// Whether the GIS manager's token endpoint of Postern has set this cookie.
#[must_use]
pub fn is_of_gis_manager(name: &str, value: &str) -> bool {
    name == COOKIE && opaque_token::is_cookie(value)
}

/// The parameters of a query, any of which may carry a token. `None` for an empty query.
#[must_use]
pub fn in_query(query: &Query) -> Option<Credential> {
    let parameters: Vec<_> = query
        .pairs()
        .iter()
        .map(|(name, value)| (name.clone(), PlainToken::new(value.as_str())))
        .collect();
    (!parameters.is_empty()).then_some(Credential::Parameters(parameters))
}

/// The credentials of a request to the gateway, or of one that a proxy asks about, in the order in
/// which they are tried.
///
/// The first kind decides. The next one is tried only if a parameter turns out to be the
/// application's own, or if the session has expired: see `authenticate_first`. `origin` is the
/// origin that the browser uses.
pub fn shown(
    cx: &Cx,
    request: &dyn Inbound,
    origin: &str,
    parameters: Option<Credential>,
) -> Result<Vec<Credential>> {
    let Browsers { token_headers, token_cookies, .. } = &cx.config.browsers;
    if let Some(value) = token_headers.iter().find_map(|name| (cx.request_header)(name)) {
        return Ok(vec![Credential::Placed {
            token: single(without_scheme(&value))?,
            is_cookie: false,
        }]);
    }
    if let Some(credential) = in_headers(request)? {
        return Ok(vec![credential]);
    }
    let header = request.header("cookie").unwrap_or_default();
    let is_secure = session_cookie::is_secure(origin);
    let session = session_cookie::read(&header, is_secure)?;
    let placed = token_cookies.iter().find_map(|name| placed_in(&header, name)).transpose()?;
    let placed = placed.map(|token| Credential::Placed { token, is_cookie: true });
    Ok([parameters, session, placed].into_iter().flatten().collect())
}

/// The token in a cookie. Two cookies of the name are an error: a page of another host of the same
/// site may have set one.
fn placed_in(header: &str, name: &str) -> Option<Result<PlainToken>> {
    let mut values = cookies::values(header, name);
    let first = values.next()?;
    Some(if values.next().is_some() { Err(Error::doubled_credential(name)) } else { single(first) })
}

/// Some proxies send the token in their own header with the scheme `Bearer`, as in `Authorization`.
fn without_scheme(value: &str) -> &str {
    value
        .trim()
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or(value, |(_, token)| token)
}

/// A call that an application signed. All three headers must be present, or none.
pub fn signed_call(request: &dyn Inbound) -> Result<Option<SignedCall>> {
    let [token, timestamp, signature] =
        ["apim-accesstoken", "apim-timestamp", "apim-signature"].map(|name| request.header(name));
    match (token, timestamp, signature) {
        (None, None, None) => Ok(None),
        (Some(token), Some(timestamp), Some(signature)) => Ok(Some(SignedCall {
            token: single(&token)?,
            timestamp: Timestamp::parse(timestamp.trim()).ok_or(Denied::StaleTimestamp)?,
            signature: signature.trim().to_owned(),
        })),
        _ => Err(Denied::Missing.into()),
    }
}

/// Refuses a cookie on a call that changes something, if a page of another origin sends the call.
pub fn refuse_cross_origin(cx: &Cx, request: &dyn Inbound) -> Result<()> {
    refuse_other_origin_than(cx, request, Some(request.origin()))
}

/// Refuses a page whose origin is neither `own` nor `PUBLIC_ORIGIN`. `None` if the own origin is
/// unknown.
pub fn refuse_other_origin_than(cx: &Cx, request: &dyn Inbound, own: Option<&str>) -> Result<()> {
    let public = cx.config.browsers.public_origin.as_deref();
    let site = request.header("sec-fetch-site");
    // A page with `Referrer-Policy: no-referrer` sends `Origin: null`. Then only `Sec-Fetch-Site:
    // same-origin` proves that the origin is the same. A sandboxed page also sends `null`, but its
    // `Sec-Fetch-Site` is `cross-site`.
    let is_hidden = |origin: &str| origin == "null" && site.as_deref() == Some("same-origin");
    let is_other = |origin: String| {
        own.is_some_and(|own| origin != own)
            && public != Some(origin.as_str())
            && !is_hidden(&origin)
    };
    let is_other_origin = request.header("origin").is_some_and(is_other);
    let is_other_site = site.as_deref().is_some_and(|site| site != "same-origin" && site != "none");
    if is_other_origin || is_other_site { Err(Refusal::CrossOrigin.into()) } else { Ok(()) }
}

/// Whether a request may do more than read: by its method, by a method override, or as a WebSocket,
/// which begins with a GET and can then send anything. Proxies remove `Upgrade` when they ask
/// Postern, but keep the other WebSocket headers.
pub fn may_change(request: &dyn Inbound, method: &str, query: &str) -> bool {
    let opens_socket = || {
        ["upgrade", "sec-websocket-key", "sec-websocket-version"]
            .into_iter()
            .any(|name| request.header(name).is_some())
    };
    let overrides = || {
        method_override::is_in_query(query)
            || request.headers().iter().any(|(name, _)| method_override::is_header(name))
    };
    !matches!(method, "GET" | "HEAD" | "OPTIONS") || opens_socket() || overrides()
}

/// Refuses a request from a page of another site. A page of another host of the same site is
/// allowed.
pub fn refuse_cross_site(request: &dyn Inbound) -> Result<()> {
    if request.header("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        Err(Refusal::CrossOrigin.into())
    } else {
        Ok(())
    }
}

fn authorization(value: &str) -> Result<Credential> {
    let (scheme, rest) = value.split_once(' ').ok_or(Denied::BadScheme)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        let token = rest.trim();
        // A JWT is parsed strictly, and only once, by the verification.
        return if token.contains('.') {
            Ok(Credential::Token(PlainToken::new(token)))
        } else {
            single(token).map(Credential::of_token)
        };
    }
    if scheme.eq_ignore_ascii_case("basic") {
        return basic(rest.trim());
    }
    Err(Denied::BadScheme.into())
}

fn basic(encoded: &str) -> Result<Credential> {
    let decoded = Base64::decode_vec(encoded)
        .or_else(|_| Base64Unpadded::decode_vec(encoded))
        .map_err(|_| Denied::BadBase64)?;
    let text = String::from_utf8(decoded).map_err(|_| Denied::BadBase64)?;
    let (username, password) = text.split_once(':').ok_or(Denied::BadBase64)?;
    // A client that authenticates with a key form-encodes both parts (RFC 6749, 2.3.1). Decoding
    // does not change parts that are sent unencoded.
    let decoded = |part: &str| query::decode_form(part, "").ok();
    if let (Some(name), Some(key)) =
        (decoded(username), decoded(password).filter(|key| machine_key::has_form(key)))
    {
        return Ok(Credential::Key { name: Some(name), key: PlainToken::new(key) });
    }
    Ok(Credential::Password { username: username.to_owned(), password: Secret::new(password) })
}

/// A single token. A header that was sent twice arrives joined by a comma, which no token contains.
fn single(value: &str) -> Result<PlainToken> {
    let value = value.trim();
    if value.is_empty() || value.bytes().any(|byte| matches!(byte, b',' | b' ' | b'\t')) {
        return Err(Denied::Revoked.into());
    }
    Ok(PlainToken::new(value))
}
