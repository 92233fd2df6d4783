//! Shows the rules of the gateway as Postern parsed them, and tests what they decide for a request.

use crate::actions::explain::About;
use crate::actions::explain_rules::{self, Check, Tested, Verdict};
use crate::api::http::declare::{Declared, Request, answer, request};
use crate::api::http::matched_rules::{match_rules, parts};
use crate::api::http::members::PERMISSION;
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Kind};
use crate::context::Cx;
use crate::domain::method;
use crate::domain::origin::{Need, Origin, Origins, Prefix, Rule};
use crate::domain::secret::PlainToken;
use crate::error::{Error, Result};

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[
        Route::get("list_rules", &["/v1/rules"], handler!(list))
            .summary(
                "Shows the rules of the gateway and the applications behind it, as Postern parsed \
                 them",
            )
            .about(
                "Lists ORIGIN_RULES in their order, then ORIGIN_PUBLIC as rules without a number. \
                 ORIGINS and ORIGIN_URL are listed in the order in which they are tried.",
            )
            .access(Access::Administrator)
            .answers(Answer::json(200, &Rules::SHAPE)),
        Route::of("POST", "test_rules", &["/v1/rules/test"], handler!(test))
            .summary("Tells what the rules of the gateway decide for a request, and why")
            .about(
                "Decides as the gateway does, for the holder of `token`, for the user `username`, \
                 or, without both, for a request without a credential. A token in the query of \
                 `url` is not read: send it as `token`. For a user by name, rules with scopes, \
                 apps or audience do not hold, because only a token has them. No user is created, \
                 nothing is written, and the token is neither logged nor audited.",
            )
            .access(Access::Administrator)
            .writes(false)
            .body(&Question::SHAPE)
            .answers(Answer::json(200, &Outcome::SHAPE)),
    ],
};

request! {
    struct Question as "TestedRequest" {
        "method" method: String => "the request's method",
        "url" url: String =>
            "the request's URL, or its path; a path is tested on the host of this call",
        "username" username: Option<String> => "the user who sends it",
        "token" token: Option<String> => "its bearer token, in place of a user",
    } example r#"{"method":"GET","url":"https://app.example.com/reports/2024","username":"alice"}"#
}

answer! {
    struct Outcome<'a> as "RulesOutcome" {
        "verdict" verdict: &'static str as VERDICT =>
            "public: it passes without a credential; unknown: it is refused, because a value that \
             a rule needs cannot be known",
        "origin" origin: Option<&'a str> =>
            "the URL of the application that gets it if it passes; null if there is none",
        "rule" rule: Option<usize> =>
            "the rule that refuses it, or the first rule that lets it pass; null if no rule \
             decides",
        "checks" checks: Vec<OneCheck<'a>> =>
            "in the order in which they were made: first the credential, then the rules",
    } example r#"{
        "verdict":"refused","origin":"https://app.internal.example.com","rule":2,
        "checks":[
            {"check":"user","held":true,"detail":"user 2 (\"alice\", SYS_Reader) is enabled"},
            {
                "check":"groups","held":false,
                "detail":"rule 2 wants one of the groups [5]; it does not hold"
            }
        ]
    }"#
}

answer! {
    struct OneCheck<'a> as "RuleCheck" {
        "check" check: &'static str => "the name of the check; for a rule, the name of its member",
        "held" held: bool => "whether the check passed",
        "detail" detail: &'a str => "what was found",
    } example r#"{
        "check":"groups","held":true,"detail":"rule 2 wants one of the groups [5]; it holds"
    }"#
}

const VERDICT: Kind = Kind::OneOf(&Verdict::NAMES);

answer! {
    struct Rules<'a> as "Rules" {
        "rules" rules: Vec<OneRule<'a>> => "all rules",
        "origins" origins: Vec<OneOrigin<'a>> => "the applications behind the gateway",
    } example r#"{
        "origins":[{"host":null,"path":"/","url":"https://app.internal.example.com","timeoutS":60}],
        "rules":[{
            "number":1,"host":null,"path":"/reports","methods":["GET"],"public":false,
            "deny":false,"report":false,"service":7,"permission":"VIEW","groups":null,
            "roles":null,"scopes":null,"apps":null,"audience":null,"any":null
        }]
    }"#
}

answer! {
    struct OneOrigin<'a> as "Origin" {
        "host" host: Option<&'a str> => "only this host; null: every host",
        "path" path: &'a str => "the prefix of the paths",
        "url" url: &'a str => "the URL of the application",
        "timeoutS" timeout_s: i64 => "seconds without progress after which the gateway answers 504",
    }
}

answer! {
    struct OneRule<'a> as "Rule" {
        "number" number: Option<usize> =>
            "its position in ORIGIN_RULES, from 1; null for an item of ORIGIN_PUBLIC",
        "host" host: Option<&'a str> => "only this host; null: every host",
        "path" path: &'a str => "the prefix of the paths",
        "methods" methods: Option<Vec<String>> =>
            "only these methods, GET including HEAD; null: every method",
        "public" public: bool => "whether requests pass without a credential",
        "deny" deny: bool => "whether callers for whom all following members hold are refused",
        "report" report: bool => "whether it only logs what it would refuse",
        "any" any: Option<Vec<Wanted<'a>>> => "all members of at least one item must hold",
        then wanted: Wanted<'a>,
    }
}

