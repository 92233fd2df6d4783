//! Which credential of a request counts: the first kind present decides, and a wrong one never falls through to the next kind.

use base64ct::{Base64, Base64Unpadded, Encoding};

use crate::actions::access_tokens::SignedCall;
use crate::actions::caller::Credential;
use crate::api::http::message::Inbound;
use crate::api::http::query::{self, Query};
use crate::domain::applications::signed_call::Timestamp;
use crate::domain::identity::machine_key;
use crate::domain::secret::{PlainToken, Secret};
use crate::error::{Denied, Error, Refusal, Result};

/// The cookie that the iManager token endpoint sets.
pub const COOKIE: &str = "JSESSIONID";

/// The credential in the headers: `Authorization`, `X-Auth-Token` or the cookie.
pub fn in_headers(request: &dyn Inbound) -> Result<Option<Credential>> {
    if let Some(value) = request.header("authorization") {
        return authorization(value.trim()).map(Some);
    }
    if let Some(value) = request.header("x-auth-token") {
        return single(&value).map(|token| Some(Credential::OpaqueToken(token)));
    }
    match request.header("cookie") {
        Some(value) => cookie(&value),
        None => Ok(None),
    }
}

/// The parameters of a query, any of which may carry a token; `None` where there are none.
#[must_use]
pub fn in_query(query: &Query) -> Option<Credential> {
    let parameters: Vec<_> = query.pairs().iter().map(|(name, value)| (name.clone(), PlainToken::new(value.as_str()))).collect();
    (!parameters.is_empty()).then_some(Credential::Parameters(parameters))
}

/// The credential that a request shows, in its headers or else in a query.
pub fn shown(request: &dyn Inbound, query: &Query) -> Result<Option<Credential>> {
    Ok(in_headers(request)?.or_else(|| in_query(query)))
}

/// A call that an application signed: its three headers, all of them or none.
pub fn signed_call(request: &dyn Inbound) -> Result<Option<SignedCall>> {
    let [token, timestamp, signature] = ["apim-accesstoken", "apim-timestamp", "apim-signature"].map(|name| request.header(name));
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

/// Refuses a cookie on a call that changes something, where the page that makes it is of another origin.
pub fn refuse_cross_origin(request: &dyn Inbound) -> Result<()> {
    refuse_other_origin_than(request, Some(request.origin()))
}

/// The same, where the page should be of the origin `own`; `None` where nobody has said which.
pub fn refuse_other_origin_than(request: &dyn Inbound, own: Option<&str>) -> Result<()> {
    let is_other = |origin: String| own.is_some_and(|own| origin != own);
    let is_other_origin = request.header("origin").is_some_and(is_other);
    let is_other_site = request.header("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    if is_other_origin || is_other_site { Err(Refusal::CrossOrigin.into()) } else { Ok(()) }
}

fn authorization(value: &str) -> Result<Credential> {
    let (scheme, rest) = value.split_once(' ').ok_or(Denied::BadScheme)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        let token = rest.trim();
        // A token in parts is read strictly, and only once.
        return if token.contains('.') { Ok(Credential::Token(PlainToken::new(token))) } else { single(token).map(Credential::of_token) };
    }
    if scheme.eq_ignore_ascii_case("basic") {
        return basic(rest.trim());
    }
    Err(Denied::BadScheme.into())
}

fn basic(encoded: &str) -> Result<Credential> {
    let decoded = Base64::decode_vec(encoded).or_else(|_| Base64Unpadded::decode_vec(encoded)).map_err(|_| Denied::BadBase64)?;
    let text = String::from_utf8(decoded).map_err(|_| Denied::BadBase64)?;
    let (username, password) = text.split_once(':').ok_or(Denied::BadBase64)?;
    // A client that authenticates with a key encodes both parts like a form (RFC 6749, 2.3.1). Neither
    // has a character that means something else when it comes as it is.
    let decoded = |part: &str| query::decode_form(part, "").ok();
    if let (Some(name), Some(key)) = (decoded(username), decoded(password).filter(|key| machine_key::has_form(key))) {
        return Ok(Credential::Key { name: Some(name), key: PlainToken::new(key) });
    }
    Ok(Credential::Password { username: username.to_owned(), password: Secret::new(password) })
}

/// One token. A header that was sent twice arrives joined by a comma, which no token has.
fn single(value: &str) -> Result<PlainToken> {
    let value = value.trim();
    if value.is_empty() || value.bytes().any(|byte| matches!(byte, b',' | b' ' | b'\t')) {
        return Err(Denied::Revoked.into());
    }
    Ok(PlainToken::new(value))
}

fn cookie(header: &str) -> Result<Option<Credential>> {
    // A cookie header that was sent twice arrives joined by a comma.
    let pairs = header.split([';', ',']).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => single(value).map(|token| Some(Credential::Cookie(token))),
        (Some(_), Some(_)) => Err(Error::doubled_credential(COOKIE)),
    }
}
