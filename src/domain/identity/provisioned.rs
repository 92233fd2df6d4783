//! Users and groups as an identity provider keeps them here (RFC 7643).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::identity::user::{Profile, UserId};
use crate::domain::text;
use crate::domain::time::Millis;

/// The longest id of a provider, in characters.
pub const MAX_EXTERNAL_ID: usize = 256;
/// How many e-mail addresses a user has at most.
pub const MAX_EMAILS: usize = 20;
/// The longest kind of an e-mail address, in characters.
const MAX_EMAIL_KIND: usize = 64;

/// What a provider may say of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The provider's own id, case-sensitive.
    pub external_id: Option<String>,
    /// The name for signing in, as the provider writes it.
    pub username: String,
    /// The name that is shown.
    pub display_name: Option<String>,
    /// The given name.
    pub given_name: Option<String>,
    /// The family name.
    pub family_name: Option<String>,
    /// The whole name.
    pub formatted_name: Option<String>,
    /// E-mail addresses.
    pub emails: Emails,
    /// Whether they may sign in.
    pub active: bool,
    /// Whether the provider is told so. It is not where it removed the attribute, which changes
    /// nothing else.
    pub tells_active: bool,
}

/// The e-mail addresses of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emails {
    /// In the order in which they were sent.
    #[serde(default)]
    pub list: Vec<Email>,
}

/// An e-mail address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The address, not verified.
    pub value: String,
    /// What it is for, as `work`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether it is the preferred one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// A user who is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPerson {
    /// Their id.
    pub id: UserId,
    /// What a provider sees of them.
    pub person: Person,
    /// Whether provisioning made or adopted them.
    pub is_provisioned: bool,
    /// Administrators are nobody's to provision.
    pub is_administrator: bool,
    /// When they were created.
    pub created_at: Millis,
    /// When they were last changed.
    pub modified_at: Millis,
}

/// A group that is here, without its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGroup {
    /// Its id.
    pub id: i64,
    /// The provider's own id.
    pub external_id: Option<String>,
    /// Its name; `None` where somebody else made it without one.
    pub name: Option<String>,
    /// Whether provisioning made or adopted it.
    pub is_provisioned: bool,
    /// When it was created.
    pub created_at: Millis,
    /// When it, or who is in it, was last changed.
    pub modified_at: Millis,
}

/// How the members of a group are to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// Some come and some go; nobody is in both lists. The others stay, whoever they are by then.
    Some {
        /// Who is to be in.
        add: BTreeSet<i64>,
        /// Who is to be out.
        remove: BTreeSet<i64>,
    },
    /// These are to be in, and nobody else.
    All(BTreeSet<i64>),
}

impl Emails {
    /// The address that counts: the primary one, else the first.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        let primary = self.list.iter().find(|email| email.primary == Some(true));
        primary.or(self.list.first()).map(|email| email.value.as_str())
    }

    /// Refuses what cannot be kept; the error is the phrase that follows the member's name.
    pub fn check(&self) -> Result<(), String> {
        if self.list.len() > MAX_EMAILS {
            return Err(format!("must have at most {MAX_EMAILS} items"));
        }
        self.list.iter().try_for_each(|email| {
            text::printable(&email.value, Profile::MAX_TEXT)?;
            email.kind.as_deref().map_or(Ok(()), |kind| text::printable(kind, MAX_EMAIL_KIND))
        })
    }

    /// As they are stored.
    #[must_use]
    pub fn stored(&self) -> Value {
        json!(self)
    }
}

impl Person {
    /// What the audit trail keeps.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        json!({
            "username": self.username, "externalId": self.external_id, "name": self.display_name, "givenName": self.given_name,
            "familyName": self.family_name, "formattedName": self.formatted_name, "emails": self.emails.list, "enabled": self.active,
        })
    }
}

impl MemberChange {
    /// No change.
    #[must_use]
    pub const fn none() -> Self {
        Self::Some { add: BTreeSet::new(), remove: BTreeSet::new() }
    }

    /// Whether it leaves everything as it is, whoever is in.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Some { add, remove } if add.is_empty() && remove.is_empty())
    }

    /// Lets these come, after what was to be changed before.
    pub fn add(&mut self, ids: BTreeSet<i64>) {
        match self {
            Self::Some { add, remove } => {
                for id in &ids {
                    remove.remove(id);
                }
                add.extend(ids);
            }
            Self::All(all) => all.extend(ids),
        }
    }

    /// Lets these go, after what was to be changed before.
    pub fn remove(&mut self, ids: BTreeSet<i64>) {
        match self {
            Self::Some { add, remove } => {
                for id in &ids {
                    add.remove(id);
                }
                remove.extend(ids);
            }
            Self::All(all) => {
                for id in &ids {
                    all.remove(id);
                }
            }
        }
    }

    /// What the audit trail keeps: how many, and at most a hundred of them.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        const LISTED: usize = 100;
        let list = |ids: &BTreeSet<i64>| json!({ "count": ids.len(), "ids": ids.iter().take(LISTED).collect::<Vec<_>>() });
        match self {
            Self::Some { add, remove } => json!({ "added": list(add), "removed": list(remove) }),
            Self::All(all) if all.is_empty() => json!("emptied"),
            Self::All(all) => json!({ "all": list(all) }),
        }
    }
}
