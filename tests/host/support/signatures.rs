//! Public-key signatures on the host. `RustCrypto` does what WebCrypto does at the edge. Also the
//! issuers of the tests, who sign tokens.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::signature::{SignatureEncoding as _, Verifier as _};
use postern::domain::assertion::PrivateKey;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::public_key::PublicKey;
use postern::error::Fault;
use postern::ports::{LocalFuture, Signatures};
use rand_core::OsRng;
use rsa::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey, pkcs1v15, pss};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// `RustCrypto` that counts its calls.
#[derive(Default)]
pub struct Native {
    pub verifications: Cell<u32>,
    pub signatures: Cell<u32>,
}

impl Signatures for Native {
    fn verify<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
        signature: &'a [u8],
        message: &'a [u8],
    ) -> LocalFuture<'a, Result<bool, Fault>> {
        self.verifications.set(self.verifications.get() + 1);
        Box::pin(async move {
            // Other requests run while WebCrypto works.
            super::yield_once().await;
            verify(algorithm, key, signature, message)
        })
    }

    fn accepts<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
    ) -> LocalFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            verify(
                algorithm,
                key,
                &vec![1; key.signature_bytes(algorithm).unwrap_or_default()],
                b"",
            )
            .map(drop)
        })
    }

    fn sign<'a>(
        &'a self,
        key: &'a PrivateKey,
        message: &'a [u8],
    ) -> LocalFuture<'a, Result<Vec<u8>, Fault>> {
        self.signatures.set(self.signatures.get() + 1);
        Box::pin(async move {
            super::yield_once().await;
            let members: BTreeMap<_, _> = key.members().into_iter().collect();
            let part = |name: &str| Base64UrlUnpadded::decode_vec(members[name]).map_err(fault);
            let signer = p256::ecdsa::SigningKey::from_slice(&part("d")?).map_err(fault)?;
            let point = signer.verifying_key().to_encoded_point(false);
            if point.as_bytes()[1..] != [part("x")?, part("y")?].concat() {
                return Err(Fault::new("the public half is of another key"));
            }
            let signature: p256::ecdsa::Signature =
                signer.sign_prehash(&Sha256::digest(message)).map_err(fault)?;
            Ok(signature.to_vec())
        })
    }
}

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

fn verify(
    algorithm: Algorithm,
    key: &PublicKey,
    signature: &[u8],
    message: &[u8],
) -> Result<bool, Fault> {
    let spki = key.spki();
    macro_rules! rsa {
        ($scheme:ident, $hash:ty) => {{
            let key = $scheme::VerifyingKey::<$hash>::new(rsa_key(spki)?);
            $scheme::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok())
        }};
    }
    macro_rules! ecdsa {
        ($curve:ident) => {{
            let key = $curve::PublicKey::from_public_key_der(spki).map_err(fault)?;
            let key = $curve::ecdsa::VerifyingKey::from_affine(*key.as_affine()).map_err(fault)?;
            $curve::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok())
        }};
    }
    Ok(match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 | Algorithm::Introspection => {
            return Err(Fault::new("the algorithm has no public key"));
        }
        Algorithm::Rs256 => rsa!(pkcs1v15, Sha256),
        Algorithm::Rs384 => rsa!(pkcs1v15, Sha384),
        Algorithm::Rs512 => rsa!(pkcs1v15, Sha512),
        Algorithm::Ps256 => rsa!(pss, Sha256),
        Algorithm::Ps384 => rsa!(pss, Sha384),
        Algorithm::Ps512 => rsa!(pss, Sha512),
        Algorithm::Es256 => ecdsa!(p256),
        Algorithm::Es384 => ecdsa!(p384),
        Algorithm::Es512 => ecdsa!(p521),
        Algorithm::EdDsa | Algorithm::Ed25519 => {
            let key = ed25519_dalek::VerifyingKey::from_public_key_der(spki).map_err(fault)?;
            ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok())
        }
    })
}

/// Reads a key of any length that Postern accepts. The crate's own reader stops at 4096 bits.
fn rsa_key(spki: &[u8]) -> Result<RsaPublicKey, Fault> {
    let info = rsa::pkcs8::SubjectPublicKeyInfoRef::try_from(spki).map_err(fault)?;
    let key =
        rsa::pkcs1::RsaPublicKey::try_from(info.subject_public_key.raw_bytes()).map_err(fault)?;
    let number = |uint: rsa::pkcs1::UintRef<'_>| rsa::BigUint::from_bytes_be(uint.as_bytes());
    RsaPublicKey::new_with_max_size(number(key.modulus), number(key.public_exponent), 8192)
        .map_err(fault)
}

