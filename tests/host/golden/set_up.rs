//! How much of the transcripts is set-up.

use std::path::Path;

use postern::api::dialects;
use serde_json::Value;

use super::files::{files, method, read, state_files, steps};

/// The largest share of all written steps, in percent, that may be set-up.
const BOUND: usize = 30;

/// A step is set-up if it is a state's, or if it comes before the last step of a transcript and
/// asks another operation than the folder's. A folder `any` stands for all operations of its
/// dialect.
fn is_set_up(file: &Path, step: &Value) -> bool {
    let mut folders = file.iter().rev().skip(1).map(|part| part.to_string_lossy());
    let (operation, dialect) =
        (folders.next().unwrap_or_default(), folders.next().unwrap_or_default());
    let path =
        step["send"]["path"].as_str().unwrap_or_default().split('?').next().unwrap_or_default();
    if operation == "any" {
        return dialects::owner(path).is_none_or(|owner| owner.name != dialect);
    }
    dialects::find(method(step), path).map_or(true, |found| found.route.operation != operation)
}

#[test]
fn little_of_what_transcripts_say_is_set_up() {
    let in_states: usize = state_files().iter().map(|file| steps(&read(file)).len()).sum();
    let (mut set_up, mut all) = (in_states, in_states);
    for file in files() {
        let transcript = read(&file);
        let written = steps(&transcript);
        all += written.len();
        let before_the_last = &written[..written.len() - 1];
        set_up += before_the_last.iter().filter(|step| is_set_up(&file, step)).count();
    }
    println!("{set_up} of {all} steps are set-up: {} %", set_up * 100 / all);
    assert!(
        set_up * 100 <= all * BOUND,
        "{set_up} of {all} steps are set-up: name a state in `given` instead"
    );
}
