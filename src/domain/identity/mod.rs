//! Users, their passwords, and the sessions that they sign in to.

pub mod machine_key;
pub mod opaque_token;
pub mod password;
pub mod sign_in_limit;
pub mod user;
