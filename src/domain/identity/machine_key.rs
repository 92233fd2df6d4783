//! Machine keys: their form, their rights, and the user for whom a key acts.
//!
//! A key is `pst_`, then 43 base62 characters (256 random bits), then 6 characters of a CRC-32 over
//! those 43. The checksum is not secret. It lets secret scanners recognize a key, and lets Postern
//! refuse a mistyped key without asking the database.

use serde_json::{Value, json};

use crate::domain::identity::user::UserId;
use crate::domain::secret::{HashedToken, PlainToken};
use crate::domain::spelling;
use crate::domain::text;
use crate::domain::time::{Day, Millis};

pub const START: &str = "pst_";
/// Random characters of a key: 62^43 is a little more than 2^256.
const RANDOM: usize = 43;
/// Checksum characters of a key: 62^6 is more than 2^32.
const CHECKSUM: usize = 6;
const LENGTH: usize = START.len() + RANDOM + CHECKSUM;
/// Characters of a key that lists show. The 6 after `pst_` reveal 36 of its 256 bits.
const SHOWN: usize = START.len() + 6;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key's name: 1 to 64 letters, digits, spaces, `-`, `_`, `.`. It is unique among the keys of one
/// user, and among the keys without a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// A right that a key can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Read any decision, and change nothing.
    Decisions,
    /// Import and export users, groups and grants.
    Provisioning,
    /// Everything that an administrator may do. It includes the other two.
    Administration,
}

/// A non-empty set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights(i64);

/// A key, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineKey {
    /// Never reused.
    pub id: i64,
    /// Identifies the key for people, as the user name of HTTP Basic, and in the audit trail.
    pub name: KeyName,
    pub may: Rights,
    /// The user for whom the key acts. The key may do no more than this user.
    pub user_id: Option<UserId>,
    /// The user who made the key, or who made its parent key.
    pub created_by: UserId,
    /// The session with which the key ends.
    pub session_id: Option<i64>,
    /// The key with which this key ends.
    pub parent_id: Option<i64>,
    /// The digest under which the app's token can be revoked that made this key or its parent key.
    /// The key ends when that token is revoked.
    pub token: Option<HashedToken>,
    /// The digest of that token's `jti`, for the same purpose.
    pub jti: Option<HashedToken>,
    /// The token app of that token. The key ends when the app is changed or deleted, because the
    /// token may end then, too.
    pub app: Option<String>,
    pub created_at: Millis,
    /// `None` if the key does not expire.
    pub expires_at: Option<Millis>,
}

/// The part of a secret that lists show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySecret {
    /// The first characters of the key.
    pub prefix: String,
    pub created_at: Millis,
    /// The last day on which the secret was used.
    pub last_used_on: Option<Day>,
}

impl KeyName {
    /// In characters.
    pub const MAX: usize = 64;

    /// The error is a phrase to put after the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::plain(text, Self::MAX, " -_.")?;
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl May {
    pub const ALL: [Self; 3] = [Self::Decisions, Self::Provisioning, Self::Administration];
    /// The words, in the order of [`Self::ALL`].
    pub const NAMES: [&'static str; 3] = ["decisions", "provisioning", "administration"];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::Provisioning => "provisioning",
            Self::Administration => "administration",
        }
    }

    /// The error is a phrase to put after the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|may| may.name() == text);
        found.ok_or_else(|| {
            format!(
                "must be a list of {}, at least one{}",
                Self::NAMES.join(", "),
                spelling::suggestion(text, &Self::NAMES)
            )
        })
    }

    const fn bit(self) -> i64 {
        match self {
            Self::Decisions => 1,
            Self::Provisioning => 2,
            Self::Administration => 4,
        }
    }
}

impl Rights {
    /// `None` for an empty list. Duplicates are ignored.
    #[must_use]
    pub fn of(list: impl IntoIterator<Item = May>) -> Option<Self> {
        Self::from_bits(list.into_iter().fold(0, |bits, may| bits | may.bit()))
    }

