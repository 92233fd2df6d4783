//! Proofs that an application makes with its secret: the request for an access token, and the
//! signature of a call.
//!
//! Both are SHA-256 over a concatenation that ends in the secret, as the platform documents them.
//! They are no HMAC, and nothing separates the parts. A timestamp is valid for 15 minutes around
//! now. A signature can authorize at most one write.

use crate::domain::secret::{Secret, hex, sha256};
use crate::domain::time::Millis;

/// The greatest distance between a timestamp and now.
pub const WINDOW: Millis = Millis::from_seconds(15 * 60);

/// Milliseconds since the epoch. The text is kept as it was sent, because it is signed as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    text: String,
    at: Millis,
}

impl Timestamp {
    /// `None` unless the text is a non-negative int64 in its shortest decimal form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at = text.parse().ok().filter(|at: &i64| *at >= 0 && at.to_string() == text)?;
        Some(Self { text: text.to_owned(), at: Millis(at) })
    }

    #[must_use]
    pub fn is_current(&self, now: Millis) -> bool {
        let distance = now - self.at;
        -WINDOW.0 <= distance.0 && distance <= WINDOW
    }

    /// From this time on, a proof with this timestamp is no longer valid.
    #[must_use]
    pub fn end(&self) -> Millis {
        self.at + WINDOW + Millis(1)
    }
}

/// The proof that requests an access token: lower-case hex SHA-256 of `appKey + timestamp +
/// appSecret`.
#[must_use]
pub fn encryption(access_key: &str, timestamp: &Timestamp, secret: &Secret) -> String {
    digest(&[access_key.as_bytes(), timestamp.text.as_bytes(), secret.expose()])
}

/// The signature of a call: lower-case hex SHA-256 of `accessToken + params + body + timestamp +
/// appSecret`. `params` is the decoded query parameters sorted by name, each as its name followed
/// by its value.
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

/// The name under which a used signature is stored. `what` is the kind of signature, `whose` is an
/// access key or the hash of a token.
#[must_use]
pub fn used_name(what: &str, whose: &str, signature: &str) -> String {
    let lengths = format!("{what}:{}:{}:", whose.len(), signature.len());
    digest(&[lengths.as_bytes(), whose.as_bytes(), signature.as_bytes()])
}

/// Compares in constant time.
#[must_use]
pub fn is_same(expected: &str, sent: &str) -> bool {
    Secret::new(expected) == Secret::new(sent)
}

fn digest(parts: &[&[u8]]) -> String {
    // A `Secret` wipes its memory when it is dropped, and this text ends in the application's
    // secret.
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
        // The English page translates the description but keeps the signature of the original text.
        let body = "{\n  \"count\": 20,\n  \"page\": 1,\n  \"desc\": \"描述\"\n}".as_bytes();
        let timestamp = Timestamp::parse("1572574909697").unwrap();
        let query = pairs(&[("k3", "v3"), ("k1", "v1"), ("k2", "v2")]);
        let signature =
            signature("xxxxaaaxxxx", &query, body, &timestamp, &Secret::new("xxxappSecretxxx"));
        assert_eq!(signature, "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981");
    }

    #[test]
    fn a_timestamp_has_one_spelling_and_is_valid_for_a_quarter_of_an_hour() {
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
