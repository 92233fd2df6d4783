//! `UPDATE=1` rewrites what the transcripts expect, from what the host answered.
//!
//! An expectation that holds stays as it is. In one that does not, every placeholder and every
//! `{{name}}` stays that still fits, and the members keep their order.

use std::io::Write;
use std::path::{Path, PathBuf};

use postern::api::http::message::Response;
use serde_json::{Map, Value, json};

use super::expect::{Names, SHAPES, check, fill, fits, is_of_shape, matches_json};
use super::files::{States, read};
use super::play::play_with;
use super::{failure, for_each, last_status, status_in_name, writer};

/// Whether `UPDATE` is set. It is an error together with `CI`, where it would hide every failure.
pub fn is_wanted(variable: impl Fn(&str) -> Option<String>) -> Result<bool, String> {
    let is_set =
        |name| variable(name).is_some_and(|value| !["", "0", "false"].contains(&value.as_str()));
    match (is_set("UPDATE"), is_set("CI")) {
        (true, true) => {
            Err("UPDATE rewrites what is expected, so it must not be set where CI is".to_owned())
        }
        (update, _) => Ok(update),
    }
}

/// Rewrites all states and these transcripts, and prints the names of those that changed.
pub fn all(files: &[PathBuf]) {
    let mut results = Vec::new();
    let states = States::read();
    let names: Vec<_> = states.names().collect();
    for (name, _) in states.given(&json!({ "given": names })).expect("the states") {
        let file = PathBuf::from(format!("tests/golden/given/{name}.json"));
        // They are read again each time, since one that this state builds on may have changed.
        let result = rewrite(&file, &States::read());
        results.push((file, result));
    }
    let states = States::read();
    let of_transcripts = for_each(files, |file| rewrite(file, &states));
    results.extend(of_transcripts.into_iter().map(|(file, result)| (file.to_owned(), result)));
    let changed =
        results.iter().filter(|(_, result)| *result == Ok(true)).map(|(file, _)| file.display());
    // Not `println!`, which the test runner keeps to itself when a test passes.
    let mut output = std::io::stderr().lock();
    changed.for_each(|file| writeln!(output, "rewrote {file}").expect("stderr"));
    let failures: Vec<_> =
        results.iter().filter_map(|(file, result)| failure((file, result.clone()))).collect();
    assert!(
        failures.is_empty(),
        "{} files could not be rewritten:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Rewrites one file. Returns whether it changed.
fn rewrite(file: &Path, states: &States) -> Result<bool, String> {
    let transcript = renewed(&read(file), states)?;
    refuse_another_status(file, &transcript)?;
    let text = writer::write(&transcript);
    if std::fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    // Other tests read the files meanwhile, so they must never meet half of one.
    let draft = file.with_extension("draft");
    let written = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, file));
    written.map(|()| true).map_err(|error| error.to_string())
}

/// A transcript is named by its last status, and a state is not.
fn refuse_another_status(file: &Path, transcript: &Value) -> Result<(), String> {
    let (named, last) = (status_in_name(file), last_status(transcript));
    let is_state = file.parent().is_some_and(|folder| folder.ends_with("given"));
    match last {
        Some(last) if !is_state && named.as_ref() != Some(&last) => Err(format!(
            "the last status is now {last}: if that is right, rename the file to {last}-… and run \
             this again"
        )),
        _ => Ok(()),
    }
}

/// The transcript with its expectations replaced by those that the answers meet.
fn renewed(transcript: &Value, states: &States) -> Result<Value, String> {
    let mut steps = Vec::new();
    play_with(transcript, states, |step, response, names| {
        let mut step = step.clone();
        step["expect"] = renew(&step["expect"], response, names)?;
        steps.push(step);
        Ok(())
    })?;
    let mut transcript = transcript.clone();
    transcript["steps"] = Value::Array(steps);
    Ok(transcript)
}

fn renew(expect: &Value, response: &Response, names: &Names) -> Result<Value, String> {
    if check(expect, response, names).is_ok() {
        return Ok(expect.clone());
    }
    let mut new = expect.as_object().cloned().ok_or("`expect` is missing")?;
    new.insert("status".to_owned(), json!(response.status));
    for (name, value) in new.get_mut("headers").and_then(Value::as_object_mut).into_iter().flatten()
    {
        let actual = response.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        *value = actual.map_or(Value::Null, |(_, actual)| {
            keep_text(value.as_str().unwrap_or_default(), actual, names)
        });
    }
    if let Some(wanted) = new.get("json") {
        if let Ok(actual) = serde_json::from_str(&response.body) {
            let json = keep(wanted, &actual, names);
            new.insert("json".to_owned(), json);
        } else {
            new.shift_remove("json");
            new.insert("text".to_owned(), json!(response.body));
        }
    } else if let Some(wanted) = new.get("text") {
        let text = keep_text(wanted.as_str().unwrap_or_default(), &response.body, names);
        new.insert("text".to_owned(), text);
    }
    let new = Value::Object(new);
    check(&new, response, names)
        .map_err(|why| format!("UPDATE cannot make this step hold: {why}"))?;
    Ok(new)
}

