//! Token apps: the systems whose JSON Web Tokens are accepted, and on which terms.

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

/// How many keys one token may be tried with.
pub const MAX_CANDIDATES: usize = 64;

/// The longest lifetime that an app may give its tokens, in seconds: ten years.
pub const MAX_EXPIRE_S: i64 = 315_360_000;

/// A token app's name: 1 to 64 letters, digits, spaces, `-`, `_`, `.`; case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppName(String);

/// The URL parameter that carries an app's tokens: 1 to 64 of `A–Z a–z 0–9 - _ .`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenName(String);

/// A registered token app.
#[derive(Debug, Clone)]
pub struct TokenApp {
    /// Its name.
    pub name: AppName,
    /// All that can be chosen about it, but for the secrets.
    pub terms: TokenAppTerms,
    /// The shared secret or the public keys, as registered; `None` where no master key opens it any
    /// more.
    pub secret: Option<Secret>,
    /// What its tokens are verified with: what `secret` says.
    pub keys: Keys,
    /// The password of users created at first sight.
    pub initial_password: Option<PasswordHash>,
    /// Who created it.
    pub creator_id: UserId,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last replaced.
    pub modified_at: Millis,
}

/// What can be chosen about a token app, beside its name and its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAppTerms {
    /// The URL parameter.
    pub token_name: TokenName,
    /// How its tokens are signed. This, and never the token's header, rules.
    pub algorithm: Algorithm,
    /// A token is over so many seconds after its `iat`.
    pub expire_s: i64,
    /// Which claims say who.
    pub claims: ClaimNames,
    /// Whether its tokens are accepted.
    pub enabled: bool,
    /// Whether unknown users are created at first sight.
    pub creates_users: bool,
    /// The roles of such users; a user type may be among them.
    pub initial_roles: Vec<String>,
    /// Whose tokens it accepts, for whom, and as what.
    pub policy: Policy,
}

/// Names of claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The claim with the user name.
    pub username: String,
    /// The claim with the name for people.
    pub name: String,
    /// The claim with the email address.
    pub email: String,
}

/// Which apps a token may belong to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Those with the algorithm of the token's header, in its canonical form.
    pub algorithm: Algorithm,
    /// Only those with this URL parameter; `None` for a token in a header.
    pub token_name: Option<String>,
    /// Only the one of this name.
    pub app: Option<String>,
    /// The token's `iss`: only those of this issuer, and those that name none. `None` leaves it
    /// out.
    pub issuer: Option<Option<String>>,
}

impl AppName {
    /// Checks the rule; the error is the phrase that follows the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::plain(text, 64, " -_.")?;
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TokenName {
    /// Checks the rule; the error is the phrase that follows the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::plain(text, 64, "-_.")?;
        Ok(Self(text.to_owned()))
    }

    /// The name.
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
    /// Whether the app is one that the token may belong to.
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
    /// What the audit trail keeps: everything but the secrets.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        self.terms.for_audit()
    }

    /// Whom its tokens may name.
    #[must_use]
    pub fn speaks_for(&self) -> SpeaksFor {
        self.terms.policy.speaks_for(&self.terms.initial_roles)
    }

    /// Whether it has a secret that no master key opens, so that nothing can be said of its tokens.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.secret.is_none() && !self.terms.policy.discover
    }

    /// Whether it waits for its secret: an import brought it without.
    #[must_use]
    pub fn lacks_secret(&self) -> bool {
        self.secret.as_ref().is_some_and(Secret::is_empty) && !self.terms.policy.discover
    }

    /// Why there is no key to verify its tokens with. The sentence ends without a full stop.
    #[must_use]
    pub fn why_no_key(&self) -> &'static str {
        if self.lacks_secret() {
            "the app has no secret: an import brought it without, so give it one by PATCH /v1/token-apps/{name}"
        } else if self.is_sealed() {
            "the app has no usable key: no master key opens its secret"
        } else {
            "the app has no usable key: its secret is none for the algorithm"
        }
    }

    /// Whether its keys sign for many audiences, and nobody said which of them count. Only apps of
    /// older releases are so.
    #[must_use]
    pub fn leaves_audience_unchecked(&self) -> bool {
        let Policy { audiences, any_audience, .. } = &self.terms.policy;
        self.keys.are_of_issuer() && audiences.is_empty() && !any_audience
    }
}

impl TokenAppTerms {
    /// What the audit trail keeps.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        let mut value = json!({
            "token_name": self.token_name.as_str(),
            "algorithm": self.algorithm.name(),
            "expire": self.expire_s,
            "fieldmap": { "username": self.claims.username, "name": self.claims.name, "email": self.claims.email },
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

/// The apps of a list that a selection takes: those that name the token's issuer first, each part
/// in order of name.
#[must_use]
pub fn candidates<'a>(
    apps: impl Iterator<Item = &'a Rc<TokenApp>>,
    selection: &Selection,
) -> Vec<Rc<TokenApp>> {
    let mut taken: Vec<_> = apps.filter(|app| selection.takes(app)).cloned().collect();
    taken.sort_by(|one, other| rank(one).cmp(&rank(other)));
    taken
}

/// Which app is tried first: one that names an issuer, then by name.
#[must_use]
pub fn rank(app: &TokenApp) -> (bool, &AppName) {
    (app.terms.policy.issuer.is_none(), &app.name)
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
