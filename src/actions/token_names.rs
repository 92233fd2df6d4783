//! Which URL parameters carry the tokens of token apps.

use crate::context::Cx;
use crate::domain::tokens::jwt::UnverifiedToken;
use crate::error::Result;
use crate::memory::known::Known;

/// Whether a URL parameter may carry a token of a token app. If there are more apps than memory
/// keeps, any value that has the form of a token may be one. `token` is the default name of the
/// parameter.
pub async fn may_carry_token(cx: &Cx, name: &str, value: &str) -> Result<bool> {
    let known = Known::current(cx, Vec::new, None).await?;
    let is_name =
        known.is_token_name(name).unwrap_or_else(|| UnverifiedToken::parse(value).is_ok());
    Ok(is_name || name == "token")
}
