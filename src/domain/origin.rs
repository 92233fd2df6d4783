//! The origin behind the gateway: where it is, what passes without a token, and which paths demand a permission.
//!
//! A path is compared with a prefix in every reading that an origin may have of it (`path_readings`).
//! What frees (`ORIGIN_PUBLIC`) must begin each of them; what binds (`ORIGIN_RULES`) binds if it
//! begins one, also where a segment has a suffix that some server cuts off: `/reports.json`.

use serde_json::{Map, Value};

use crate::domain::method;
use crate::domain::path_readings;
use crate::domain::permissions::permission::Permission;

/// What the variables `ORIGIN_…` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `https://host:port/path` without a slash at its end.
    pub url: String,
    /// For how many seconds the origin may show no sign of life before it answers.
    pub timeout_s: i64,
    /// Whether orders of GIS servers are passed on instead of written down.
    pub takes_nodes: bool,
    /// `ORIGIN_PUBLIC`: what passes without a token.
    pub public: Vec<Prefix>,
    /// `ORIGIN_RULES`: what demands a permission.
    pub rules: Vec<Rule>,
}

/// What a request to a path needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Nothing: it is public.
    Nothing,
    /// Somebody who has all of these permissions on these services.
    Permissions(Vec<(i64, Permission)>),
    /// Another method: the rules of the path have only these.
    Methods(Vec<String>),
}

/// The beginning of a path, at the end of a segment: `/a` is one of `/a` and `/a/b`, not of `/ab`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// A prefix that demands a permission for some methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    prefix: Prefix,
    /// Empty: all.
    methods: Vec<String>,
    service_id: i64,
    permission: Permission,
}

/// With these begins what some server cuts off at the end of a segment.
const SUFFIXES: [char; 6] = ['.', ' ', ':', ';', '?', '#'];

impl Origin {
    /// What a request with this method to this path (as it was sent, without its query) needs; the error is the phrase that follows "url".
    pub fn demand(&self, method: &str, path: &str) -> Result<Demand, String> {
        Ok(self.demand_of_all(method, &readings(path)?))
    }

    /// The same where a proxy sends the path on as the client wrote it. A runtime that resolves dot
    /// segments counts empty ones, so that `/static//../reports` stays below `/static`. Servers that
    /// drop empty ones first read `/reports`.
    pub fn demand_as_written(&self, method: &str, path: &str) -> Result<Demand, String> {
        let mut readings = readings(path)?;
        readings.extend(path_readings::all(path)?);
        Ok(self.demand_of_all(method, &readings))
    }

    fn demand_of_all(&self, method: &str, readings: &[Vec<u8>]) -> Demand {
        if readings.iter().all(|reading| self.is_free(reading)) {
            return Demand::Nothing;
        }
        let mut permissions = Vec::new();
        for prefix in readings.iter().flat_map(|reading| self.decisive(reading)) {
            match self.demand_of(method, prefix) {
                Demand::Permissions(of_prefix) => permissions.extend(of_prefix),
                other => return other,
            }
        }
        permissions.sort_unstable();
        permissions.dedup();
        Demand::Permissions(permissions)
    }

    /// Whether a public prefix begins it, and no rule with one as long binds it.
    fn is_free(&self, reading: &[u8]) -> bool {
        let public = self.public.iter().filter(|prefix| prefix.begins(reading)).map(|prefix| prefix.0.len()).max();
        let bound = self.rules.iter().filter(|rule| rule.prefix.binds(reading)).map(|rule| rule.prefix.0.len()).max();
        public.is_some() && public > bound
    }

    /// The prefixes whose rules count: the longest that begins the reading, and each longer one that
    /// begins it only if a suffix is cut off.
    fn decisive(&self, reading: &[u8]) -> Vec<&Prefix> {
        let binding = || self.rules.iter().map(|rule| &rule.prefix).filter(|prefix| prefix.binds(reading));
        let exact = binding().filter(|prefix| prefix.begins_in_any_case(reading)).max_by_key(|prefix| prefix.0.len());
        let longer = binding().filter(|prefix| exact.is_none_or(|exact| prefix.0.len() > exact.0.len()));
        exact.into_iter().chain(longer).collect()
    }