/// The answer's value, with the parts of the expectation that still fit it.
fn keep(wanted: &Value, actual: &Value, names: &Names) -> Value {
    let filled = serde_json::from_str(&fill(&wanted.to_string(), names)).unwrap_or(Value::Null);
    if matches_json("", &filled, actual).is_ok() {
        return wanted.clone();
    }
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => {
            Value::Object(keep_members(wanted, actual, names))
        }
        (Value::Array(wanted), Value::Array(actual)) => {
            // A further item probably looks like the last one that was expected.
            let wanted = |index: usize| wanted.get(index).or(wanted.last()).unwrap_or(&Value::Null);
            Value::Array(
                actual
                    .iter()
                    .enumerate()
                    .map(|(index, actual)| keep(wanted(index), actual, names))
                    .collect(),
            )
        }
        (Value::String(wanted), Value::String(actual)) => keep_text(wanted, actual, names),
        (_, actual) => fresh(actual),
    }
}

/// Members that are expected come first, in their order; new ones follow.
fn keep_members(
    wanted: &Map<String, Value>,
    actual: &Map<String, Value>,
    names: &Names,
) -> Map<String, Value> {
    let mut left = actual.clone();
    let mut kept = Map::new();
    for (name, value) in wanted {
        if let Some(actual) = left.shift_remove(&fill(name, names)) {
            kept.insert(name.clone(), keep(value, &actual, names));
        }
    }
    kept.extend(left.into_iter().map(|(name, value)| (name, fresh(&value))));
    kept
}

/// A value without an expectation. If it is different at each run, it becomes a placeholder.
fn fresh(actual: &Value) -> Value {
    let shapes: &[&str] = if actual.is_string() {
        &["<uuid>", "<jwt>", "<cookie>"]
    } else {
        &["<millis>", "<seconds>"]
    };
    let is_of = |shape: &&&str| matches_json("", &json!(shape), actual).is_ok();
    match actual {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), fresh(value))).collect()
        }
        Value::Array(items) => items.iter().map(fresh).collect(),
        Value::String(_) | Value::Number(_) => {
            shapes.iter().find(is_of).map_or_else(|| actual.clone(), |shape| json!(shape))
        }
        _ => actual.clone(),
    }
}

/// The text of the answer, with the placeholders of the expectation wherever the same shape or the
/// same value is found in it, in the same order.
fn keep_text(wanted: &str, actual: &str, names: &Names) -> Value {
    if fits(&fill(wanted, names), actual) {
        return json!(wanted);
    }
    let (mut kept, mut left, mut wanted) = (String::new(), actual, wanted);
    while let Some((placeholder, after)) = next_placeholder(wanted, names) {
        wanted = after;
        if let Some((start, end)) = find(placeholder, left, names) {
            kept.push_str(&left[..start]);
            kept.push_str(placeholder);
            left = &left[end..];
        }
    }
    kept.push_str(left);
    json!(if fits(&fill(&kept, names), actual) { &kept } else { actual })
}

/// The first shape or `{{name}}` in an expected text, and the text after it.
fn next_placeholder<'a>(text: &'a str, names: &Names) -> Option<(&'a str, &'a str)> {
    let names = names.keys().map(|name| format!("{{{{{name}}}}}"));
    let all = SHAPES.iter().map(|shape| (*shape).to_owned()).chain(names);
    let (start, length) = all.filter_map(|found| Some((text.find(&found)?, found.len()))).min()?;
    Some((&text[start..start + length], &text[start + length..]))
}

/// Where in an answer a placeholder's value is. `<text>` and `<any>` fit everything and are not
/// found.
fn find(placeholder: &str, text: &str, names: &Names) -> Option<(usize, usize)> {
    let within: fn(char) -> bool = match placeholder {
        "<text>" | "<any>" => return None,
        "<int>" | "<millis>" | "<seconds>" => |c| c.is_ascii_digit(),
        "<uuid>" => |c| c == '-' || c.is_ascii_hexdigit(),
        "<jwt>" => |c| "-_.".contains(c) || c.is_ascii_alphanumeric(),
        "<cookie>" => |c| c.is_ascii_hexdigit(),
        name => {
            let value = fill(name, names);
            return text.find(&value).map(|start| (start, start + value.len()));
        }
    };
    let runs = text.split(|c| !within(c));
    let run = runs.filter(|run| !run.is_empty()).find(|run| is_of_shape(placeholder, run))?;
    // This may be an earlier occurrence of the same text, which has the same shape.
    let start = text.find(run)?;
    Some((start, start + run.len()))
}

