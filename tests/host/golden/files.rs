//! The files of `tests/golden`: the transcripts, and the named states that they begin in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

const FOLDER: &str = "tests/golden";
const STATES: &str = "tests/golden/given";

/// The paths of all transcripts, without the states.
pub fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(FOLDER)];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder).into_iter().filter(|path| path != Path::new(STATES)) {
            if path.is_dir() {
                folders.push(path);
            } else if is_json(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub fn state_files() -> Vec<PathBuf> {
    let mut found: Vec<_> =
        entries(Path::new(STATES)).into_iter().filter(|path| is_json(path)).collect();
    found.sort();
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

pub fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).expect("a transcript");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The steps that a transcript or a state holds itself, without those of the states that it names.
pub fn steps(transcript: &Value) -> &[Value] {
    transcript["steps"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Answers whether a step of the transcript sends this method to a path of this form.
pub fn asks(file: &Path, method: &str, path: &str) -> bool {
    let fits = |sent: &str| {
        let sent: Vec<_> = sent.split('?').next().unwrap_or_default().split('/').collect();
        let wanted: Vec<_> = path.split('/').collect();
        sent.len() == wanted.len()
            && sent
                .iter()
                .zip(&wanted)
                .all(|(sent, wanted)| wanted.starts_with('{') || sent == wanted)
    };
    let asks = |step: &Value| {
        self::method(step) == method && step["send"]["path"].as_str().is_some_and(fits)
    };
    steps(&read(file)).iter().any(asks)
}

pub fn method(step: &Value) -> &str {
    step["send"]["method"].as_str().unwrap_or("GET")
}

/// The named states, each as its file has it.
pub struct States(BTreeMap<String, Value>);

impl States {
    pub fn read() -> Self {
        let name =
            |file: &PathBuf| file.file_stem().expect("a name").to_string_lossy().into_owned();
        Self(state_files().iter().map(|file| (name(file), read(file))).collect())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The states that a transcript begins in, in the order in which they are built. A state comes
    /// after those that it builds on, and is built once however often it is named.
    pub fn given(&self, transcript: &Value) -> Result<Vec<(&str, &Value)>, String> {
        let mut done = Vec::new();
        self.visit(transcript, &mut Vec::new(), &mut done)?;
        Ok(done)
    }

    fn visit<'a>(
        &'a self,
        transcript: &Value,
        above: &mut Vec<&'a str>,
        done: &mut Vec<(&'a str, &'a Value)>,
    ) -> Result<(), String> {
        let names = match &transcript["given"] {
            Value::Null => return Ok(()),
            names => names.as_array().ok_or("`given` must be a list of names")?,
        };
        for name in names {
            let name = name.as_str().ok_or("`given` must be a list of names")?;
            let (name, state) = self
                .0
                .get_key_value(name)
                .ok_or(format!("there is no state {name} in {STATES}"))?;
            if above.contains(&name.as_str()) {
                return Err(format!("the state {name} builds on itself"));
            }
            if !done.iter().any(|(built, _)| built == name) {
                above.push(name);
                self.visit(state, above, done)?;
                above.pop();
                done.push((name, state));
            }
        }
        Ok(())
    }
}

/// States that a test makes up: each name with the names of those that it builds on.
#[cfg(test)]
fn states(all: &[(&str, &[&str])]) -> States {
    let state = |(name, given): &(&str, &[&str])| {
        ((*name).to_owned(), serde_json::json!({ "given": given, "steps": [] }))
    };
    States(all.iter().map(state).collect())
}

#[test]
fn a_state_is_built_once_and_after_those_that_it_builds_on() {
    let states = states(&[("alice", &[]), ("bob", &["alice"]), ("erp", &[])]);
    let given = states
        .given(&serde_json::json!({ "given": ["erp", "bob", "alice"] }))
        .expect("three states");
    assert_eq!(given.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["erp", "alice", "bob"]);
}

#[test]
fn a_state_that_is_unknown_or_builds_on_itself_is_an_error() {
    let states = states(&[("alice", &["bob"]), ("bob", &["alice"])]);
    let given = |names: &[&str]| states.given(&serde_json::json!({ "given": names })).map(|_| ());
    assert_eq!(given(&["carol"]), Err("there is no state carol in tests/golden/given".to_owned()));
    assert_eq!(given(&["alice"]), Err("the state alice builds on itself".to_owned()));
}
