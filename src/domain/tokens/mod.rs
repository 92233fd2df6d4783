//! Token apps, their keys, and the tokens that they sign.

pub mod algorithm;
pub mod checks;
mod der;
pub mod jwk;
pub mod jwt;
pub mod keys;
pub mod policy;
pub mod public_key;
pub mod signed_tokens;
pub mod token_app;
