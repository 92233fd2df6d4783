//! Public keys of issuers: the accepted kinds, and the length of their signatures.
//!
//! A key is kept as `SubjectPublicKeyInfo` (RFC 5280, section 4.1), whether it was read from PEM or
//! JWK. It is encoded anew, so that equal keys have equal bytes. The platform checks that a point
//! lies on its curve.

use base64ct::{Base64, Encoding};

use super::der::{self, Reader};
use super::ed25519_order;
use crate::domain::secret::sha256;
use crate::domain::tokens::algorithm::{Algorithm, Curve, Family};

/// Shorter RSA keys are refused (RFC 7518, section 3.3).
pub const MIN_RSA_BITS: usize = 2048;
/// WebCrypto in workerd does not accept longer RSA keys.
pub const MAX_RSA_BITS: usize = 8192;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A public key that follows the rules of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    spki: Vec<u8>,
    id: KeyId,
}

/// The SHA-256 of a key's `SubjectPublicKeyInfo`. Shared secrets have ids of this type, too
/// (`SharedKey::id`).
pub type KeyId = [u8; 32];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Rsa {
        /// The length of the modulus, which is also the length of a signature.
        bytes: usize,
    },
    /// A point on a NIST curve.
    Ec(Curve),
    Ed25519,
}

/// The numbers of a key, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members<'k> {
    /// Without leading zeros.
    Rsa { modulus: &'k [u8], exponent: &'k [u8] },
    /// The coordinates have the curve's length.
    Ec { curve: Curve, x: &'k [u8], y: &'k [u8] },
    Ed25519 {
        /// The encoded point, 32 bytes.
        x: &'k [u8],
    },
}

/// The curve's object identifier (RFC 5480, section 2.1.1.1).
const fn object_id(curve: Curve) -> &'static [u8] {
    match curve {
        Curve::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        Curve::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
        Curve::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
    }
}

impl KeyKind {
    /// The `kty` of a JWK.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RSA",
            Self::Ec(_) => "EC",
            Self::Ed25519 => "OKP",
        }
    }
}

impl PublicKey {
    /// Both numbers are big-endian.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let [modulus, exponent] = [modulus, exponent].map(without_leading_zeros);
        let bits =
            modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
        if bits < MIN_RSA_BITS {
            return Err(format!(
                "must be an RSA key of at least {MIN_RSA_BITS} bits (RFC 7518, 3.3), not {bits}"
            ));
        }
        if bits > MAX_RSA_BITS {
            return Err(format!("must be an RSA key of at most {MAX_RSA_BITS} bits, not {bits}"));
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        // The exponent may have up to 33 bits, as the platform allows. An exponent of one would let
        // anybody sign.
        let fits = !matches!(exponent, [] | [1])
            && (exponent.len() <= 4 || matches!(exponent, [1, _, _, _, _]));
        if !is_odd(modulus) || !is_odd(exponent) || !fits {
            return Err("is no RSA key: its modulus or exponent is out of range".to_owned());
        }
        let algorithm =
            der::sequence(&[der::value(der::OBJECT_ID, RSA), der::value(der::NULL, &[])]);
        let key = der::sequence(&[der::positive(modulus), der::positive(exponent)]);
        Ok(Self::of(KeyKind::Rsa { bytes: modulus.len() }, algorithm, &key))
    }

    /// The coordinates are big-endian and have full length.
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, String> {
        if x.len() != curve.bytes() || y.len() != curve.bytes() {
            return Err(format!(
                "must have coordinates of {} bytes, as {} has",
                curve.bytes(),
                curve.name()
            ));
        }
        let algorithm = der::sequence(&[
            der::value(der::OBJECT_ID, EC),
            der::value(der::OBJECT_ID, object_id(curve)),
        ]);
        Ok(Self::of(KeyKind::Ec(curve), algorithm, &[&[4], x, y].concat()))
    }

    pub fn ed25519(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() != 32 {
            return Err("must have 32 bytes, as Ed25519 has".to_owned());
        }
        if ed25519_order::is_small(bytes) {
            return Err(
                "must not be a point of small order, for which anybody can make signatures"
                    .to_owned(),
            );
        }
        Ok(Self::of(KeyKind::Ed25519, der::sequence(&[der::value(der::OBJECT_ID, ED25519)]), bytes))
    }

    fn of(kind: KeyKind, algorithm: Vec<u8>, key: &[u8]) -> Self {
        let spki = der::sequence(&[algorithm, der::bits(key)]);
        let id = sha256(&spki);
        Self { kind, spki, id }
    }

