//! Applications of organizations, and the calls that they sign.

pub mod application;
pub mod signed_call;
