//! Revocations of tokens that have not expired.
//!
//! A revocation names a JSON Web Token by the SHA-256 of its signed text: header and claims as they
//! were sent. The signature is left out, because one token may have several valid ones: from an
//! ECDSA signature (r, s), anybody can make (r, n − s). The signed text has one spelling only,
//! since any other would not verify.

use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::{AppName, MAX_EXPIRE_S};

/// The kind of thing that a revocation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationKind {
    Token,
    /// All tokens of an app with one `jti`.
    Jti,
}

/// The name of what is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevocationKey {
    pub kind: RevocationKind,
    /// The digest of the signed text, or of the app's name, a slash and the `jti`.
    pub digest: HashedToken,
}

/// A revocation in the form that isolates keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    pub key: RevocationKey,
    /// The token has expired by then, so that the revocation can be deleted.
    pub until: Millis,
}

/// The details of a revocation that administrators see.
#[derive(Debug, Clone)]
pub struct Listed {
    pub app: String,
    /// The user that the token named. `None` if only the `jti` was given.
    pub username: Option<String>,
    /// Cut to [`MAX_JTI`] characters.
    pub jti: Option<String>,
}

/// The longest `jti` that can be revoked without its token, in characters.
pub const MAX_JTI: usize = 256;

impl RevocationKind {
    pub const ALL: [Self; 2] = [Self::Token, Self::Jti];

    /// The word in the database and in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Jti => "jti",
        }
    }

    /// `None` for a kind of another release.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl RevocationKey {
    /// The key of a single token. `digest` is that of its signed text.
    #[must_use]
    pub fn of_token(digest: HashedToken) -> Self {
        Self { kind: RevocationKind::Token, digest }
    }

    /// The key of an app's `jti`. A slash separates both, because no app has one in its name.
    #[must_use]
    pub fn of_jti(app: &AppName, jti: &str) -> Self {
        let digest = HashedToken::of(&[app.as_str().as_bytes(), b"/", jti.as_bytes()]);
        Self { kind: RevocationKind::Jti, digest }
    }
}

impl Revocation {
    /// The form in the change feed, and in the list that cold isolates read:
    /// `token/<digest>/<until>`.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { key: RevocationKey { kind, digest }, until } = self;
        format!("{}/{}/{}", kind.name(), digest.to_hex(), until.0)
    }

    /// `None` for a kind of another release.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let kind = RevocationKind::from_name(parts.next()?)?;
        let digest = HashedToken::from_hex(parts.next()?)?;
        let until = Millis(parts.next()?.parse().ok()?);
        Some(Self { key: RevocationKey { kind, digest }, until })
    }
}

/// The digest of a token's signed text, which is everything before its signature.
#[must_use]
pub fn digest_of(token: &str) -> HashedToken {
    HashedToken::of(&[token.rsplit_once('.').map_or(token, |(signed, _)| signed).as_bytes()])
}

/// The greatest `CLOCK_LEEWAY_S`, in seconds.
pub const MAX_LEEWAY_S: i64 = 600;

/// The time after which no setting can make a token valid again. That is its `exp`, or its time of
/// issue plus the longest `expire` that an app may have, whichever is earlier. The greatest leeway
/// is added. The app's own `expire` is not used, because an administrator may raise it, and the
/// token would become valid again.
#[must_use]
pub fn over_for_good(exp_s: Option<i64>, issued_at_s: i64) -> Millis {
    let longest = issued_at_s.saturating_add(MAX_EXPIRE_S);
    let end = exp_s.map_or(longest, |exp| exp.min(longest));
    Millis::from_seconds(end.saturating_add(MAX_LEEWAY_S))
}

/// Seconds after the stated end of a token within which an endpoint may extend it.
const MAX_PUT_OFF_S: i64 = 30 * 24 * 60 * 60;

/// The same for a token that an introspection endpoint calls active until `exp_s`. The next answer
/// may state a later end, so thirty days are added to `exp_s` or to the end by the app's `expire`,
/// whichever is later. If the endpoint states no end, the revocation is kept for as long as any
/// token may be valid.
#[must_use]
pub fn over_for_endpoint(exp_s: Option<i64>, expire_s: i64, now: Millis) -> Millis {
    let latest = latest_end(now);
    let Some(exp_s) = exp_s else { return latest };
    let end = exp_s.max(now.seconds().saturating_add(expire_s)).saturating_add(MAX_PUT_OFF_S);
    Millis::from_seconds(end.min(latest.seconds()))
}

/// The same for a token of which only the `jti` is known. It may have been issued right now, by a
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

    #[test]
    fn an_endpoint_may_extend_a_token_by_thirty_days() {
        const MONTH_S: i64 = 2_592_000;
        let over =
            |exp_s, expire_s| over_for_endpoint(exp_s, expire_s, Millis(1_000_000)).seconds();
        assert_eq!(over(Some(5_000), 3_000), 5_000 + MONTH_S, "later than by the app");
        assert_eq!(over(Some(2_000), 3_000), 1_000 + 3_000 + MONTH_S, "by the app");
        let latest = 1_000 + MAX_LEEWAY_S + MAX_EXPIRE_S + MAX_LEEWAY_S;
        assert_eq!(latest_end(Millis(1_000_000)).seconds(), latest);
        for exp_s in [None, Some(i64::MAX)] {
            assert_eq!(over(exp_s, 3_000), latest, "{exp_s:?}");
        }
    }

    #[test]
    fn a_digest_leaves_the_signature_out() {
        assert_eq!(digest_of("a.b.c"), HashedToken::of(&[b"a.b"]));
        assert_eq!(digest_of("a.b.d"), digest_of("a.b.c"));
        assert_eq!(digest_of("opaque"), HashedToken::of(&[b"opaque"]));
    }
}
