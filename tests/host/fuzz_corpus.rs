//! The bytes that `cargo fuzz` found so far, given to the readers that they are for.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// The names in a folder, without what follows a dot.
fn names_in(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| entry.expect("an entry of the folder").path())
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect()
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_target_has_a_corpus_and_a_program_for_cargo_fuzz_and_no_other_has() {
    let all: BTreeSet<_> = targets::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    for folder in ["fuzz/corpus", "fuzz/fuzz_targets"] {
        assert_eq!(
            names_in(folder),
            all,
            "{folder} must have one of each in ALL of fuzz/src/lib.rs"
        );
    }
    let manifest = read("fuzz/Cargo.toml");
    for name in all {
        let path = format!("fuzz_targets/{name}.rs");
        let bin = format!("[[bin]]\nname = \"{name}\"\npath = \"{path}\"\n");
        assert!(manifest.contains(&bin), "fuzz/Cargo.toml lacks\n{bin}");
        let path = format!("fuzz/{path}");
        let call = format!("targets::{name}(data)");
        assert!(read(&path).contains(&call), "{path} must call {call}");
    }
}

#[test]
fn every_reader_holds_its_promise_over_the_corpus_of_the_fuzzers() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut broken = Vec::new();
    for (name, target) in targets::ALL {
        let files = fs::read_dir(corpus.join(name)).unwrap_or_else(|error| {
            panic!("{name} needs a corpus in fuzz/corpus/{name}/: {error}")
        });
        let paths: Vec<_> = files.map(|file| file.expect("a file of the corpus").path()).collect();
        assert!(!paths.is_empty(), "{name} has an empty corpus");
        for path in paths {
            let bytes = fs::read(&path).expect("a file of the corpus can be read");
            if catch_unwind(|| target(&bytes)).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "these break a promise, as printed above: {broken:?}");
}
