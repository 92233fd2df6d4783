//! Decides whether a caller may pass, from the facts about that caller.
//!
//! A need holds, does not hold, or cannot be judged because a fact is not available. If a need
//! cannot be judged, the caller is refused, and the answer is the error that says why the fact is
//! not available.

use crate::domain::origin::rule::{Need, Rule};
use crate::domain::permissions::permission::Permission;
use crate::error::{Error, Refusal};

/// A fact, or the error that says why it is not available.
pub type Answer<T> = Result<T, Error>;

/// The facts about a caller. `None` is a fact that was not looked up.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Each permission that was looked up, and whether the caller has it.
    pub permissions: Vec<((i64, Permission), Answer<bool>)>,
    /// The ids of the caller's groups: those in the database and those in the token.
    pub groups: Option<Answer<Vec<i64>>>,
    pub roles: &'a [String],
    /// The rules treat the user's type as one more role.
    pub user_type: &'static str,
    /// The token app of the caller's token. `None` for other credentials.
    pub app: Option<&'a str>,
    /// The caller's token. `None` for other credentials.
    pub token: Option<&'a TokenSays>,
}

/// The claims of a token that rules use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSays {
    /// The claims `scope` and `scp` together.
    pub scopes: Answer<Vec<String>>,
    /// The claim `aud`.
    pub audiences: Answer<Vec<String>>,
    /// An error if the token has groups that could not be read, so that [`Facts::groups`] is
    /// incomplete.
    pub groups: Answer<()>,
}

/// Fails with the number of the rule that refuses the caller, and with the reason. Rules with
/// `deny` are checked first.
pub fn decide(rules: &[&Rule], facts: &Facts<'_>) -> Result<(), (usize, Error)> {
    for rule in rules.iter().filter(|rule| rule.deny) {
        if holds(&rule.needs, facts).map_err(|error| (rule.number, error))? {
            return Err((
                rule.number,
                Refusal::ByRule { rule: rule.number, member: "deny" }.into(),
            ));
        }
    }
    for rule in rules.iter().filter(|rule| !rule.deny) {
        require(rule, facts).map_err(|error| (rule.number, error))?;
    }
    Ok(())
}

/// The reason why this rule alone would refuse the caller, or could not judge them. `None` if the
/// caller would pass.
#[must_use]
pub fn would_refuse(rule: &Rule, facts: &Facts<'_>) -> Option<Error> {
    decide(&[rule], facts).err().map(|(_, error)| error)
}

fn require(rule: &Rule, facts: &Facts<'_>) -> Result<(), Error> {
    if holds(&rule.needs, facts)? {
        return Ok(());
    }
    let unmet = rule.needs.iter().find(|need| matches!(need.holds(facts), Ok(false)));
    Err(match unmet {
        Some(Need::Permission(service_id, permission)) => {
            Refusal::NoPermission { permission: *permission, service_id: *service_id }
        }
        Some(Need::Scopes(scopes)) => Refusal::InsufficientScope { scopes: scopes.join(" ") },
        other => Refusal::ByRule { rule: rule.number, member: other.map_or("any", Need::member) },
    }
    .into())
}

/// Whether all needs hold. A single need that does not hold decides, even if others cannot be
/// judged.
pub fn holds(needs: &[Need], facts: &Facts<'_>) -> Answer<bool> {
    let mut unknown = None;
    for need in needs {
        match need.holds(facts) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => unknown = unknown.or(Some(error)),
        }
    }
    unknown.map_or(Ok(true), Err)
}

impl Need {
    pub fn holds(&self, facts: &Facts<'_>) -> Answer<bool> {
        match self {
            Self::Permission(service_id, permission) => {
                let asked =
                    facts.permissions.iter().find(|(of, _)| of == &(*service_id, *permission));
                asked.map_or_else(
                    || Err(not_looked_up("a permission")),
                    |(_, answer)| answer.clone(),
                )
            }
            Self::Groups(groups) => in_groups(groups, facts),
            Self::Roles(roles) => {
                Ok(roles.iter().any(|role| role == facts.user_type || facts.roles.contains(role)))
            }
            Self::Scopes(scopes) => match facts.token {
                None => Ok(false),
                Some(token) => token
                    .scopes
                    .as_ref()
                    .map(|has| scopes.iter().all(|scope| has.contains(scope)))
                    .map_err(Error::clone),
            },
            Self::Apps(apps) => {
                Ok(facts.app.is_some_and(|app| apps.iter().any(|named| named == app)))
            }
            Self::Audience(audience) => match facts.token {
                None => Ok(false),
                Some(token) => {
                    token.audiences.as_ref().map(|has| has.contains(audience)).map_err(Error::clone)
                }
            },
            Self::Any(lists) => {
                let mut unknown = None;
                for needs in lists {
                    match holds(needs, facts) {
                        Ok(true) => return Ok(true),
                        Ok(false) => {}
                        Err(error) => unknown = unknown.or(Some(error)),
                    }
                }
                unknown.map_or(Ok(false), Err)
            }
        }
    }
}

/// One matching group is enough for yes. For no, all groups of the caller must be known.
fn in_groups(groups: &[i64], facts: &Facts<'_>) -> Answer<bool> {
    let known = facts
        .groups
        .as_ref()
        .ok_or_else(|| not_looked_up("the groups"))?
        .as_ref()
        .map_err(Error::clone)?;
    if groups.iter().any(|group| known.contains(group)) {
        return Ok(true);
    }
    facts.token.map_or(Ok(()), |token| token.groups.clone()).map(|()| false)
}

fn not_looked_up(what: &str) -> Error {
    Error::internal(format!(
        "{what} of a caller was not looked up before a rule was compared with it"
    ))
}
