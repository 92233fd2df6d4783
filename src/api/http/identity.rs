//! The headers that tell a proxy, or the origin behind the gateway, who calls.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::actions::caller::{Proof, UserCaller};
use crate::domain::identity::user::MAX_ROLES_BYTES;
use crate::domain::tokens::policy::Policy;
use crate::domain::tokens::token_app::AppName;

/// Only Postern may send headers with these prefixes to an origin.
pub const PREFIXES: [&str; 2] = ["x-auth-", "x-postern-"];

/// The header with Postern's signed assertion for the origin.
pub const ASSERTION: &str = "x-postern-assertion";

/// The headers that describe the caller. The last one tells whether the roles were too long.
const NAMES: [&str; 7] = [
    "x-auth-user",
    "x-auth-user-id",
    "x-auth-name",
    "x-auth-email",
    "x-auth-roles",
    "x-auth-app",
    "x-auth-roles-truncated",
];

/// The encoding of header values. Everything except printable ASCII is encoded, and also `%` and
/// `,`, so that the value can be decoded.
const VALUE: &AsciiSet = &CONTROLS.add(b'%').add(b',');

/// The headers of a caller. Unknown values are sent empty: if a header were missing, a proxy might
/// pass on the client's own header of that name. Roles that are too long together are omitted,
/// because servers refuse long headers.
#[must_use]
pub fn headers(caller: &UserCaller) -> [(&'static str, String); NAMES.len()] {
    let encoded = |text: &str| utf8_percent_encode(text, VALUE).to_string();
    let optional = |text: Option<&str>| text.map(encoded).unwrap_or_default();
    let user = &caller.user;
    let roles = user.profile.roles.iter().map(|role| encoded(role)).collect::<Vec<_>>().join(",");
    let (roles, truncated) =
        if roles.len() > MAX_ROLES_BYTES { (String::new(), "1") } else { (roles, "") };
    let [user_name, user_id, name, email, roles_name, app, truncated_name] = NAMES;
    [
        (user_name, encoded(user.username.as_str())),
        (user_id, user.id.0.to_string()),
        (name, optional(user.profile.name.as_deref())),
        (email, optional(user.profile.email.as_deref())),
        (roles_name, roles),
        (app, optional(caller.app().map(AppName::as_str))),
        (truncated_name, truncated.to_owned()),
    ]
}

/// The same headers, all empty, for requests that need no credential.
#[must_use]
pub fn headers_of_nobody() -> [(&'static str, &'static str); NAMES.len()] {
    NAMES.map(|name| (name, ""))
}

/// The longest value of a claim, in bytes after encoding.
const MAX_CLAIM_BYTES: usize = 4096;

/// The claims that the caller's token app passes on. Strings are sent as they are, other values as
/// JSON. Values that are too long are omitted.
pub fn passed_claims(caller: &UserCaller) -> impl Iterator<Item = (String, String)> + '_ {
    let claims =
        if let Proof::Jwt { claims, .. } = &caller.proof { claims.as_slice() } else { &[] };
    let header = |(claim, value): &(String, Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = utf8_percent_encode(&text, VALUE).to_string();
        (format!("x-auth-claim-{}", Policy::header_of(claim)), value)
    };
    claims.iter().map(header).filter(|(_, value)| value.len() <= MAX_CLAIM_BYTES)
}
