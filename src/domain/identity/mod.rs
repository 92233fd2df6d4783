//! Users, their passwords, what provisioning keeps of them, and the sessions that they sign in to.

pub mod machine_key;
pub mod opaque_token;
pub mod password;
pub mod provisioned;
pub mod sign_in_limit;
pub mod user;
