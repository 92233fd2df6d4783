//! Documents generated from the table of variables: the reference page, and the comments in
//! `wrangler.toml`.

use std::collections::BTreeMap;

use postern::domain::config::variables::{self, PREFIXES, VARIABLES, ValueKind, Variable};
use serde_json::Value;

const REFERENCE: &str = "docs/reference/variables.md";
const COMMAND: &str = "UPDATE=1 cargo test --test host variables";

/// The lines of `wrangler.toml` between which the table is written.
const BEGIN: &str = "# <variables>\n";
const END: &str = "# </variables>\n";

/// The values that are allowed, and the default, in words.
fn in_words(kind: &ValueKind) -> (String, String) {
    let (what, default) = match *kind {
        ValueKind::Secret { required } => {
            ("secret".to_owned(), if required { "required" } else { "none" }.to_owned())
        }
        ValueKind::Integer { default, min, max } => {
            (format!("whole number from {min} to {max}"), default.to_string())
        }
        ValueKind::Boolean => ("true or false".to_owned(), "false".to_owned()),
        ValueKind::Word(words) => (format!("`{}`", words.join("` or `")), words[0].to_owned()),
        ValueKind::Words(words) => (format!("some of `{}`", words.join("`, `")), "all".to_owned()),
        ValueKind::Text(default) => ("text".to_owned(), default.to_owned()),
        ValueKind::Url => ("URL".to_owned(), "none".to_owned()),
        ValueKind::Host => ("host, or host and port".to_owned(), "none".to_owned()),
        ValueKind::List => ("list of texts".to_owned(), "none".to_owned()),
        ValueKind::Json => ("list of tables".to_owned(), "none".to_owned()),
    };
    (what, default)
}

fn reference() -> String {
    let prefixes: Vec<_> = PREFIXES.iter().map(|prefix| format!("`{prefix}`")).collect();
    let (some, others) = prefixes.split_at(prefixes.len() / 2);
    let mut page = format!(
        "# Variables and secrets

<!-- Generated from src/domain/config/variables.rs by: {COMMAND} -->

Variables are in `wrangler.toml`, under `[vars]`. Secrets are put with
`scripts/run.sh wrangler secret put NAME`; on a development machine they are in `.dev.vars`.

* Write a value as TOML has it (`TOKEN_TTL_S = 3600`, `MASK_SECRETS = true`,
  `ORIGIN_PUBLIC = [\"/static\", \"/login\"]`) or as a text, since `.dev.vars` and secrets have
  nothing else: `\"3600\"`; `\"1\"` or `\"true\"`, `\"0\"` or `\"false\"`; a list of texts with
  commas between them; a list of tables as JSON. An empty text counts as not set.
* While a value is wrong, or a required secret is missing, every request is answered with 503. The
  answer and the log of the scheduled event name all problems at once, and show no secret.
* A misspelled name is such a problem too: `ORIGIN_PUBLIK` is answered with the name that was
  meant. A name is taken for a misspelled one if it is at most two edits from a variable, or
  begins with one of
  {some},
  {others}. All other names are yours.
* A number over 9007199254740991, such as the id of a service in `ORIGIN_RULES`, is read in a text
  only: JavaScript would round it.

| name | value | default | what |
|---|---|---|---|
",
        some = some.join(", "),
        others = others.join(", "),
    );
    for Variable { name, kind, about } in VARIABLES {
        let (what, default) = in_words(kind);
        let default = if ["none", "required", "all"].contains(&default.as_str()) {
            default
        } else {
            format!("`{default}`")
        };
        page.push_str(&format!("| `{name}` | {what} | {default} | {about} |\n"));
    }
    page
}

/// Wraps a paragraph to 100 columns. Each line starts with `begin`.
fn wrapped(text: &str, begin: &str) -> String {
    let mut lines = vec![begin.to_owned()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("a line");
        if line.len() + word.len() > 100 && line != begin {
            lines.push(format!("{begin}{word} "));
        } else {
            line.push_str(&format!("{word} "));
        }
    }
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n"
}

/// The default in TOML.
fn default_in_toml(kind: &ValueKind) -> String {
    match *kind {
        ValueKind::Integer { default, .. } => default.to_string(),
        ValueKind::Boolean => "false".to_owned(),
        ValueKind::Word(words) => format!("{:?}", words[0]),
        ValueKind::Words(words) => format!("{words:?}"),
        ValueKind::Text(text) => format!("{text:?}"),
        ValueKind::Url | ValueKind::Host | ValueKind::Secret { .. } => "\"\"".to_owned(),
        ValueKind::List | ValueKind::Json => "[]".to_owned(),
    }
}

