//! Recognizes public keys in texts that are registered as shared secrets, in all usual formats of
//! public keys.
//!
//! A public key is no secret. As the secret of an HS algorithm it would let anybody sign. Keys
//! without a format, such as the bare bytes of an Ed25519 key or of a compressed point, cannot be
//! told from a random secret.

use base64ct::{Base64Unpadded, Encoding};
use serde_json::Value;

use super::der::{self, Reader};

/// Upper-case texts that mark a block of key material, each with the name of that block.
const BLOCKS: [(&str, &str); 8] = [
    ("-----BEGIN PGP", "a PGP block"),
    ("-----BEGIN", "a PEM key"),
    ("-----END", "a PEM key"),
    ("---- BEGIN", "an SSH key"),
    ("PUTTY-USER-KEY-FILE", "a PuTTY key"),
    ("KEYVALUE>", "an XML key"),
    ("X509CERTIFICATE>", "an XML key"),
    ("UNTRUSTED COMMENT:", "a minisign key"),
];

/// The beginnings of SSH key types (RFC 4253, section 6.6; RFC 5656; RFC 8709; OpenSSH's `sk-`
/// types).
const SSH_TYPES: [&str; 7] =
    ["ssh-rsa", "ssh-dss", "ssh-ed25519", "ssh-ed448", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-sha2-"];

/// Members that occur together in a JSON Web Key or a set, even if the rest of it is missing.
const JWK_MEMBERS: [&[&str]; 5] = [&["kty"], &["keys"], &["n", "e"], &["crv", "x"], &["x5c"]];

/// The shortest modulus of an RSA key that is still in use, in bytes.
const MIN_MODULUS_BYTES: usize = 64;

/// Encodings that are removed around a key. Environments and secret managers often hold a PEM file
/// or a JWK as base64.
const MAX_LAYERS: u8 = 2;

/// The kind of public key that the secret is, with its article. `None` if it is none.
#[must_use]
pub fn recognize_public_key(secret: &[u8]) -> Option<&'static str> {
    recognize(secret, MAX_LAYERS)
}

fn recognize(secret: &[u8], layers: u8) -> Option<&'static str> {
    if is_key_der(secret) || is_point(secret) {
        return Some("a public key");
    }
    let text = unwrapped(&String::from_utf8_lossy(secret));
    let upper = text.to_ascii_uppercase();
    let block = BLOCKS.iter().find(|(mark, _)| upper.contains(mark)).map(|(_, what)| *what);
    block.or_else(|| jwk(&text)).or_else(|| ssh(&text)).or_else(|| encoded(&text, layers))
}

/// Removes what copying from a configuration file or a JSON text leaves around and inside a key.
fn unwrapped(text: &str) -> String {
    let escapes = [
        ("\\r", "\n"),
        ("\\n", "\n"),
        ("\\t", " "),
        ("\\u003d", "="),
        ("\\u002b", "+"),
        ("\\u002f", "/"),
        ("\\", ""),
    ];
    let plain =
        escapes.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain));
    let around = |c: char| c.is_whitespace() || "\"'`\u{feff}\u{200b}\0".contains(c);
    plain.trim_matches(around).to_owned()
}

/// A JWK, or a list or set of them, anywhere in a JSON text. Malformed JSON that has `{` and `kty`
/// is recognized, too.
fn jwk(text: &str) -> Option<&'static str> {
    let is_meant = text.contains('{') && text.contains("kty");
    let is_one = || serde_json::from_str(text).is_ok_and(|json| holds_jwk(&json));
    (is_meant || is_one()).then_some("a JWK")
}

fn holds_jwk(json: &Value) -> bool {
    match json {
        Value::Array(items) => items.iter().any(holds_jwk),
        Value::Object(members) => {
            JWK_MEMBERS.iter().any(|names| names.iter().all(|name| members.contains_key(*name)))
                || members.values().any(holds_jwk)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A line of `authorized_keys` or `known_hosts`, or only its base64.
fn ssh(text: &str) -> Option<&'static str> {
    let words: Vec<_> =
        text.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
    let is_type = |word: &str| SSH_TYPES.iter().any(|name| word.starts_with(name));
    let is_line = words
        .windows(2)
        .any(|pair| matches!(pair, [name, key] if is_type(name) && key.starts_with("AAAA")));
    let is_blob = |word: &&str| {
        let bytes = base64(word).unwrap_or_default();
        let name = bytes
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.get(..u32::from_be_bytes(*length) as usize));
        name.and_then(|name| std::str::from_utf8(name).ok()).is_some_and(is_type)
    };
    (is_line || words.iter().any(is_blob)).then_some("an SSH key")
}

/// A key in base64, base64url or hex, or a minisign or age key.
fn encoded(text: &str, layers: u8) -> Option<&'static str> {
    let compact: String = text.split_whitespace().collect();
    if compact.len() == 62
        && compact.starts_with("age1")
        && compact.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return Some("an age key");
    }
    let bytes = base64(&compact);
    if bytes.as_ref().is_some_and(|bytes| bytes.len() == 42 && bytes.starts_with(b"Ed")) {
        return Some("a minisign key");
    }
    let layers = layers.checked_sub(1)?;
    [bytes, hex(&compact)].into_iter().flatten().find_map(|bytes| recognize(&bytes, layers))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let standard: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| {
            if c == '-' {
                '+'
            } else if c == '_' {
                '/'
            } else {
                c
            }
        })
        .collect();
    Base64Unpadded::decode_vec(&standard).ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let digits = text
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let byte = |pair: &[u8]| if let [high, low] = pair { Some(high << 4 | low) } else { None };
    digits.chunks(2).map(byte).collect()
}

/// Whether the bytes have the form of an uncompressed point on P-256, P-384 or P-521 (SEC 1,
/// section 2.3.3). One in 256 random secrets of these odd lengths has that form, too.
fn is_point(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 65 | 97 | 133) && bytes.first() == Some(&4)
}

/// Whether the bytes are a `SubjectPublicKeyInfo`, a PKCS #1 public key, a certificate or a
/// certificate request.
fn is_key_der(bytes: &[u8]) -> bool {
    let read = || {
        let mut outer = Reader::new(bytes);
        let mut key = outer.sequence()?;
        outer.end()?;
        if key.next_is(der::INTEGER) {
            let modulus = key.positive()?;
            key.positive()?;
            key.end()?;
            return (modulus.len() >= MIN_MODULUS_BYTES).then_some(());
        }
        // A certificate consists of the signed part, the signature's algorithm, and the signature.
        let first = key.sequence()?;
        if !first.next_is(der::OBJECT_ID) {
            key.sequence()?;
        }
        key.bits()?;
        key.end()
    };
    read().is_some()
}
