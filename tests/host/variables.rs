//! Each variable of the table in each form that is right or wrong for its type. The cases derive
//! from the table.

use postern::domain::config::Config;
use postern::domain::config::variables::Bindings;
use postern::domain::config::variables::{VARIABLES, ValueKind, Variable};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{World, admin};

/// The variables without which every request is refused.
fn required() -> Bindings {
    let text = |name: &str, text: &str| (name.to_owned(), json!(text));
    Bindings::from([text("MASTER_KEY", &"ab".repeat(32)), text("ADMIN_PASSWORD", "x")])
}

/// The problems if this variable has this value and all others are right.
fn problems(name: &str, value: &Value) -> Vec<String> {
    let mut bindings = required();
    bindings.insert(name.to_owned(), value.clone());
    Config::read(&bindings).err().unwrap_or_default()
}

/// A value of each JSON type but text.
fn of_every_type() -> Vec<Value> {
    vec![
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!([1]),
        json!({ "a": 1 }),
    ]
}

fn is_of_type(kind: &ValueKind, value: &Value) -> bool {
    match kind {
        ValueKind::Integer { .. } => value.is_number(),
        ValueKind::Boolean => value.is_boolean(),
        ValueKind::Words(_) | ValueKind::List | ValueKind::Json => value.is_array(),
        ValueKind::Secret { .. }
        | ValueKind::Word(_)
        | ValueKind::Text(_)
        | ValueKind::Url
        | ValueKind::Host => value.is_string(),
    }
}

/// Values of the right type that are wrong, and texts that cannot be read as the type.
fn malformed(kind: &ValueKind) -> Vec<Value> {
    match kind {
        ValueKind::Integer { min, max, .. } => {
            let (below, above) = (min - 1, max + 1);
            let numbers = [json!(below), json!(above), json!(1.5), json!(1e300), json!(u64::MAX)];
            let texts = [below.to_string(), above.to_string()].map(Value::from);
            let words =
                ["never", "1.5", "1e3", "0x10", "1 2", "99999999999999999999"].map(Value::from);
            numbers.into_iter().chain(texts).chain(words).collect()
        }
        ValueKind::Boolean => ["yes", "on", "2", "TRUE", "01"].map(Value::from).to_vec(),
        ValueKind::Word(words) => {
            let capitals = words.iter().map(|word| Value::from(word.to_uppercase()));
            capitals.chain(["neither".into(), words.concat().into()]).collect()
        }
        ValueKind::Words(words) => vec![
            json!(["neither"]),
            json!([words[0], words[1].to_uppercase()]),
            json!([[words[0]]]),
            json!([1]),
            json!([""]),
            json!("neither"),
            json!(words.concat()),
            json!(words.join(" ")),
        ],
        ValueKind::Url => {
            ["host.example", "ftp://host.example", "https://", "https://user@host.example"]
                .map(Value::from)
                .to_vec()
        }
        ValueKind::Host => ["https://host.example", "host.example/", "*.example", ":8787"]
            .map(Value::from)
            .to_vec(),
        ValueKind::List => vec![
            json!([""]),
            json!([" "]),
            json!([1]),
            json!([null]),
            json!([["/a"]]),
            json!([{}]),
            json!(["*/"]),
            json!("*/"),
            json!("[\"/a\"]"),
        ],
        ValueKind::Json => {
            let texts = [
                "{",
                "{}",
                "1",
                "null",
                "\"[]\"",
                "[] []",
                "[{\"a\":1,\"a\":2}]",
                "[1]",
                "[",
                "[[]]",
            ];
            let lists = [
                json!([1]),
                json!([null]),
                json!([""]),
                json!([[]]),
                json!([{}]),
                json!([{ "unknown": 1 }]),
            ];
            texts.map(Value::from).into_iter().chain(lists).collect()
        }
        // Any text may be a secret or a name.
        ValueKind::Secret { .. } | ValueKind::Text(_) => Vec::new(),
    }
}

