//! Checks the architecture in the sources: which room may name which, where some words may be used,
//! and that no files import each other in a circle. The compiler checks one more rule: only `edge`
//! is compiled for wasm.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use postern::api::dialects::DIALECTS;
use postern::domain::config::variables::{VARIABLES, ValueKind};

use crate::sources::{ROOT, Source, circles, graph, sources};

/// Each room of `src`, and the rooms that its files may name. No file may name a room that is not
/// listed.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &["domain", "error"]),
    ("error", &["domain"]),
    ("ports", &["domain", "error"]),
    ("context", &["context", "domain", "error", "memory", "ports"]),
    ("store", &["context", "domain", "error", "ports", "store"]),
    ("memory", &["context", "domain", "error", "memory", "ports", "store"]),
    ("actions", &["actions", "context", "domain", "error", "memory", "ports", "store"]),
    ("api", &["actions", "api", "context", "domain", "error", "ports"]),
    ("edge", &["actions", "api", "context", "domain", "edge", "error", "memory", "ports"]),
];

/// A word, and the places that may use it.
const WORDS: &[(&str, &[&str])] = &[
    ("worker::", &["src/edge/"]),
    ("wasm_bindgen", &["src/edge/"]),
    ("js_sys", &["src/edge/"]),
    ("web_sys", &["src/edge/"]),
    ("getrandom", &["src/edge/"]),
    ("thread_local!", &["src/edge/"]),
    ("jwt_compact", &["src/domain/tokens/jwt.rs"]),
    ("SELECT ", &["src/store/", "src/ports.rs"]),
    ("INSERT INTO", &["src/store/"]),
    ("UPDATE ", &["src/store/"]),
    ("DELETE FROM", &["src/store/"]),
    (".kv.", &["src/store/"]),
    ("authorization\"", &["src/api/", "src/edge/ports/issuers.rs"]),
    ("status: u16", &["src/api/"]),
    ("SystemTime", &[]),
    ("Instant::", &[]),
];

const DIALECT_FOLDER: &str = "src/api/dialects";

fn is_in(path: &Path, places: &[&str]) -> bool {
    places.iter().any(|place| path.to_string_lossy().starts_with(place))
}

/// The room of a file: its folder below `src`, or the file itself.
fn room(path: &Path) -> String {
    let first =
        path.strip_prefix("src").ok().and_then(|path| path.iter().next()).expect("a source");
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn a_room_names_only_the_rooms_that_it_may_name() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| room(&source.path) != "lib") {
        let room = room(&source.path);
        let (_, may_name) = ROOMS
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("{room} is not in ROOMS"));
        let named: BTreeSet<_> =
            source.names().into_iter().filter_map(|name| name.into_iter().next()).collect();
        let is_room = |name: &&String| ROOMS.iter().any(|(room, _)| room == name);
        let forbidden = named
            .iter()
            .filter(|name| *name == ROOT || (is_room(name) && !may_name.contains(&name.as_str())));
        wrong.extend(forbidden.map(|name| format!("{} names {name}", source.path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_dialect_has_a_folder_and_names_no_other_dialect() {
    let names: BTreeSet<_> = DIALECTS.iter().map(|dialect| dialect.name.to_owned()).collect();
    let folders = std::fs::read_dir(DIALECT_FOLDER)
        .expect(DIALECT_FOLDER)
        .map(|entry| entry.expect("an entry").path());
    let folders: BTreeSet<_> = folders
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, names);

    for source in sources().iter().filter(|source| source.path.starts_with(DIALECT_FOLDER)) {
        let Some(own) =
            names.iter().find(|name| source.path.starts_with(Path::new(DIALECT_FOLDER).join(name)))
        else {
            continue;
        };
        for name in source.names() {
            if let [api, dialects, dialect, ..] = name.as_slice() {
                let is_dialect = api == "api" && dialects == "dialects" && names.contains(dialect);
                assert!(
                    !is_dialect || dialect == own,
                    "{} names the dialect {dialect}",
                    source.path.display()
                );
            }
        }
    }
}

/// A documented dialect that the variable does not name is never served, and each of its routes
/// answers 404.
#[test]
fn the_variable_of_dialects_names_all_that_do_not_keep_their_prefixes() {
    let documented: BTreeSet<_> =
        DIALECTS.iter().filter(|one| !one.keeps_prefixes).map(|one| one.name).collect();
    let variable = VARIABLES.iter().find(|variable| variable.name == "DIALECTS");
    let Some(ValueKind::Words(words)) = variable.map(|variable| &variable.kind) else {
        panic!("DIALECTS is a list of words");
    };
    assert_eq!(
        words.iter().copied().collect::<BTreeSet<_>>(),
        documented,
        "the words are in src/domain/config/variables.rs"
    );
}

#[test]
fn words_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        let foreign = WORDS
            .iter()
            .filter(|(word, places)| source.code.contains(word) && !is_in(&source.path, places));
        wrong.extend(foreign.map(|(word, places)| {
            format!("{}: {word:?} belongs to {places:?}", source.path.display())
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let circles = circles(&graph());
    assert!(circles.is_empty(), "{circles:#?}");
}

/// Tests that the rules of this file find what they look for.
#[test]
fn the_rules_name_things_that_exist() {
    let sources = sources();
    let all: String = sources.iter().map(|source| source.code.as_str()).collect();
    for (word, places) in WORDS.iter().filter(|(_, places)| !places.is_empty()) {
        assert!(all.contains(word), "nothing names {word:?}");
        assert!(places.iter().all(|place| Path::new(place).exists()), "{places:?}");
    }
    // Each permission is used, so the table allows no more than is needed.
    for (name, may_name) in ROOMS {
        let files = sources.iter().filter(|source| room(&source.path) == *name);
        let named: BTreeSet<_> =
            files.flat_map(Source::names).filter_map(|name| name.into_iter().next()).collect();
        let unused: Vec<_> =
            may_name.iter().filter(|other| *other != name && !named.contains(**other)).collect();
        assert!(unused.is_empty(), "{name} names none of {unused:?}");
    }
}

#[test]
fn a_circle_of_files_is_seen() {
    let graph = [("a", &["b"][..]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])];
    let path = |name: &&str| PathBuf::from(name);
    let graph =
        graph.iter().map(|(file, named)| (path(file), named.iter().map(path).collect())).collect();
    assert_eq!(circles(&graph), [["a", "b", "c"].map(PathBuf::from)]);
}
