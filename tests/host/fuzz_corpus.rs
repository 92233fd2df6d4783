//! The bytes that `cargo fuzz` found so far, given to the readers that they are for.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[test]
fn every_reader_holds_its_promise_over_the_corpus_of_the_fuzzers() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut broken = Vec::new();
    for (name, target) in targets::ALL {
        let files = fs::read_dir(corpus.join(name)).expect("each target has a corpus");
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
