//! Token apps, their keys, and the tokens that these keys sign.

pub mod algorithm;
pub mod checks;
mod der;
mod ed25519_order;
pub mod fetch_problem;
pub mod introspection;
pub mod introspection_endpoint;
pub mod jwk;
pub mod jwt;
pub mod key_set;
pub mod key_source;
pub mod keys;
pub mod policy;
pub mod public_key;
pub mod public_key_recognition;
pub mod revocation;
pub mod signed_tokens;
pub mod thumbprint;
pub mod token_app;
