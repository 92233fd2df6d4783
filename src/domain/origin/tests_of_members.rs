//! Tests each member of a rule, alone and combined with others.

use serde_json::Value;

use super::*;
use crate::domain::permissions::permission::Permission;
use crate::error::{Denied, Error, Fault, Refusal};

fn table(rules: &str) -> Rules {
    let items: Vec<Value> =
        serde_json::from_str(rules).unwrap_or_else(|error| panic!("{rules}: {error}"));
    Rules {
        public: vec![Prefix::parse("/static").unwrap()],
        rules: read_rules(&items).unwrap_or_else(|why| panic!("{rules}: {why}")),
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn unavailable() -> Error {
    Error::Unavailable(Fault::new("D1 does not answer"))
}

/// Calls `look` with the facts about one of the callers of these tests.
fn with_facts<T>(who: &str, look: impl FnOnce(&Facts<'_>) -> T) -> T {
    let says = |scopes: Answer<Vec<String>>, groups: Answer<()>| TokenSays {
        scopes,
        audiences: Ok(texts(&["bi", "crm"])),
        groups,
    };
    let read_write = || Ok(texts(&["read", "write"]));
    let (groups, token) = match who {
        "alice" => (Ok(vec![5, 9]), Some(says(read_write(), Ok(())))),
        // A password or a key, without a token.
        "pat" => (Ok(vec![5]), None),
        // D1 does not answer.
        "dim" => (Err(unavailable()), Some(says(read_write(), Ok(())))),
        // The token's issuer left the groups out.
        "over" => (Ok(vec![5]), Some(says(read_write(), Err(unavailable())))),
        // The token has a number as its scope.
        "odd" => (Ok(vec![5]), Some(says(Err(Denied::ClaimType("scope".into()).into()), Ok(())))),
        other => panic!("nobody is called {other}"),
    };
    let permission = |service_id, permission, answer| ((service_id, permission), answer);
    let facts = Facts {
        permissions: vec![
            permission(7, Permission::View, Ok(true)),
            permission(7, Permission::Modify, Ok(false)),
            permission(8, Permission::View, Err(unavailable())),
        ],
        groups: Some(groups),
        roles: &texts(&["sales", "ops"]),
        user_type: "SYS_Reader",
        app: token.as_ref().map(|_| "ERP"),
        token: token.as_ref(),
    };
    look(&facts)
}

/// The outcome of a request: `public`, `passes`, `405 GET …`, or the number of the rule that
/// refuses and the member that decided. The numbers of rules that only report follow.
fn verdict(rules: &str, request: &str, who: &str) -> String {
    let table = table(rules);
    let [method, url] = request.split(' ').collect::<Vec<_>>().try_into().expect(request);
    let (host, path) = url.find('/').map(|at| url.split_at(at)).expect(request);
    let matched = table.demand(method, &host_of(host), path).expect(request);
    with_facts(who, |facts| {
        let demanded = match &matched.demand {
            Demand::Nothing => "public".to_owned(),
            Demand::Methods(allow) => format!("405 {}", allow.join(" ")),
            Demand::Rules(rules) => match decide(rules, facts) {
                Ok(()) => "passes".to_owned(),
                Err((rule, Error::Forbidden(Refusal::ByRule { rule: of, member })))
                    if rule == of =>
                {
                    format!("{rule} {member}")
                }
                Err((rule, Error::Forbidden(Refusal::NoPermission { .. }))) => {
                    format!("{rule} permission")
                }
                Err((rule, Error::Forbidden(Refusal::InsufficientScope { .. }))) => {
                    format!("{rule} scopes")
                }
                Err((rule, Error::Unavailable(_) | Error::Unauthenticated(_))) => {
                    format!("{rule} unknown")
                }
                Err(other) => format!("{other:?}"),
            },
        };
        let reports = matched.reports.iter().filter(|rule| would_refuse(rule, facts).is_some());
        reports.fold(demanded, |text, rule| format!("{text}, reports {}", rule.number))
    })
}

/// Rules, a request, the caller, and the expected outcome.
#[rustfmt::skip]
const TABLE: &[(&str, &str, &str, &str)] = &[
    // Each member alone.
    (r#"[{"path":"/a","service":7,"permission":"VIEW"}]"#, "GET /a", "alice", "passes"),
    (r#"[{"path":"/a","service":7,"permission":"MODIFY"}]"#, "GET /a", "alice", "1 permission"),
    (r#"[{"path":"/a","service":8,"permission":"VIEW"}]"#, "GET /a", "alice", "1 unknown"),
    (r#"[{"path":"/a","groups":[5]}]"#, "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","groups":[1,9]}]"#, "GET /a", "alice", "passes"),
    (r#"[{"path":"/a","groups":[1,9]}]"#, "GET /a", "pat", "1 groups"),
    (r#"[{"path":"/a","groups":[5]}]"#, "GET /a", "dim", "1 unknown"),
    (r#"[{"path":"/a","groups":[5]}]"#, "GET /a", "over", "passes"),
    (r#"[{"path":"/a","groups":[9]}]"#, "GET /a", "over", "1 unknown"),
    (r#"[{"path":"/a","roles":["sales"]}]"#, "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","roles":["boss","ops"]}]"#, "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","roles":["SYS_Reader"]}]"#, "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","roles":["Sales","Administrator"]}]"#, "GET /a", "pat", "1 roles"),
    (r#"[{"path":"/a","scopes":["read"]}]"#, "GET /a", "alice", "passes"),
    (r#"[{"path":"/a","scopes":["read","write"]}]"#, "GET /a", "alice", "passes"),
    (r#"[{"path":"/a","scopes":["read","admin"]}]"#, "GET /a", "alice", "1 scopes"),
    (r#"[{"path":"/a","scopes":["rea"]}]"#, "GET /a", "alice", "1 scopes"),
    (r#"[{"path":"/a","scopes":["read"]}]"#, "GET /a", "pat", "1 scopes"),
    (r#"[{"path":"/a","scopes":["read"]}]"#, "GET /a", "odd", "1 unknown"),
    (r#"[{"path":"/a","apps":["CRM","ERP"]}]"#, "GET /a", "alice", "passes"),
    (r#"[{"path":"/a","apps":["CRM"]}]"#, "GET /a", "alice", "1 apps"),
    (r#"[{"path":"/a","apps":["ERP"]}]"#, "GET /a", "pat", "1 apps"),
    (r#"[{"path":"/a","audience":"crm"}]"#, "GET /a", "alice", "passes"),
    (r#"[{"path":"/a","audience":"cr"}]"#, "GET /a", "alice", "1 audience"),
    (r#"[{"path":"/a","audience":"crm"}]"#, "GET /a", "pat", "1 audience"),
    (r#"[{"path":"/a","public":true}]"#, "GET /a/b", "pat", "public"),
    (r#"[{"path":"/a","deny":true}]"#, "GET /a", "alice", "1 deny"),
    (r#"[{"path":"/a","groups":[1]}]"#, "GET /b", "pat", "passes"),
    // Conjunction: all members of a rule must hold.
    (r#"[{"path":"/a","service":7,"permission":"VIEW","groups":[5],"roles":["ops"],
         "scopes":["read"],"apps":["ERP"],"audience":"bi"}]"#,
     "GET /a", "alice", "passes"),
    (r#"[{"path":"/a","service":7,"permission":"VIEW","groups":[5],"roles":["ops"],
         "scopes":["read"],"apps":["ERP"],"audience":"x"}]"#,
     "GET /a", "alice", "1 audience"),
    (r#"[{"path":"/a","service":7,"permission":"MODIFY","groups":[5]}]"#,
     "GET /a", "alice", "1 permission"),
    (r#"[{"path":"/a","service":7,"permission":"VIEW","groups":[6]}]"#,
     "GET /a", "alice", "1 groups"),
    (r#"[{"path":"/a","groups":[5],"roles":["boss"]}]"#, "GET /a", "alice", "1 roles"),
    (r#"[{"path":"/a","groups":[5],"roles":["ops"]}]"#, "GET /a", "dim", "1 unknown"),
    (r#"[{"path":"/a","groups":[5],"roles":["boss"]}]"#, "GET /a", "dim", "1 roles"),
    // Conjunction: all rules of the longest prefix that list the method must hold.
    (r#"[{"path":"/a","groups":[5]},{"path":"/a","roles":["boss"]}]"#, "GET /a", "pat", "2 roles"),
    (r#"[{"path":"/a","groups":[5]},{"path":"/a","methods":["POST"],"roles":["boss"]}]"#,
     "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","groups":[5]},{"path":"/a","methods":["POST"],"roles":["boss"]}]"#,
     "POST /a", "pat", "2 roles"),
    (r#"[{"path":"/a","roles":["boss"]},{"path":"/a/b","groups":[5]}]"#,
     "GET /a/b/c", "pat", "passes"),
    (r#"[{"path":"/a","groups":[5]},{"path":"/a/b","roles":["boss"]}]"#,
     "GET /a/b", "pat", "2 roles"),
    (r#"[{"path":"/A","roles":["boss"]},{"path":"/a","groups":[5]}]"#, "GET /A", "pat", "1 roles"),
    (r#"[{"path":"/a","methods":["GET"],"groups":[5]}]"#, "HEAD /a", "pat", "passes"),
    (r#"[{"path":"/a","methods":["GET"],"groups":[5]}]"#, "PUT /a", "pat", "405 GET HEAD"),
    // Disjunction: `any`.
    (r#"[{"path":"/a","any":[{"groups":[1]},{"roles":["ops"]}]}]"#, "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","any":[{"groups":[1]},{"roles":["boss"]}]}]"#, "GET /a", "pat", "1 any"),
    (r#"[{"path":"/a","any":[{"groups":[5],"roles":["boss"]},{"groups":[1],"roles":["ops"]}]}]"#,
     "GET /a", "pat", "1 any"),
    (r#"[{"path":"/a","any":[{"groups":[5],"roles":["ops"]}],"scopes":["read"]}]"#,
     "GET /a", "pat", "1 scopes"),
    (r#"[{"path":"/a","any":[{"service":7,"permission":"MODIFY"},
         {"service":7,"permission":"VIEW"}]}]"#,
     "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","any":[{"groups":[5]},{"roles":["ops"]}]}]"#, "GET /a", "dim", "passes"),
    (r#"[{"path":"/a","any":[{"groups":[5]},{"roles":["boss"]}]}]"#, "GET /a", "dim", "1 unknown"),
    (r#"[{"path":"/a","any":[{"service":8,"permission":"VIEW"},{"apps":["ERP"]}]}]"#,
     "GET /a", "pat", "1 unknown"),
    // Deny wins, among the rules of the longest prefix.
    (r#"[{"path":"/a","groups":[5]},{"path":"/a","deny":true}]"#, "GET /a", "pat", "2 deny"),
    (r#"[{"path":"/a","roles":["boss"]},{"path":"/a","groups":[9],"deny":true}]"#,
     "GET /a", "alice", "2 deny"),
    (r#"[{"path":"/a","groups":[5]},{"path":"/a","groups":[9],"deny":true}]"#,
     "GET /a", "alice", "2 deny"),
    (r#"[{"path":"/a","groups":[5]},{"path":"/a","groups":[9],"deny":true}]"#,
     "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","groups":[5]},{"path":"/a","groups":[9],"roles":["boss"],"deny":true}]"#,
     "GET /a", "alice", "passes"),
    (r#"[{"path":"/a","roles":["ops"]},{"path":"/a","groups":[9],"deny":true}]"#,
     "GET /a", "dim", "2 unknown"),
    (r#"[{"path":"/a","roles":["ops"]},{"path":"/a","scopes":["read"],"deny":true}]"#,
     "GET /a", "odd", "2 unknown"),
    (r#"[{"path":"/a","public":true},{"path":"/a","methods":["POST"],"deny":true}]"#,
     "POST /a", "pat", "2 deny"),
    (r#"[{"path":"/a","public":true},{"path":"/a","methods":["POST"],"deny":true}]"#,
     "GET /a", "pat", "public"),
    (r#"[{"path":"/","deny":true},{"path":"/a","groups":[5]}]"#, "GET /a", "pat", "passes"),
    (r#"[{"path":"/","deny":true},{"path":"/a","groups":[5]}]"#, "GET /b", "pat", "1 deny"),
    (r#"[{"path":"/","deny":true}]"#, "GET /static/x", "pat", "public"),
    (r#"[{"path":"/static","groups":[1]}]"#, "GET /static/x", "pat", "1 groups"),
    (r#"[{"path":"/static/x","deny":true}]"#, "GET /static/x", "pat", "1 deny"),
    // A rule that denies some callers adds to the rules of shorter prefixes, and never replaces
    // them.
    (r#"[{"path":"/a","roles":["boss"]},{"path":"/a/b","groups":[1],"deny":true}]"#,
     "GET /a/b", "pat", "1 roles"),
    (r#"[{"path":"/a","groups":[5]},{"path":"/a/b","groups":[9],"deny":true}]"#,
     "GET /a/b", "alice", "2 deny"),
    (r#"[{"path":"/a","public":true},{"path":"/a/b","groups":[9],"deny":true}]"#,
     "GET /a/b", "alice", "2 deny"),
    (r#"[{"path":"/static/x","groups":[9],"deny":true}]"#, "GET /static/x", "alice", "1 deny"),
    (r#"[{"path":"/static/x","groups":[9],"deny":true}]"#, "GET /static/x", "pat", "passes"),
    // A rule with `report` refuses nothing and replaces nothing.
    (r#"[{"path":"/a","groups":[1],"report":true}]"#, "GET /a", "pat", "passes, reports 1"),
    (r#"[{"path":"/a","groups":[5],"report":true}]"#, "GET /a", "pat", "passes"),
    (r#"[{"path":"/a","groups":[5],"report":true}]"#, "GET /a", "dim", "passes, reports 1"),
    (r#"[{"path":"/a","deny":true,"report":true}]"#, "GET /a", "pat", "passes, reports 1"),
    (r#"[{"path":"/a","roles":["boss"]},{"path":"/a/b","groups":[1],"report":true}]"#,
     "GET /a/b", "pat", "1 roles, reports 2"),
    (r#"[{"path":"/a","groups":[5]},{"path":"/a","roles":["boss"],"report":true}]"#,
     "GET /a", "pat", "passes, reports 2"),
    (r#"[{"path":"/a/b","groups":[5]},{"path":"/a","roles":["boss"],"report":true}]"#,
     "GET /a/b", "pat", "passes"),
    (r#"[{"path":"/a","methods":["POST"],"groups":[1],"report":true}]"#, "GET /a", "pat", "passes"),
    (r#"[{"path":"/static/x","groups":[1],"report":true}]"#,
     "GET /static/x", "pat", "public, reports 1"),
    (r#"[{"path":"/","groups":[1],"report":true}]"#, "GET /static/x", "pat", "public"),
    // `public` compares case-sensitively, and yields to any other rule of the prefix for the
    // method.
    (r#"[{"path":"/a","public":true}]"#, "GET /A", "pat", "passes"),
    (r#"[{"path":"/","groups":[1]},{"path":"/a","public":true}]"#, "GET /A/x", "pat", "1 groups"),
    (r#"[{"path":"/","groups":[1]},{"path":"/a","public":true}]"#,
     "GET /a.json", "pat", "1 groups"),
    (r#"[{"path":"/","groups":[1]},{"path":"/a","public":true}]"#,
     "GET /a%2f..%2fb", "pat", "1 groups"),
    (r#"[{"path":"/a","public":true},{"path":"/a","groups":[1]}]"#, "GET /a", "pat", "2 groups"),
    (r#"[{"path":"/a","methods":["GET"],"public":true}]"#, "POST /a", "pat", "405 GET HEAD"),
    (r#"[{"path":"/a","methods":["GET"],"public":true},
         {"path":"/a","methods":["POST"],"groups":[1]}]"#,
     "POST /a", "pat", "2 groups"),
    (r#"[{"path":"/a","methods":["GET"],"public":true},
         {"path":"/a","methods":["POST"],"groups":[1]}]"#,
     "GET /A", "pat", "405 POST"),
    (r#"[{"path":"/a","public":true},{"path":"/a/b","groups":[1]}]"#,
     "GET /a/B.json", "pat", "2 groups"),
    // Hosts. The longest prefix decides first. Within one prefix, the rules of the host decide.
    (r#"[{"host":"b.example.com","path":"/a","groups":[1]}]"#,
     "GET b.example.com/a", "pat", "1 groups"),
    (r#"[{"host":"b.example.com","path":"/a","groups":[1]}]"#,
     "GET B.Example.com.:8443/a", "pat", "1 groups"),
    (r#"[{"host":"b.example.com","path":"/a","groups":[1]}]"#,
     "GET c.example.com/a", "pat", "passes"),
    (r#"[{"host":"B.example.com","path":"/a","groups":[5]},{"path":"/a","groups":[1]}]"#,
     "GET b.example.com/a", "pat", "passes"),
    (r#"[{"host":"b.example.com","path":"/a","groups":[5]},{"path":"/a","groups":[1]}]"#,
     "GET c.example.com/a", "pat", "2 groups"),
    (r#"[{"host":"b.example.com","path":"/","groups":[5]},{"path":"/a","groups":[1]}]"#,
     "GET b.example.com/a", "pat", "2 groups"),
    (r#"[{"host":"b.example.com","path":"/a","groups":[5],"report":true},
         {"path":"/a","groups":[1]}]"#,
     "GET b.example.com/a", "pat", "2 groups"),
    (r#"[{"host":"b.example.com","path":"/a","groups":[5]},
         {"path":"/a","roles":["ops"],"groups":[5],"deny":true}]"#,
     "GET b.example.com/a", "pat", "2 deny"),
    (r#"[{"host":"b.example.com","path":"/a","public":true},{"path":"/a","deny":true}]"#,
     "GET b.example.com/a", "pat", "public"),
    (r#"[{"host":"[::1]","path":"/a","groups":[1]}]"#, "GET [::1]:8787/a", "pat", "1 groups"),
];

#[test]
fn each_member_means_what_the_table_says() {
    assert!(TABLE.len() >= 60, "{}", TABLE.len());
    let wrong = TABLE.iter().filter_map(|(rules, request, who, expected)| {
        let found = verdict(rules, request, who);
        (found != *expected)
            .then(|| format!("{rules}\n  {request} by {who}: {found}, not {expected}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_rule_that_cannot_be_understood_is_refused() {
    for (rule, why) in [
        (r#"{"path":"/a","groups":[]}"#, "groups must be a list, not empty"),
        (r#"{"path":"/a","roles":[]}"#, "roles must be a list, not empty"),
        (r#"{"path":"/a","scopes":[]}"#, "scopes must be a list, not empty"),
        (r#"{"path":"/a","apps":[]}"#, "apps must be a list, not empty"),
        (r#"{"path":"/a","any":[]}"#, "any must be a list, not empty"),
        (r#"{"path":"/a","any":[{}]}"#, "any must be a list, not empty"),
        (r#"{"path":"/a","any":{"groups":[1]}}"#, "any must be a list, not empty"),
        (r#"{"path":"/a","any":[{"groups":[]}]}"#, "groups must be a list, not empty"),
        (r#"{"path":"/a","any":[{"gruops":[1]}]}"#, "member \"gruops\" is unknown"),
        (r#"{"path":"/a","any":[{"any":[{"groups":[1]}]}]}"#, "member \"any\" is unknown"),
        (r#"{"path":"/a","any":[{"groups":[1],"deny":true}]}"#, "member \"deny\" is unknown"),
        (r#"{"path":"/a","gruops":[1]}"#, "member \"gruops\" is unknown"),
        (r#"{"path":"/a","groups":5}"#, "groups must be a list"),
        (r#"{"path":"/a","groups":["5"]}"#, "groups must be a list"),
        (r#"{"path":"/a","groups":[1.5]}"#, "groups must be a list"),
        (r#"{"path":"/a","roles":[""]}"#, "roles must be a list"),
        (r#"{"path":"/a","roles":["a "]}"#, "roles must be a list"),
        (r#"{"path":"/a","roles":"ops"}"#, "roles must be a list"),
        (r#"{"path":"/a","audience":["bi"]}"#, "audience is no text"),
        (r#"{"path":"/a","audience":""}"#, "audience is no text, or an empty one"),
        (r#"{"path":"/a","deny":1}"#, "deny is neither true nor false"),
        (r#"{"path":"/a","public":true,"groups":[1]}"#, "member public stands beside others"),
        (r#"{"path":"/a","public":true,"deny":true}"#, "member public stands beside others"),
        (r#"{"path":"/a","public":true,"report":true}"#, "member public stands beside others"),
        (r#"{"path":"/a"}"#, "members want nothing"),
        (r#"{"path":"/a","report":true}"#, "members want nothing"),
        (r#"{"path":"/a","methods":["GET"]}"#, "members want nothing"),
        (r#"{"groups":[1]}"#, "path is missing"),
        (r#"{"path":7,"groups":[1]}"#, "path is no text"),
        (r#"{"path":"/a","service":7}"#, "permission is missing"),
        (r#"{"path":"/a","permission":"VIEW"}"#, "service is missing"),
        (r#"{"path":"/a","groups":[1],"host":"https://b.example.com"}"#, "host must be"),
        (r#"{"path":"/a","groups":[1],"host":"b.example.com:8443"}"#, "host must be"),
        (r#"{"path":"/a","groups":[1],"host":"*.example.com"}"#, "host must be"),
        (r#"{"path":"/a","groups":[1],"host":"bücher.example"}"#, "host must be"),
        (r#"{"path":"/a","groups":[1],"host":""}"#, "host must be"),
    ] {
        let refused = read_rules(&[serde_json::from_str(rule).expect(rule)]).expect_err(rule);
        assert!(
            refused.starts_with("has a rule (number 1) whose ") && refused.contains(why),
            "{rule}: {refused}"
        );
    }
}

#[test]
fn nobody_passes_by_a_fact_that_was_not_looked_up() {
    let rules = r#"[{"path":"/a","groups":[5]},{"path":"/b","service":9,"permission":"VIEW"}]"#;
    let table = table(rules);
    for path in ["/a", "/b"] {
        let matched = table.demand("GET", "", path).unwrap();
        let Demand::Rules(rules) = &matched.demand else { panic!("{matched:?}") };
        let decided =
            with_facts("alice", |facts| decide(rules, &Facts { groups: None, ..facts.clone() }));
        assert!(matches!(decided, Err((_, Error::Internal(_)))), "{path}: {decided:?}");
    }
}

#[test]
fn two_requests_at_once_need_what_both_need() {
    let table = table(
        r#"[{"path":"/a","groups":[5]},{"path":"/b","roles":["boss"]},
            {"path":"/c","methods":["GET"],"roles":["ops"]}]"#,
    );
    let of = |method: &str, path: &str| table.demand(method, "", path).unwrap();
    let numbers = |matched: Matched<'_>| match matched.demand {
        Demand::Rules(rules) => rules.iter().map(|rule| rule.number).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(numbers(of("GET", "/b").and(of("GET", "/a"))), [1, 2]);
    assert_eq!(numbers(of("GET", "/a").and(of("GET", "/static"))), [1]);
    assert_eq!(numbers(of("GET", "/static").and(of("GET", "/b"))), [2]);
    assert_eq!(
        of("GET", "/a").and(of("PUT", "/c")).demand,
        Demand::Methods(vec!["GET".to_owned(), "HEAD".to_owned()])
    );
    assert_eq!(of("GET", "/static").and(of("GET", "/static/x")).demand, Demand::Nothing);
}
