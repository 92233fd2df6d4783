//! Plays the transcripts of `tests/golden` through `api::handle`. `tests/golden/README.md`
//! describes their format.

mod expect;
mod files;
mod play;
mod set_up;
mod update;
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use files::{States, state_files};
pub use files::{asks, files, method, read, steps};

#[test]
fn every_transcript_holds() {
    let only = std::env::var("GOLDEN").unwrap_or_default();
    let files: Vec<_> =
        files().into_iter().filter(|file| file.to_string_lossy().contains(&only)).collect();
    assert!(!files.is_empty(), "there are no transcripts");
    if update::is_wanted(|name| std::env::var(name).ok()).expect("UPDATE") {
        return update::all(&files);
    }
    let states = States::read();
    let failures: Vec<_> = for_each(&files, |file| play::play(&read(file), &states))
        .into_iter()
        .filter_map(failure)
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} transcripts:\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
    println!("{} transcripts", files.len());
}

fn failure<T>((file, result): (&Path, Result<T, String>)) -> Option<String> {
    result.err().map(|why| format!("{}: {why}", file.display()))
}

/// Runs the work for each file, on as many threads as there are processors.
fn for_each<T: Send>(files: &[PathBuf], work: impl Fn(&Path) -> T + Sync) -> Vec<(&Path, T)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((file.as_path(), work(file)));
        }
        done
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect()
    });
    all.sort_by_key(|(file, _)| *file);
    all
}

/// The table test relies on the status in a file's name, so it must be that of the last answer.
#[test]
fn files_are_named_by_their_last_status() {
    for file in files() {
        assert_eq!(status_in_name(&file), last_status(&read(&file)), "{}", file.display());
    }
}

fn status_in_name(file: &Path) -> Option<String> {
    file.file_name()?.to_str()?.split('-').next().map(str::to_owned)
}

fn last_status(transcript: &Value) -> Option<String> {
    steps(transcript).last().map(|step| step["expect"]["status"].to_string())
}

#[test]
fn every_state_is_used() {
    let states = States::read();
    let mut used = BTreeSet::new();
    for file in files() {
        let transcript = read(&file);
        let given =
            states.given(&transcript).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        used.extend(given.into_iter().map(|(name, _)| name.to_owned()));
    }
    let unused: Vec<_> = states.names().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "no transcript begins in {unused:?}");
}

/// `about` is what a reader sees of a state or a transcript that a test names.
#[test]
fn every_file_says_in_sentences_what_it_is_about() {
    for file in files().into_iter().chain(state_files()) {
        let transcript = read(&file);
        let about = transcript["about"].as_str().unwrap_or_default();
        let is_sentence = about.ends_with(['.', '?', '!']) && about.contains(' ');
        assert!(is_sentence, "{}: {about:?}", file.display());
    }
}
