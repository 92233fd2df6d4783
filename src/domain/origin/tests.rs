use proptest::prelude::*;

use serde_json::Value;

use super::*;
use crate::domain::path_readings;
use crate::domain::permissions::permission::Permission;

const RULES: &str = r#"[
    {"path": "/reports", "methods": ["GET"], "service": 7, "permission": "VIEW"},
    {"path": "/reports", "methods": ["POST", "PUT"], "service": 7, "permission": "MODIFY"},
    {"path": "/reports/admin/", "service": 7, "permission": "GRANT"},
    {"path": "/static/private", "service": 3, "permission": "VIEW"},
    {"path": "/both", "service": 1, "permission": "view"},
    {"path": "/both", "service": 2, "permission": "VIEW"}
]"#;

fn table() -> Rules {
    let rules: Vec<Value> = serde_json::from_str(RULES).unwrap();
    Rules {
        public: ["/static", "/login"].map(|text| Prefix::parse(text).unwrap()).to_vec(),
        rules: read_rules(&rules).unwrap(),
    }
}

/// The demand on a request, reduced to the permissions of its rules.
#[derive(Debug, PartialEq, Eq)]
enum Needed {
    Nothing,
    Permissions(Vec<(i64, Permission)>),
    Methods(Vec<String>),
}

fn needed(matched: &Matched<'_>) -> Needed {
    match &matched.demand {
        Demand::Nothing => Needed::Nothing,
        Demand::Methods(allow) => Needed::Methods(allow.clone()),
        Demand::Rules(rules) => {
            let mut permissions: Vec<_> =
                rules.iter().flat_map(|rule| rule.permissions()).collect();
            permissions.dedup();
            Needed::Permissions(permissions)
        }
    }
}

fn demand(method: &str, path: &str) -> Needed {
    needed(&table().demand(method, "", path).unwrap())
}

fn permissions(list: &[(i64, Permission)]) -> Needed {
    Needed::Permissions(list.to_vec())
}

#[test]
fn the_longest_prefix_decides() {
    assert_eq!(demand("GET", "/reports"), permissions(&[(7, Permission::View)]));
    assert_eq!(demand("HEAD", "/reports/2024"), permissions(&[(7, Permission::View)]));
    assert_eq!(demand("PUT", "/reports/2024"), permissions(&[(7, Permission::Modify)]));
    assert_eq!(demand("GET", "/reports/admin/users"), permissions(&[(7, Permission::Grant)]));
    assert_eq!(
        demand("GET", "/both"),
        permissions(&[(1, Permission::View), (2, Permission::View)])
    );
    assert_eq!(demand("GET", "/reportsx"), permissions(&[]));
    assert_eq!(demand("GET", "/"), permissions(&[]));
}

#[test]
fn a_method_that_no_rule_of_the_path_names_is_refused() {
    assert_eq!(
        demand("DELETE", "/reports/1"),
        Needed::Methods(["GET", "HEAD", "POST", "PUT"].map(str::to_owned).to_vec())
    );
}

#[test]
fn public_paths_need_nothing() {
    for path in ["/static", "/static/a.css", "/login/"] {
        assert_eq!(demand("GET", path), Needed::Nothing, "{path}");
    }
    assert_eq!(
        demand("GET", "/static/Private/x"),
        permissions(&[(3, Permission::View)]),
        "a longer rule binds"
    );
    for path in ["/staticx", "/Static", "/", "/loginx/static"] {
        assert_ne!(demand("GET", path), Needed::Nothing, "{path}");
    }
}

#[test]
fn no_spelling_makes_a_protected_path_public() {
    for path in [
        "/static/../reports",
        "/static/..%2freports",
        "/static/..%2Freports",
        "/static/%2e%2e/reports",
        "/static/..%252freports",
        "/static/..%5creports",
        "/static/..\\reports",
        "//reports",
        "/./reports",
        "/REPORTS",
        "/%72eports",
        "/%2572eports",
        "/reports;v=1/x",
        "/reports%2f1",
        "/reports.json",
        "/reports.",
        "/reports%20",
        "/reports%2520/x",
        "/reports.%20./x",
        "/reports::$DATA",
        "/reports::$INDEX_ALLOCATION/x",
        "/reports%3ax",
        "/reports%3fx",
        "/reports%253fx/y",
        "/reports%23x",
        "/reports%3bx",
        "/reports%5cx",
        "/%20reports",
        "/REPORT~1",
        "/re1A2B~1.TXT/x",
        "/%c1%b2eports",
        "/%ef%bd%92eports",
        "/report%c5%bf",
        "/re%e2%80%8cports",
        "/static%2f..%c0%afreports",
        "/%72eports/..%2fstatic",
        "/%25252572eports",
    ] {
        assert_eq!(demand("GET", path), permissions(&[(7, Permission::View)]), "{path}");
    }
    assert_eq!(
        demand("GET", "/reports/../static/x"),
        Needed::Nothing,
        "which every origin reads alike"
    );
    for path in [
        "/reports%00/static",
        "/..%2fbase/reports",
        "/..%2fsecret",
        "/static/..;/reports",
        "/%u0072eports",
    ] {
        assert!(table().demand("GET", "", path).is_err(), "{path}");
    }
}

