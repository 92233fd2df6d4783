//! Revocations: tokens that are over although their own end has not come.
//!
//! A JSON Web Token is named by the SHA-256 of what is signed, its header and claims as they were
//! sent. The signature is left out, because one token may have several that verify: of an ECDSA
//! signature (r, s), anybody can make (r, n − s). What is signed has one spelling, since another
//! one would not verify.

use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::{AppName, MAX_EXPIRE_S};

/// What a revocation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationKind {
    /// One token.
    Token,
    /// All tokens of an app with one `jti`.
    Jti,
}

/// What is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevocationKey {
    /// What the digest is of.
    pub kind: RevocationKind,
    /// Of what is signed, or of the app's name, a slash and the `jti`.
    pub digest: HashedToken,
}

/// A revocation, as isolates remember it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// What is revoked.
    pub key: RevocationKey,
    /// When the token is over by itself, so that the revocation can be forgotten.
    pub until: Millis,
}

/// What people are told of a revocation.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The token app's name.
    pub app: String,
    /// Whom the token named, where it was shown.
    pub username: Option<String>,
    /// Its `jti`, cut to [`MAX_JTI`] characters.
    pub jti: Option<String>,
}

/// The longest `jti` that can be revoked without its token, in characters.
pub const MAX_JTI: usize = 256;

impl RevocationKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Token, Self::Jti];

    /// The word in the database and in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Jti => "jti",
        }
    }

    /// By its word; `None` for a kind of another release.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl RevocationKey {
    /// The one of a token, by what of it is signed.
    #[must_use]
    pub fn of_token(digest: HashedToken) -> Self {
        Self { kind: RevocationKind::Token, digest }
    }

    /// The one of an app's `jti`. No app has a slash in its name.
    #[must_use]
    pub fn of_jti(app: &AppName, jti: &str) -> Self {
        let digest = HashedToken::of(&[app.as_str().as_bytes(), b"/", jti.as_bytes()]);
        Self { kind: RevocationKind::Jti, digest }
    }
}

impl Revocation {
    /// How the change feed, and the list that cold isolates read, write it:
    /// `token/<digest>/<until>`.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { key: RevocationKey { kind, digest }, until } = self;
        format!("{}/{}/{}", kind.name(), digest.to_hex(), until.0)
    }

    /// Reads that text; `None` for a kind of another release.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let kind = RevocationKind::from_name(parts.next()?)?;
        let digest = HashedToken::from_hex(parts.next()?)?;
        let until = Millis(parts.next()?.parse().ok()?);
        Some(Self { key: RevocationKey { kind, digest }, until })
    }
}

/// The digest of what is signed of a token: all before its signature.
#[must_use]
pub fn digest_of(token: &str) -> HashedToken {
    HashedToken::of(&[token.rsplit_once('.').map_or(token, |(signed, _)| signed).as_bytes()])
}

/// The greatest `CLOCK_LEEWAY_S`.
pub const MAX_LEEWAY_S: i64 = 600;

/// When a token is over whatever its app and the variables will say by then: at its `exp`, or when
/// the longest `expire` that an app may have has passed since it was issued. The app's own `expire`
/// does not count here: an administrator may raise it, and the token would count again.
#[must_use]
pub fn over_for_good(exp_s: Option<i64>, issued_at_s: i64) -> Millis {
    let longest = issued_at_s.saturating_add(MAX_EXPIRE_S);
    let end = exp_s.map_or(longest, |exp| exp.min(longest));
    Millis::from_seconds(end.saturating_add(MAX_LEEWAY_S))
}

/// For how long after its end an endpoint may put the end of a token off.
const MAX_PUT_OFF_S: i64 = 30 * 24 * 60 * 60;

/// The same of a token that an endpoint calls active until `exp_s`. It may say a later end the next
/// time, so thirty days are added to that, and to the app's `expire`. Where it says no end, the
/// token is revoked for as long as any token may count.
#[must_use]
pub fn over_for_endpoint(exp_s: Option<i64>, expire_s: i64, now: Millis) -> Millis {
    let latest = latest_end(now);
    let Some(exp_s) = exp_s else { return latest };
    let end = exp_s.max(now.seconds().saturating_add(expire_s)).saturating_add(MAX_PUT_OFF_S);
    Millis::from_seconds(end.min(latest.seconds()))
}

/// The same of a token of which only the `jti` is known. It may have been issued just now, by a
/// clock that is ahead.
#[must_use]
pub fn latest_end(now: Millis) -> Millis {
    over_for_good(None, now.seconds().saturating_add(MAX_LEEWAY_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_revocation_says_all_of_it() {
        let app = AppName::parse("ERP 2.0").expect("a name");
        for key in [
            RevocationKey::of_token(HashedToken::of(&[b"a.b"])),
            RevocationKey::of_jti(&app, "a/b,c d"),
        ] {
            let revocation = Revocation { key, until: Millis(1_800_000_000_000) };
            assert_eq!(Revocation::parse(&revocation.text()), Some(revocation));
        }
        let text = Revocation { key: RevocationKey::of_jti(&app, "1"), until: Millis(5) }.text();
        for other in [
            "",
            "jti",
            "jti/00/5",
            &text.replace("jti", "session"),
            &format!("{text}x"),
            &format!("{text}/6"),
        ] {
            assert_eq!(Revocation::parse(other), None, "{other}");
        }
    }

    #[test]
    fn apps_do_not_share_a_jti() {
        let app = |name: &str| AppName::parse(name).expect("a name");
        assert_ne!(RevocationKey::of_jti(&app("A"), "1"), RevocationKey::of_jti(&app("B"), "1"));
        assert_ne!(
            RevocationKey::of_jti(&app("A"), "b/1"),
            RevocationKey::of_jti(&app("A"), "b/2")
        );
        assert!(AppName::parse("A/b").is_err());
    }

    #[test]
    fn a_revocation_is_kept_until_no_app_could_accept_the_token() {
        let leeway = MAX_LEEWAY_S;
        assert_eq!(over_for_good(Some(2000), 1000), Millis::from_seconds(2000 + leeway));
        assert_eq!(over_for_good(None, 1000), Millis::from_seconds(1000 + MAX_EXPIRE_S + leeway));
        assert_eq!(
            over_for_good(Some(i64::MAX), 1000),
            Millis::from_seconds(1000 + MAX_EXPIRE_S + leeway)
        );
        assert_eq!(over_for_good(Some(i64::MAX), i64::MAX), Millis::from_seconds(i64::MAX));
    }
}
