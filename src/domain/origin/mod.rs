//! What is behind the gateway: which applications there are, what passes without a token, and what
//! the rules want of a caller.
//!
//! A path is compared with a prefix in every reading that an origin may have of it
//! (`path_readings`). What frees (`ORIGIN_PUBLIC`, and rules with `public`) must begin each of
//! them. What binds (the other rules) binds if it begins one, also where a segment has a suffix
//! that some server cuts off: `/reports.json`.
//!
//! `demand` finds the rules that decide about a request; `decide` compares them with what is known
//! of the caller. Neither does any I/O. The gateway, `/v1/forward-auth/rules` and
//! `/v1/rules/test` all use these two.

mod decide;
mod demand;
mod host;
mod members;
mod origins;
mod parse;
mod prefix;
mod rule;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_members;

pub use decide::{Answer, Facts, TokenSays, decide, holds, would_refuse};
pub use demand::{Demand, Matched};
pub use host::{host_of, parse as read_host};
pub use origins::{Origin, Origins, read_origins, read_url};
pub use parse::read_rules;
pub use prefix::{Prefix, is_read_as, readings};
pub use rule::{Need, Rule};
pub use table::Rules;
