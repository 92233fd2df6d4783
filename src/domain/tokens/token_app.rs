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

    fn app(name: &str, policy: &Value) -> TokenApp {
        TokenApp {
            name: AppName(name.to_owned()),
            terms: TokenAppTerms {
                token_name: TokenName::default(),
                algorithm: Algorithm::Ed25519,
                expire_s: 1,
                claims: ClaimNames {
                    username: String::new(),
                    name: String::new(),
                    email: String::new(),
                },
                enabled: true,
                creates_users: false,
                initial_roles: Vec::new(),
                policy: serde_json::from_value(policy.clone()).unwrap(),
            },
            secret: Some(Secret::new("a secret")),
            keys: Keys::None,
            initial_password: None,
            creator_id: UserId(1),
            created_at: Millis(0),
            modified_at: Millis(0),
        }
    }

    #[test]
    fn a_selection_takes_an_enabled_app_that_fits_in_each_of_its_parts() {
        let text = |text: &str| Some(text.to_owned());
        let app = app("ERP", &json!({ "issuer": "https://idp.example" }));
        let any =
            Selection { algorithm: Algorithm::EdDsa, token_name: None, app: None, issuer: None };
        let all = Selection {
            token_name: text("token"),
            app: text("ERP"),
            issuer: Some(text("https://idp.example")),
            ..any.clone()
        };
        let mut disabled = app.clone();
        disabled.terms.enabled = false;
        for selection in [&any, &all] {
            assert!(selection.takes(&app) && !selection.takes(&disabled));
        }
        for other in [
            Selection { algorithm: Algorithm::Hs256, ..any.clone() },
            Selection { token_name: text("ticket"), ..any.clone() },
            Selection { app: text("erp"), ..any.clone() },
            Selection { issuer: Some(text("https://other.example")), ..any.clone() },
            Selection { issuer: Some(None), ..any },
        ] {
            assert!(!other.takes(&app), "{other:?}");
        }
    }

    #[test]
    fn apps_that_name_an_issuer_are_tried_first() {
        let issuer = json!({ "issuer": "https://idp.example" });
        let apps = [("D", &json!({})), ("C", &issuer), ("B", &json!({})), ("A", &issuer)]
            .map(|(name, policy)| Rc::new(app(name, policy)));
        let selection = Selection {
            algorithm: Algorithm::EdDsa,
            token_name: None,
            app: None,
            issuer: Some(Some("https://idp.example".to_owned())),
        };
        let names: Vec<_> = candidates(apps.iter(), &selection)
            .iter()
            .map(|app| app.name.as_str().to_owned())
            .collect();
        assert_eq!(names, ["A", "C", "B", "D"]);
    }

    #[test]
    fn an_app_needs_a_secret_unless_its_issuer_publishes_the_keys() {
        let discovers = json!({ "issuer": "https://idp.example", "discover": true });
        let state = |policy: &Value, secret: Option<&str>| {
            let app = TokenApp { secret: secret.map(Secret::new), ..app("ERP", policy) };
            (app.is_sealed(), app.lacks_secret())
        };
        for (secret, sealed, lacks) in
            [(None, true, false), (Some(""), false, true), (Some("a"), false, false)]
        {
            assert_eq!(state(&json!({}), secret), (sealed, lacks), "{secret:?}");
            assert_eq!(state(&discovers, secret), (false, false), "{secret:?}");
        }
    }

    #[test]
    fn keys_of_an_issuer_need_an_audience() {
        let published = Keys::discovered("https://idp.example").unwrap();
        for (keys, policy, unchecked) in [
            (published.clone(), json!({}), true),
            (published.clone(), json!({ "audiences": ["bi"] }), false),
            (published, json!({ "anyAudience": true }), false),
            (Keys::None, json!({}), false),
        ] {
            let app = TokenApp { keys, ..app("ERP", &policy) };
            assert_eq!(app.leaves_audience_unchecked(), unchecked, "{policy}");
        }
    }

    #[test]
    fn an_app_whose_new_users_administer_speaks_for_administrators() {
        let mut app = app("ERP", &json!({}));
        assert_eq!(app.speaks_for(), SpeaksFor::Users);
        app.terms.initial_roles = vec!["Administrator".to_owned()];
        assert_eq!(app.speaks_for(), SpeaksFor::Everybody);
    }
}
