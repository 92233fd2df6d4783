//! The operator's log: the platform's console.

use worker::{console_error, console_warn};

use crate::ports::Log;

/// Writes each line as an error, which the platform keeps with the request. The refusal of a caller
/// is a warning: it is none of Postern's faults.
pub(in crate::edge) struct ConsoleLog;

impl Log for ConsoleLog {
    fn line(&self, text: &str) {
        console_error!("{text}");
    }

    fn refusal(&self, line: &str, is_fault: bool) {
        if is_fault {
            console_error!("{line}");
        } else {
            console_warn!("{line}");
        }
    }
}
