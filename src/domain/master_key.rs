//! What `MASTER_KEY` is for: it encrypts secrets at rest, marks the bookmarks that Postern gives,
//! and gives secrets the ids by which the audit trail tells them apart.
//!
//! Secrets are sealed by AES-256-GCM, with a key id in the stored form so that the key can be
//! rotated.
//!
//! Stored form: `v1.<key id>.<base64url of nonce, ciphertext, tag>`. What it belongs to is bound as
//! associated data, so that a sealed value that is moved to another row does not open.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use subtle::ConstantTimeEq;

use crate::domain::secret::{Secret, hex, hmac_sha256, sha256};
use crate::error::Fault;

const NONCE_BYTES: usize = 12;

/// What the key that marks bookmarks is derived with, so that it is no key for anything else.
const OF_BOOKMARKS: &[u8] = b"postern/bookmark/v1";
/// The same for the key that makes the nonces of what is sealed for an export.
const OF_EXPORTS: &[u8] = b"postern/export/v1";
/// The same for the key that seals sessions of the gateway.
const OF_SESSIONS: &[u8] = b"postern/session/v1";
/// The same for the key that seals sessions of the console.
const OF_CONSOLE: &[u8] = b"postern/console/v1";
/// The same for the key that seals what the isolates of a data centre share, and for the one that
/// names it.
const OF_SHARED: &[u8] = b"postern/shared/v1";
const OF_SHARED_NAMES: &[u8] = b"postern/shared-names/v1";
/// The same for the key that makes ids of secrets.
const OF_SECRET_IDS: &[u8] = b"postern/secret-id/v1";
/// The same for the key that marks the tokens of pages.
const OF_PAGES: &[u8] = b"postern/page/v1";
/// A longer text is none that was marked: D1's bookmarks have some 60 characters, and the mark 43.
const MAX_BOOKMARK_BYTES: usize = 256;

/// The keys that are known: the one that seals, and those that still open.
pub struct MasterKeys {
    current: MasterKey,
    previous: Option<MasterKey>,
}

/// One key of 32 bytes.
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
    /// From 64 hex digits, or from 32 bytes in base64 (standard or URL-safe, padded or not); the
    /// error is the phrase that follows the variable's name.
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
    /// The current key, and the one before it while it is being replaced.
    #[must_use]
    pub fn new(current: MasterKey, previous: Option<MasterKey>) -> Self {
        Self { current, previous }
    }

    /// The id under which new values are sealed.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    /// The id of the key that is being replaced.
    #[must_use]
    pub fn previous_id(&self) -> Option<&str> {
        self.previous.as_ref().map(|key| key.id.as_str()).filter(|id| *id != self.current.id)
    }

    /// Seals a secret. `belongs_to` says what it is ("`token_app/ERP`"); `nonce` must be random.
    pub fn seal(
        &self,
        secret: &[u8],
        belongs_to: &str,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Fault> {
        seal_with(&self.current.cipher, &self.current.id, secret, belongs_to, nonce)
    }

    /// Seals what a session of the gateway stands for, under a key of its own; `nonce` must be
    /// random.
    pub fn seal_session(
        &self,
        stands_for: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Fault> {
        seal_with(&self.current.of_sessions, &self.current.id, stands_for, SESSION, nonce)
    }

    /// Opens what [`seal_session`](Self::seal_session) made.
    #[must_use]
    pub fn open_session(&self, sealed: &str) -> Option<Secret> {
        self.open_with(|key| &key.of_sessions, sealed, SESSION)
    }

    /// Seals what a session of the console stands for, likewise.
    pub fn seal_console(
        &self,
        stands_for: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Fault> {
        seal_with(&self.current.of_console, &self.current.id, stands_for, CONSOLE, nonce)
    }

    /// Opens what [`seal_console`](Self::seal_console) made.
    #[must_use]
    pub fn open_console(&self, sealed: &str) -> Option<Secret> {
        self.open_with(|key| &key.of_console, sealed, CONSOLE)
    }

    /// The name under which the isolates of a data centre share something. Nobody else can tell
    /// what it is.
    #[must_use]
    pub fn name_of_shared(&self, what: &str) -> String {
        hex(&hmac_sha256(self.current.of_shared_names.expose(), what.as_bytes()))
    }

    /// Seals what they share under that name; `nonce` must be random.
    pub fn seal_shared(
        &self,
        text: &[u8],
        name: &str,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Fault> {
        seal_with(&self.current.of_shared, &self.current.id, text, name, nonce)
    }

    /// Opens what [`seal_shared`](Self::seal_shared) made under that name.
    #[must_use]
    pub fn open_shared(&self, sealed: &str, name: &str) -> Option<Secret> {
        self.open_with(|key| &key.of_shared, sealed, name)
    }

    /// Seals a value for an export: always to the same text, so that two exports of one state are
    /// the same. The nonce is derived from the value and from what it belongs to, so that no nonce
    /// serves two values.
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

    /// A name for a secret, by which people see whether it was replaced: 12 hex digits. Whoever
    /// does not have the master key cannot find the secret by trying, however short it is.
    #[must_use]
    pub fn id_of_secret(&self, secret: &[u8]) -> String {
        hex(&hmac_sha256(self.current.of_secret_ids.expose(), secret)).chars().take(12).collect()
    }

    /// Opens what [`seal`](Self::seal) made; `None` where no known key opens it as what it is said
    /// to be.
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

/// What a sealed session belongs to.
const SESSION: &str = "session";
/// What a sealed session of the console belongs to.
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
    /// A bookmark of D1 as clients get it: with a mark that only this deployment can make.
    #[must_use]
    pub fn marked(&self, bookmark: &str) -> String {
        format!("{bookmark}.{}", self.current.mark(bookmark))
    }

    /// The bookmark of D1 in what [`marked`](Self::marked) made; `None` for anything else.
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
    /// A mark by which the text of a page's token is known again.
    #[must_use]
    pub fn mark_of_page(&self, text: &str) -> String {
        self.current.mark_of_page(text)
    }

    /// Whether [`mark_of_page`](Self::mark_of_page) made the mark for this text.
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
    fn what_was_sealed_opens_as_itself_only() {
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
    fn what_is_shared_opens_under_its_name_only_and_names_tell_nothing() {
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
    fn a_bookmark_counts_where_one_of_the_keys_marked_it() {
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
