//! What one would write with axum and jsonwebtoken: keys made once, `decode` for each request.
//!
//! Arguments: the port, and the file of the keys, which is JSON by algorithm: a shared secret for
//! HS256, an SPKI PEM for the others.

use std::{collections::HashMap, env, fs, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::get,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Claims {
    loginname: String,
    name: Option<String>,
    email: Option<String>,
    exp: u64,
}

#[derive(Serialize)]
struct User {
    username: String,
    name: Option<String>,
    email: Option<String>,
}

#[derive(Serialize)]
struct Verified {
    active: bool,
    user: User,
    #[serde(rename = "expiresAt")]
    expires_at: u64,
}

type Keys = Arc<HashMap<Algorithm, (DecodingKey, Validation)>>;

fn verified(keys: &Keys, headers: &HeaderMap) -> Option<Verified> {
    let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let (key, validation) = keys.get(&decode_header(token).ok()?.alg)?;
    let Claims { loginname: username, name, email, exp } =
        decode(token, key, validation).ok()?.claims;
    Some(Verified { active: true, user: User { username, name, email }, expires_at: exp })
}

async fn verify(
    State(keys): State<Keys>,
    headers: HeaderMap,
) -> Result<Json<Verified>, StatusCode> {
    verified(&keys, &headers).map(Json).ok_or(StatusCode::UNAUTHORIZED)
}

fn keys(file: &str) -> Keys {
    let text = fs::read_to_string(file).expect("the file of the keys");
    let texts: HashMap<Algorithm, String> = serde_json::from_str(&text).expect("keys by algorithm");
    let read = |(alg, text): (Algorithm, String)| {
        let key = match alg {
            Algorithm::HS256 => DecodingKey::from_secret(text.as_bytes()),
            Algorithm::RS256 => DecodingKey::from_rsa_pem(text.as_bytes()).expect("an RSA key"),
            Algorithm::ES256 => DecodingKey::from_ec_pem(text.as_bytes()).expect("an EC key"),
            _ => panic!("no key is expected for {alg:?}"),
        };
        (alg, (key, Validation::new(alg)))
    };
    Arc::new(texts.into_iter().map(read).collect())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, port, file] = &arguments[..] else {
        panic!("a port and a file of keys");
    };
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("the port is free");
    let router = Router::new().route("/", get(verify)).with_state(keys(file));
    axum::serve(listener, router).await.expect("it serves");
}
