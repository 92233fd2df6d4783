//! What operators see: the lines of refusals, the decisions, the numbers and the times.

mod decisions;
mod leaks;
mod metrics;
mod refusals;
mod timing;
