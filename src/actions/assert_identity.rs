//! Signs an assertion that tells the origin who calls.

use std::rc::Rc;

use crate::actions::caller::UserCaller;
use crate::context::Cx;
use crate::domain::assertion::{self, AssertionKey, Claims};
use crate::domain::tokens::token_app::AppName;
use crate::error::{Error, Result};

/// Returns the assertion about a caller: issued by Postern at `issuer`, for the origin at
/// `audience`. `None` if `ORIGIN_ASSERTION_KEY` is not set. An assertion that says the same is used
/// again while it is young enough.
pub async fn assert_identity(
    cx: &Cx,
    issuer: &str,
    audience: &str,
    caller: &UserCaller,
) -> Result<Option<Rc<str>>> {
    let Some(keys) = &cx.config.assertion_keys else { return Ok(None) };
    let claims = Claims::of(issuer, audience, &caller.user, caller.app().map(AppName::as_str));
    let digest = claims.digest();
    if let Some(kept) = cx.memory.assertions.find(&digest, cx.now) {
        return Ok(Some(kept));
    }
    let text = keys.current.text_to_sign(&claims, cx.now);
    let signature = match &keys.current {
        AssertionKey::Shared(secret) => assertion::sign_shared(secret, &text).to_vec(),
        AssertionKey::Private(key) => {
            cx.signatures.sign(key, text.as_bytes()).await.map_err(|fault| {
                cx.log.line(&format!("ORIGIN_ASSERTION_KEY cannot sign: {}", fault.for_log()));
                Error::Misconfigured(vec![
                    "ORIGIN_ASSERTION_KEY is a JWK that the platform cannot sign with".to_owned(),
                ])
            })?
        }
    };
    let signed = Rc::from(assertion::compact(&text, &signature));
    cx.memory.assertions.keep(digest, &signed, cx.now);
    Ok(Some(signed))
}
