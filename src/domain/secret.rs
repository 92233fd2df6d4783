//! Texts that must not leak. They are redacted in `Debug`, have no `Display`, are compared in
//! constant time, and are wiped when dropped.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret of any kind, for example a password or a shared key.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes. Use them only where they are needed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// `None` if the bytes are not UTF-8.
    #[must_use]
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// In bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        // Compares digests, so that the time does not depend on the length.
        sha256(&self.0).ct_eq(&sha256(&other.0)).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Prefix of the value of a cookie before it is hashed.
const OF_COOKIES: &[u8] = b"cookie:";
/// The same for the cookie of a gateway session.
const OF_SESSIONS: &[u8] = b"session:";
/// The same for the cookie of a console session.
const OF_CONSOLE: &[u8] = b"console:";

/// A token as its bearer sends it.
#[derive(Clone)]
pub struct PlainToken(Zeroizing<String>);

impl PlainToken {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text. Use it only to parse a token, or to answer with a new one.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hash that is stored and compared. A token that begins like a cookie's prefix gets
    /// another prefix first, so it never has the hash of a cookie. No token that Postern issues
    /// begins so.
    #[must_use]
    pub fn hashed(&self) -> HashedToken {
        let is_like = |begin| self.0.as_bytes().starts_with(begin);
        let is_taken = [OF_COOKIES, OF_SESSIONS, OF_CONSOLE].into_iter().any(is_like);
        let begin: &[u8] = if is_taken { b"token:" } else { b"" };
        HashedToken(sha256_of(&[begin, self.0.as_bytes()]))
    }

    /// The hash of a cookie that is stored and compared. It differs from the hash of a token, so
    /// neither is ever accepted as the other.
    #[must_use]
    pub fn hashed_as_cookie(&self) -> HashedToken {
        HashedToken(sha256_of(&[OF_COOKIES, self.0.as_bytes()]))
    }

    /// The hash of a gateway session's cookie, which is a different kind of credential.
    #[must_use]
    pub fn hashed_as_session(&self) -> HashedToken {
        HashedToken(sha256_of(&[OF_SESSIONS, self.0.as_bytes()]))
    }

    /// The hash of a console session's cookie.
    #[must_use]
    pub fn hashed_as_console(&self) -> HashedToken {
        HashedToken(sha256_of(&[OF_CONSOLE, self.0.as_bytes()]))
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashedToken([u8; 32]);

impl HashedToken {
    /// Hashes the concatenation of the parts.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(sha256_of(parts))
    }

    /// `None` if the text is not 32 bytes in hex.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit =
            |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?);
        let bytes = text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
        bytes.try_into().ok().map(Self)
    }

    /// Lower-case hex, as the database stores it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Debug for HashedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256_of(&[bytes])
}

/// SHA-256 of the concatenation of the parts.
#[must_use]
pub fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into()
}

/// HMAC with SHA-256 (RFC 2104).
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC pads or hashes each key to exactly one block. A key of that length is the only one for
    // which this API cannot fail.
    let mut block = [0; 64];
    let hashed = sha256(key);
    let key = if key.len() > block.len() { &hashed } else { key };
    for (byte, of_key) in block.iter_mut().zip(key) {
        *byte = *of_key;
    }
    <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into())
        .chain_update(message)
        .finalize()
        .into_bytes()
        .into()
}

#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let mac = |key: &[u8], message: &[u8]| hex(&hmac_sha256(key, message));
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(mac(b"Jefe", b"what do ya want for nothing?"), expected);
        let long_key = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let expected = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(mac(&[0xaa; 131], long_key), expected);
    }

    #[test]
    fn debug_is_redacted() {
        let token = PlainToken::new("hunter2");
        for text in [
            format!("{:?}", Secret::new("hunter2")),
            format!("{token:?}"),
            format!("{:?}", token.hashed()),
        ] {
            assert_eq!(text, "[redacted]");
        }
    }

    #[test]
    fn equality_is_of_the_whole() {
        assert_eq!(Secret::new("abc"), Secret::new("abc"));
        assert_ne!(Secret::new("abc"), Secret::new("abd"));
        assert_ne!(Secret::new("abc"), Secret::new("ab"));
    }

    #[test]
    fn no_token_is_stored_as_a_cookie_is() {
        let of = PlainToken::new("abc");
        let cookies = [
            ("cookie:", of.hashed_as_cookie()),
            ("session:", of.hashed_as_session()),
            ("console:", of.hashed_as_console()),
        ];
        for (begin, cookie) in cookies {
            for token in [
                "abc".to_owned(),
                format!("{begin}abc"),
                format!("token:{begin}abc"),
                format!("{begin}{begin}abc"),
            ] {
                assert_ne!(PlainToken::new(token.as_str()).hashed(), cookie, "{token}");
            }
            assert_eq!(cookies.iter().filter(|(_, other)| *other == cookie).count(), 1, "{begin}");
        }
    }

    #[test]
    fn tokens_are_stored_as_sha256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(PlainToken::new("abc").hashed().to_hex(), expected);
        assert_eq!(HashedToken::from_hex(expected), Some(PlainToken::new("abc").hashed()));
        for wrong in
            ["", "ba", &expected[..63], &format!("{expected}00"), &expected.replace('b', "g")]
        {
            assert_eq!(HashedToken::from_hex(wrong), None, "{wrong:?}");
        }
    }
}