/// Forms of one value, all with the same meaning.
fn right(kind: &ValueKind) -> Vec<Value> {
    match *kind {
        ValueKind::Integer { min, max, .. } => {
            vec![json!(min), json!(max), json!(min.to_string()), json!(format!(" {max} "))]
        }
        ValueKind::Boolean => {
            vec![json!(true), json!(false), json!("1"), json!("0"), json!("true"), json!("false")]
        }
        ValueKind::Word(words) => words.iter().map(|word| json!(word)).collect(),
        ValueKind::Words(words) => vec![
            json!([]),
            json!(words),
            json!(words.join(", ")),
            json!(format!("{},", words[0])),
            json!(""),
        ],
        ValueKind::List => vec![json!([]), json!(""), json!(" , ")],
        ValueKind::Json => vec![json!([]), json!("[]"), json!("")],
        ValueKind::Url => vec![json!("https://host.example"), json!("")],
        ValueKind::Host => {
            vec![json!("host.example"), json!("host.example:8787"), json!("[::1]:8787"), json!("")]
        }
        ValueKind::Text(default) => vec![json!(default), json!("")],
        ValueKind::Secret { .. } => vec![json!("ab".repeat(32))],
    }
}

#[test]
fn every_variable_is_refused_in_every_wrong_form_and_named() {
    let mut cases = 0;
    for Variable { name, kind, .. } in VARIABLES {
        let of_another_type = of_every_type().into_iter().filter(|value| !is_of_type(kind, value));
        for (value, must_say) in of_another_type
            .map(|value| (value, ", and is a"))
            .chain(malformed(kind).into_iter().map(|value| (value, "")))
        {
            let problems = problems(name, &value);
            assert_eq!(problems.len(), 1, "{name} = {value}: {problems:?}");
            assert!(
                problems[0].starts_with(&format!("{name} ")) && problems[0].contains(must_say),
                "{name} = {value}: {problems:?}"
            );
            cases += 1;
        }
    }
    assert!(cases > VARIABLES.len() * 6, "{cases}");
}

#[test]
fn every_variable_is_read_in_every_right_form_and_null_is_as_if_it_were_not_there() {
    for Variable { name, kind, .. } in VARIABLES {
        for value in right(kind) {
            assert_eq!(problems(name, &value), Vec::<String>::new(), "{name} = {value}");
        }
        let is_required = matches!(kind, ValueKind::Secret { required: true });
        assert_eq!(problems(name, &Value::Null).len(), usize::from(is_required), "{name}");
    }
}

#[test]
fn what_is_wrong_is_told_all_at_once_and_no_secret_is_shown() {
    let mut bindings: Bindings = VARIABLES
        .iter()
        .map(|variable| (variable.name.to_owned(), json!({ "hidden": 4711 })))
        .collect();
    bindings.insert("ORIGIN_PUBLIK".to_owned(), Value::Null);
    bindings.insert("TOKEN_X".to_owned(), Value::Null);
    let problems = Config::read(&bindings).expect_err("nothing is right");
    assert_eq!(problems.len(), VARIABLES.len() + 1, "{problems:?}");
    assert_eq!(problems[0], "ORIGIN_PUBLIK is no variable of Postern: did you mean ORIGIN_PUBLIC?");
    assert!(
        !problems.iter().any(|problem| problem.contains("hidden") || problem.contains("4711")),
        "{problems:?}"
    );
    for (name, secret) in [("MASTER_KEY", json!(471_147)), ("ADMIN_PASSWORD", json!(["471147"]))] {
        let problems = self::problems(name, &secret);
        assert!(problems.len() == 1 && !problems[0].contains("471147"), "{problems:?}");
    }
}

