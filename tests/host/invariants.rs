//! Each test that the page of invariants names exists.

use std::path::{Path, PathBuf};

const PAGE: &str = "docs/design/invariants.md";

/// The names between backticks that are tests or transcripts. A name must be on one line.
fn named(page: &str) -> Vec<&str> {
    let is_test = |text: &&str| text.contains("::") || text.starts_with("tests/");
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(is_test).collect()
}

/// The file of a test module, such as `identities::users`; a path stays as it is.
fn file(module: &str) -> PathBuf {
    if module.contains('/') {
        return PathBuf::from(module);
    }
    let path = Path::new("tests/host").join(module.replace("::", "/"));
    let file = path.with_extension("rs");
    if file.exists() { file } else { path.join("mod.rs") }
}

fn exists(name: &str) -> bool {
    let contains = |file: PathBuf, text: &str| {
        std::fs::read_to_string(file).is_ok_and(|source| source.contains(text))
    };
    if let Some((script, title)) = name.split_once(": ") {
        return contains(PathBuf::from(script), title);
    }
    if let Some((module, function)) = name.rsplit_once("::") {
        return contains(file(module), &format!("fn {function}("));
    }
    Path::new(name).exists()
}

#[test]
fn every_test_that_the_page_of_invariants_names_exists() {
    let page = std::fs::read_to_string(PAGE).expect(PAGE);
    let names = named(&page);
    assert!(names.len() > 80, "the page names {} tests", names.len());
    let missing: Vec<_> = names.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "{PAGE} names tests that are not there: {missing:#?}");
}

/// An invariant without a test would be a claim that nothing checks.
#[test]
fn every_invariant_names_a_test() {
    let page = std::fs::read_to_string(PAGE).expect(PAGE);
    let invariants: Vec<_> = page.split("\n* **").skip(1).collect();
    assert!(invariants.len() > 40, "the page has {} invariants", invariants.len());
    for invariant in invariants {
        let text = invariant.split("\n## ").next().unwrap_or_default();
        assert!(!named(text).is_empty(), "no test holds this: {text}");
    }
}
