//! Tokens in the query of a URL that is somebody else's: which parameters they are, and the query
//! without them.

use crate::actions::caller::Credential;
use crate::api::http::query::{self, Query};
use crate::context::Cx;
use crate::domain::tokens::jwt::UnverifiedToken;

/// The parameters that have the form of a token. Any other is the application's, whatever its name.
#[must_use]
pub fn tokens_in(query: &Query) -> Query {
    query.filtered(|_, value| UnverifiedToken::parse(value).is_ok())
}

/// A query without the parameter that was the credential, and without any other that holds a token
/// app's token; the rest as it was sent.
#[must_use]
pub fn without_tokens(cx: &Cx, query: &str, credential: Option<&Credential>) -> String {
    let is_credential = matches!(credential, Some(Credential::Parameters(_)));
    let stays = |pair: &&str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| query::decode_form(text, "").unwrap_or_else(|_| text.to_owned());
        let (name, value) = (decoded(name), decoded(value));
        let is_token = UnverifiedToken::parse(&value).is_ok();
        match cx.memory.is_token_name(&name) {
            Some(is_name) => !(is_name && (is_token || is_credential)),
            // With so many apps memory does not know all names.
            None => !(is_token || (is_credential && name == "token")),
        }
    };
    query.split('&').filter(stays).collect::<Vec<_>>().join("&")
}