    /// `None` unless the bits are a non-empty set of known rights.
    #[must_use]
    pub fn from_bits(bits: i64) -> Option<Self> {
        (1..8).contains(&bits).then_some(Self(bits))
    }

    #[must_use]
    pub fn bits(self) -> i64 {
        self.0
    }

    /// Whether these rights satisfy a demand for `may`. Administration satisfies every demand.
    #[must_use]
    pub fn include(self, may: May) -> bool {
        self.0 & (may.bit() | May::Administration.bit()) != 0
    }

    /// The words, in the order of [`May::ALL`].
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        May::ALL.into_iter().filter(|may| self.0 & may.bit() != 0).map(May::name).collect()
    }
}

impl MachineKey {
    /// The identity of a Worker that calls through a service binding. Nobody made this key and
    /// nobody can present it. It has the right `decisions`, because whoever deploys to this account
    /// can do more than that already.
    #[must_use]
    pub fn of_binding() -> Self {
        Self {
            id: 0,
            name: KeyName("service binding".to_owned()),
            may: Rights(May::Decisions.bit()),
            user_id: None,
            created_by: UserId(0),
            session_id: None,
            parent_id: None,
            token: None,
            jti: None,
            app: None,
            created_at: Millis(0),
            expires_at: None,
        }
    }

    /// The audit trail's view of the key, without secrets.
    #[must_use]
    pub fn for_audit(&self) -> Value {
        json!({
            "id": self.id,
            "may": self.may.names(),
            "userId": self.user_id.map(|id| id.0),
            "expiresAt": self.expires_at,
        })
    }

    #[must_use]
    pub fn is_expired(&self, now: Millis) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

#[must_use]
pub fn generate(random: [u8; 32]) -> PlainToken {
    let random = base62::<RANDOM>(&random);
    let checksum = base62::<CHECKSUM>(&crc32(random.as_bytes()).to_be_bytes());
    PlainToken::new(format!("{START}{random}{checksum}"))
}

/// Whether the text begins like a key, valid or not.
#[must_use]
pub fn looks_like_one(text: &str) -> bool {
    text.starts_with(START)
}

/// Whether the text has the length and the characters of a key. The checksum is not checked.
#[must_use]
pub fn has_form(text: &str) -> bool {
    let is_plain = || text.bytes().skip(START.len()).all(|byte| byte.is_ascii_alphanumeric());
    text.len() == LENGTH && looks_like_one(text) && is_plain()
}

/// Whether the text has the form of a key and the right checksum.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    if !has_form(text) {
        return false;
    }
    let Some((random, checksum)) =
        text.get(START.len()..).and_then(|rest| rest.split_at_checked(RANDOM))
    else {
        return false;
    };
    base62::<CHECKSUM>(&crc32(random.as_bytes()).to_be_bytes()) == checksum
}

#[must_use]
pub fn prefix(key: &PlainToken) -> String {
    shown(key.expose())
}

/// Cuts any text to the length that lists show of a key.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// A big-endian number in `N` base62 digits, with leading zeros. Higher digits are cut off.
fn base62<const N: usize>(number: &[u8]) -> String {
    let mut number = number.to_vec();
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u16;
        for byte in &mut number {
            let value = remainder << 8 | u16::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or_default();
            remainder = value % 62;
        }
        *digit = DIGITS.get(usize::from(remainder)).copied().unwrap_or(b'0');
    }
    digits.iter().copied().map(char::from).collect()
}

