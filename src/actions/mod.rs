//! Use cases: one function each, in no dialect's vocabulary. They read through `store`, decide through `domain`, write through `store`.

pub mod access_tokens;
pub mod applications;
pub mod assert_identity;
pub mod audit;
pub mod authenticate;
pub mod authorizations;
pub mod caller;
pub mod explain;
pub mod find_signer;
pub mod generate_token;
pub mod grants;
pub mod health;
pub mod housekeeping;
pub mod node_orders;
pub mod organizations;
pub mod passwords;
pub mod permissions;
pub mod services;
pub mod sessions;
pub mod sign_in;
pub mod token_apps;
pub mod token_user;
pub mod transfer;
pub mod units;
pub mod users;
pub mod verify_token;
