//! Passwords: Argon2id, as PHC strings, so that the parameters can be raised without a migration.

use argon2id::{Argon2id, Cost};
use password_hash::{Output, PasswordHash as Phc, Salt, SaltString};

use crate::domain::secret::Secret;
use crate::error::Fault;

/// The shortest password that can be set.
pub const MIN_CHARACTERS: usize = 8;
/// The longest password that is looked at.
pub const MAX_BYTES: usize = 1024;

/// 19 MiB, two passes, one lane: OWASP's first choice.
const COST: Cost = Cost { memory_kib: 19 * 1024, passes: 2 };
const TAG_BYTES: usize = 32;

/// The hash of a password that nobody has, of the same cost: so that an unknown user takes the time
/// of a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$cG9zdGVybi1ub2JvZHkuLg$bm9ib2R5LW5vYm9keS1ub2JvZHktbm9ib2R5LW5vYm8";

/// An Argon2id PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// What was stored.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// What to store.
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

/// A password that is to be hashed under this salt: what [`stored`] then makes a stored hash of.
#[must_use]
pub fn begin(password: &Secret, salt: &[u8; 16]) -> Argon2id {
    Argon2id::begin(COST, TAG_BYTES, password.expose(), salt)
}

/// The hash whose computation [`begin`] began under this salt.
pub fn stored(salt: &[u8; 16], tag: &[u8]) -> Result<PasswordHash, Fault> {
    let fault = |error: &dyn std::fmt::Display| {
        Fault::new(format!("a password could not be hashed: {error}"))
    };
    let salt = SaltString::encode_b64(salt).map_err(|error| fault(&error))?;
    let tag = Output::new(tag).map_err(|error| fault(&error))?;
    let Cost { memory_kib, passes } = COST;
    Ok(PasswordHash(format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${tag}")))
}

/// What a password is compared with.
pub struct Comparison {
    cost: Cost,
    salt: Vec<u8>,
    wanted: Output,
    is_somebodys: bool,
}

impl Comparison {
    /// Reads a stored hash. `None` is that of no such user, or of one without a password: it costs
    /// as much, and no password is right. There is no comparison where what is stored is not of the
    /// shape that [`stored`] makes, and no password is right then either.
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

    /// Begins to hash the password as the stored one was.
    #[must_use]
    pub fn begin(&self, password: &Secret) -> Argon2id {
        Argon2id::begin(self.cost, self.wanted.len(), password.expose(), &self.salt)
    }

    /// Whether the password with this tag is the one that was hashed, compared in constant time.
    #[must_use]
    pub fn is_right(&self, tag: &[u8]) -> bool {
        Output::new(tag).is_ok_and(|tag| tag == self.wanted) && self.is_somebodys
    }
}

/// The rule for a password that is to be set, as the phrase that follows the field's name.
pub fn rule(password: &str) -> Result<(), String> {
    if password.chars().count() < MIN_CHARACTERS {
        return Err(format!("must have at least {MIN_CHARACTERS} characters"));
    }
    length_rule(password)
}

/// The rule for passwords that others chose: not empty, not endless.
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