answer! {
    struct Wanted<'a> as "WantedOfCaller" {
        "service" service: Option<i64> => "a service on which the caller needs the permission",
        "permission" permission: Option<&'static str> as Kind::Nullable(&PERMISSION) =>
            "that permission",
        "groups" groups: Option<&'a [i64]> => "ids of groups, one of which is enough",
        "roles" roles: Option<Vec<&'a str>> => "roles and user types, one of which is enough",
        "scopes" scopes: Option<Vec<&'a str>> => "scopes of the token, all of which are needed",
        "apps" apps: Option<Vec<&'a str>> => "names of token apps, one of which is enough",
        "audience" audience: Option<&'a str> => "an audience of the token",
    }
}

impl<'a> Wanted<'a> {
    fn of(needs: &'a [Need]) -> Self {
        let mut wanted = Self {
            service: None,
            permission: None,
            groups: None,
            roles: None,
            scopes: None,
            apps: None,
            audience: None,
        };
        let texts = |list: &'a [String]| Some(list.iter().map(String::as_str).collect());
        for need in needs {
            match need {
                Need::Permission(service_id, permission) => {
                    (wanted.service, wanted.permission) =
                        (Some(*service_id), Some(permission.name()));
                }
                Need::Groups(groups) => wanted.groups = Some(groups),
                Need::Roles(roles) => wanted.roles = texts(roles),
                Need::Scopes(scopes) => wanted.scopes = texts(scopes),
                Need::Apps(apps) => wanted.apps = texts(apps),
                Need::Audience(audience) => wanted.audience = Some(audience),
                Need::Any(_) => {}
            }
        }
        wanted
    }
}

impl<'a> OneRule<'a> {
    fn of(rule: &'a Rule) -> Self {
        let any = rule.needs.iter().find_map(|need| match need {
            Need::Any(lists) => Some(lists.iter().map(|needs| Wanted::of(needs)).collect()),
            _ => None,
        });
        Self {
            number: Some(rule.number),
            host: rule.host.as_deref(),
            path: rule.prefix.as_str(),
            methods: (!rule.methods.is_empty()).then(|| rule.methods.clone()),
            public: rule.public,
            deny: rule.deny,
            report: rule.report,
            any,
            wanted: Wanted::of(&rule.needs),
        }
    }

    fn of_public(prefix: &'a Prefix) -> Self {
        Self {
            number: None,
            host: None,
            path: prefix.as_str(),
            methods: None,
            public: true,
            deny: false,
            report: false,
            any: None,
            wanted: Wanted::of(&[]),
        }
    }
}

impl<'a> OneOrigin<'a> {
    fn of(origin: &'a Origin, all: &Origins) -> Self {
        Self {
            host: origin.host.as_deref(),
            path: origin.prefix.as_str(),
            url: &origin.url,
            timeout_s: all.timeout_s(origin),
        }
    }
}

async fn list(cx: &Cx, _: &Call<'_>) -> Result<Response> {
    let (table, origins) = (&cx.config.rules, &cx.config.origins);
    let rules = table
        .rules
        .iter()
        .map(OneRule::of)
        .chain(table.public.iter().map(OneRule::of_public))
        .collect();
    let origins = origins.list().iter().map(|origin| OneOrigin::of(origin, origins)).collect();
    Ok(Response::json(200, &Rules { rules, origins }))
}

async fn test(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let Question { method, url, username, token } = Question::read(&call.labelled_fields().await?)?;
    let about = match (token, username) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("token", "must not be there beside username"));
        }
        (Some(token), None) => Some(About::Token(PlainToken::new(token.trim()))),
        (None, Some(username)) => Some(About::Username(username)),
        (None, None) => None,
    };
    let (origin, tested) = outcome(cx, call, &method, &url, about).await?;
    let checks = tested
        .checks
        .iter()
        .map(|Check { name, held, detail }| OneCheck { check: name, held: *held, detail })
        .collect();
    Ok(Response::json(
        200,
        &Outcome { verdict: tested.verdict.name(), origin, rule: tested.rule, checks },
    ))
}

/// Follows a request through the gateway. Returns the URL of the application that would get it, and
/// the result of each check.
async fn outcome<'c>(
    cx: &'c Cx,
    call: &Call<'_>,
    method: &str,
    url: &str,
    about: Option<About>,
) -> Result<(Option<&'c str>, Tested)> {
    let (authority, path, query) = parts(url, call.request.origin())?;
    let refused = |check, detail: &str| Ok((None, Tested::refused(check, detail)));
    let refused_url = |error: Error| match error {
        Error::Invalid { field, why, .. } => refused("url", &format!("{field} {why}")),
        other => Err(other),
    };
    if !method::passes(method) {
        return refused(
            "method",
            "the gateway passes names of methods in capitals, but not CONNECT and TRACE",
        );
    }
    match (call.is_own_path)(&cx.config, path) {
        Ok(false) => {}
        Ok(true) => {
            return refused(
                "url",
                "the path is one of Postern's own, or some server may read it as one",
            );
        }
        Err(error) => return refused_url(error),
    }
    let origin = match cx.config.origins.of(authority, path) {
        Ok(None) if !cx.config.origins.is_empty() => {
            return refused("origin", "no application of ORIGINS takes this host and path");
        }
        Ok(origin) => origin.map(|origin| origin.url.as_str()),
        Err(why) => return refused("url", &format!("url {why}")),
    };
    match match_rules(&cx.config.rules, method, authority, path, query) {
        Ok(matched) => Ok((origin, explain_rules::test(cx, &matched, about).await?)),
        Err(error) => refused_url(error),
    }
}
