//! The dependency rule, read off the sources. The compiler keeps the first row: `edge` alone is compiled for wasm.

use std::path::{Path, PathBuf};

/// A word, and the places that may name it.
const RULES: &[(&str, &[&str])] = &[
    ("worker::", &["src/edge/"]),
    ("wasm_bindgen", &["src/edge/"]),
    ("js_sys", &["src/edge/"]),
    ("web_sys", &["src/edge/"]),
    ("getrandom", &["src/edge/"]),
    ("jwt_compact", &["src/domain/tokens/jwt.rs"]),
    ("SELECT ", &["src/store/", "src/memory/", "src/ports.rs"]),
    ("INSERT INTO", &["src/store/"]),
    ("UPDATE ", &["src/store/"]),
    ("DELETE FROM", &["src/store/"]),
    (".kv.", &["src/memory/copy.rs"]),
    ("authorization\"", &["src/api/"]),
    ("status: u16", &["src/api/"]),
    ("SystemTime", &[]),
    ("Instant::", &[]),
];

/// A folder, and the layers that it may not name.
const ARROWS: &[(&str, &[&str])] = &[
    ("src/domain/", &["crate::store", "crate::actions", "crate::api", "crate::edge"]),
    ("src/store/", &["crate::actions", "crate::api", "crate::edge"]),
    ("src/actions/", &["crate::api", "crate::edge"]),
    ("src/api/", &["crate::store", "crate::memory", "crate::edge"]),
    ("src/api/dialects/datafor_modeler/", &["imanager", "app_portal", "apim_token_service", "v1::"]),
    ("src/api/dialects/imanager/", &["datafor_modeler", "services::", "imanager_nodes", "app_portal", "apim_token_service", "v1::"]),
    ("src/api/dialects/imanager_nodes/", &["datafor_modeler", "services::", "imanager::", "app_portal", "apim_token_service", "v1::"]),
    ("src/api/dialects/services/", &["datafor_modeler", "imanager", "app_portal", "apim_token_service", "v1::"]),
    ("src/api/dialects/app_portal/", &["datafor_modeler", "services::", "imanager", "apim_token_service", "v1::"]),
    ("src/api/dialects/apim_token_service/", &["datafor_modeler", "services::", "imanager", "app_portal", "v1::"]),
    (
        "src/api/dialects/v1/",
        &["datafor_modeler", "imanager::", "imanager_nodes", "app_portal", "apim_token_service::", "dialects::services"],
    ),
];

fn sources() -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from("src")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                found.push((path, text));
            }
        }
    }
    found
}

/// The lines that are code and not under test.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let untested = text.split("#[cfg(test)]").next().unwrap_or_default();
    untested.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn is_in(path: &Path, places: &[&str]) -> bool {
    places.iter().any(|place| path.to_string_lossy().starts_with(place))
}

#[test]
fn words_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (word, places) in RULES.iter().filter(|(_, places)| !is_in(&path, places)) {
            wrong.extend(
                code(&text)
                    .filter(|(_, line)| line.contains(word))
                    .map(|(number, _)| format!("{}:{}: {word:?} belongs to {places:?}", path.display(), number + 1)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arrows_never_turn_back() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (_, layers) in ARROWS.iter().filter(|(folder, _)| is_in(&path, &[folder])) {
            for layer in *layers {
                wrong.extend(
                    code(&text)
                        .filter(|(_, line)| line.contains(layer))
                        .map(|(number, _)| format!("{}:{}: names {layer}", path.display(), number + 1)),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A test of the tests: the rules see what they are to see.
#[test]
fn the_rules_name_things_that_exist() {
    let all: String = sources().iter().map(|(_, text)| text.as_str()).collect();
    for (word, places) in RULES.iter().filter(|(_, places)| !places.is_empty()) {
        assert!(all.contains(word), "nothing names {word:?}");
        assert!(places.iter().all(|place| Path::new(place).exists()), "{places:?}");
    }
    assert!(ARROWS.iter().all(|(folder, _)| Path::new(folder).exists()));
}
