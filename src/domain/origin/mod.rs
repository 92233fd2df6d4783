//! The configuration of the gateway: the applications behind it, the paths that are public, and the
//! rules that callers must pass.
//!
//! An origin may read a path in several ways, so a prefix is compared with every reading
//! (`path_readings`). A public prefix (`ORIGIN_PUBLIC`, or a rule with `public`) must match every
//! reading. Any other rule applies if it matches one reading, even if a segment has a suffix that
//! some server cuts off, as in `/reports.json`.
//!
//! `demand` finds the rules that decide about a request, and `decide` compares them with the facts
//! about the caller. Neither does any I/O. The gateway, `/v1/forward-auth/rules` and
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
