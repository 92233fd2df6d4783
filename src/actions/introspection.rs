//! Introspection (RFC 7662), for software that was shown a token: whether it is valid, and what it
//! says.

use serde_json::Value;

use crate::actions::authenticate;
use crate::actions::caller::{Caller, Credential, Hints, Proof, UserCaller};
use crate::actions::find_signer::Accepted;
use crate::context::Cx;
use crate::domain::identity::user::{UserId, Username};
use crate::domain::secret::PlainToken;
use crate::error::{Error, Result};

/// The `client_id` of tokens that Postern itself has issued.
const OWN_CLIENT: &str = "postern";
#[derive(Debug)]
pub struct Introspected {
    pub username: Username,
    pub user_id: UserId,
    /// The name of the token app, or [`OWN_CLIENT`].
    pub client: String,
    /// When the token expires, in seconds since the epoch.
    pub expires_at_s: i64,
    /// When the token was issued, in seconds since the epoch.
    pub issued_at_s: Option<i64>,
    /// The issuer of the name in `sub`. It is Postern if Postern issued the token. For a foreign
    /// token it is left out, because that issuer has another `sub` for the user.
    pub issuer: Option<String>,
    /// The claim `aud`.
    pub audience: Option<Value>,
    pub scope: Option<String>,
    /// The claim `jti`, or the id of an opaque token.
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

/// Describes a token, if it is valid and the caller may know about it. The answer never says why a
/// token is not valid, because that would help somebody who tries out tokens.
pub async fn introspect(cx: &Cx, by: &Caller, token: &PlainToken) -> Result<Option<Introspected>> {
    // A machine key opens only Postern's own endpoints. So introspection never calls one active,
    // whoever asks.
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
