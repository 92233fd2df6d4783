//! The operator's log: the platform's console.

use worker::console_error;

use crate::ports::Log;

/// Writes each line as an error, which the platform keeps with the request.
pub(in crate::edge) struct ConsoleLog;

impl Log for ConsoleLog {
    fn line(&self, text: &str) {
        console_error!("{text}");
    }
}
