//! Users: the one identity store behind every dialect.

use serde_json::{Value, json};

use crate::domain::text;
use crate::domain::time::Millis;

/// A user's id: an int64 that is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

/// A user's name: 1 to 128 printable characters, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

/// What a user is, all in all. Further distinctions are roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserType {
    /// May look.
    Reader,
    /// May make.
    Creator,
    /// May everything.
    Administrator,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// All that can be chosen about them.
    pub profile: Profile,
    /// Their name for signing in.
    pub username: Username,
    /// Whether they have a password at all.
    pub has_password: bool,
    /// When the token was issued that name, email and roles were last taken from, in seconds; 0 where there was none.
    pub followed_at_s: i64,
    /// The groups that tokens gave them at last: JSON of token apps, each with a list of ids.
    pub synced_groups: Option<String>,
    /// When they were created.
    pub created_at: Millis,
    /// When they were last changed.
    pub modified_at: Millis,
}

/// What can be chosen about a user, beside the user name and the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// A name for people.
    pub name: Option<String>,
    /// An address, not verified.
    pub email: Option<String>,
    /// A number, not verified.
    pub phone: Option<String>,
    /// What they are.
    pub user_type: UserType,
    /// Further roles.
    pub roles: Vec<String>,
    /// Disabled users may do nothing.
    pub enabled: bool,
    /// The token app that they belong to: the one that created them, or that an administrator named.
    pub token_app: Option<String>,
}

impl Username {
    /// The longest, in characters.
    pub const MAX: usize = 128;

    /// Checks the rule; the error is the phrase that follows the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::printable(text, Self::MAX)?;
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserType {
    /// All of them, the lowest first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Creator, Self::Administrator];

    /// The name in every dialect.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "SYS_Reader",
            Self::Creator => "SYS_Creator",
            Self::Administrator => "Administrator",
        }
    }

    /// By its name, which is case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|user_type| user_type.name() == name)
    }

    /// The highest type among role names; `SYS_Reader` where there is none.
    #[must_use]
    pub fn among(roles: &[String]) -> Self {
        roles.iter().filter_map(|role| Self::from_name(role)).max().unwrap_or(Self::Reader)
    }
}

impl User {
    /// Whether they may administer.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.profile.user_type == UserType::Administrator
    }

    /// What the audit trail keeps.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        let mut value = self.profile.for_audit();
        if let Value::Object(members) = &mut value {
            members.insert("id".to_owned(), json!(self.id.0));
        }
        value
    }
}

impl Profile {
    /// The longest name, email or phone, in characters.
    pub const MAX_TEXT: usize = 256;

    /// A user of that type who is enabled and has nothing else.
    #[must_use]
    pub fn of_type(user_type: UserType) -> Self {
        Self { name: None, email: None, phone: None, user_type, roles: vec![user_type.name().to_owned()], enabled: true, token_app: None }
    }

    /// What the audit trail keeps.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        let mut value = json!({
            "name": self.name, "email": self.email, "phone": self.phone,
            "type": self.user_type.name(), "roles": self.roles, "enabled": self.enabled,
        });
        if let (Value::Object(members), Some(token_app)) = (&mut value, &self.token_app) {
            members.insert("tokenApp".to_owned(), json!(token_app));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_sensitive_and_bounded() {
        assert_ne!(Username::parse("Admin"), Username::parse("admin"));
        for wrong in ["", " admin", "admin\n", "a\u{0}b", &"x".repeat(129)] {
            assert!(Username::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_highest_type_among_roles_counts() {
        let roles = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(UserType::among(&roles(&["SYS_Reader", "SYS_Creator", "sales"])), UserType::Creator);
        assert_eq!(UserType::among(&roles(&["administrator"])), UserType::Reader);
    }
}