    /// Reads a PEM text, or its base64 alone. The error is a phrase to put after the field's name.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let base64 = match text.strip_prefix("-----BEGIN ") {
            None => text,
            Some(rest) => {
                let (label, rest) = rest.split_once("-----").unwrap_or_default();
                match label {
                    "PUBLIC KEY" => {}
                    "CERTIFICATE" => {
                        return Err("must be the public key alone, not a certificate".to_owned());
                    }
                    _ if label.ends_with("PRIVATE KEY") => {
                        return Err(
                            "must be the public key: a private key belongs to the issuer alone"
                                .to_owned(),
                        );
                    }
                    _ => return Err("must be a PEM of type PUBLIC KEY (SPKI)".to_owned()),
                }
                rest.strip_suffix("-----END PUBLIC KEY-----")
                    .ok_or("must be one PEM, from BEGIN PUBLIC KEY to END PUBLIC KEY")?
            }
        };
        let base64: String = base64.split_ascii_whitespace().collect();
        let bytes = Base64::decode_vec(&base64).map_err(|_| NO_KEY)?;
        Self::from_spki(&bytes)
    }

    pub fn from_spki(bytes: &[u8]) -> Result<Self, String> {
        Self::read(bytes).unwrap_or_else(|| Err(NO_KEY.to_owned()))
    }

    fn read(bytes: &[u8]) -> Option<Result<Self, String>> {
        let mut outer = Reader::new(bytes);
        let mut spki = outer.sequence()?;
        outer.end()?;
        if spki.next_is(der::INTEGER) {
            return Some(Err(
                "must be the public key as SPKI, not PKCS #1 or a private key".to_owned()
            ));
        }
        let (algorithm, key) = (spki.sequence()?, spki.bits()?);
        spki.end()?;
        Self::from_parts(algorithm, key)
    }

    fn from_parts(mut algorithm: Reader<'_>, key: &[u8]) -> Option<Result<Self, String>> {
        match algorithm.value(der::OBJECT_ID)? {
            RSA => {
                algorithm.value(der::NULL)?.is_empty().then_some(())?;
                algorithm.end()?;
                let mut outer = Reader::new(key);
                let mut numbers = outer.sequence()?;
                let (modulus, exponent) = (numbers.positive()?, numbers.positive()?);
                numbers.end().and(outer.end())?;
                Some(Self::rsa(modulus, exponent))
            }
            RSA_PSS => Some(Err(
                "must be an RSA key of type rsaEncryption, which serves PS algorithms too"
                    .to_owned(),
            )),
            EC => {
                let id = algorithm.value(der::OBJECT_ID)?;
                algorithm.end()?;
                let Some(curve) = Curve::ALL.into_iter().find(|curve| object_id(*curve) == id)
                else {
                    return Some(Err("must be on P-256, P-384 or P-521".to_owned()));
                };
                let Some(point) = key.strip_prefix(&[4]) else {
                    return Some(Err("must be an uncompressed point".to_owned()));
                };
                let (x, y) = point.split_at_checked(curve.bytes())?;
                Some(Self::ec(curve, x, y))
            }
            ED25519 => {
                algorithm.end()?;
                Some(Self::ed25519(key))
            }
            _ => Some(Err("must be an RSA, EC or Ed25519 key".to_owned())),
        }
    }

    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The `SubjectPublicKeyInfo`, in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The numbers of the key, as a JWK has them.
    #[must_use]
    pub fn members(&self) -> Members<'_> {
        let last = |bytes: usize| {
            self.spki.get(self.spki.len().saturating_sub(bytes)..).unwrap_or_default()
        };
        match self.kind {
            KeyKind::Rsa { .. } => {
                let (modulus, exponent) = rsa_numbers(&self.spki).unwrap_or_default();
                Members::Rsa { modulus, exponent }
            }
            KeyKind::Ec(curve) => {
                let (x, y) =
                    last(2 * curve.bytes()).split_at_checked(curve.bytes()).unwrap_or_default();
                Members::Ec { curve, x, y }
            }
            KeyKind::Ed25519 => Members::Ed25519 { x: last(32) },
        }
    }

    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The length in bytes of a signature by this key. For ECDSA it is `r` followed by `s` (RFC
    /// 7518, section 3.4). `None` if the key is not for the algorithm.
    #[must_use]
    pub fn signature_bytes(&self, algorithm: Algorithm) -> Option<usize> {
        match (algorithm.family(), self.kind) {
            (Family::RsaPkcs1(_) | Family::RsaPss(_), KeyKind::Rsa { bytes }) => Some(bytes),
            (Family::Ecdsa(wanted), KeyKind::Ec(curve)) if curve == wanted => {
                Some(2 * curve.bytes())
            }
            (Family::Ed25519, KeyKind::Ed25519) => Some(64),
            (
                Family::Hmac(_)
                | Family::RsaPkcs1(_)
                | Family::RsaPss(_)
                | Family::Ecdsa(_)
                | Family::Ed25519
                | Family::Introspection,
                _,
            ) => None,
        }
    }

    /// Checks that the key is for its app's algorithm. The error is a phrase to put after the
    /// field's name.
    pub fn fits(&self, algorithm: Algorithm) -> Result<(), String> {
        let found = match self.kind {
            KeyKind::Rsa { .. } => "an RSA key",
            KeyKind::Ec(curve) => curve.name(),
            KeyKind::Ed25519 => "Ed25519",
        };
        let wrong = || format!("must be {} for {algorithm}, not {found}", wanted(algorithm));
        self.signature_bytes(algorithm).map(drop).ok_or_else(wrong)
    }
}

pub(super) const NO_KEY: &str =
    "must be the issuer's public key: SPKI PEM, a JWK, a JWK Set, or the https:// URL of one";

fn wanted(algorithm: Algorithm) -> &'static str {
    match algorithm.family() {
        Family::Hmac(_) => "a shared secret",
        Family::RsaPkcs1(_) | Family::RsaPss(_) => "an RSA key",
        Family::Ecdsa(Curve::P256) => "a key on P-256",
        Family::Ecdsa(Curve::P384) => "a key on P-384",
        Family::Ecdsa(Curve::P521) => "a key on P-521",
        Family::Ed25519 => "an Ed25519 key",
        Family::Introspection => "a client secret",
    }
}

/// The modulus and the exponent in the SPKI of an RSA key.
fn rsa_numbers(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut spki = Reader::new(spki).sequence()?;
    spki.sequence()?;
    let mut numbers = Reader::new(spki.bits()?).sequence()?;
    Some((numbers.positive()?, numbers.positive()?))
}

fn without_leading_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}
