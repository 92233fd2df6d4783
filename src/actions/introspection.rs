//! Introspection (RFC 7662): whether a token is good, and what it says, for software that was shown
//! one.

use serde_json::Value;

use crate::actions::authenticate;
use crate::actions::caller::{Caller, Credential, Hints, Proof, UserCaller};
use crate::actions::find_signer::Accepted;
use crate::context::Cx;
use crate::domain::identity::user::{UserId, Username};
use crate::domain::secret::PlainToken;
use crate::error::{Error, Result};

/// The client of tokens that Postern has issued itself.
const OWN_CLIENT: &str = "postern";

/// A token that is good.
#[derive(Debug)]
pub struct Introspected {
    /// Whose it is.
    pub username: Username,
    /// Their id.
    pub user_id: UserId,
    /// The token app, or [`OWN_CLIENT`].
    pub client: String,
    /// When it is over, in seconds since the epoch.
    pub expires_at_s: i64,
    /// When it was issued, likewise.
    pub issued_at_s: Option<i64>,
    /// Whose name space `sub` is of: Postern's, where the token is its own. What another issuer
    /// says stays out, since its `sub` is another.
    pub issuer: Option<String>,
    /// `aud`.
    pub audience: Option<Value>,
    /// Its scopes.
    pub scope: Option<String>,
    /// `jti`, or the id of an opaque token.
    pub id: Option<String>,
}

/// What only the token itself says.
#[derive(Default)]
struct Said {
    issued_at_s: Option<i64>,
    issuer: Option<String>,
    audience: Option<Value>,
    scope: Option<String>,
    id: Option<String>,
}

/// What a token is good for, where it is good and the caller may know. Why it is not, nobody is
/// told: an answer that differs would help whoever tries tokens.
pub async fn introspect(cx: &Cx, by: &Caller, token: &PlainToken) -> Result<Option<Introspected>> {
    // A key opens Postern's endpoints and nothing else, whoever asks.
    let Credential::Token(token) = Credential::of_token(token.clone()) else { return Ok(None) };
    let (UserCaller { user, proof }, said) =
        match authenticate::by_token(cx, &token, Hints::default(), said).await {
            Err(Error::Unauthenticated(_) | Error::Forbidden(_) | Error::Invalid { .. }) => {
                return Ok(None);
            }
            other => other?,
        };
    if !by.asks_about_everybody() && by.own_id() != Some(user.id) {
        return Ok(None);
    }
    let (client, expires_at_s, said) = match proof {
        Proof::Jwt { app, expires_at_s, .. } => {
            (app.as_str().to_owned(), expires_at_s, said.unwrap_or_default())
        }
        Proof::Session(session) => {
            let said = Said {
                issued_at_s: Some(session.created_at.seconds()),
                issuer: cx.config.browsers.public_origin.clone(),
                id: Some(session.id.to_string()),
                ..Said::default()
            };
            (OWN_CLIENT.to_owned(), session.expires_at.seconds(), said)
        }
        Proof::Password => return Err(Error::internal("a token was checked as a password")),
    };
    let Said { issued_at_s, issuer, audience, scope, id } = said;
    let (username, user_id) = (user.username.clone(), user.id);
    Ok(Some(Introspected {
        username,
        user_id,
        client,
        expires_at_s,
        issued_at_s,
        issuer,
        audience,
        scope,
        id,
    }))
}

fn said(Accepted { claims, lifetime, .. }: &Accepted<'_, '_>) -> Said {
    let of = |name: &str| claims.texts(name).ok().flatten().unwrap_or_default();
    let scopes = [of("scope"), of("scp")].concat();
    Said {
        issued_at_s: claims.get("iat").map(|_| lifetime.issued_at_s),
        issuer: None,
        audience: claims.get("aud").cloned(),
        scope: (!scopes.is_empty()).then(|| scopes.join(" ")),
        id: claims.jti(),
    }
}
