//! Tokens in the query of a URL that belongs to an application: finds them, and removes them.

use crate::actions::caller::Credential;
use crate::api::http::query::{self, Query};
use crate::context::Cx;
use crate::domain::tokens::jwt::UnverifiedToken;

/// The parameters whose values have the form of a token. All others belong to the application,
/// whatever their names.
#[must_use]
pub fn tokens_in(query: &Query) -> Query {
    query.filtered(|_, value| UnverifiedToken::parse(value).is_ok())
}

/// A query without the parameter that was the credential, and without others that hold a token of a
/// token app. The rest is unchanged.
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
            // With very many apps, memory does not know all parameter names.
            None => !(is_token || (is_credential && name == "token")),
        }
    };
    query.split('&').filter(stays).collect::<Vec<_>>().join("&")
}
