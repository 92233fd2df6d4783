//! Users, their passwords, their machine keys, what an identity provider keeps of them here, and
//! sign-in sessions.

pub mod look_alikes;
pub mod machine_key;
pub mod opaque_token;
pub mod password;
pub mod provisioned;
pub mod sign_in_limit;
pub mod user;
