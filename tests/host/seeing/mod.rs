//! What operators see: log lines of refusals, decisions, metrics and timings.

mod decisions;
mod leaks;
mod metrics;
mod refusals;
mod timing;
