//! Values and the decisions about them. Pure: no I/O, no clock, no randomness, no dialect's vocabulary.

pub mod algorithm;
pub mod application;
pub mod audit;
pub mod config;
pub mod directory;
pub mod feed;
pub mod grant;
pub mod json;
pub mod jwt;
pub mod master_key;
pub mod node_order;
pub mod opaque_token;
pub mod origin;
pub mod password;
pub mod permission;
pub mod record;
pub mod secret;
pub mod signed_call;
pub mod snapshot;
pub mod text;
pub mod time;
pub mod token_app;
pub mod transfer;
pub mod trust;
pub mod user;
