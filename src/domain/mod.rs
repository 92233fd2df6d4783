//! Values, and the decisions made from them. Everything here is pure: it does no I/O, reads no
//! clock, draws no random numbers and uses no dialect's vocabulary.

pub mod admin_host;
pub mod applications;
pub mod assertion;
pub mod audit;
pub mod backup;
pub mod browsers;
pub mod config;
pub mod feed;
pub mod identity;
pub mod json;
pub mod master_key;
pub mod method;
pub mod metrics;
pub mod network;
pub mod node_order;
pub mod origin;
pub mod own_paths;
pub mod path_readings;
pub mod permissions;
pub mod redaction;
pub mod secret;
pub mod spelling;
pub mod staleness;
pub mod text;
pub mod time;
pub mod tokens;
pub mod tolerant_json;
