//! The audit trail: who did what, from where, and what it was before and after. Secrets are left
//! out by whoever builds `before` and `after`.

use serde_json::{Value, json};

use crate::domain::identity::user::{User, UserId};
use crate::domain::time::Millis;

/// Something that somebody did, about to be written down.
#[derive(Debug, Clone)]
pub struct Deed {
    /// Who.
    pub actor: Actor,
    /// What, as `noun.verb`.
    pub action: &'static str,
    /// To which user, token app … by name.
    pub target: String,
    /// How it was; `None` where it was not.
    pub before: Option<Value>,
    /// How it is; `None` where it is no more.
    pub after: Option<Value>,
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A user name; at a failed sign-in the one that was claimed; for what nobody asked for, a word
    /// in brackets.
    pub name: String,
    /// The user's id, where there is a user.
    pub id: Option<UserId>,
}

/// A deed, written down.
#[derive(Debug, Clone)]
pub struct Event {
    /// Ascending.
    pub id: i64,
    /// When.
    pub at: Millis,
    /// Who.
    pub actor: Actor,
    /// The client's address.
    pub address: Option<String>,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// How it was.
    pub before: Option<Value>,
    /// How it is.
    pub after: Option<Value>,
    /// The `x-request-id` of the answer.
    pub request_id: String,
}

impl Deed {
    /// Something that the actor did to the target. Whoever calls leaves secrets out of what it was
    /// before and after.
    #[must_use]
    pub fn new(actor: Actor, action: &'static str, target: impl Into<String>) -> Self {
        Self { actor, action, target: target.into(), before: None, after: None }
    }

    /// How the target was.
    #[must_use]
    pub fn before(self, before: impl Into<Option<Value>>) -> Self {
        Self { before: before.into(), ..self }
    }

    /// How the target is now.
    #[must_use]
    pub fn after(self, after: impl Into<Option<Value>>) -> Self {
        Self { after: after.into(), ..self }
    }

    /// Notes that the secret of the target was replaced, with the ids of the old and the new one.
    #[must_use]
    pub fn secret_changed(mut self, before: Option<&str>, after: Option<&str>) -> Self {
        insert(&mut self.before, "secret_id", json!(before));
        insert(&mut self.after, "secret_id", json!(after));
        self.noting("secret", "changed")
    }

    /// Notes in a word what became of a member whose value is not written down.
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
    /// Somebody who is no user: a word in brackets, which no user name is.
    #[must_use]
    pub fn bracketed(name: &str) -> Self {
        Self { name: format!("[{name}]"), id: None }
    }

    /// Nobody: the scheduled event.
    #[must_use]
    pub fn system() -> Self {
        Self::bracketed("scheduled")
    }

    /// Somebody who could not prove to be anybody.
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
