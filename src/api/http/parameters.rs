//! Finds the query parameters that a route does not declare.

use crate::actions::token_names::may_carry_token;
use crate::api::http::credentials;
use crate::api::http::message::Inbound;
use crate::api::http::query::Query;
use crate::api::http::route::{Access, BesideHeaders, Dialect, Route};
use crate::api::http::undeclared::{MAX_TOLD, Undeclared, is_declared};
use crate::context::Cx;
use crate::domain::tokens::jwt::UnverifiedToken;
use crate::error::{Error, Result};

/// The default parameter for tokens; an app may name another.
const TOKEN: &str = "token";

/// The parameters that the route does not declare and that carry no token.
pub async fn undeclared(
    cx: &Cx,
    dialect: &Dialect,
    route: &Route,
    request: &dyn Inbound,
    query: &Query,
) -> Result<Vec<Undeclared>> {
    let takes_tokens = dialect.beside_headers == BesideHeaders::Parameters
        || matches!(route.access, Access::Shown | Access::ShownOrSent);
    let mut found = Vec::new();
    for (name, value) in query.pairs().iter().filter(|(name, _)| !is_declared(route.query, name)) {
        if takes_tokens && may_be_token(cx, request, name, value).await? {
            continue;
        }
        if found.len() == MAX_TOLD {
            break;
        }
        let known = route.query.iter().map(|field| field.name);
        let is_listed = route.query.iter().any(|field| field.name == TOKEN);
        let known = known.chain(Some(TOKEN).filter(|_| takes_tokens && !is_listed));
        let others = if takes_tokens { "and whatever parameters token apps have" } else { "" };
        found.push(Undeclared::new("", name, known, others).parameter());
    }
    Ok(found)
}

/// Whether a parameter may carry a token. A value with the form of a token is left to the
/// verification, which explains why it is not accepted. But if a header has the credential, nothing
/// reads the parameter, so it is undeclared.
async fn may_be_token(cx: &Cx, request: &dyn Inbound, name: &str, value: &str) -> Result<bool> {
    if name == TOKEN || may_carry_token(cx, name, value).await? {
        return Ok(true);
    }
    Ok(UnverifiedToken::parse(value).is_ok() && credentials::in_headers(request)?.is_none())
}

/// Refuses a parameter that is present twice: only one of the values would be read.
pub fn refuse_doubled(query: &Query) -> Result<()> {
    let mut names: Vec<_> = query.pairs().iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next) {
        Some((&TOKEN, _)) => Err(Error::doubled_credential(TOKEN)),
        Some((name, _)) => Err(Error::invalid(*name, "must not be there twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_parameter_is_refused_whatever_it_is() {
        assert!(refuse_doubled(&Query::parse("a=1&b=2&a=1").unwrap()).is_err());
        assert!(refuse_doubled(&Query::parse("a=1&b=1&A=1").unwrap()).is_ok());
    }
}
