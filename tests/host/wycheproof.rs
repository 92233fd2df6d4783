//! The vectors of Project Wycheproof: keys and signatures that some verifiers got wrong. Their
//! messages are not tokens, so the test calls the port directly, after the check of the signature's
//! length that a token passes first.

use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::public_key::PublicKey;
use postern::ports::Signatures as _;
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use crate::support::block_on;
use crate::support::signatures::Native;

/// The result of a set of vectors: how many were accepted and how many refused, as expected, and
/// the ids of the others.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    accepted: usize,
    refused: usize,
    deviating: Vec<String>,
}

impl Tally {
    fn take(
        &mut self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
        expected: TestResult,
        id: &str,
    ) {
        let has_length = key.signature_bytes(algorithm) == Some(signature.len());
        let verifies = has_length
            && block_on(Native::default().verify(algorithm, key, signature, message))
                .expect("a usable key");
        match (verifies, expected) {
            (true, TestResult::Valid | TestResult::Acceptable) => self.accepted += 1,
            (false, TestResult::Invalid | TestResult::Acceptable) => self.refused += 1,
            (true, TestResult::Invalid) | (false, TestResult::Valid) => {
                self.deviating.push(id.to_owned());
            }
        }
    }
}

macro_rules! tally {
    ($kind:ident :: $set:ident as $algorithm:ident) => {{
        let set = $kind::TestSet::load($kind::TestName::$set).expect("the vectors");
        let mut tally = Tally::default();
        for group in &set.test_groups {
            let key = PublicKey::from_spki(&group.der).expect("a key");
            assert_eq!(PublicKey::from_pem(&group.pem).as_ref(), Ok(&key));
            for test in &group.tests {
                let id = format!("{}: {}", test.tc_id, test.comment);
                tally.take(Algorithm::$algorithm, &key, &test.msg, &test.sig, test.result, &id);
            }
        }
        tally
    }};
}

macro_rules! holds {
    ($($kind:ident :: $set:ident as $algorithm:ident;)+) => {
        $({
            let tally = tally!($kind::$set as $algorithm);
            assert_eq!(tally.deviating, Vec::<String>::new(), "{}", stringify!($set));
            assert!(tally.accepted > 0 && tally.refused > 0, "{}: {tally:?}", stringify!($set));
        })+
    };
}

#[test]
fn ecdsa_signatures_of_r_and_s() {
    holds! {
        ecdsa::EcdsaSecp256r1Sha256P1363 as Es256;
        ecdsa::EcdsaSecp384r1Sha384P1363 as Es384;
        ecdsa::EcdsaSecp521r1Sha512P1363 as Es512;
    }
}

/// The same curves with the other form of signature, which no token has.
#[test]
fn ecdsa_signatures_in_der_are_refused() {
    let tally = tally!(ecdsa::EcdsaSecp256r1Sha256 as Es256);
    assert_eq!(tally.accepted, 0, "{tally:?}");
}

#[test]
fn rsa_signatures_of_pkcs_1() {
    holds! {
        rsa_pkcs1_verify::Rsa2048Sha256 as Rs256;
        rsa_pkcs1_verify::Rsa2048Sha384 as Rs384;
        rsa_pkcs1_verify::Rsa2048Sha512 as Rs512;
        rsa_pkcs1_verify::Rsa3072Sha256 as Rs256;
        rsa_pkcs1_verify::Rsa4096Sha512 as Rs512;
        rsa_pkcs1_verify::Rsa8192Sha256 as Rs256;
    }
}

#[test]
fn rsa_signatures_of_pss() {
    holds! {
        rsa_pss_verify::RsaPss2048Sha256Mgf1SaltLen32 as Ps256;
        rsa_pss_verify::RsaPss2048Sha384Mgf1SaltLen48 as Ps384;
        rsa_pss_verify::RsaPss3072Sha256Mgf1SaltLen32 as Ps256;
        rsa_pss_verify::RsaPss4096Sha384Mgf1SaltLen48 as Ps384;
        rsa_pss_verify::RsaPss4096Sha512Mgf1SaltLen64 as Ps512;
    }
}

/// RFC 7518, 3.5: the salt is as long as the hash, and the mask uses the same hash. Other
/// signatures are invalid here, also where the vectors say that they are valid.
#[test]
fn pss_with_another_salt_or_mask_is_refused() {
    let no_salt = tally!(rsa_pss_verify::RsaPss2048Sha256Mgf1SaltLen0 as Ps256);
    let other_mask = tally!(rsa_pss_verify::RsaPss2048Sha256Mgf1Sha1_20 as Ps256);
    assert_eq!((no_salt.accepted, other_mask.accepted), (0, 0), "{no_salt:?} {other_mask:?}");
    assert!(!no_salt.deviating.is_empty() && !other_mask.deviating.is_empty());
}

#[test]
fn eddsa_signatures_of_ed25519() {
    holds! {
        eddsa::Ed25519 as EdDsa;
    }
}
