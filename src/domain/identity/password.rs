//! Password hashes: Argon2id as PHC strings. Each string has its parameters, so they can be raised
//! without a migration.

use argon2id::{Argon2id, Cost};
use password_hash::{Output, PasswordHash as Phc, Salt, SaltString};

use crate::domain::secret::Secret;
use crate::error::Fault;

/// For passwords that are set through Postern.
pub const MIN_CHARACTERS: usize = 8;
/// Longer passwords are refused before they are hashed.
pub const MAX_BYTES: usize = 1024;

/// 19 MiB, two passes, one lane: the minimum that OWASP's Password Storage Cheat Sheet recommends.
const COST: Cost = Cost { memory_kib: 19 * 1024, passes: 2 };
const TAG_BYTES: usize = 32;

/// A hash of no password, with the same cost. An unknown user name is compared with it, so that it
/// takes as long as a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1\
                      $cG9zdGVybi1ub2JvZHkuLg$bm9ib2R5LW5vYm9keS1ub2JvZHktbm9ib2R5LW5vYm8";

/// An Argon2id PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Begins to hash a password that is to be set. Give the resulting tag to [`stored`].
#[must_use]
pub fn begin(password: &Secret, salt: &[u8; 16]) -> Argon2id {
    Argon2id::begin(COST, TAG_BYTES, password.expose(), salt)
}

/// Makes a stored hash from the salt and the tag of [`begin`].
pub fn stored(salt: &[u8; 16], tag: &[u8]) -> Result<PasswordHash, Fault> {
    let fault = |error: &dyn std::fmt::Display| {
        Fault::new(format!("a password could not be hashed: {error}"))
    };
    let salt = SaltString::encode_b64(salt).map_err(|error| fault(&error))?;
    let tag = Output::new(tag).map_err(|error| fault(&error))?;
    let Cost { memory_kib, passes } = COST;
    Ok(PasswordHash(format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${tag}")))
}

/// A stored hash, parsed for comparison with a password.
pub struct Comparison {
    cost: Cost,
    salt: Vec<u8>,
    wanted: Output,
    is_somebodys: bool,
}

impl Comparison {
    /// `stored` is `None` if there is no such user or the user has no password. The comparison then
    /// costs as much and always fails.
    ///
    /// The result is `None` if the stored text does not have the form that [`stored`] makes. The
    /// caller must then treat every password as wrong.
    #[must_use]
    pub fn with(stored: Option<&PasswordHash>) -> Option<Self> {
        let phc = Phc::new(stored.map_or(NOBODY, PasswordHash::as_stored)).ok()?;
        let number = |name: &str| phc.params.get_decimal(name);
        let is_ours = phc.algorithm.as_str() == "argon2id"
            && phc.version == Some(19)
            && number("p") == Some(1);
        let (salt, wanted) = (phc.salt.filter(|_| is_ours)?, phc.hash?);
        let mut bytes = [0; Salt::MAX_LENGTH];
        let salt = salt.decode_b64(&mut bytes).ok()?.to_owned();
        let cost = Cost { memory_kib: number("m")?, passes: number("t")? };
        Some(Self { cost, salt, wanted, is_somebodys: stored.is_some() })
    }

    /// Begins to hash the password with the salt and cost of the stored hash.
    #[must_use]
    pub fn begin(&self, password: &Secret) -> Argon2id {
        Argon2id::begin(self.cost, self.wanted.len(), password.expose(), &self.salt)
    }

    /// Compares the tag with the stored one in constant time.
    #[must_use]
    pub fn is_right(&self, tag: &[u8]) -> bool {
        Output::new(tag).is_ok_and(|tag| tag == self.wanted) && self.is_somebodys
    }
}

/// The rule for a password that is to be set. The error is a phrase to put after the field's name.
pub fn rule(password: &str) -> Result<(), String> {
    if password.chars().count() < MIN_CHARACTERS {
        return Err(format!("must have at least {MIN_CHARACTERS} characters"));
    }
    length_rule(password)
}

/// The rule for a password that another system chose: 1 to [`MAX_BYTES`] bytes.
pub fn length_rule(password: &str) -> Result<(), String> {
    if password.is_empty() || password.len() > MAX_BYTES {
        return Err(format!("must have 1 to {MAX_BYTES} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(password: &str) -> PasswordHash {
        let salt = [7; 16];
        stored(&salt, &begin(&Secret::new(password), &salt).go_on(usize::MAX).unwrap()).unwrap()
    }

    fn is_right(stored: Option<&PasswordHash>, password: &str) -> bool {
        Comparison::with(stored).is_some_and(|comparison| {
            comparison
                .is_right(&comparison.begin(&Secret::new(password)).go_on(usize::MAX).unwrap())
        })
    }

    #[test]
    fn a_password_verifies_against_its_own_hash_only() {
        let stored = hash("correct horse");
        assert!(stored.as_stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(is_right(Some(&stored), "correct horse"));
        assert!(!is_right(Some(&stored), "correct horsf"));
    }

    #[test]
    fn a_hash_of_another_shape_verifies_nothing() {
        let stored = hash("correct horse").as_stored().to_owned();
        for (from, to) in [
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("p=1", "p=2"),
            ("$m", "$x"),
            ("argon2id", "broken"),
            ("v=19$", ""),
        ] {
            let other = PasswordHash::from_stored(&stored.replacen(from, to, 1));
            assert_ne!(other.as_stored(), stored, "{from}");
            assert!(Comparison::with(Some(&other)).is_none(), "{}", other.as_stored());
        }
    }

    #[test]
    fn a_new_password_has_8_characters_and_any_password_1_to_1024_bytes() {
        for (password, is_right, is_right_for_others) in [
            ("", false, false),
            ("a", false, true),
            ("ääääääa", false, true),
            ("äääääääa", true, true),
            (&"a".repeat(1024), true, true),
            (&"a".repeat(1025), false, false),
            (&"ä".repeat(513), false, false),
        ] {
            assert_eq!(rule(password).is_ok(), is_right, "{password}");
            assert_eq!(length_rule(password).is_ok(), is_right_for_others, "{password}");
        }
    }

    #[test]
    fn debug_does_not_show_a_hash() {
        assert_eq!(format!("{:?}", PasswordHash::from_stored("$argon2id$")), "[redacted]");
    }

    #[test]
    fn nobody_has_a_readable_hash_of_the_same_cost() {
        let phc = Phc::new(NOBODY).unwrap();
        assert_eq!(phc.params.to_string(), "m=19456,t=2,p=1");
        assert_eq!(phc.hash.unwrap().len(), TAG_BYTES);
        assert!(!is_right(None, ""));
    }

    #[test]
    fn nobody_signs_in_where_there_is_no_hash_even_with_its_tag() {
        let comparison = Comparison::with(None).unwrap();
        assert!(!comparison.is_right(comparison.wanted.as_bytes()));
    }
}
