//! Sessions and their opaque tokens, which are random values without a meaning of their own.

use uuid::Builder;

use crate::domain::identity::user::UserId;
use crate::domain::secret::PlainToken;
use crate::domain::time::Millis;

/// A sign-in session. Its token and its cookie have the same lifetime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Not secret.
    pub id: i64,
    pub user_id: UserId,
    /// The client address to which the session was issued.
    pub address: Option<String>,
    pub created_at: Millis,
    pub expires_at: Millis,
}

/// A version 4 UUID (RFC 9562, section 5.4) of 16 random bytes. It has 122 random bits.
#[must_use]
pub fn token(random: [u8; 16]) -> PlainToken {
    PlainToken::new(Builder::from_random_bytes(random).into_uuid().hyphenated().to_string())
}

/// Whether the text has the form of Postern's own tokens. Postern asks no issuer about such a text.
#[must_use]
pub fn is_token(text: &str) -> bool {
    uuid::Uuid::try_parse(text)
        .is_ok_and(|uuid| uuid.get_version_num() == 4 && uuid.hyphenated().to_string() == text)
}

/// The suffix of Postern's `JSESSIONID`. Tomcat names a cluster node in the same way, so clients
/// accept the whole value.
const ROUTE: &str = ".postern";

/// `.postern` after 32 upper-case hex digits of 16 random bytes, the form of the product's own
/// `JSESSIONID`.
#[must_use]
pub fn cookie(random: [u8; 16]) -> PlainToken {
    PlainToken::new(format!("{}{ROUTE}", crate::domain::secret::hex(&random).to_uppercase()))
}

/// Whether a `JSESSIONID` has the form of Postern's. Applications set cookies of that name, too.
#[must_use]
pub fn is_cookie(value: &str) -> bool {
    let digits = value.strip_suffix(ROUTE).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_version_4_uuid() {
        assert_eq!(token([0xff; 16]).expose(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn only_the_spelling_that_is_issued_is_taken_for_a_token() {
        let ours = token([0xab; 16]);
        assert!(is_token(ours.expose()));
        let other_version = ours.expose().replacen("-4", "-1", 1);
        assert_ne!(other_version, ours.expose());
        for other in [
            other_version,
            ours.expose().to_uppercase(),
            ours.expose().replace('-', ""),
            format!("{{{}}}", ours.expose()),
            format!("urn:uuid:{}", ours.expose()),
            "aaa.bbb.ccc".to_owned(),
            String::new(),
        ] {
            assert!(!is_token(&other), "{other}");
        }
    }

    #[test]
    fn a_cookie_is_32_upper_case_hex_digits_and_names_postern() {
        let ours = cookie([0xab; 16]);
        assert_eq!(ours.expose(), format!("{}.postern", "AB".repeat(16)));
        assert!(is_cookie(ours.expose()));
        for other in [
            "AB".repeat(16),
            format!("{}.node1", "AB".repeat(16)),
            ".postern".to_owned(),
            format!("{}.postern", "ab".repeat(16)),
        ] {
            assert!(!is_cookie(&other), "{other}");
        }
    }
}
