//! Every SQL string and every KV key, one noun per file. No decisions and no HTTP statuses are
//! here.
//!
//! Ids are selected as text (`CAST(id AS TEXT) AS id`). `ORDER BY` must therefore name the table's
//! column (`users.id`): the bare name means the text, which sorts as text.

pub mod applications;
pub mod audit;
pub mod backup;
pub mod beginnings;
pub mod constraint;
pub mod counts;
pub mod expired_grants;
pub mod feed;
pub mod grants;
pub mod health;
pub mod ids;
pub mod machine_keys;
pub mod names;
pub mod new_users;
pub mod node_orders;
pub mod organizations;
pub mod provisioned_groups;
pub mod provisioned_users;
pub mod reach;
pub mod revocations;
pub mod sealed;
pub mod searches;
pub mod services;
pub mod sessions;
pub mod sign_ins;
pub mod snapshot;
pub mod sql;
pub mod standings;
pub mod token_apps;
pub mod tombstones;
pub mod units;
pub mod users;
