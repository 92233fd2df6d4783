//! Tells where a credential belongs that was sent to a place that does not accept it.
//!
//! This is checked after the refusal, by the credential's form alone. So the sentence is the same
//! for valid and invalid credentials.

use base64ct::{Base64, Encoding};

use crate::api::http::credentials::COOKIE;
use crate::api::http::message::Inbound;
use crate::api::http::query::Query;
use crate::api::http::session_cookie;
use crate::domain::identity::machine_key;
use crate::error::Denied;

/// The kind of credential that a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Jwt,
    Key,
}

impl Shape {
    /// A JWT starts with `ey`, which is the beginning of a JSON object in base64url, and has dots.
    /// No other credential has dots.
    fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if machine_key::looks_like_one(text) {
            return Some(Self::Key);
        }
        (text.starts_with("ey") && text.contains('.')).then_some(Self::Jwt)
    }

    fn found_in(self, place: &str) -> String {
        let noun = match self {
            Self::Jwt => "JSON Web Token",
            Self::Key => "key",
        };
        format!("{place} has a {noun}: send it as Authorization: Bearer")
    }
}

/// Tells a refused caller what to do who sent a credential in the wrong place.
#[must_use]
pub fn way_out(request: &dyn Inbound, denied: &Denied) -> Option<String> {
    if let Some(value) = request.header("authorization") {
        return in_authorization(value.trim(), denied);
    }
    if let Some(value) = request.header("x-auth-token") {
        return Shape::of(&value).map(|shape| shape.found_in("X-Auth-Token"));
    }
    let cookie = request.header("cookie").unwrap_or_default();
    let mut pairs = cookie.split([';', ',']).filter_map(|pair| pair.trim().split_once('='));
    if let Some((_, value)) =
        pairs.find(|(name, _)| *name == COOKIE || session_cookie::is_ours(name))
    {
        return Shape::of(value).map(|shape| shape.found_in("The cookie"));
    }
    in_query(&Query::of_others(request.query()), denied)
}

/// A token without its scheme or with another one, or in the place of a user name or password.
fn in_authorization(value: &str, denied: &Denied) -> Option<String> {
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    // A key in Basic was already checked, so the refusal is about its value.
    let was_read = !matches!(denied, Denied::BadScheme | Denied::BadBase64 | Denied::WrongPassword);
    if was_read || scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let decoded =
        Base64::decode_vec(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let basic = decoded.filter(|_| scheme.eq_ignore_ascii_case("basic"));
    let shape = match &basic {
        Some(text) => text.split(':').find_map(Shape::of),
        None => Shape::of(rest),
    };
    shape.map(|shape| shape.found_in("The Authorization header"))
}

fn in_query(query: &Query, denied: &Denied) -> Option<String> {
    if query.pairs().iter().any(|(_, value)| Shape::of(value) == Some(Shape::Key)) {
        return Some(Shape::Key.found_in("The URL"));
    }
    // A token that was parsed has a more precise reason.
    if !matches!(denied, Denied::Missing | Denied::NotThreeParts) {
        return None;
    }
    // Callers without a credential must not learn the parameter names of token apps, so the check
    // uses no app's name.
    let is_token = |(name, value): &(String, String)| name == "token" || Shape::of(value).is_some();
    query.pairs().iter().any(is_token).then(|| IN_URL.to_owned())
}

const IN_URL: &str = "\
    A URL carries JSON Web Tokens only, each in its app's token_name, and only for /v1/verify, \
    /v1/check, the client's URL of /v1/forward-auth, and the gateway: send the token as \
    Authorization: Bearer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_alone_tells() {
        for (text, shape) in [
            ("eyJhbGciOiJIUzI1NiJ9.e30.x", Some(Shape::Jwt)),
            ("eyJ.", Some(Shape::Jwt)),
            ("pst_cut-off", Some(Shape::Key)),
            (" pst_ ", Some(Shape::Key)),
            ("eyewitness", None),
            ("a.b.c", None),
            ("", None),
            ("ffffffff-ffff-4fff-bfff-ffffffffffff", None),
        ] {
            assert_eq!(Shape::of(text), shape, "{text:?}");
        }
    }
}
