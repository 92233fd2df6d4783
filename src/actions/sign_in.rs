//! Signs users in: takes a user name and a password, and returns an opaque token.

use std::rc::Rc;

use crate::actions::passwords;
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::opaque_token;
use crate::domain::identity::user::User;
use crate::domain::secret::{HashedToken, PlainToken, Secret};
use crate::domain::time::Millis;
use crate::error::{Denied, Refusal, Result};
use crate::memory::write::Write;
use crate::store::sessions;

/// The secrets of a new session. The header's and the cookie's are independent random values.
#[derive(Debug)]
pub struct SignedIn {
    /// For headers.
    pub token: PlainToken,
    /// For browsers.
    pub cookie: PlainToken,
}

/// Signs a user in. Fails with `WrongPassword` both for an unknown user and for a wrong password.
pub async fn sign_in(cx: &Cx, username: &str, password: &Secret) -> Result<SignedIn> {
    let token = opaque_token::token(cx.random()?);
    let cookie = opaque_token::cookie(cx.random()?);
    begin(cx, username, password, token.hashed(), cookie.hashed_as_cookie()).await?;
    Ok(SignedIn { token, cookie })
}

/// Signs a user in with a browser. Returns the cookie of a gateway session, and no token.
pub async fn sign_in_browser(cx: &Cx, username: &str, password: &Secret) -> Result<PlainToken> {
    let cookie = opaque_token::token(cx.random()?);
    // The row requires the hash of a token. Nobody gets this token.
    let no_token = opaque_token::token(cx.random()?).hashed();
    begin(cx, username, password, no_token, cookie.hashed_as_session()).await?;
    Ok(cookie)
}

/// How long a console session lasts: as long as a token, but at most 12 hours.
#[must_use]
pub fn longest_console(cx: &Cx) -> Millis {
    Millis::from_seconds(cx.config.token_ttl_s.min(12 * 60 * 60))
}

/// Begins a console session for a user whose password was right. Returns the cookie, and when the
/// session expires.
pub async fn begin_console(cx: &Cx, user: &User) -> Result<(PlainToken, Millis)> {
    let cookie = opaque_token::token(cx.random()?);
    // The row requires the hash of a token. Nobody gets this token.
    let no_token = opaque_token::token(cx.random()?).hashed();
    let ends_at =
        insert(cx, user, no_token, cookie.hashed_as_console(), longest_console(cx)).await?;
    Ok((cookie, ends_at))
}

async fn begin(
    cx: &Cx,
    username: &str,
    password: &Secret,
    token: HashedToken,
    cookie: HashedToken,
) -> Result<()> {
    let user = check(cx, username, password).await?;
    insert(cx, &user, token, cookie, Millis::from_seconds(cx.config.token_ttl_s)).await.map(drop)
}

/// Finds the user of a name and a password. Fails if the user is disabled.
pub async fn check(cx: &Cx, username: &str, password: &Secret) -> Result<Rc<User>> {
    let user = passwords::check_now(cx, username, password).await?;
    if user.profile.enabled { Ok(user) } else { Err(Refusal::UserDisabled.into()) }
}

async fn insert(
    cx: &Cx,
    user: &User,
    token: HashedToken,
    cookie: HashedToken,
    lasts: Millis,
) -> Result<Millis> {
    // If all tokens of the user were revoked in the current second, `valid_from` is the next
    // second.
    let issued_at = cx.now.max(user.valid_from);
    let expires_at = cx.now + lasts;
    let insert = sessions::insert(token, cookie, user, cx.address(), issued_at, expires_at);
    let deed = Deed::new(Actor::from(user), "token.issue", user.username.as_str().to_owned());
    let added = Write::default().answering(insert).deed(deed).commit(cx).await?;
    if added.is_empty() { Err(Denied::Revoked.into()) } else { Ok(expires_at) }
}