    /// What the rules of a prefix demand: all of those that take the method.
    fn demand_of(&self, method: &str, prefix: &Prefix) -> Demand {
        let decisive: Vec<_> = self.rules.iter().filter(|rule| rule.prefix == *prefix).collect();
        // HEAD asks for what GET would answer.
        let method = if method == "HEAD" { "GET" } else { method };
        let takes = |rule: &&&Rule| rule.methods.is_empty() || rule.methods.iter().any(|name| name == method);
        let demanded: Vec<_> = decisive.iter().filter(takes).map(|rule| (rule.service_id, rule.permission)).collect();
        if demanded.is_empty() {
            let mut allow: Vec<_> = decisive.iter().flat_map(|rule| rule.methods.clone()).collect();
            allow.extend(allow.iter().any(|name| name == "GET").then(|| "HEAD".to_owned()));
            let place = |name: &String| method::KNOWN.iter().position(|known| known == name).unwrap_or(method::KNOWN.len());
            allow.sort_by(|a, b| (place(a), a).cmp(&(place(b), b)));
            allow.dedup();
            return Demand::Methods(allow);
        }
        Demand::Permissions(demanded)
    }

    /// The services that the rules name, each once.
    #[must_use]
    pub fn services(&self) -> Vec<i64> {
        let mut services: Vec<_> = self.rules.iter().map(|rule| rule.service_id).collect();
        services.sort_unstable();
        services.dedup();
        services
    }

    /// Whether some rule looks at the method, so that nothing else may say what the method is.
    #[must_use]
    pub fn looks_at_methods(&self) -> bool {
        self.rules.iter().any(|rule| !rule.methods.is_empty())
    }
}

