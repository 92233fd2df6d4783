//! Users and groups as an identity provider provisions them here (SCIM, RFC 7643).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::identity::user::{Profile, UserId};
use crate::domain::text;
use crate::domain::time::Millis;

/// In characters.
pub const MAX_EXTERNAL_ID: usize = 256;
/// Per user.
pub const MAX_EMAILS: usize = 20;
/// In characters.
const MAX_EMAIL_KIND: usize = 64;

/// A user's attributes that an identity provider can write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The provider's own id, case-sensitive.
    pub external_id: Option<String>,
    /// The sign-in name, spelled as the provider spells it.
    pub username: String,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    /// The `formatted` member of SCIM's `name`.
    pub formatted_name: Option<String>,
    pub emails: Emails,
    pub active: bool,
    /// Whether answers to the provider have the attribute `active`. They do not after the provider
    /// removed it. Removing it does not change whether the user is active.
    pub tells_active: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emails {
    /// In the order in which the provider sent them.
    #[serde(default)]
    pub list: Vec<Email>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// Not verified.
    pub value: String,
    /// The purpose, for example `work`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// A user in Postern's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPerson {
    pub id: UserId,
    pub person: Person,
    /// Whether provisioning made or adopted the user.
    pub is_provisioned: bool,
    /// Provisioning cannot change administrators.
    pub is_administrator: bool,
    pub created_at: Millis,
    pub modified_at: Millis,
}

/// A group in Postern's database, without its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGroup {
    pub id: i64,
    /// The provider's own id.
    pub external_id: Option<String>,
    /// `None` if something other than provisioning made the group without a name.
    pub name: Option<String>,
    /// Whether provisioning made or adopted the group.
    pub is_provisioned: bool,
    pub created_at: Millis,
    /// When the group or its membership last changed.
    pub modified_at: Millis,
}

/// A change to the members of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// Add some and remove some. No id is in both sets. All other members stay, even those added by
    /// another request in the meantime.
    Some { add: BTreeSet<i64>, remove: BTreeSet<i64> },
    /// Replace all members by these.
    All(BTreeSet<i64>),
}

impl Emails {
    /// The primary address, or the first one if none is primary.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        let primary = self.list.iter().find(|email| email.primary == Some(true));
        primary.or(self.list.first()).map(|email| email.value.as_str())
    }

    /// Checks the limits on number and length. The error is a phrase to put after the member's
    /// name.
    pub fn check(&self) -> Result<(), String> {
        if self.list.len() > MAX_EMAILS {
            return Err(format!("must have at most {MAX_EMAILS} items"));
        }
        self.list.iter().try_for_each(|email| {
            text::printable(&email.value, Profile::MAX_TEXT)?;
            email.kind.as_deref().map_or(Ok(()), |kind| text::printable(kind, MAX_EMAIL_KIND))
        })
    }

    /// The JSON that the database stores.
    #[must_use]
    pub fn stored(&self) -> Value {
        json!(self)
    }
}

impl Person {
    #[must_use]
    pub fn for_audit(&self) -> Value {
        json!({
            "username": self.username,
            "externalId": self.external_id,
            "name": self.display_name,
            "givenName": self.given_name,
            "familyName": self.family_name,
            "formattedName": self.formatted_name,
            "emails": self.emails.list,
            "enabled": self.active,
        })
    }
}

impl MemberChange {
    #[must_use]
    pub const fn none() -> Self {
        Self::Some { add: BTreeSet::new(), remove: BTreeSet::new() }
    }

    /// Whether the change does nothing, whoever the members are.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Some { add, remove } if add.is_empty() && remove.is_empty())
    }

    /// Adds members, after the changes collected so far.
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

    /// Removes members, after the changes collected so far.
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

    /// For each list, the number of ids and the first hundred of them.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        const LISTED: usize = 100;
        let list = |ids: &BTreeSet<i64>| {
            let listed: Vec<_> = ids.iter().take(LISTED).collect();
            json!({ "count": ids.len(), "ids": listed })
        };
        match self {
            Self::Some { add, remove } => json!({ "added": list(add), "removed": list(remove) }),
            Self::All(all) if all.is_empty() => json!("emptied"),
            Self::All(all) => json!({ "all": list(all) }),
        }
    }
}
