//! Everything that can be tested without the platform. The tests call the real `api::handle` on
//! SQLite with the real migrations.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets what it does not expect has failed"
)]
#![expect(clippy::cast_precision_loss, reason = "D1 answers with doubles")]
#![expect(clippy::format_push_string, reason = "what a test prints need not be fast")]

mod access;
mod additive;
mod applications;
mod assertion;
mod audit;
mod authzen;
mod backup;
mod binding;
mod bounds;
mod changes;
mod checks;
mod columns;
mod console;
mod copies;
mod discovery;
mod ed25519;
mod errors;
mod explain;
mod explain_and_verify;
mod forgeries;
mod forward_auth;
mod fuzz_corpus;
mod gateway;
mod gateway_dialects;
mod gateway_sessions;
mod golden;
mod grant_times;
mod hashing;
mod housekeeping;
mod identities;
mod identity_headers;
mod ids;
mod invariants;
mod key_registration;
mod key_sets;
mod layers;
mod look_alikes;
mod machine_keys;
mod methods_and_preflights;
mod misses;
mod oauth;
mod operation;
mod oracle;
mod origin_urls;
mod origins;
mod path_spellings;
mod providers;
mod public_keys;
mod races;
mod reasons;
mod records_document;
mod revocations;
mod revoked_everywhere;
mod routes;
mod rules;
mod scim;
mod seeing;
mod shared_secrets;
mod sharing;
mod sign_in;
mod signed_tokens;
mod sources;
mod staleness;
mod stalls;
mod streams;
mod support;
mod token_apps;
mod undeclared;
mod upgrade;
mod valid_from;
mod variables;
mod variables_documents;
mod vectors;
mod verdicts;
mod wycheproof;
