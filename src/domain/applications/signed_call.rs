//! What an application proves with its secret: that it may have an access token, and that a call is
//! its own.
//!
//! Both are SHA-256 over a concatenation that ends in the secret, as the platform documents them;
//! not HMAC, and without anything between the parts. A timestamp counts for 15 minutes around now,
//! and what changes something counts once.

use crate::domain::secret::{Secret, hex, sha256};
use crate::domain::time::Millis;

/// How far a timestamp may be from now.
pub const WINDOW: Millis = Millis::from_seconds(15 * 60);

/// Milliseconds since the epoch as an application sent them: they are signed as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    text: String,
    at: Millis,
}

impl Timestamp {
    /// From its digits; `None` where it is no such number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at = text.parse().ok().filter(|at: &i64| *at >= 0 && at.to_string() == text)?;
        Some(Self { text: text.to_owned(), at: Millis(at) })
    }

    /// Whether it counts at `now`.
    #[must_use]
    pub fn is_current(&self, now: Millis) -> bool {
        let distance = now - self.at;
        -WINDOW.0 <= distance.0 && distance <= WINDOW
    }

    /// When what was signed with it counts no more.
    #[must_use]
    pub fn end(&self) -> Millis {
        self.at + WINDOW + Millis(1)
    }
}

/// What asks for an access token: lower-case hex SHA-256 of `appKey + timestamp + appSecret`.
#[must_use]
pub fn encryption(access_key: &str, timestamp: &Timestamp, secret: &Secret) -> String {
    digest(&[access_key.as_bytes(), timestamp.text.as_bytes(), secret.expose()])
}

/// What signs a call: lower-case hex SHA-256 of `accessToken + params + body + timestamp +
/// appSecret`, where `params` are the decoded query parameters in the order of their names, each
/// name and then its value.
#[must_use]
pub fn signature(
    token: &str,
    parameters: &[(String, String)],
    body: &[u8],
    timestamp: &Timestamp,
    secret: &Secret,
) -> String {
    let mut sorted: Vec<_> = parameters.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let params: String =
        sorted.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    digest(&[token.as_bytes(), params.as_bytes(), body, timestamp.text.as_bytes(), secret.expose()])
}

/// The name under which a used signature is remembered. `what` is the kind of it, `whose` an access
/// key or a token's hash.
#[must_use]
pub fn used_name(what: &str, whose: &str, signature: &str) -> String {
    let lengths = format!("{what}:{}:{}:", whose.len(), signature.len());
    digest(&[lengths.as_bytes(), whose.as_bytes(), signature.as_bytes()])
}

/// Whether two signatures are the same, in constant time.
#[must_use]
pub fn is_same(expected: &str, sent: &str) -> bool {
    Secret::new(expected) == Secret::new(sent)
}

fn digest(parts: &[&[u8]]) -> String {
    // Wiped when dropped: it ends in the secret.
    let text = Secret::new(parts.concat());
    hex(&sha256(text.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_published_example_of_a_signed_call() {
        // The English page translates the description, and keeps the signature of the original.
        let body = "{\n  \"count\": 20,\n  \"page\": 1,\n  \"desc\": \"描述\"\n}".as_bytes();
        let timestamp = Timestamp::parse("1572574909697").unwrap();
        let query = pairs(&[("k3", "v3"), ("k1", "v1"), ("k2", "v2")]);
        let signature =
            signature("xxxxaaaxxxx", &query, body, &timestamp, &Secret::new("xxxappSecretxxx"));
        assert_eq!(signature, "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981");
    }

    #[test]
    fn a_timestamp_is_its_digits_and_counts_for_a_quarter_of_an_hour() {
        for wrong in ["", "-1", "+1", "01", "1.5", "9223372036854775808", "1572574909697 "] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong:?}");
        }
        let timestamp = Timestamp::parse("10000000").unwrap();
        let at = |offset: i64| timestamp.is_current(Millis(10_000_000 + offset));
        assert!(at(-900_000) && at(0) && at(900_000));
        assert!(!at(-900_001) && !at(900_001));
        assert!(!timestamp.is_current(timestamp.end()));
    }

    #[test]
    fn signatures_are_compared_whole_and_in_their_case() {
        assert!(is_same("ab12", "ab12"));
        for other in ["AB12", "ab1", "ab123", ""] {
            assert!(!is_same("ab12", other), "{other:?}");
        }
    }
}
