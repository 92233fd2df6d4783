//! The uses of `MASTER_KEY`. It encrypts secrets at rest, signs the bookmarks and page tokens that
//! Postern gives out, and makes the ids by which the audit trail tells secrets apart.
//!
//! Secrets are sealed by AES-256-GCM. The stored form is `v1.<key id>.<base64url of nonce,
//! ciphertext, tag>`. The key id makes rotation possible. The owner of the secret is bound as
//! associated data, so a sealed value cannot be opened in another row.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use subtle::ConstantTimeEq;

use crate::domain::secret::{Secret, hex, hmac_sha256, sha256};
use crate::error::Fault;

const NONCE_BYTES: usize = 12;

/// Derives the key that signs bookmarks. Each purpose has a key of its own.
const OF_BOOKMARKS: &[u8] = b"postern/bookmark/v1";
/// Derives the key that makes the nonces of values sealed for an export.
const OF_EXPORTS: &[u8] = b"postern/export/v1";
/// Derives the key that seals sessions of the gateway.
const OF_SESSIONS: &[u8] = b"postern/session/v1";
/// Derives the key that seals sessions of the console.
const OF_CONSOLE: &[u8] = b"postern/console/v1";
/// Derives the key that seals what the isolates of a data center share. The next one derives the
/// key that makes the names of these entries.
const OF_SHARED: &[u8] = b"postern/shared/v1";
const OF_SHARED_NAMES: &[u8] = b"postern/shared-names/v1";
/// Derives the key that makes ids of secrets.
const OF_SECRET_IDS: &[u8] = b"postern/secret-id/v1";
/// Derives the key that signs page tokens.
const OF_PAGES: &[u8] = b"postern/page/v1";
/// The longest signed bookmark. A bookmark of D1 has about 60 characters, and its signature has 43.
const MAX_BOOKMARK_BYTES: usize = 256;

/// The current key, and the one that it replaces.
pub struct MasterKeys {
    current: MasterKey,
    previous: Option<MasterKey>,
}

/// A key of 32 bytes, with the keys derived from it.
#[derive(Clone)]
pub struct MasterKey {
    id: String,
    cipher: Aes256Gcm,
    of_sessions: Aes256Gcm,
    of_console: Aes256Gcm,
    of_shared: Aes256Gcm,
    of_shared_names: Secret,
    of_bookmarks: Secret,
    of_exports: Secret,
    of_pages: Secret,
    of_secret_ids: Secret,
}

impl MasterKey {
    /// Reads 64 hex digits, or 32 bytes in base64 (standard or URL-safe, padded or not). The error
    /// is a phrase to put after the variable's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bytes = from_hex(text).or_else(|| from_base64(text)).filter(|bytes| bytes.len() == 32);
        let bytes = Secret::new(bytes.ok_or("must be 32 bytes, in base64 or hex")?);
        let id = hex(&sha256(bytes.expose())).chars().take(8).collect();
        let derived = |purpose| Secret::new(hmac_sha256(bytes.expose(), purpose));
        Ok(Self {
            id,
            cipher: Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(bytes.expose())),
            of_sessions: Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(
                derived(OF_SESSIONS).expose(),
            )),
            of_console: Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(derived(OF_CONSOLE).expose())),
            of_shared: Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(derived(OF_SHARED).expose())),
            of_shared_names: derived(OF_SHARED_NAMES),
            of_bookmarks: derived(OF_BOOKMARKS),
            of_exports: derived(OF_EXPORTS),
            of_pages: derived(OF_PAGES),
            of_secret_ids: derived(OF_SECRET_IDS),
        })
    }

    fn mark_of_page(&self, text: &str) -> String {
        Base64UrlUnpadded::encode_string(&hmac_sha256(self.of_pages.expose(), text.as_bytes()))
    }

    fn mark(&self, bookmark: &str) -> String {
        Base64UrlUnpadded::encode_string(&hmac_sha256(
            self.of_bookmarks.expose(),
            bookmark.as_bytes(),
        ))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let unpadded = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    base64ct::Base64Unpadded::decode_vec(&unpadded).or_else(|_| Base64::decode_vec(text)).ok()
}

