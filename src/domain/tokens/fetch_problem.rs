//! The reasons why an issuer's keys could not be fetched.

use std::fmt;

/// The longest answer of an issuer that is read.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// The time in which an issuer must answer, for metadata and keys together.
pub const FETCH_TIMEOUT_S: u32 = 5;

/// Each variant needs a different remedy by an operator. Its `Display` is a sentence without a full
/// stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchProblem {
    /// The answer was not complete within [`FETCH_TIMEOUT_S`].
    TimedOut,
    /// There was no answer: unknown host, no connection, or an invalid certificate.
    Unreachable(String),
    /// Status 401 or 403.
    Forbidden(u16),
    /// Status 404 or 410.
    NotFound(u16),
    /// Any other status than 200.
    Status(u16),
    /// The answer is longer than [`MAX_ANSWER_BYTES`].
    TooLong,
    /// A redirect leads to a URL that could not have been registered, or there are too many
    /// redirects.
    BadRedirect(String),
    /// The answer is not a JWK Set.
    NotASet(String),
    /// The answer is the metadata of an issuer instead of a JWK Set.
    IsMetadata { issuer: String, jwks_uri: String },
    /// The answer is not the metadata of an issuer.
    NotMetadata(String),
    /// The metadata belongs to another issuer than the configured one.
    IssuerMismatch {
        /// The `issuer` of the metadata.
        found: String,
    },
    /// The metadata's `jwks_uri` could not have been registered.
    BadKeysUrl(String),
}

impl FetchProblem {
    /// A stable word for programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Unreachable(_) => "unreachable",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Status(_) => "wrong_status",
            Self::TooLong => "too_long",
            Self::BadRedirect(_) => "bad_redirect",
            Self::NotASet(_) => "not_a_set",
            Self::IsMetadata { .. } => "is_metadata",
            Self::NotMetadata(_) => "not_metadata",
            Self::IssuerMismatch { .. } => "issuer_mismatch",
            Self::BadKeysUrl(_) => "bad_jwks_uri",
        }
    }

    /// The platform's own error text, for the log only.
    #[must_use]
    pub fn for_log(&self) -> &str {
        if let Self::Unreachable(why) = self { why } else { "" }
    }

    /// Whether the keys that were fetched earlier must no longer be used.
    #[must_use]
    pub fn ends_trust(&self) -> bool {
        matches!(self, Self::IssuerMismatch { .. })
    }
}

impl fmt::Display for FetchProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => {
                write!(f, "the issuer did not answer within {FETCH_TIMEOUT_S} seconds")
            }
            Self::Unreachable(_) => f.write_str("the issuer cannot be reached"),
            Self::Forbidden(status) => {
                write!(f, "the issuer refuses to show its keys: status {status}")
            }
            Self::NotFound(status) => {
                write!(f, "the issuer has nothing at this URL: status {status}")
            }
            Self::Status(status) => write!(f, "the issuer answered with status {status}"),
            Self::TooLong => write!(f, "the answer is longer than {MAX_ANSWER_BYTES} bytes"),
            Self::BadRedirect(why) => write!(f, "the issuer's redirect cannot be followed: {why}"),
            Self::NotASet(why) => write!(f, "the answer is no JWK Set: it {why}"),
            Self::IsMetadata { issuer, jwks_uri } => {
                write!(
                    f,
                    "the answer is the metadata of the issuer {issuer:?}, \
                     whose keys are at {jwks_uri:?}"
                )
            }
            Self::NotMetadata(why) => write!(f, "the answer is no metadata of an issuer: it {why}"),
            Self::IssuerMismatch { found } => {
                write!(f, "the metadata is that of another issuer, {found:?}")
            }
            Self::BadKeysUrl(why) => write!(f, "the \"jwks_uri\" of the issuer's metadata {why}"),
        }
    }
}
