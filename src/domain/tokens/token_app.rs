//! Token apps: the systems whose JSON Web Tokens are accepted, each with its terms.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::domain::identity::password::PasswordHash;
use crate::domain::identity::user::UserId;
use crate::domain::secret::Secret;
use crate::domain::text;
use crate::domain::time::Millis;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::keys::Keys;
use crate::domain::tokens::policy::{Policy, SpeaksFor};

/// The greatest number of apps whose keys are tried on one token. Apps without keys do not count.
pub const MAX_CANDIDATES: usize = 64;

/// The longest lifetime that an app can give its tokens, in seconds: ten years.
pub const MAX_EXPIRE_S: i64 = 315_360_000;

/// A token app's name: 1 to 64 letters, digits, spaces, `-`, `_`, `.`, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppName(String);

/// The URL parameter that carries an app's tokens: 1 to 64 of `A–Z a–z 0–9 - _ .`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenName(String);

#[derive(Debug, Clone)]
pub struct TokenApp {
    pub name: AppName,
    pub terms: TokenAppTerms,
    /// The shared secret or the public keys, as they were registered. `None` if no current master
    /// key can decrypt them.
    pub secret: Option<Secret>,
    /// The keys that `secret` describes.
    pub keys: Keys,
    /// The password of users that the app's tokens create.
    pub initial_password: Option<PasswordHash>,
    pub creator_id: UserId,
    pub created_at: Millis,
    /// When the app was last replaced.
    pub modified_at: Millis,
}

/// The settings of a token app, without its name and its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAppTerms {
    pub token_name: TokenName,
    /// The algorithm of the app's tokens. The algorithm in a token's header is never trusted.
    pub algorithm: Algorithm,
    /// A token expires this many seconds after its `iat`.
    pub expire_s: i64,
    pub claims: ClaimNames,
    /// Tokens of a disabled app are refused.
    pub enabled: bool,
    /// Whether a token creates the user that it names, if there is none.
    pub creates_users: bool,
    /// The roles of such users. A user type may be among them.
    pub initial_roles: Vec<String>,
    pub policy: Policy,
}

/// The claims that describe the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    pub username: String,
    /// The claim with the display name.
    pub name: String,
    pub email: String,
}

/// The criteria for the apps that a token may belong to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selection {
    /// The algorithm of the token's header, in its canonical form.
    pub algorithm: Algorithm,
    /// The URL parameter that carried the token. `None` for a token in a header.
    pub token_name: Option<String>,
    /// The only app to try.
    pub app: Option<String>,
    /// The token's `iss`. Only apps with this issuer, or without any, are chosen. The outer `None`
    /// ignores issuers.
    pub issuer: Option<Option<String>>,
}

impl AppName {
    /// The error is a phrase to put after the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::plain(text, 64, " -_.")?;
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TokenName {
    /// The error is a phrase to put after the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::plain(text, 64, "-_.")?;
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TokenName {
    fn default() -> Self {
        Self("token".to_owned())
    }
}

impl Selection {
    #[must_use]
    pub fn takes(&self, app: &TokenApp) -> bool {
        app.terms.enabled
            && app.terms.algorithm.canonical() == self.algorithm
            && self.token_name.as_deref().is_none_or(|name| name == app.terms.token_name.as_str())
            && self.app.as_deref().is_none_or(|name| name == app.name.as_str())
            && self
                .issuer
                .as_ref()
                .is_none_or(|issuer| app.terms.policy.may_be_of(issuer.as_deref()))
    }
}

impl TokenApp {
    /// Everything but the secrets.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        self.terms.for_audit()
    }

    /// The users that the app's tokens may name.
    #[must_use]
    pub fn speaks_for(&self) -> SpeaksFor {
        self.terms.policy.speaks_for(&self.terms.initial_roles)
    }

    /// Whether no master key can decrypt the app's secret. Then its tokens can be neither accepted
    /// nor refused.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.secret.is_none() && !self.terms.policy.discover
    }

