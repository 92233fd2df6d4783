//! HTTP on plain types: messages, what they hold, and how routes declare what they take and answer.

pub mod body;
pub mod caching;
pub mod cookies;
pub mod credentials;
pub mod declare;
pub mod forwarded;
pub mod identity;
pub mod members;
pub mod message;
pub mod method_override;
pub mod misplaced;
pub mod navigation;
#[cfg(not(target_arch = "wasm32"))]
pub mod openapi;
pub mod pages;
pub mod parameters;
pub mod patterns;
pub mod query;
pub mod route;
#[cfg(not(target_arch = "wasm32"))]
pub mod schemas;
pub mod session_cookie;
pub mod shape;
pub mod token_parameters;
pub mod token_policy;
pub mod undeclared;
