//! The public keys with which an origin verifies Postern's assertions.

use serde_json::{Map, Value};

use crate::api::http::declare::{Declared, answer};
use crate::api::http::message::Response;
use crate::api::http::route::{Call, Group, Route, handler};
use crate::api::http::shape::Answer;
use crate::context::Cx;
use crate::domain::assertion::AssertionKeys;
use crate::error::{Error, Result};

/// Five minutes. A replaced key must stay published for longer, as `ORIGIN_ASSERTION_KEY_PREVIOUS`.
const CACHING: &str = "public, max-age=300";

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[Route::get("list_signing_keys", &["/.well-known/jwks.json"], handler!(list))
        .summary(
            "Lists the public keys with which an origin verifies X-Postern-Assertion, as a JWK Set",
        )
        .about(
            "The answer is 404 if ORIGIN_ASSERTION_KEY is not set, or is a shared secret. It may \
             be cached for five minutes.",
        )
        .refuses(&[404])
        .answers(Answer::json(200, &SigningKeys::SHAPE))],
};

answer! {
    struct SigningKeys as "SigningKeys" {
        "keys" keys: Vec<Map<String, Value>> =>
            "the key that signs, and the previous one while `ORIGIN_ASSERTION_KEY_PREVIOUS` is set",
    } example r#"{
        "keys":[{
            "kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
            "kid":"cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s","use":"sig","alg":"ES256"
        }]
    }"#
}

async fn list(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    let published = cx.config.assertion_keys.as_ref().and_then(AssertionKeys::published);
    let none =
        || Error::not_found("public key", "to publish: ORIGIN_ASSERTION_KEY is no private JWK");
    let keys = published.ok_or_else(none)?;
    Ok(Response::json(200, &SigningKeys { keys }).with("cache-control", CACHING))
}
