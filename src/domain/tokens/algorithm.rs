//! Signature algorithms of JSON Web Signatures (RFC 7518, section 3.1; RFC 8037).

use std::fmt;

/// A signature scheme with its hash or curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// HMAC (RFC 7518, section 3.2). The secret is shared, so whoever can verify can also sign.
    Hmac(Hash),
    /// RSASSA-PKCS1-v1_5 (RFC 7518, section 3.3).
    RsaPkcs1(Hash),
    /// RSASSA-PSS (RFC 7518, section 3.5). MGF1 uses the same hash, and the salt is as long as the
    /// hash.
    RsaPss(Hash),
    /// ECDSA (RFC 7518, section 3.4). The hash is as long as the curve's numbers. P-521 uses
    /// SHA-512.
    Ecdsa(Curve),
    /// Of the curves of RFC 8037, only Ed25519 is supported.
    Ed25519,
    /// No signature. Postern asks the issuer's introspection endpoint (RFC 7662).
    Introspection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
}

/// Declares the algorithms, each with its registered name and its family.
macro_rules! algorithms {
    ($($algorithm:ident $name:literal $family:expr;)*) => {
        /// The algorithms that a token app can have, under their registered names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Algorithm {
            $(#[doc = concat!("`", $name, "`")] $algorithm,)*
        }

        impl Algorithm {
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$algorithm),*];
            /// In the order of `ALL`.
            pub const NAMES: [&str; Self::ALL.len()] = [$($name),*];

            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$algorithm => $name,)*
                }
            }

            #[must_use]
            pub const fn family(self) -> Family {
                match self {
                    $(Self::$algorithm => $family,)*
                }
            }
        }
    };
}

algorithms! {
    Hs256 "HS256" Family::Hmac(Hash::Sha256);
    Hs384 "HS384" Family::Hmac(Hash::Sha384);
    Hs512 "HS512" Family::Hmac(Hash::Sha512);
    Rs256 "RS256" Family::RsaPkcs1(Hash::Sha256);
    Rs384 "RS384" Family::RsaPkcs1(Hash::Sha384);
    Rs512 "RS512" Family::RsaPkcs1(Hash::Sha512);
    Ps256 "PS256" Family::RsaPss(Hash::Sha256);
    Ps384 "PS384" Family::RsaPss(Hash::Sha384);
    Ps512 "PS512" Family::RsaPss(Hash::Sha512);
    Es256 "ES256" Family::Ecdsa(Curve::P256);
    Es384 "ES384" Family::Ecdsa(Curve::P384);
    Es512 "ES512" Family::Ecdsa(Curve::P521);
    EdDsa "EdDSA" Family::Ed25519;
    Ed25519 "Ed25519" Family::Ed25519;
    Introspection "introspection" Family::Introspection;
}

impl Algorithm {
    /// Only algorithms of signatures. A token or a key cannot name `introspection`.
    #[must_use]
    pub fn of_signature(name: &str) -> Option<Self> {
        Self::from_name(name).filter(|algorithm| *algorithm != Self::Introspection)
    }

    /// Case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The name under which algorithms are compared. `Ed25519` (RFC 9864) and `EdDSA` are the same
    /// here, because Ed25519 is the only supported curve of `EdDSA`. An app keeps the name that it
    /// was given, and accepts tokens and keys with either name.
    #[must_use]
    pub const fn canonical(self) -> Self {
        match self {
            Self::Ed25519 => Self::EdDsa,
            other => other,
        }
    }

    /// The shortest secret in bytes that RFC 7518, section 3.2 allows: the size of the hash. `None`
    /// for an algorithm without a shared secret.
    #[must_use]
    pub const fn min_secret_bytes(self) -> Option<usize> {
        match self.family() {
            Family::Hmac(hash) => Some(hash.bytes()),
            Family::RsaPkcs1(_)
            | Family::RsaPss(_)
            | Family::Ecdsa(_)
            | Family::Ed25519
            | Family::Introspection => None,
        }
    }

    /// Whether whoever can verify can also sign.
    #[must_use]
    pub const fn has_shared_secret(self) -> bool {
        self.min_secret_bytes().is_some()
    }
}

impl Hash {
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Curve {
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The name in JWKs and in WebCrypto.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    /// The length in bytes of a coordinate, and of each half of a signature.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The hash that ECDSA uses with the curve (RFC 7518, section 3.4).
    #[must_use]
    pub const fn hash(self) -> Hash {
        match self {
            Self::P256 => Hash::Sha256,
            Self::P384 => Hash::Sha384,
            Self::P521 => Hash::Sha512,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