impl Prefix {
    /// Checks the form; the error is the phrase that follows the variable's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("must list path prefixes like /static, without a query and without . or .. in them, not {text:?}");
        if !text.starts_with('/') || text.contains(['?', '#', '\\', ';', '%']) || text.contains("//") {
            return Err(wrong());
        }
        if text.split('/').any(|segment| segment == "." || segment == "..") || text.chars().any(char::is_control) {
            return Err(wrong());
        }
        let has_outer_space = |segment: &str| segment.trim() != segment;
        if text.contains(['*', '{', '}']) || text.split('/').any(has_outer_space) {
            return Err(format!(
                "must list paths as they are, without patterns and spaces around a name: each takes all that is below it. It has {text:?}"
            ));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// Whether a reading begins with it, letter for letter.
    fn begins(&self, reading: &[u8]) -> bool {
        let mut segments = path_readings::segments(reading);
        self.segments().all(|segment| segments.next() == Some(segment.as_bytes()))
    }

    /// Some origins do not tell `/Admin` from `/admin`.
    fn begins_in_any_case(&self, reading: &[u8]) -> bool {
        let lower = |text: &[u8]| String::from_utf8_lossy(text).to_lowercase();
        let mut segments = path_readings::segments(reading);
        self.segments().all(|of_rule| segments.next().is_some_and(|segment| lower(segment) == of_rule.to_lowercase()))
    }

    /// Whether some server may take a reading for one that begins with it.
    fn binds(&self, reading: &[u8]) -> bool {
        let mut segments = path_readings::segments(reading);
        self.segments().all(|of_rule| segments.next().is_some_and(|segment| is_read_as(segment, of_rule)))
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

/// The readings of what is sent for a path. The path itself must not climb either. The error is the
/// phrase that follows "url".
pub fn readings(path: &str) -> Result<Vec<Vec<u8>>, String> {
    path_readings::all(&path_readings::as_sent(path)?)
}

/// Whether a segment may be read as this one of a rule: in any case, also with a suffix that some
/// server cuts off, and by its short name (`REPORT~1`).
#[must_use]
pub fn is_read_as(segment: &[u8], of_rule: &str) -> bool {
    let text = String::from_utf8_lossy(segment).to_lowercase();
    let text = text.trim_start_matches(' ');
    let of_rule = of_rule.to_lowercase();
    let rest = text.strip_prefix(of_rule.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(SUFFIXES)) || is_short_name(text, &of_rule)
}

/// Whether a segment may be the name with at most eight letters that Windows gives a file: the
/// first letters of its name, a tilde and a number.
fn is_short_name(segment: &str, name: &str) -> bool {
    let Some((begin, rest)) = segment.split_once('~') else { return false };
    let letters = name.chars().filter(|c| !matches!(c, '.' | ' ')).take(2);
    // What Windows cannot write in its old names may be any letter there.
    let same = |(a, b): (char, char)| a == b || !b.is_ascii_alphanumeric();
    rest.starts_with(|c: char| c.is_ascii_digit()) && begin.chars().count() <= 6 && begin.chars().zip(letters).all(same)
}

/// Checks `ORIGIN_URL`; the error is the phrase that follows its name.
pub fn read_url(text: &str) -> Result<String, String> {
    let wrong = || "must be like https://app.example.com or http://10.0.0.5:8080/base, without user, query or fragment".to_owned();
    let text = text.trim();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(wrong)?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || rest.contains(['?', '#', '@', '\\', '%']) || rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong());
    }
    if rest.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Reads the items of `ORIGIN_RULES`; the error is the phrase that follows its name.
pub fn read_rules(items: &[Value]) -> Result<Vec<Rule>, String> {
    let rule = |(index, item): (usize, &Value)| {
        let wrong = |why: String| format!("has a rule (number {}) whose {why}", index + 1);
        read_rule(item.as_object().ok_or_else(|| wrong("shape is no object".to_owned()))?).map_err(wrong)
    };
    items.iter().enumerate().map(rule).collect()
}

fn read_rule(members: &Map<String, Value>) -> Result<Rule, String> {
    // A misspelled member would make a rule that binds nobody.
    if let Some(name) = members.keys().find(|name| !["path", "methods", "service", "permission"].contains(&name.as_str())) {
        return Err(format!("member {name:?} is unknown: there are path, methods, service and permission"));
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let prefix = Prefix::parse(text("path").ok_or("path is missing, or no string")?).map_err(|why| format!("path {why}"))?;
    let service_id = members.get("service").and_then(Value::as_i64).ok_or("service is missing, or no int64")?;
    let permission = Permission::parse(text("permission").ok_or("permission is missing, or no string")?)?;
    let method = |value: &Value| {
        let name = value.as_str().ok_or_else(|| "methods must be texts".to_owned())?;
        method::of_rule(name).map(|name| if name == "HEAD" { "GET".to_owned() } else { name }).map_err(|why| format!("methods {why}"))
    };
    let methods = match members.get("methods") {
        None => Vec::new(),
        Some(Value::Array(names)) if !names.is_empty() => names.iter().map(method).collect::<Result<_, _>>()?,
        Some(_) => return Err("methods must be a list that is not empty; left out, the rule is for all".to_owned()),
    };
    Ok(Rule { prefix, methods, service_id, permission })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: &str = r#"[
        {"path": "/reports", "methods": ["GET"], "service": 7, "permission": "VIEW"},
        {"path": "/reports", "methods": ["POST", "PUT"], "service": 7, "permission": "MODIFY"},
        {"path": "/reports/admin/", "service": 7, "permission": "GRANT"},
        {"path": "/static/private", "service": 3, "permission": "VIEW"},
        {"path": "/both", "service": 1, "permission": "view"},
        {"path": "/both", "service": 2, "permission": "VIEW"}
    ]"#;

    fn origin() -> Origin {
        let rules: Vec<Value> = serde_json::from_str(RULES).unwrap();
        Origin {
            url: read_url("https://app.example.com/base/").unwrap(),
            timeout_s: 60,
            takes_nodes: false,
            public: ["/static", "/login"].map(|text| Prefix::parse(text).unwrap()).to_vec(),
            rules: read_rules(&rules).unwrap(),
        }
    }

    fn demand(method: &str, path: &str) -> Demand {
        origin().demand(method, path).unwrap()
    }

    fn permissions(list: &[(i64, Permission)]) -> Demand {
        Demand::Permissions(list.to_vec())
    }

    #[test]
    fn the_longest_prefix_decides() {
        assert_eq!(demand("GET", "/reports"), permissions(&[(7, Permission::View)]));
        assert_eq!(demand("HEAD", "/reports/2024"), permissions(&[(7, Permission::View)]));
        assert_eq!(demand("PUT", "/reports/2024"), permissions(&[(7, Permission::Modify)]));
        assert_eq!(demand("GET", "/reports/admin/users"), permissions(&[(7, Permission::Grant)]));
        assert_eq!(demand("GET", "/both"), permissions(&[(1, Permission::View), (2, Permission::View)]));
        assert_eq!(demand("GET", "/reportsx"), permissions(&[]));
        assert_eq!(demand("GET", "/"), permissions(&[]));
    }

    #[test]
    fn a_method_that_no_rule_of_the_path_names_is_refused() {
        assert_eq!(demand("DELETE", "/reports/1"), Demand::Methods(["GET", "HEAD", "POST", "PUT"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn public_paths_need_nothing() {
        for path in ["/static", "/static/a.css", "/login/"] {
            assert_eq!(demand("GET", path), Demand::Nothing, "{path}");
        }
        assert_eq!(demand("GET", "/static/Private/x"), permissions(&[(3, Permission::View)]), "a longer rule binds");
        for path in ["/staticx", "/Static", "/", "/loginx/static"] {
            assert_ne!(demand("GET", path), Demand::Nothing, "{path}");
        }
    }

    #[test]
    fn no_spelling_of_a_path_frees_it() {
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
        assert_eq!(demand("GET", "/reports/../static/x"), Demand::Nothing, "which every origin reads alike");
        for path in ["/reports%00/static", "/..%2fbase/reports", "/..%2fsecret", "/static/..;/reports", "/%u0072eports"] {
            assert!(origin().demand("GET", path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_suffix_binds_to_both_rules_and_frees_nothing() {
        let both = permissions(&[(7, Permission::View), (7, Permission::Grant)]);
        assert_eq!(demand("GET", "/reports/admin.json"), both, "an entry of /reports, or /reports/admin as JSON");
        assert_eq!(demand("GET", "/Reports/Admin"), permissions(&[(7, Permission::Grant)]));
        assert_eq!(demand("GET", "/static/private.d/x"), permissions(&[(3, Permission::View)]));
        for path in ["/static.d/x", "/static;x/y", "/static%20/x", "/login.html", "/STATIC/x", "/%ef%bd%93tatic/x"] {
            assert_ne!(demand("GET", path), Demand::Nothing, "{path}");
        }
        for path in ["/report", "/reports-2024", "/reports~", "/reportsx.json", "/x/reports", "/ab~1"] {
            assert_eq!(demand("GET", path), permissions(&[]), "{path} is nobody's");
        }
    }

    #[test]
    fn variables_that_are_wrong_are_refused() {
        for url in
            ["", "app.example.com", "ftp://x", "https://", "https://u@x", "https://x?y", "https://x#y", "https://x/../y", "https://x y"]
        {
            assert!(read_url(url).is_err(), "{url}");
        }
        for public in ["static", "/a?b", "/a/../b", "*", "/a%2f"] {
            assert!(Prefix::parse(public).is_err(), "{public}");
        }
        // As other gateways write them. Compared letter by letter, they would bind nothing.
        for pattern in ["/a*", "/a/*", "/a/**", "/users/{id}", "/users/{id}/x", "/a ", "/a /b", " /a", "/a/ "] {
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
            r#"{"path":"/a","service":1,"permission":"VIEW","methods":["TRACE"]}"#,
            r#"{"path":"/a","service":1,"permission":"VIEW","methods":["GET POST"]}"#,
            r#"{"path":"/a","service":1,"permission":"VIEW","methods":[1]}"#,
        ] {
            let right = serde_json::json!({"path": "/a", "service": 1, "permission": "VIEW"});
            let wrong = serde_json::from_str(rule).unwrap();
            let why = read_rules(&[right, wrong]).unwrap_err();
            assert!(why.starts_with("has a rule (number 2) whose "), "{rule}: {why}");
        }
        assert_eq!(origin().url, "https://app.example.com/base");
    }

    /// The naive reading: decoded wholly, dots resolved one by one.
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
            ["static", "login"].contains(&segments.first().map_or("", |first| first.split(';').next().unwrap_or("")))
        })
    }

    #[test]
    fn a_path_that_a_proxy_sends_on_frees_only_what_it_frees_for_every_server() {
        for path in [
            "/static//../reports",
            "/static\\/..\\reports",
            "/reports/x\\..\\..\\static/y",
            "/reports/%2e%2e/static",
            "/static//%2e%2e/reports",
        ] {
            let written = origin().demand_as_written("GET", path).unwrap();
            assert_eq!(written, permissions(&[(7, Permission::View)]), "{path}");
        }
        assert_eq!(origin().demand_as_written("GET", "/static//x"), Ok(Demand::Nothing));
        assert_eq!(demand("GET", "/static//../reports"), Demand::Nothing, "it is sent as /static/reports");
    }

    proptest! {
        #[test]
        fn a_path_that_frees_stays_within_what_is_public(path in r"(/|%2[ef]|\.|\.\.|;|\\|static|reports|a|%25){0,12}") {
            let path = format!("/static{path}");
            let is_free = |demand: Result<Demand, String>| demand == Ok(Demand::Nothing);
            if is_free(origin().demand("GET", &path)) {
                let sent = path_readings::as_sent(&path).unwrap();
                prop_assert!(is_public(&sent), "{path} is sent as {sent}");
            }
            if is_free(origin().demand_as_written("GET", &path)) {
                prop_assert!(is_public(&path), "{path}");
            }
        }

        #[test]
        fn any_path_is_decided_or_refused(method in "[A-Z]{1,8}", path in ".{0,60}") {
            let _ = origin().demand(&method, &path);
        }
    }
}
