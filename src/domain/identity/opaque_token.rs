//! Opaque tokens: random values that mean nothing by themselves, and the session they stand for.

use uuid::Builder;

use crate::domain::identity::user::UserId;
use crate::domain::secret::PlainToken;
use crate::domain::time::Millis;

/// One sign-in: a token and a cookie with one lifetime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which may be shown.
    pub id: i64,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it was issued to.
    pub address: Option<String>,
    /// When it was issued.
    pub created_at: Millis,
    /// When it ends.
    pub expires_at: Millis,
}

/// A version 4 UUID (RFC 9562, 5.4) of 16 random bytes: 122 bits that nobody guesses.
#[must_use]
pub fn token(random: [u8; 16]) -> PlainToken {
    PlainToken::new(Builder::from_random_bytes(random).into_uuid().hyphenated().to_string())
}

/// Whether a text has the form of our tokens. Nobody else is asked about one that has.
#[must_use]
pub fn is_token(text: &str) -> bool {
    uuid::Uuid::try_parse(text)
        .is_ok_and(|uuid| uuid.get_version_num() == 4 && uuid.hyphenated().to_string() == text)
}

/// With this ends our `JSESSIONID`. Tomcat names a node in this way, so that the value is one for
/// every client.
const ROUTE: &str = ".postern";

/// 32 upper-case hex digits of 16 random bytes, which is what the product's `JSESSIONID` looks
/// like, and `.postern`.
#[must_use]
pub fn cookie(random: [u8; 16]) -> PlainToken {
    PlainToken::new(format!("{}{ROUTE}", crate::domain::secret::hex(&random).to_uppercase()))
}

/// Whether a `JSESSIONID` has the form of ours. Applications set cookies of that name, too.
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
