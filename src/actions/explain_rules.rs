//! Explains what the gateway's rules would do with a request, and why. Nothing is written.

use crate::actions::explain::{self, About, Who};
use crate::actions::rules::{asked, sentence};
use crate::context::Cx;
use crate::domain::origin::{
    Answer, Demand, Facts, Matched, Need, Rule, decide, holds, would_refuse,
};
use crate::error::{Error, Result};
use crate::memory::known::Known;

#[derive(Debug)]
pub struct Tested {
    pub verdict: Verdict,
    /// The number of the rule that decides.
    pub rule: Option<usize>,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The request passes, and nobody has to sign in.
    Public,
    Passes,
    Refused,
    /// The request is refused, because something that a rule needs cannot be found out.
    Unknown,
}

#[derive(Debug)]
pub struct Check {
    /// For a rule, the member of the rule.
    pub name: &'static str,
    pub held: bool,
    pub detail: String,
}

impl Verdict {
    /// In the order of the variants.
    pub const NAMES: [&'static str; 4] = ["public", "passes", "refused", "unknown"];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Passes => "passes",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::Unavailable(_) | Error::Internal(_) => Self::Unknown,
            _ => Self::Refused,
        }
    }
}

impl Tested {
    /// A request that is refused before any rule is compared with the caller.
    #[must_use]
    pub fn refused(name: &'static str, detail: impl Into<String>) -> Self {
        let checks = vec![Check { name, held: false, detail: detail.into() }];
        Self { verdict: Verdict::Refused, rule: None, checks }
    }
}

/// Compares the rules for a request with the caller; `None` is a request without a credential.
pub async fn test(cx: &Cx, matched: &Matched<'_>, about: Option<About>) -> Result<Tested> {
    let rules = match &matched.demand {
        Demand::Nothing => {
            let checks = vec![Check {
                name: "public",
                held: true,
                detail: "the path is public, and nobody is asked".to_owned(),
            }];
            return Ok(Tested { verdict: Verdict::Public, rule: None, checks });
        }
        Demand::Methods(_) => &[][..],
        Demand::Rules(rules) => rules,
    };
    let Some(about) = about else {
        return Ok(Tested::refused(
            "credential",
            "the path is not public, and no credential was sent",
        ));
    };
    let (checks, who) = explain::who(cx, about).await?;
    let told = |app: &Option<String>, detail: &str| {
        app.as_ref().map_or_else(|| detail.to_owned(), |app| format!("{app}: {detail}"))
    };
    let mut checks: Vec<_> = checks
        .iter()
        .map(|of| Check { name: of.check, held: of.held, detail: told(&of.app, &of.detail) })
        .collect();
    let Some(who) = who else {
        return Ok(Tested { verdict: Verdict::Refused, rule: None, checks });
    };
    if let Demand::Methods(allow) = &matched.demand {
        let detail = format!("the rules of the path take {} only", allow.join(", "));
        checks.push(Check { name: "method", held: false, detail });
        return Ok(Tested { verdict: Verdict::Refused, rule: None, checks });
    }
    let facts = facts(cx, &who, matched).await;
    for rule in rules {
        checks.extend(of_rule(rule, &facts));
    }
    for rule in &matched.reports {
        let why = would_refuse(rule, &facts).map_or_else(
            || "lets the caller pass".to_owned(),
            |error| format!("would have refused: {}", sentence(&error)),
        );
        checks.push(Check {
            name: "report",
            held: true,
            detail: format!("rule {}, which only reports, {why}", rule.number),
        });
    }
    Ok(match decide(rules, &facts) {
        Ok(()) => Tested {
            verdict: Verdict::Passes,
            rule: rules.iter().find(|rule| !rule.deny).map(|rule| rule.number),
            checks,
        },
        Err((rule, error)) => Tested { verdict: Verdict::of(&error), rule: Some(rule), checks },
    })
}

/// The checks of a rule: one for each of its conditions, and one for `deny`.
fn of_rule(rule: &Rule, facts: &Facts<'_>) -> Vec<Check> {
    let number = rule.number;
    let mut checks: Vec<_> = rule.needs.iter().map(|need| of_need(rule, need, facts)).collect();
    if rule.deny {
        let (held, detail) = match holds(&rule.needs, facts) {
            Ok(true) => (false, format!("rule {number} denies this caller")),
            Ok(false) => (
                true,
                format!(
                    "rule {number} denies callers who meet all its conditions; this one does not"
                ),
            ),
            Err(error) => (
                false,
                format!("rule {number} cannot be compared with the caller: {}", sentence(&error)),
            ),
        };
        checks.push(Check { name: "deny", held, detail });
    }
    checks
}

fn of_need(rule: &Rule, need: &Need, facts: &Facts<'_>) -> Check {
    let found = match need.holds(facts) {
        Ok(true) => "it holds".to_owned(),
        Ok(false) => "it does not hold".to_owned(),
        Err(error) => format!("it cannot be known: {}", sentence(&error)),
    };
    let asks = if rule.deny { "asks for" } else { "wants" };
    let detail = format!("rule {} {asks} {need}; {found}", rule.number);
    Check { name: need.member(), held: matches!(need.holds(facts), Ok(true)), detail }
}

/// What the rules ask about, for the user as the token would make them.
async fn facts<'w>(cx: &Cx, who: &'w Who, matched: &Matched<'_>) -> Facts<'w> {
    let mut permissions = Vec::new();
    let mut asks_groups = false;
    for rule in asked(matched) {
        asks_groups |= rule.asks_groups();
        for of in rule.permissions() {
            permissions.push((
                of,
                who.explain(cx, of).await.map(|explained| explained.decided_by.allows()),
            ));
        }
    }
    Facts {
        permissions,
        groups: if asks_groups { Some(groups(cx, who).await) } else { None },
        roles: &who.user.profile.roles,
        user_type: who.user.profile.user_type.name(),
        app: who.token.as_ref().map(|(app, _)| app.as_str()),
        token: who.token.as_ref().map(|(_, says)| says),
    }
}

async fn groups(cx: &Cx, who: &Who) -> Answer<Vec<i64>> {
    let stored = Known::groups(cx, who.user.id).await?;
    Ok(stored
        .iter()
        .filter(|group| !who.leaves.contains(group))
        .chain(&who.groups)
        .copied()
        .collect())
}
