//! Users whom a caller names by user name instead of id.

use crate::context::Cx;
use crate::domain::identity::user::{User, Username};
use crate::error::{Error, Result};
use crate::memory::known::Known;

/// The user whom a question or a grant is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// An id. It need not belong to a user.
    Id(i64),
    /// A user name. It must belong to a user.
    Username(String),
}

impl Named {
    /// Whether this names the given user.
    #[must_use]
    pub fn is(&self, user: &User) -> bool {
        match self {
            Self::Id(id) => user.id.0 == *id,
            Self::Username(name) => user.username.as_str() == name,
        }
    }

    fn username(&self) -> Option<Username> {
        match self {
            Self::Id(_) => None,
            Self::Username(name) => Username::parse(name).ok(),
        }
    }
}

/// Looks up the ids, in the order of `users`. Names are looked up in memory first. `None` is a name
/// that no user has.
pub async fn ids<'u>(
    cx: &Cx,
    users: impl Iterator<Item = &'u Named> + Clone,
) -> Result<Vec<Option<i64>>> {
    let names: Vec<_> = users.clone().filter_map(Named::username).collect();
    let known = if names.is_empty() { Vec::new() } else { Known::users_named(cx, &names).await? };
    let id = |user: &Named| match user {
        Named::Id(id) => Some(*id),
        Named::Username(name) => {
            known.iter().find(|user| user.username.as_str() == name).map(|user| user.id.0)
        }
    };
    Ok(users.map(id).collect())
}

/// Looks up one id. A name is looked up in D1 now, because the id is about to be written.
pub async fn id_now(cx: &Cx, user: &Named) -> Result<i64> {
    let name = match user {
        Named::Id(id) => return Ok(*id),
        Named::Username(name) => name,
    };
    let found = match user.username() {
        Some(username) => Known::read_user(cx, &username).await?,
        None => None,
    };
    found.map(|user| user.id.0).ok_or_else(|| Error::not_found("user", name))
}
