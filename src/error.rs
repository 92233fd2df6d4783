//! Everything that can go wrong, in domain words. Each dialect decides how to say it, and with which status.

use std::fmt;

use crate::domain::permissions::permission::Permission;

/// Why an action did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Nobody is signed in, and this is precisely why.
    Unauthenticated(Denied),
    /// Somebody is signed in, and may not.
    Forbidden(Refusal),
    /// `what` ("user", "token app", "path" …) of that id is not there.
    NotFound {
        /// The noun.
        what: &'static str,
        /// Its id, as it was asked for.
        id: String,
    },
    /// The path exists, with these methods only.
    MethodNotAllowed {
        /// The methods that the path has.
        allow: Vec<&'static str>,
    },
    /// The path exists, but not in this representation.
    NotAcceptable {
        /// The format that was asked for.
        format: String,
    },
    /// What is asked contradicts what is there.
    Conflict {
        /// What stands against it, as a sentence without a full stop.
        why: String,
    },
    /// What is to be made is there already.
    AlreadyExists {
        /// The noun.
        what: &'static str,
        /// Its id, as the caller names it.
        id: String,
    },
    /// A field breaks a rule.
    Invalid {
        /// The field's name, as the caller wrote it.
        field: String,
        /// The rule, so that "{field} {why}" is a sentence.
        why: String,
        /// What kind of rule.
        rule: Rule,
    },
    /// The body or the URL is over the limit.
    TooLarge {
        /// "body" or "url".
        what: &'static str,
        /// The limit in bytes.
        limit_bytes: usize,
    },
    /// Too many failed sign-ins.
    TooMany {
        /// Seconds until the next attempt is worth making.
        retry_after_s: i64,
    },
    /// The origin behind the gateway cannot be reached, or broke off.
    OriginFailed(Fault),
    /// The origin showed no sign of life.
    OriginTimedOut {
        /// For how many seconds.
        timeout_s: i64,
    },
    /// D1, or a token's issuer, does not answer, and no copy is young enough.
    Unavailable(Fault),
    /// Variables or secrets of the deployment are missing or malformed; each item is a sentence without a full stop.
    Misconfigured(Vec<String>),
    /// Our fault.
    Internal(Fault),
}

/// What kind of rule a field breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It must be there.
    Presence,
    /// It must be readable: JSON, UTF-8.
    Syntax,
    /// It must have one of certain values.
    Value,
    /// A filter may name only certain fields.
    FilterField,
    /// Only certain fields have an order, so that they may be compared.
    FilterRange,
    /// Only certain fields may be filtered by what they are not, or by a list.
    FilterNot,
    /// A list may be ordered by certain fields only.
    OrderBy,
    /// It must name an application of the organization.
    Organization,
    /// It must not name an application that is a shortcut.
    Shortcut,
}

/// What the log says of an internal fault. It never reaches a caller, but for the word about whose it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault {
    text: String,
    whose: &'static str,
}

/// Why a credential was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// No credential was sent.
    Missing,
    /// The credential cannot be read, is doubled, or breaks a rule that is looked at before any key.
    Malformed,
    /// No enabled token app could have issued the token.
    UnknownApp,
    /// No key of the candidates verifies the token.
    BadSignature,
    /// The token's or session's lifetime is over.
    Expired,
    /// `nbf` or `iat` lies ahead.
    NotYetValid,
    /// An opaque token that is not, or no longer, valid.
    Revoked,
    /// The claim that should hold the user name is absent, empty or unusable.
    NoUsername,
    /// Unknown user or wrong password: one answer for both.
    WrongPassword,
    /// No enabled application has the access key.
    UnknownApplication,
    /// The signature was used before.
    Replayed,
    /// What was signed is too old, or too far ahead.
    StaleTimestamp,
}

/// Why a known caller may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The caller lacks a permission on a service.
    NoPermission {
        /// Which.
        permission: Permission,
        /// On which.
        service_id: i64,
    },
    /// The grant of a service's creator stays as it is.
    CreatorGrant,
    /// Only callers of type `Administrator` may.
    NotAdministrator,
    /// Only callers of type `Administrator` or `SYS_Creator` may.
    NotCreator,
    /// Only administrators may, and applications of the organization with the right to authorize applications.
    MayNotAuthorize,
    /// Only the user themselves, or an administrator, may.
    NotYourself,
    /// The user is disabled.
    UserDisabled,
    /// The token is good, its user does not exist, and its app creates none.
    UnknownUser,
    /// A cookie was sent by a page of another origin.
    CrossOrigin,
}

/// The result of nearly everything.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A field that breaks a rule.
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into(), rule: Rule::Value }
    }

    /// A field that must be there.
    pub fn missing(field: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: "is required".to_owned(), rule: Rule::Presence }
    }

    /// Something that cannot be read.
    pub fn unreadable(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into(), rule: Rule::Syntax }
    }

    /// A fault of ours, with its text for the log.
    pub fn internal(text: impl Into<String>) -> Self {
        Self::Internal(Fault::new(text))
    }

    /// Something that is not there.
    pub fn not_found(what: &'static str, id: impl fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
}

impl Fault {
    /// A fault with its text for the log.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), whose: "the database" }
    }

    /// A fault of the issuer of a token.
    #[must_use]
    pub fn of_issuer(self) -> Self {
        Self { whose: "the token's issuer", ..self }
    }

    /// Who does not answer, for callers.
    #[must_use]
    pub fn whose(&self) -> &'static str {
        self.whose
    }

    /// The text, for the log only.
    #[must_use]
    pub fn for_log(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fault").field(&self.text).finish()
    }
}

impl Denied {
    /// The word for it in `/v1` answers.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::UnknownApp => "unknown_app",
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::NoUsername => "no_username",
            Self::WrongPassword => "wrong_password",
            Self::UnknownApplication => "unknown_application",
            Self::Replayed => "replayed",
            Self::StaleTimestamp => "stale_timestamp",
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no credential was sent",
            Self::Malformed => "the credential is malformed",
            Self::UnknownApp => "no enabled token app fits the token",
            Self::BadSignature => "the token's signature does not verify",
            Self::Expired => "the token is expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::Revoked => "the token is unknown or was revoked",
            Self::NoUsername => "the token names no usable user name",
            Self::WrongPassword => "the user name or password is incorrect",
            Self::UnknownApplication => "there is no such application",
            Self::Replayed => "the signature was used before",
            Self::StaleTimestamp => "the timestamp is not within 15 minutes of now",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPermission { permission, service_id } => {
                return write!(f, "the permission {} on service {service_id} is needed", permission.name());
            }
            Self::CreatorGrant => "the grant of a service's creator cannot be changed",
            Self::NotAdministrator => "only administrators may do this",
            Self::NotCreator => "only administrators and creators may do this",
            Self::MayNotAuthorize => "the application may not authorize applications of the organization",
            Self::NotYourself => "only the user themselves or an administrator may do this",
            Self::UserDisabled => "the user is disabled",
            Self::UnknownUser => "the user is unknown and the token app creates none",
            Self::CrossOrigin => "a page of another origin may not use the cookie",
        })
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::Unauthenticated(denied)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Forbidden(refusal)
    }
}