#[test]
fn a_value_that_is_no_text_is_what_it_says() {
    let read = |name: &str, value: Value| {
        let mut bindings = required();
        bindings.insert("ORIGIN_URL".to_owned(), json!("https://origin.example"));
        bindings.insert(name.to_owned(), value);
        Config::read(&bindings).unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
    };
    assert_eq!(read("TOKEN_TTL_S", json!(3600)).token_ttl_s, 3600);
    assert!(read("MASK_SECRETS", json!(true)).mask_secrets);
    assert!(!read("MASK_SECRETS", json!(false)).mask_secrets);
    let lists = ["CORS_ORIGINS", "ORIGIN_PUBLIC"].map(|name| {
        let items = if name == "CORS_ORIGINS" {
            ["https://a.example", "https://b.example"]
        } else {
            ["/a", "/b"]
        };
        let [list, text] = [json!(items), json!(items.join(", "))].map(|value| read(name, value));
        assert_eq!((&list.cors_origins, &list.rules), (&text.cors_origins, &text.rules), "{name}");
        list
    });
    assert_eq!(lists[0].cors_origins, ["https://a.example", "https://b.example"]);
    let rules =
        json!([{ "path": "/reports", "methods": ["GET"], "service": 7, "permission": "VIEW" }]);
    let [list, text, none] = [rules.clone(), json!(rules.to_string()), json!([])]
        .map(|value| read("ORIGIN_RULES", value).rules);
    assert_eq!(list, text);
    assert_ne!(list, none, "the rule is there");
}

/// JavaScript has passed another number on than the one that was written.
#[test]
fn a_number_that_may_have_been_rounded_is_refused_in_a_list_and_read_in_a_text() {
    let rule = |service: i64| json!([{ "path": "/a", "service": service, "permission": "VIEW" }]);
    let large = 9_007_199_254_740_992;
    assert!(problems("ORIGIN_RULES", &rule(large))[0].contains("may have been rounded"));
    assert_eq!(problems("ORIGIN_RULES", &json!(rule(large).to_string())), Vec::<String>::new());
    assert_eq!(problems("ORIGIN_RULES", &rule(large - 1)), Vec::<String>::new());
}

#[test]
fn a_misspelled_variable_is_answered_by_503_whatever_is_asked() {
    let world = World::new();
    let isolate = world.isolate_of([("ORIGIN_PUBLIK".to_owned(), json!(["/static"]))]);
    for path in ["/v1/verify", "/health", "/static", "/imanager/security/logout"] {
        let answer = isolate.get(path, &admin());
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.body.contains("did you mean ORIGIN_PUBLIC?"), "{path}: {}", answer.body);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![".{0,20}", "[\\[\\]{}\",:0-9a-z/ ]{0,30}", "-?[0-9]{1,20}"];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 32, 5, |inner| {
        let name = prop_oneof!["path|methods|service|permission", ".{0,8}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    /// Each value is read, or refused with the variable's name: nothing panics, and no other
    /// variable is named.
    #[test]
    fn any_value_of_any_variable_is_read_or_refused(value in any_json()) {
        for variable in VARIABLES {
            for problem in problems(variable.name, &value) {
                let named = problem.strip_prefix("the secret ").unwrap_or(&problem);
                prop_assert!(named.starts_with(&format!("{} ", variable.name)), "{}", problem);
            }
        }
    }

    #[test]
    fn each_unknown_name_is_accepted_or_named_as_misspelled(
        names in prop::collection::vec(".{0,40}|[A-Z_]{0,24}", 0..8),
    ) {
        let mut bindings = required();
        let new = names.into_iter().filter(|name| !required().contains_key(name));
        bindings.extend(new.map(|name| (name, Value::Null)));
        for problem in Config::read(&bindings).err().unwrap_or_default() {
            let is_misspelled = problem.contains(" is no variable of Postern: did you mean ");
            prop_assert!(is_misspelled, "{}", problem);
        }
    }
}

/// A variable that is read and then left alone would be set without effect.
#[test]
fn every_variable_is_used_once_it_is_read() {
    let text = std::fs::read_to_string("src/domain/config.rs").expect("the configuration");
    let (_, text) = text.split_once("pub struct Config {").expect("its struct");
    let (fields, _) = text.split_once("\n}").expect("its end");
    let names = fields
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'))
        .map(|(name, _)| name);
    let mut folders = vec![std::path::PathBuf::from("src")];
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(path).expect("a source");
                // Calls are broken over lines.
                sources.extend(text.split_whitespace());
            }
        }
    }
    let mut count = 0;
    for name in names {
        count += 1;
        assert!(sources.contains(&format!("config.{name}")), "nothing in src/ uses Config::{name}");
    }
    assert!(count > 15, "{count}");
}