/// CRC-32 as in zlib and PNG (ISO 3309), bit by bit. That is fast enough for the 43 bytes of a key.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn number(digits: &str) -> Vec<u8> {
        let mut number = vec![0_u8; 33];
        for digit in digits.bytes() {
            let mut carry = DIGITS.iter().position(|of| *of == digit).expect("a digit");
            for byte in number.iter_mut().rev() {
                let value = usize::from(*byte) * 62 + carry;
                *byte = u8::try_from(value % 256).expect("a byte");
                carry = value / 256;
            }
        }
        number
    }

    #[test]
    fn the_checksum_is_the_crc_32_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn keys_are_written_as_scanners_expect_them() {
        let zeros = format!("pst_{}", "0".repeat(43));
        let key = generate([0; 32]);
        assert_eq!(key.expose().len(), 53);
        assert!(key.expose().starts_with(&zeros), "{}", key.expose());
        assert_eq!(prefix(&key), "pst_000000");
        // The largest number needs all 43 characters, and fits.
        assert!(!generate([0xff; 32]).expose().starts_with("pst_0"));
        for wrong in [
            "",
            "pst_",
            "pst",
            &zeros,
            &key.expose().replace("pst_", "psT_"),
            &format!("{}0", key.expose()),
        ] {
            assert!(!is_well_formed(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_binding_may_ask_and_nothing_else() {
        let key = MachineKey::of_binding();
        assert_eq!(key.may.names(), ["decisions"]);
        assert!(!key.may.include(May::Provisioning) && !key.may.include(May::Administration));
        assert_eq!((key.user_id, key.is_expired(Millis(i64::MAX))), (None, false));
        assert_eq!(KeyName::parse(key.name.as_str()), Ok(key.name.clone()));
    }

    #[test]
    fn a_key_is_over_at_its_end() {
        let key = MachineKey { expires_at: Some(Millis(5)), ..MachineKey::of_binding() };
        assert!(!key.is_expired(Millis(4)) && key.is_expired(Millis(5)));
    }

    #[test]
    fn rights_are_never_none_and_administration_is_all() {
        assert_eq!(Rights::of([]), None);
        assert_eq!(
            (Rights::from_bits(0), Rights::from_bits(8), Rights::from_bits(-1)),
            (None, None, None)
        );
        for may in May::ALL {
            assert_eq!(May::parse(may.name()), Ok(may));
            for other in May::ALL {
                let includes = may == other || may == May::Administration;
                assert_eq!(
                    Rights::of([may]).map(|rights| rights.include(other)),
                    Some(includes),
                    "{may:?} {other:?}"
                );
            }
        }
        let both =
            Rights::of([May::Provisioning, May::Decisions, May::Provisioning]).expect("rights");
        assert_eq!(both.names(), ["decisions", "provisioning"]);
        assert_eq!(Rights::from_bits(both.bits()), Some(both));
        assert!(May::parse("Decisions").is_err() && May::parse("").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn all_random_bits_are_in_the_key(random in any::<[u8; 32]>()) {
            let key = generate(random);
            let key = key.expose();
            prop_assert!(is_well_formed(key), "{}", key);
            let digits = number(&key[4..47]);
            prop_assert_eq!(digits.first(), Some(&0));
            prop_assert_eq!(&digits[1..], &random[..]);
        }

        #[test]
        fn one_wrong_character_is_noticed(
            random in any::<[u8; 32]>(),
            at in 0_usize..53,
            other in "[0-9A-Za-z_ é]",
        ) {
            let key = generate(random).expose().to_owned();
            let wrong = format!("{}{other}{}", &key[..at], &key[at + 1..]);
            prop_assert_eq!(is_well_formed(&wrong), wrong == key, "{}", wrong);
        }

        #[test]
        fn a_key_that_is_cut_or_has_two_characters_swapped_is_noticed(
            random in any::<[u8; 32]>(),
            at in 4_usize..52,
        ) {
            let key = generate(random).expose().to_owned();
            prop_assert!(!is_well_formed(&key[..at]));
            let mut swapped = key.clone().into_bytes();
            swapped.swap(at, at + 1);
            let swapped = String::from_utf8(swapped).expect("ASCII");
            prop_assert_eq!(is_well_formed(&swapped), swapped == key, "{}", swapped);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            prop_assert!(!is_well_formed(&text) || text.starts_with(START));
        }
    }

    #[test]
    fn no_two_of_many_keys_are_the_same() {
        let keys: HashSet<_> =
            (0..=255).map(|byte| generate([byte; 32]).expose().to_owned()).collect();
        assert_eq!(keys.len(), 256);
    }
}
