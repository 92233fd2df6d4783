//! Signs a token for a token app, with a secret that the caller sends.

use serde_json::{Map, Value, json};

use crate::context::Cx;
use crate::domain::secret::Secret;
use crate::domain::tokens::{jwt, keys};
use crate::error::{Error, Result};
use crate::store::token_apps;

#[derive(Debug)]
pub struct Generated {
    pub token: String,
    /// Seconds until the token expires.
    pub expire_s: i64,
}

/// Signs `payload` for the app of that name. Its keys are renamed to the app's claim names. Arrays
/// stay as they are; other values become strings.
pub async fn generate_token(
    cx: &Cx,
    app: &str,
    secret: &Secret,
    payload: &Map<String, Value>,
) -> Result<Generated> {
    if secret.is_empty() {
        return Err(Error::invalid("secret", "can not be empty"));
    }
    if payload.get("username").is_none_or(|name| *name == Value::Null || *name == json!("")) {
        return Err(Error::invalid("username", "can not be empty"));
    }
    let app =
        token_apps::find(cx, app).await?.ok_or_else(|| Error::invalid("name", "does not exist"))?;
    let algorithm = app.terms.algorithm;
    if !algorithm.has_shared_secret() {
        return Err(Error::invalid(
            "key",
            format!(
                "is used with HS algorithms only: tokens under {algorithm} are signed by their \
                 issuer"
            ),
        ));
    }
    let names = &app.terms.claims;
    let mut claims = Map::new();
    for (key, value) in payload {
        let claim = match key.as_str() {
            "username" => &names.username,
            "name" => &names.name,
            "email" => &names.email,
            other => other,
        };
        let value = match value {
            Value::Null => continue,
            Value::Array(_) | Value::String(_) => value.clone(),
            other => Value::String(other.to_string()),
        };
        if claims.insert(claim.to_owned(), value).is_some() {
            return Err(Error::invalid(
                "payload",
                format!("has two members for the claim {claim:?}"),
            ));
        }
    }
    let now_s = cx.now.seconds();
    claims.insert("exp".to_owned(), json!(now_s.saturating_add(app.terms.expire_s)));
    claims.insert("iat".to_owned(), json!(now_s));
    let secret =
        keys::shared_secret(algorithm, secret).map_err(|why| Error::invalid("key", why))?;
    let token = jwt::sign(algorithm, &secret, &claims)
        .ok_or_else(|| Error::internal("an algorithm without a shared secret signs nothing"))?;
    Ok(Generated { token, expire_s: app.terms.expire_s })
}