#[cfg(test)]
mod tests {
    use super::super::files::{files, state_files};
    use super::*;

    fn answer(status: u16, body: &Value) -> Response {
        let mut response = Response::text(status, "application/json", body.to_string());
        let standard = [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-request-id", "1"),
        ];
        response.headers.extend(standard.map(|(name, value)| (name, value.into())));
        response
    }

    #[test]
    fn an_update_of_what_nobody_changed_changes_nothing() {
        for file in files().into_iter().chain(state_files()) {
            let text = std::fs::read_to_string(&file).expect("a transcript");
            assert!(
                writer::write(&read(&file)) == text,
                "{}: UPDATE=1 would write it in another form",
                file.display()
            );
        }
    }

    /// Literal texts are made wrong, placeholders are left; an update must lead back to the file.
    #[test]
    fn an_update_restores_what_was_made_wrong() {
        let states = States::read();
        let some: Vec<_> =
            files().into_iter().step_by(40).chain(state_files().into_iter().step_by(9)).collect();
        let mut wrong = 0;
        for file in some {
            let mut transcript = read(&file);
            for step in transcript["steps"].as_array_mut().expect("steps") {
                step["expect"]
                    .as_object_mut()
                    .expect("an object")
                    .values_mut()
                    .for_each(|value| wrong += spoil(value));
            }
            let text = writer::write(
                &renewed(&transcript, &states).expect("a transcript that can be played"),
            );
            assert_eq!(
                text,
                std::fs::read_to_string(&file).expect("a transcript"),
                "{}",
                file.display()
            );
        }
        assert!(wrong > 100, "only {wrong} texts were made wrong");
    }

    /// Makes each literal text wrong. Returns how many there were.
    fn spoil(value: &mut Value) -> usize {
        match value {
            Value::Object(members) => members.values_mut().map(spoil).sum(),
            Value::Array(items) => items.iter_mut().map(spoil).sum(),
            Value::String(text) if !text.contains(['<', '{']) => {
                "wrong".clone_into(text);
                1
            }
            _ => 0,
        }
    }

    #[test]
    fn placeholders_names_and_the_order_of_members_survive() {
        let names = Names::from([("id".to_owned(), "71".to_owned())]);
        let expect = json!({
            "status": 200,
            "headers": { "location": "/v1/user/{{id}}", "allow": null },
            "json": {
                "b": "<millis>", "a": "user {{id}} at <int>:<int>",
                "list": [{ "at": "<seconds>", "n": 1 }], "old": 1,
            },
        });
        let mut response = answer(
            201,
            &json!({
                "a": "account 71, 10:30", "b": 1_800_000_000_000_i64,
                "new": "00000000-0000-4000-8000-000000000000",
                "list": [{ "n": 2, "at": 1_800_000_000 }, { "n": 3, "at": 1_800_000_001 }],
            }),
        );
        response.headers.push(("location", "/v1/users/71".into()));
        let new = renew(&expect, &response, &names).expect("an expectation");
        let list = json!([{ "at": "<seconds>", "n": 2 }, { "at": "<seconds>", "n": 3 }]);
        let wanted = json!({
            "status": 201,
            "headers": { "location": "/v1/users/{{id}}", "allow": null },
            "json": {
                "b": "<millis>", "a": "account {{id}}, <int>:<int>", "list": list, "new": "<uuid>",
            },
        });
        assert_eq!(new.to_string(), wanted.to_string());
    }

    #[test]
    fn an_update_is_refused_where_ci_is_set() {
        let wanted = |set: &'static [(&str, &str)]| {
            is_wanted(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(wanted(&[]), Ok(false));
        assert_eq!(wanted(&[("CI", "true")]), Ok(false));
        assert_eq!(wanted(&[("UPDATE", "1"), ("CI", "false")]), Ok(true));
        assert!(wanted(&[("UPDATE", "1"), ("CI", "true")]).is_err());
    }

    #[test]
    fn a_file_whose_last_status_changes_is_not_rewritten() {
        let transcript = json!({ "steps": [{ "expect": { "status": 404 } }] });
        let refused = refuse_another_status(
            Path::new("tests/golden/v1/get_user/403-reader.json"),
            &transcript,
        );
        assert!(refused.is_err_and(|why| why.contains("rename the file to 404-")));
        assert_eq!(
            refuse_another_status(Path::new("tests/golden/v1/get_user/404-gone.json"), &transcript),
            Ok(())
        );
        assert_eq!(
            refuse_another_status(Path::new("tests/golden/given/gone.json"), &transcript),
            Ok(())
        );
    }
}