/// The assignments that the file has between the two lines, as they are written. An empty line ends
/// one.
fn assignments(block: &str) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    for paragraph in block.split("\n\n") {
        let mut code = paragraph.trim_end();
        while code.starts_with(['#', '[']) {
            code = code.split_once('\n').map_or("", |(_, below)| below);
        }
        if let Some((name, _)) = code.split_once(" =") {
            found.insert(name, code);
        }
    }
    found
}

/// The generated part of `wrangler.toml`, with the values that are already set.
fn block(set: &BTreeMap<&str, &str>) -> String {
    let is_secret = |variable: &&Variable| matches!(variable.kind, ValueKind::Secret { .. });
    let mut text = wrapped(
        "The comments below are generated from src/domain/config/variables.rs; the values are \
         yours. An empty line ends a variable. After a change of that table run:",
        "# ",
    );
    text.push_str(&format!("#   {COMMAND}\n[vars]\n"));
    for Variable { name, kind, about } in VARIABLES.iter().filter(|variable| !is_secret(variable)) {
        let (what, default) = in_words(kind);
        let line = set
            .get(name)
            .map_or_else(|| format!("{name} = {}", default_in_toml(kind)), ToString::to_string);
        text.push_str(&wrapped(about, "# "));
        text.push_str(&wrapped(&format!("Value: {what}. Default: {default}."), "# "));
        text.push_str(&format!("{line}\n\n"));
    }
    text.push_str(
        "# Secrets are never in this file. `make dev` writes them to .dev.vars; a \
        deployment gets them by:\n#\n",
    );
    for Variable { name, about, .. } in VARIABLES.iter().filter(is_secret) {
        text.push_str(&format!(
            "#   scripts/run.sh wrangler secret put {name}\n{}",
            wrapped(about, "#     ")
        ));
    }
    text
}

fn wrangler_toml() -> (String, String, String) {
    let text = std::fs::read_to_string("wrangler.toml").expect("wrangler.toml");
    let (before, rest) =
        text.split_once(BEGIN).unwrap_or_else(|| panic!("wrangler.toml lacks the line {BEGIN}"));
    let (block, after) =
        rest.split_once(END).unwrap_or_else(|| panic!("wrangler.toml lacks the line {END}"));
    (before.to_owned(), block.to_owned(), after.to_owned())
}

/// Compares a committed file with the generated text, or writes it if `UPDATE` is set.
fn is_committed(path: &str, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == text, "{path} is out of date: run {COMMAND}; it should be\n{text}");
}

#[test]
fn the_reference_page_is_the_table() {
    is_committed(REFERENCE, &reference());
}

/// The values are the defaults, because the transcripts rely on them.
#[test]
fn the_variables_in_wrangler_toml_are_the_table() {
    let (before, current, after) = wrangler_toml();
    let set = assignments(&current);
    is_committed("wrangler.toml", &format!("{before}{BEGIN}{}{END}{after}", block(&set)));
    for (name, assignment) in set {
        let variable = variables::find(name).unwrap_or_else(|| panic!("wrangler.toml sets {name}"));
        assert_eq!(assignment, format!("{name} = {}", default_in_toml(&variable.kind)));
    }
}

/// `UPDATE` keeps a value that an operator has changed, also one of several lines.
#[test]
fn values_of_an_operator_are_kept() {
    let rules = "ORIGIN_RULES = [\n  { path = \"/a\", service = 7, permission = \"VIEW\" },\n]";
    let set = BTreeMap::from([("TOKEN_TTL_S", "TOKEN_TTL_S = 60"), ("ORIGIN_RULES", rules)]);
    let text = block(&set);
    let kept = assignments(&text);
    assert_eq!((kept["TOKEN_TTL_S"], kept["ORIGIN_RULES"]), ("TOKEN_TTL_S = 60", rules));
    assert_eq!(block(&kept), text);
}

/// All documents for people except the table of variables, which also lists beginnings of names.
fn documents() -> Vec<String> {
    let folders = ["docs", "docs/operate", "docs/reference", "docs/design"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect(folder));
    let paths = files.map(|file| file.expect("a file").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    let pages =
        pages.map(|path| path.to_string_lossy().into_owned()).filter(|path| path != REFERENCE);
    ["README.md", "ARCHITECTURE.md", "examples/README.md"]
        .map(str::to_owned)
        .into_iter()
        .chain(pages)
        .collect()
}

/// If a document named a variable that does not exist, people would set it without effect.
#[test]
fn documents_name_variables_that_there_are() {
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect(&path);
        let words = text.split(|letter: char| {
            !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
        });
        let named = words
            .filter(|word| word.contains('_') && !word.ends_with('_'))
            .map(|word| (word.to_owned(), Value::Null))
            .collect();
        assert_eq!(variables::misspelled(&named), Vec::<String>::new(), "{path}");
    }
}
