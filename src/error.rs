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
    /// A rule that one dialect alone has, by its word for it.
    OfDialect(&'static str),
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

/// Declares why a credential may be refused: each reason with its word in `/v1` answers and its sentence without a full stop.
macro_rules! denied {
    ($($(#[$meta:meta])* $variant:ident = $reason:literal, $sentence:literal;)*) => {
        /// Why a credential was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Denied {
            $($(#[$meta])* $variant,)*
        }

        impl Denied {
            /// Every reason.
            pub const ALL: [Self; [$($reason),*].len()] = [$(Self::$variant),*];
            /// The words of all of them, in the same order.
            pub const REASONS: [&'static str; Self::ALL.len()] = [$($reason),*];

            /// The word for it in `/v1` answers.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self {
                    $(Self::$variant => $reason,)*
                }
            }
        }

        impl fmt::Display for Denied {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $sentence,)*
                })
            }
        }
    };
}

denied! {
    /// No credential was sent.
    Missing = "missing", "no credential was sent";
    /// The credential cannot be read, is doubled, or breaks a rule that is looked at before any key.
    Malformed = "malformed", "the credential is malformed";
    /// No enabled token app could have issued the token.
    UnknownApp = "unknown_app", "no enabled token app fits the token";
    /// No key of the candidates verifies the token.
    BadSignature = "bad_signature", "the token's signature does not verify";
    /// The token's or session's lifetime is over.
    Expired = "expired", "the token is expired";
    /// `nbf` or `iat` lies ahead.
    NotYetValid = "not_yet_valid", "the token is not valid yet";
    /// An opaque token that is not, or no longer, valid.
    Revoked = "revoked", "the token is unknown or was revoked";
    /// The claim that should hold the user name is absent, empty or unusable.
    NoUsername = "no_username", "the token names no usable user name";
    /// Unknown user or wrong password: one answer for both.
    WrongPassword = "wrong_password", "the user name or password is incorrect";
    /// No enabled application has the access key.
    UnknownApplication = "unknown_application", "there is no such application";
    /// The signature was used before.
    Replayed = "replayed", "the signature was used before";
    /// What was signed is too old, or too far ahead.
    StaleTimestamp = "stale_timestamp", "the timestamp is not within 15 minutes of now";
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

    /// The same error with a field named as the caller knows it.
    #[must_use]
    pub fn with_field_named(self, field: &str, name: &str) -> Self {
        match self {
            Self::Invalid { field: of, why, rule } if of == field => Self::Invalid { field: name.to_owned(), why, rule },
            other => other,
        }
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
