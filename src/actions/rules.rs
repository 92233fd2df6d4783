//! Checks whether the gateway's rules let a caller pass. What the rules ask about is read here;
//! `domain/origin` decides.

use crate::actions::caller::{Caller, Hints, Proof, UserCaller};
use crate::actions::permissions::{self, Question};
use crate::context::Cx;
use crate::domain::origin::{Answer, Demand, Facts, Matched, Rule, decide, would_refuse};
use crate::domain::permissions::permission::Permission;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Error, Result};
use crate::memory::known::Known;

/// What to read in the round trip that authenticates the caller.
#[must_use]
pub fn hints(matched: &Matched<'_>) -> Hints<'static> {
    let rules = || asked(matched);
    Hints {
        service_id: rules().flat_map(Rule::permissions).next().map(|(service_id, _)| service_id),
        groups: rules().any(Rule::asks_groups),
        ..Hints::default()
    }
}

/// Refuses a caller whom the rules for a request do not let pass. If a rule with `report` would
/// have refused the request, this is logged with `what`, which describes the request.
pub async fn require(cx: &Cx, caller: &Caller, matched: &Matched<'_>, what: &str) -> Result<()> {
    let user = caller.user()?;
    let rules = match &matched.demand {
        Demand::Nothing => &[][..],
        Demand::Methods(allow) => return Err(Error::MethodNotAllowed { allow: allow.clone() }),
        Demand::Rules(rules) => rules,
    };
    if rules.is_empty() && matched.reports.is_empty() {
        return Ok(());
    }
    let facts = facts(cx, caller, user, asked(matched)).await;
    decide(rules, &facts).map_err(|(rule, error)| {
        cx.noted.rule(rule);
        error
    })?;
    for rule in &matched.reports {
        if let Some(error) = would_refuse(rule, &facts) {
            report(cx, rule, what, &format!("user {}: {}", user.user.id.0, sentence(&error)));
        }
    }
    Ok(())
}

/// Logs for a public path that rules with `report` would have required a caller.
pub fn report_public(cx: &Cx, matched: &Matched<'_>, what: &str) {
    for rule in &matched.reports {
        report(cx, rule, what, "the path would not be public");
    }
}

fn report(cx: &Cx, rule: &Rule, what: &str, why: &str) {
    cx.log.line(&format!(
        "{} {what}: rule {} of ORIGIN_RULES, which only reports, would have refused: {why}",
        cx.request_id, rule.number
    ));
}

/// Why a caller is refused, or why this cannot be decided.
#[must_use]
pub fn sentence(error: &Error) -> String {
    match error {
        Error::Unauthenticated(denied) => denied.to_string(),
        Error::Forbidden(refusal) => refusal.to_string(),
        Error::NotFound { what, id } => format!("there is no {what} {id}"),
        Error::Unavailable(fault) => fault.for_callers().to_owned(),
        _ => "it cannot be known".to_owned(),
    }
}

/// All rules that are compared with the caller.
pub(super) fn asked<'m>(matched: &'m Matched<'_>) -> impl Iterator<Item = &'m Rule> {
    let rules = if let Demand::Rules(rules) = &matched.demand { rules.as_slice() } else { &[] };
    rules.iter().chain(&matched.reports).copied()
}

/// Reads what the rules ask about a caller. If memory is warm, nothing is read from D1.
async fn facts<'c>(
    cx: &Cx,
    caller: &'c Caller,
    user: &'c UserCaller,
    rules: impl Iterator<Item = &Rule>,
) -> Facts<'c> {
    let mut asked: Vec<(i64, Permission)> = Vec::new();
    let mut asks_groups = false;
    for rule in rules {
        asked.extend(rule.permissions());
        asks_groups |= rule.asks_groups();
    }
    asked.sort_unstable();
    asked.dedup();
    let token = if let Proof::Jwt { says, .. } = &user.proof { says.as_deref() } else { None };
    Facts {
        permissions: permissions_of(cx, caller, user, asked).await,
        groups: if asks_groups { Some(groups(cx, caller, user).await) } else { None },
        roles: &user.user.profile.roles,
        user_type: user.user.profile.user_type.name(),
        app: user.app().map(AppName::as_str),
        token,
    }
}

async fn permissions_of(
    cx: &Cx,
    caller: &Caller,
    user: &UserCaller,
    asked: Vec<(i64, Permission)>,
) -> Vec<((i64, Permission), Answer<bool>)> {
    let user_id = user.user.id.0;
    let question = |(service_id, permission): &(i64, Permission)| Question {
        service_id: *service_id,
        user_id,
        permission: *permission,
    };
    let questions: Vec<_> = asked.iter().map(question).collect();
    // All are asked in one round trip. If the caller may not ask one of them, each is asked
    // separately.
    if let Ok(answers) = permissions::check_all(cx, caller, &questions).await {
        return asked.into_iter().zip(answers.into_iter().map(Ok)).collect();
    }
    let mut answers = Vec::new();
    for (of, question) in asked.into_iter().zip(questions) {
        answers.push((of, permissions::check(cx, caller, question).await));
    }
    answers
}

/// The user's groups: the stored ones, and those of the token.
async fn groups(cx: &Cx, caller: &Caller, user: &UserCaller) -> Answer<Vec<i64>> {
    let stored = Known::groups(cx, user.user.id).await?;
    Ok(stored.iter().chain(caller.groups()).copied().collect())
}
