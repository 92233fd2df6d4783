//! Whether a caller may pass, by what is known of them.
//!
//! A need holds, does not hold, or cannot be known. Who cannot be judged is not let in: the error
//! that says why is the answer.

use crate::domain::origin::rule::{Need, Rule};
use crate::domain::permissions::permission::Permission;
use crate::error::{Error, Refusal};

/// What is known, or why it is not.
pub type Answer<T> = Result<T, Error>;

/// What is known of a caller. `None` is what was not looked up.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Permissions that were asked about, and whether the caller has them.
    pub permissions: Vec<((i64, Permission), Answer<bool>)>,
    /// The ids of the caller's groups: the stored ones, and those of the token.
    pub groups: Option<Answer<Vec<i64>>>,
    /// The caller's roles.
    pub roles: &'a [String],
    /// The type of the user, which counts as a role.
    pub user_type: &'static str,
    /// The token app of the caller's token; `None` for other credentials.
    pub app: Option<&'a str>,
    /// What the caller's token says; `None` for other credentials.
    pub token: Option<&'a TokenSays>,
}

/// What a token says, as far as rules look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSays {
    /// `scope` and `scp`.
    pub scopes: Answer<Vec<String>>,
    /// `aud`.
    pub audiences: Answer<Vec<String>>,
    /// Whether the groups that count for this request are all groups of the token.
    pub groups: Answer<()>,
}

/// Lets the caller pass, or says which rule does not, and why. Rules with `deny` come first.
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

/// Why a rule would have refused the caller, or could not have judged them; `None` where it lets
/// them pass.
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

/// Whether all needs hold. One that does not hold decides, whatever the others are.
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
    /// Whether the caller has what is needed.
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

/// One of the caller's groups is enough. That none is needs all of them.
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