#[test]
fn a_suffix_falls_under_both_rules_and_is_never_public() {
    let both = permissions(&[(7, Permission::View), (7, Permission::Grant)]);
    assert_eq!(
        demand("GET", "/reports/admin.json"),
        both,
        "an entry of /reports, or /reports/admin as JSON"
    );
    assert_eq!(demand("GET", "/Reports/Admin"), permissions(&[(7, Permission::Grant)]));
    assert_eq!(demand("GET", "/static/private.d/x"), permissions(&[(3, Permission::View)]));
    for path in [
        "/static.d/x",
        "/static;x/y",
        "/static%20/x",
        "/login.html",
        "/STATIC/x",
        "/%ef%bd%93tatic/x",
    ] {
        assert_ne!(demand("GET", path), Needed::Nothing, "{path}");
    }
    for path in ["/report", "/reports-2024", "/reports~", "/reportsx.json", "/x/reports", "/ab~1"] {
        assert_eq!(demand("GET", path), permissions(&[]), "{path} is nobody's");
    }
}

#[test]
fn variables_that_are_wrong_are_refused() {
    for url in [
        "",
        "app.example.com",
        "ftp://x",
        "https://",
        "https://u@x",
        "https://x?y",
        "https://x#y",
        "https://x/../y",
        "https://x y",
    ] {
        assert!(read_url(url).is_err(), "{url}");
    }
    for public in ["static", "/a?b", "/a/../b", "*", "/a%2f"] {
        assert!(Prefix::parse(public).is_err(), "{public}");
    }
    // The patterns of other gateways. Compared character by character, they would match nothing.
    for pattern in
        ["/a*", "/a/*", "/a/**", "/users/{id}", "/users/{id}/x", "/a ", "/a /b", " /a", "/a/ "]
    {
        let why = Prefix::parse(pattern).expect_err(pattern);
        assert!(pattern.starts_with(' ') || why.contains("takes all that is below it"), "{why}");
    }
    for path in ["/my reports", "/a:b", "/ä", "/"] {
        assert!(Prefix::parse(path).is_ok(), "{path}");
    }
    for rule in [
        "1",
        r#"{"path":"/a"}"#,
        r#"{"path":"a","service":1,"permission":"VIEW"}"#,
        r#"{"path":"/a","service":"1","permission":"VIEW"}"#,
        r#"{"path":"/a","service":1,"permission":"LOOK"}"#,
        r#"{"path":"/a","service":1,"permission":"VIEW","method":["GET"]}"#,
        r#"{"path":"/a","service":1,"permission":"VIEW","methods":[]}"#,
        r#"{"path":"/a","service":1,"permission":"VIEW","methods":["BREW"]}"#,
    ] {
        let right = serde_json::json!({"path": "/a", "service": 1, "permission": "VIEW"});
        let wrong = serde_json::from_str(rule).unwrap();
        let why = read_rules(&[right, wrong]).unwrap_err();
        assert!(why.starts_with("has a rule (number 2) whose "), "{rule}: {why}");
    }
    assert_eq!(
        read_url("https://app.example.com/base/").as_deref(),
        Ok("https://app.example.com/base")
    );
}

/// The simplest reading: decode all, then resolve the dot segments one by one.
fn is_public(path: &str) -> bool {
    let mut text = path.to_owned();
    (0..3).all(|_| {
        let mut segments: Vec<String> = Vec::new();
        for segment in text.replace('\\', "/").split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                other => segments.push(other.to_owned()),
            }
        }
        text = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
        ["static", "login"]
            .contains(&segments.first().map_or("", |first| first.split(';').next().unwrap_or("")))
    })
}

#[test]
fn a_forwarded_path_is_public_only_if_every_server_reads_it_as_public() {
    for path in [
        "/static//../reports",
        "/static\\/..\\reports",
        "/reports/x\\..\\..\\static/y",
        "/reports/%2e%2e/static",
        "/static//%2e%2e/reports",
    ] {
        let table = table();
        let written = table.demand_as_written("GET", "", path).unwrap();
        assert_eq!(needed(&written), permissions(&[(7, Permission::View)]), "{path}");
    }
    assert_eq!(
        table().demand_as_written("GET", "", "/static//x").map(|matched| needed(&matched)),
        Ok(Needed::Nothing)
    );
    assert_eq!(
        demand("GET", "/static//../reports"),
        Needed::Nothing,
        "it is sent as /static/reports"
    );
}

proptest! {
    #[test]
    fn a_path_that_passes_as_public_is_public_in_the_simplest_reading(
        path in r"(/|%2[ef]|\.|\.\.|;|\\|static|reports|a|%25){0,12}",
    ) {
        let path = format!("/static{path}");
        let table = table();
        let is_free = |matched: Result<Matched<'_>, String>| {
            matched.is_ok_and(|matched| matched.demand == Demand::Nothing)
        };
        if is_free(table.demand("GET", "", &path)) {
            let sent = path_readings::as_sent(&path).unwrap();
            prop_assert!(is_public(&sent), "{path} is sent as {sent}");
        }
        if is_free(table.demand_as_written("GET", "", &path)) {
            prop_assert!(is_public(&path), "{path}");
        }
    }

    #[test]
    fn any_path_is_decided_or_refused(method in "[A-Z]{1,8}", path in ".{0,60}") {
        let _ = table().demand(&method, "", &path);
    }
}
