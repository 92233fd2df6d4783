//! The audit trail: who did what, from which address, with the state before and after. The code
//! that builds `before` and `after` must leave secrets out.

use serde_json::{Value, json};

use crate::domain::identity::user::{User, UserId};
use crate::domain::time::Millis;

/// An action that is about to be recorded in the audit trail.
#[derive(Debug, Clone)]
pub struct Deed {
    pub actor: Actor,
    /// As `noun.verb`.
    pub action: &'static str,
    /// The name of the user, token app or other object of the action.
    pub target: String,
    /// The state before. `None` if the target did not exist.
    pub before: Option<Value>,
    /// The state after. `None` if the target no longer exists.
    pub after: Option<Value>,
}

/// The author of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user name. At a failed sign-in, the name that was claimed. For actions without a user, a
    /// word in brackets.
    pub name: String,
    /// `None` if there is no such user.
    pub id: Option<UserId>,
}

#[derive(Debug, Clone)]
pub struct Event {
    /// In ascending order.
    pub id: i64,
    pub at: Millis,
    pub actor: Actor,
    pub address: Option<String>,
    pub action: String,
    pub target: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// The `x-request-id` of the response.
    pub request_id: String,
}

impl Deed {
    /// Records an action on a target. Leave secrets out of the states that you add with
    /// [`Self::before`] and [`Self::after`].
    #[must_use]
    pub fn new(actor: Actor, action: &'static str, target: impl Into<String>) -> Self {
        Self { actor, action, target: target.into(), before: None, after: None }
    }

    #[must_use]
    pub fn before(self, before: impl Into<Option<Value>>) -> Self {
        Self { before: before.into(), ..self }
    }

    #[must_use]
    pub fn after(self, after: impl Into<Option<Value>>) -> Self {
        Self { after: after.into(), ..self }
    }

    /// Records that the target's secret was replaced, with the ids of the old and the new secret.
    #[must_use]
    pub fn secret_changed(mut self, before: Option<&str>, after: Option<&str>) -> Self {
        insert(&mut self.before, "secret_id", json!(before));
        insert(&mut self.after, "secret_id", json!(after));
        self.noting("secret", "changed")
    }

    /// Records in a word what happened to a member whose value is not recorded.
    #[must_use]
    pub fn noting(mut self, member: &str, word: &str) -> Self {
        insert(&mut self.after, member, json!(word));
        self
    }
}

fn insert(side: &mut Option<Value>, member: &str, value: Value) {
    if let Value::Object(members) = side.get_or_insert_with(|| json!({})) {
        members.insert(member.to_owned(), value);
    }
}

impl Actor {
    /// An author without a user account: a word in brackets. No user name can have this form.
    #[must_use]
    pub fn bracketed(name: &str) -> Self {
        Self { name: format!("[{name}]"), id: None }
    }

    /// The scheduled event.
    #[must_use]
    pub fn system() -> Self {
        Self::bracketed("scheduled")
    }

    /// A user name that was claimed without proof, cut to 128 characters.
    #[must_use]
    pub fn claimed(name: &str) -> Self {
        Self { name: name.chars().take(128).collect(), id: None }
    }
}

impl From<&User> for Actor {
    fn from(user: &User) -> Self {
        Self { name: user.username.as_str().to_owned(), id: Some(user.id) }
    }
}
