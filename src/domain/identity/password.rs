//! Passwords: Argon2id, as PHC strings, so that the parameters can be raised without a migration.

use argon2::password_hash::{PasswordHash as Phc, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::domain::secret::Secret;
use crate::error::Fault;

/// The shortest password that can be set.
pub const MIN_CHARACTERS: usize = 8;
/// The longest password that is looked at.
pub const MAX_BYTES: usize = 1024;

/// 19 MiB, two passes, one lane: OWASP's first choice.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// The hash of a password that nobody has, of the same cost: so that an unknown user takes the time of a wrong password.
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

/// Hashes a password; costs tens of milliseconds on purpose.
pub fn hash(password: &Secret, salt: [u8; 16]) -> Result<PasswordHash, Fault> {
    let fault = |error: &dyn std::fmt::Display| Fault::new(format!("a password could not be hashed: {error}"));
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| fault(&error))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| fault(&error))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password.expose(), &salt).map_err(|error| fault(&error))?;
    Ok(PasswordHash(hash.to_string()))
}

/// Whether the password is the one that was hashed. `None` (no such user, or no password) costs as much, and is never right.
#[must_use]
pub fn verify(stored: Option<&PasswordHash>, password: &Secret) -> bool {
    if password.len() > MAX_BYTES {
        return false;
    }
    let text = stored.map_or(NOBODY, PasswordHash::as_stored);
    // A stored string that cannot be read verifies nothing.
    let right = Phc::new(text).is_ok_and(|phc| Argon2::default().verify_password(password.expose(), &phc).is_ok());
    right && stored.is_some()
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

    #[test]
    fn a_password_verifies_against_its_own_hash_only() {
        let stored = hash(&Secret::new("correct horse"), [7; 16]).unwrap();
        assert!(stored.as_stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(Some(&stored), &Secret::new("correct horse")));
        assert!(!verify(Some(&stored), &Secret::new("correct horsf")));
        assert!(!verify(Some(&PasswordHash::from_stored("$argon2id$broken")), &Secret::new("correct horse")));
    }

    #[test]
    fn nobody_has_a_readable_hash_of_the_same_cost() {
        let phc = Phc::new(NOBODY).unwrap();
        assert_eq!(phc.params.to_string(), "m=19456,t=2,p=1");
        assert_eq!(phc.hash.unwrap().len(), 32);
        assert!(!verify(None, &Secret::new("")));
    }
}