impl MasterKeys {
    /// `previous` is the old key while it is being replaced.
    #[must_use]
    pub fn new(current: MasterKey, previous: Option<MasterKey>) -> Self {
        Self { current, previous }
    }

    /// The id of the key that seals new values.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    /// The id of the key that is being replaced.
    #[must_use]
    pub fn previous_id(&self) -> Option<&str> {
        self.previous.as_ref().map(|key| key.id.as_str()).filter(|id| *id != self.current.id)
    }

    /// Seals a secret. `belongs_to` names its owner, for example `token_app/ERP`. `nonce` must be
    /// random.
    pub fn seal(
        &self,
        secret: &[u8],
        belongs_to: &str,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Fault> {
        seal_with(&self.current.cipher, &self.current.id, secret, belongs_to, nonce)
    }

    /// Seals the content of a gateway session, with a derived key. `nonce` must be random.
    pub fn seal_session(
        &self,
        stands_for: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Fault> {
        seal_with(&self.current.of_sessions, &self.current.id, stands_for, SESSION, nonce)
    }

    /// Opens the result of [`seal_session`](Self::seal_session).
    #[must_use]
    pub fn open_session(&self, sealed: &str) -> Option<Secret> {
        self.open_with(|key| &key.of_sessions, sealed, SESSION)
    }

    /// Seals the content of a console session, with another derived key. `nonce` must be random.
    pub fn seal_console(
        &self,
        stands_for: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Fault> {
        seal_with(&self.current.of_console, &self.current.id, stands_for, CONSOLE, nonce)
    }

    /// Opens the result of [`seal_console`](Self::seal_console).
    #[must_use]
    pub fn open_console(&self, sealed: &str) -> Option<Secret> {
        self.open_with(|key| &key.of_console, sealed, CONSOLE)
    }

    /// The name of an entry that the isolates of a data center share. It reveals nothing about the
    /// entry to others.
    #[must_use]
    pub fn name_of_shared(&self, what: &str) -> String {
        hex(&hmac_sha256(self.current.of_shared_names.expose(), what.as_bytes()))
    }

    /// Seals a shared entry under its name. `nonce` must be random.
    pub fn seal_shared(
        &self,
        text: &[u8],
        name: &str,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Fault> {
        seal_with(&self.current.of_shared, &self.current.id, text, name, nonce)
    }

    /// Opens the result of [`seal_shared`](Self::seal_shared) under the same name.
    #[must_use]
    pub fn open_shared(&self, sealed: &str, name: &str) -> Option<Secret> {
        self.open_with(|key| &key.of_shared, sealed, name)
    }

    /// Seals a value for an export. The result is always the same, so that two exports of the same
    /// state are equal. The nonce is derived from the value and its owner, so no nonce is used for
    /// two different values.
    pub fn seal_for_export(&self, value: &[u8], belongs_to: &str) -> Result<String, Fault> {
        let length = u64::try_from(belongs_to.len()).unwrap_or(u64::MAX).to_be_bytes();
        let mark = hmac_sha256(
            self.current.of_exports.expose(),
            &[&length, belongs_to.as_bytes(), value].concat(),
        );
        let nonce =
            mark.first_chunk().ok_or_else(|| Fault::new("a digest is shorter than a nonce"))?;
        self.seal(value, belongs_to, *nonce)
    }

    /// An id of a secret, by which people see whether it was replaced: 12 hex digits. Without the
    /// master key, nobody can use it to guess the secret, however short the secret is.
    #[must_use]
    pub fn id_of_secret(&self, secret: &[u8]) -> String {
        hex(&hmac_sha256(self.current.of_secret_ids.expose(), secret)).chars().take(12).collect()
    }

    /// Opens the result of [`seal`](Self::seal). `None` if no known key opens it, or if
    /// `belongs_to` is wrong.
    #[must_use]
    pub fn open(&self, stored: &str, belongs_to: &str) -> Option<Secret> {
        self.open_with(|key| &key.cipher, stored, belongs_to)
    }

    fn open_with(
        &self,
        cipher: impl Fn(&MasterKey) -> &Aes256Gcm,
        stored: &str,
        belongs_to: &str,
    ) -> Option<Secret> {
        let (id, text) = stored.strip_prefix("v1.")?.split_once('.')?;
        let key = [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| key.id == id)?;
        let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
        let payload = Payload { msg: sealed, aad: belongs_to.as_bytes() };
        cipher(key).decrypt(Nonce::from_slice(nonce), payload).ok().map(Secret::new)
    }
}

/// The owner of a sealed gateway session.
const SESSION: &str = "session";
/// The owner of a sealed console session.
const CONSOLE: &str = "console session";

fn seal_with(
    cipher: &Aes256Gcm,
    key_id: &str,
    secret: &[u8],
    belongs_to: &str,
    nonce: [u8; NONCE_BYTES],
) -> Result<String, Fault> {
    let sealed = cipher
        .encrypt(Nonce::from_slice(&nonce), Payload { msg: secret, aad: belongs_to.as_bytes() });
    let sealed = sealed.map_err(|_| Fault::new(format!("{belongs_to} could not be encrypted")))?;
    let bytes = [nonce.as_slice(), &sealed].concat();
    Ok(format!("v1.{key_id}.{}", Base64UrlUnpadded::encode_string(&bytes)))
}

impl MasterKeys {
    /// Signs a bookmark of D1 for clients.
    #[must_use]
    pub fn marked(&self, bookmark: &str) -> String {
        format!("{bookmark}.{}", self.current.mark(bookmark))
    }

    /// The bookmark in the result of [`marked`](Self::marked). `None` if no known key signed it.
    #[must_use]
    pub fn bookmark_of<'t>(&self, marked: &'t str) -> Option<&'t str> {
        let (bookmark, mark) =
            marked.rsplit_once('.').filter(|_| marked.len() <= MAX_BOOKMARK_BYTES)?;
        let is_mark_of =
            |key: &MasterKey| bool::from(key.mark(bookmark).as_bytes().ct_eq(mark.as_bytes()));
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .any(is_mark_of)
            .then_some(bookmark)
    }
}

impl MasterKeys {
    /// The signature of a page token's text.
    #[must_use]
    pub fn mark_of_page(&self, text: &str) -> String {
        self.current.mark_of_page(text)
    }

    /// Whether a known key made the signature for this text.
    #[must_use]
    pub fn is_mark_of_page(&self, text: &str, mark: &str) -> bool {
        let is_mark_of =
            |key: &MasterKey| bool::from(key.mark_of_page(text).as_bytes().ct_eq(mark.as_bytes()));
        [Some(&self.current), self.previous.as_ref()].into_iter().flatten().any(is_mark_of)
    }
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: u8, previous: Option<u8>) -> MasterKeys {
        let key = |byte: u8| MasterKey::parse(&hex(&[byte; 32])).unwrap();
        MasterKeys::new(key(current), previous.map(key))
    }

    #[test]
    fn a_sealed_value_opens_only_for_its_owner() {
        let keys = keys(1, None);
        let stored = keys.seal(b"abcd", "token_app/ERP", [9; 12]).unwrap();
        assert!(!stored.contains("abcd"));
        assert_eq!(keys.open(&stored, "token_app/ERP"), Some(Secret::new("abcd")));
        assert_eq!(keys.open(&stored, "token_app/CRM"), None);
        assert_eq!(keys.open(&stored[..stored.len() - 2], "token_app/ERP"), None);
        assert_eq!(keys.open("v1", "token_app/ERP"), None);
    }

    #[test]
    fn a_session_opens_as_one_only_and_also_by_the_previous_key() {
        let sealed = keys(1, None).seal_session(b"abcd", [9; 12]).unwrap();
        assert_eq!(keys(1, None).open_session(&sealed), Some(Secret::new("abcd")));
        assert_eq!(keys(2, Some(1)).open_session(&sealed), Some(Secret::new("abcd")));
        assert_eq!(keys(2, None).open_session(&sealed), None);
        assert_eq!(keys(1, None).open(&sealed, SESSION), None, "its key is another one");
        let secret = keys(1, None).seal(b"abcd", SESSION, [9; 12]).unwrap();
        assert_eq!(keys(1, None).open_session(&secret), None);
    }

    #[test]
    fn a_session_of_the_console_opens_as_one_only() {
        let sealed = keys(1, None).seal_console(b"abcd", [9; 12]).unwrap();
        assert_eq!(keys(1, None).open_console(&sealed), Some(Secret::new("abcd")));
        assert_eq!(keys(2, Some(1)).open_console(&sealed), Some(Secret::new("abcd")));
        assert_eq!(keys(2, None).open_console(&sealed), None);
        assert_eq!(
            (keys(1, None).open(&sealed, CONSOLE), keys(1, None).open_session(&sealed)),
            (None, None)
        );
        let others = [
            keys(1, None).seal(b"abcd", CONSOLE, [9; 12]),
            keys(1, None).seal_session(b"abcd", [9; 12]),
        ];
        for other in others {
            assert_eq!(keys(1, None).open_console(&other.unwrap()), None);
        }
    }

    #[test]
    fn shared_entries_open_only_under_their_name_which_reveals_nothing() {
        let keys = keys(1, None);
        let (window, other) = (keys.name_of_shared("window"), keys.name_of_shared("user/alice"));
        let sealed = keys.seal_shared(b"abcd", &window, [9; 12]).unwrap();
        assert_eq!(keys.open_shared(&sealed, &window), Some(Secret::new("abcd")));
        assert_eq!(keys.open_shared(&sealed, &other), None);
        assert_eq!(
            (keys.open(&sealed, &window), keys.open_session(&sealed)),
            (None, None),
            "its key is another one"
        );
        assert_ne!(
            window,
            MasterKeys::new(MasterKey::parse(&hex(&[2; 32])).unwrap(), None)
                .name_of_shared("window")
        );
    }

    #[test]
    fn a_rotated_key_still_opens_while_it_is_the_previous_one() {
        let stored = keys(1, None).seal(b"abcd", "x", [9; 12]).unwrap();
        assert_eq!(keys(2, Some(1)).open(&stored, "x"), Some(Secret::new("abcd")));
        assert_eq!(keys(2, None).open(&stored, "x"), None);
    }

    #[test]
    fn a_bookmark_is_valid_if_one_of_the_keys_signed_it() {
        let bookmark = "00000001-00000002-00000003-0123456789abcdef0123456789abcdef";
        let marked = keys(1, None).marked(bookmark);
        assert_eq!(keys(1, None).bookmark_of(&marked), Some(bookmark));
        assert_eq!(keys(2, Some(1)).bookmark_of(&marked), Some(bookmark));
        assert_eq!(keys(2, None).bookmark_of(&marked), None);
        let (_, mark) = marked.rsplit_once('.').unwrap();
        for other in [
            bookmark,
            "first-primary",
            &format!("first-primary.{mark}"),
            &format!("{bookmark}."),
            "",
        ] {
            assert_eq!(keys(1, None).bookmark_of(other), None, "{other}");
        }
        let endless = keys(1, None).marked(&"0".repeat(300));
        assert_eq!(keys(1, None).bookmark_of(&endless), None);
    }

    #[test]
    fn a_key_is_32_bytes_in_base64_or_hex() {
        let base64 = Base64::encode_string(&[0xfb; 32]);
        let url = base64.replace('+', "-").replace('/', "_");
        let ids: Vec<_> =
            [hex(&[0xfb; 32]), base64.clone(), url, base64.trim_end_matches('=').to_owned()]
                .iter()
                .map(|text| MasterKey::parse(text).map(|key| key.id))
                .collect();
        assert!(ids.iter().all(|id| *id == ids[0] && id.is_ok()), "{ids:?}");
        for wrong in ["", "abcd", &hex(&[1; 31]), &Base64::encode_string(&[1; 33]), "ä"] {
            assert!(MasterKey::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