    /// Whether an import created the app without its secret.
    #[must_use]
    pub fn lacks_secret(&self) -> bool {
        self.secret.as_ref().is_some_and(Secret::is_empty) && !self.terms.policy.discover
    }

    /// Whether the app has keys, or an endpoint to ask. If not, it accepts no token.
    #[must_use]
    pub fn can_verify(&self) -> bool {
        !matches!(self.keys, Keys::None)
    }

    /// The reason why there is no key. It is a sentence without a full stop.
    #[must_use]
    pub fn why_no_key(&self) -> &'static str {
        if self.lacks_secret() {
            "the app has no secret: an import brought it without, \
             so give it one by PATCH /v1/token-apps/{name}"
        } else if self.is_sealed() {
            "the app has no usable key: no master key opens its secret"
        } else {
            "the app has no usable key: its secret is none for the algorithm"
        }
    }

    /// Whether the app's keys sign for many audiences, and the app does not say which of them it
    /// accepts. Only apps that an older release stored can be so.
    #[must_use]
    pub fn leaves_audience_unchecked(&self) -> bool {
        let Policy { audiences, any_audience, .. } = &self.terms.policy;
        self.keys.are_of_issuer() && audiences.is_empty() && !any_audience
    }
}

impl TokenAppTerms {
    #[must_use]
    pub fn for_audit(&self) -> Value {
        let mut value = json!({
            "token_name": self.token_name.as_str(),
            "algorithm": self.algorithm.name(),
            "expire": self.expire_s,
            "fieldmap": {
                "username": self.claims.username,
                "name": self.claims.name,
                "email": self.claims.email,
            },
            "enable": self.enabled,
            "inituser": self.creates_users,
            "initroles": self.initial_roles,
        });
        let policy = self.policy.chosen();
        if let (Value::Object(members), false) = (&mut value, policy.is_empty()) {
            members.insert("policy".to_owned(), Value::Object(policy));
        }
        value
    }
}

/// The apps that match a selection. Apps that name an issuer come first, and apps without a secret
/// last. Within each part, apps are in order of name.
#[must_use]
pub fn candidates<'a>(
    apps: impl Iterator<Item = &'a Rc<TokenApp>>,
    selection: &Selection,
) -> Vec<Rc<TokenApp>> {
    let mut taken: Vec<_> = apps.filter(|app| selection.takes(app)).cloned().collect();
    taken.sort_by(|one, other| rank(one).cmp(&rank(other)));
    taken
}

/// The sort key of [`candidates`].
#[must_use]
pub fn rank(app: &TokenApp) -> (bool, bool, &AppName) {
    (app.lacks_secret(), app.terms.policy.issuer.is_none(), &app.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        assert!(AppName::parse("ERP 2.0_a-b").is_ok());
        for wrong in ["", " ERP", "ERP ", "a/b", "ä", "a\tb", &"x".repeat(65)] {
            assert!(AppName::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(TokenName::parse("access-token_1.x").is_ok());
        assert!(TokenName::parse("access token").is_err());
    }

    #[test]
    fn a_selection_takes_enabled_apps_only() {
        let app = |enabled| TokenApp {
            name: AppName("ERP".to_owned()),
            terms: TokenAppTerms {
                token_name: TokenName::default(),
                algorithm: Algorithm::Hs256,
                expire_s: 1,
                claims: ClaimNames {
                    username: String::new(),
                    name: String::new(),
                    email: String::new(),
                },
                enabled,
                creates_users: false,
                initial_roles: Vec::new(),
                policy: Policy::default(),
            },
            secret: None,
            keys: Keys::None,
            initial_password: None,
            creator_id: UserId(1),
            created_at: Millis(0),
            modified_at: Millis(0),
        };
        let selection = Selection {
            algorithm: Algorithm::Hs256,
            token_name: Some("token".to_owned()),
            app: None,
            issuer: None,
        };
        assert!(selection.takes(&app(true)) && !selection.takes(&app(false)));
    }
}