/// An issuer with its own key pair.
pub enum Issuer {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl Issuer {
    /// An issuer whose key fits the algorithm. RSA issuers share one key, because generating one
    /// takes a second.
    pub fn of(algorithm: Algorithm) -> Self {
        static RSA: OnceLock<RsaPrivateKey> = OnceLock::new();
        match algorithm {
            Algorithm::Es256 => Self::P256(p256::ecdsa::SigningKey::random(&mut OsRng)),
            Algorithm::Es384 => Self::P384(p384::ecdsa::SigningKey::random(&mut OsRng)),
            Algorithm::Es512 => Self::P521(p521::ecdsa::SigningKey::random(&mut OsRng)),
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                Self::Ed25519(ed25519_dalek::SigningKey::generate(&mut OsRng))
            }
            _ => Self::Rsa(Box::new(
                RSA.get_or_init(|| RsaPrivateKey::new(&mut OsRng, 2048).expect("a key")).clone(),
            )),
        }
    }

    pub fn spki(&self) -> Vec<u8> {
        let document = match self {
            Self::Rsa(key) => key.to_public_key().to_public_key_der(),
            Self::P256(key) => p256::PublicKey::from(key.verifying_key()).to_public_key_der(),
            Self::P384(key) => p384::PublicKey::from(key.verifying_key()).to_public_key_der(),
            Self::P521(key) => {
                p521::PublicKey::from_affine(*p521::ecdsa::VerifyingKey::from(key).as_affine())
                    .expect("a point")
                    .to_public_key_der()
            }
            Self::Ed25519(key) => key.verifying_key().to_public_key_der(),
        };
        document.expect("a document").into_vec()
    }

    /// The public key as PEM.
    pub fn pem(&self) -> String {
        let base64 = Base64::encode_string(&self.spki());
        let lines: Vec<_> =
            base64.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The public key as JWK, with further members.
    pub fn jwk(&self, more: &Value) -> Value {
        let encode = |bytes: &[u8]| json!(Base64UrlUnpadded::encode_string(bytes));
        let ec = |curve: &str, bytes: usize| {
            let spki = self.spki();
            let (x, y) = spki[spki.len() - 2 * bytes..].split_at(bytes);
            json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
        };
        let mut jwk = match self {
            Self::Rsa(key) => {
                let (n, e) = (key.n().to_bytes_be(), key.e().to_bytes_be());
                json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) })
            }
            Self::P256(_) => ec("P-256", 32),
            Self::P384(_) => ec("P-384", 48),
            Self::P521(_) => ec("P-521", 66),
            Self::Ed25519(key) => {
                let x = encode(key.verifying_key().as_bytes());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
            }
        };
        for (name, value) in more.as_object().into_iter().flatten() {
            jwk[name] = value.clone();
        }
        jwk
    }

    /// The signature over a message, in the form that JWS uses for the algorithm.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        use rsa::signature::{RandomizedSigner as _, Signer as _};
        match (self, algorithm) {
            (Self::Rsa(key), Algorithm::Rs256) => {
                pkcs1v15::SigningKey::<Sha256>::new((**key).clone()).sign(message).to_vec()
            }
            (Self::Rsa(key), Algorithm::Rs384) => {
                pkcs1v15::SigningKey::<Sha384>::new((**key).clone()).sign(message).to_vec()
            }
            (Self::Rsa(key), Algorithm::Rs512) => {
                pkcs1v15::SigningKey::<Sha512>::new((**key).clone()).sign(message).to_vec()
            }
            (Self::Rsa(key), Algorithm::Ps256) => pss::SigningKey::<Sha256>::new((**key).clone())
                .sign_with_rng(&mut OsRng, message)
                .to_vec(),
            (Self::Rsa(key), Algorithm::Ps384) => pss::SigningKey::<Sha384>::new((**key).clone())
                .sign_with_rng(&mut OsRng, message)
                .to_vec(),
            (Self::Rsa(key), Algorithm::Ps512) => pss::SigningKey::<Sha512>::new((**key).clone())
                .sign_with_rng(&mut OsRng, message)
                .to_vec(),
            (Self::P256(key), _) => ecdsa_bytes(
                key.sign_prehash(&Sha256::digest(message))
                    .map(|signature: p256::ecdsa::Signature| signature.to_vec()),
            ),
            (Self::P384(key), _) => ecdsa_bytes(
                key.sign_prehash(&Sha384::digest(message))
                    .map(|signature: p384::ecdsa::Signature| signature.to_vec()),
            ),
            (Self::P521(key), _) => ecdsa_bytes(
                key.sign_prehash(&Sha512::digest(message))
                    .map(|signature: p521::ecdsa::Signature| signature.to_vec()),
            ),
            (Self::Ed25519(key), _) => key.sign(message).to_bytes().to_vec(),
            (Self::Rsa(_), _) => panic!("no algorithm of RSA keys: {algorithm}"),
        }
    }

    /// A token signed with the algorithm, with further members in its header.
    pub fn token(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        let mut whole = json!({ "typ": "JWT", "alg": algorithm.name() });
        for (name, value) in header.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        let text = [whole, claims.clone()]
            .map(|part| Base64UrlUnpadded::encode_string(part.to_string().as_bytes()))
            .join(".");
        let signature = self.sign(algorithm, text.as_bytes());
        format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
    }
}

fn ecdsa_bytes<E: std::fmt::Debug>(signature: Result<Vec<u8>, E>) -> Vec<u8> {
    signature.expect("a signature")
}
