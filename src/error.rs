//! Everything that can go wrong, in domain words. Each dialect decides how to say it, and with
//! which status.

use std::fmt;

use crate::domain::identity::machine_key::May;
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
        allow: Vec<String>,
    },
    /// The path exists, but not in this representation.
    NotAcceptable {
        /// The format that was asked for.
        format: String,
    },
    /// The body is of another media type than those that are taken.
    UnsupportedMediaType {
        /// Those that are taken, as a phrase.
        taken: &'static str,
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
    /// Too many sign-ins, most of which have failed.
    TooMany {
        /// Which limit is reached.
        limit: Limit,
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
    /// Variables or secrets of the deployment are missing or malformed; each item is a sentence
    /// without a full stop.
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
    /// A credential must be there once.
    Credential,
    /// A rule that one dialect alone has, by its word for it.
    OfDialect(&'static str),
    /// It must name an application of the organization.
    Organization,
    /// It must not name an application that is a shortcut.
    Shortcut,
}

/// What the log says of an internal fault. Callers see only `for_callers`, never this text.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault {
    text: String,
    for_callers: &'static str,
    retry_after_s: Option<i64>,
}

/// Declares reasons: each with its word in answers and its sentence without a full stop. A reason
/// may name a claim; its sentence then says `{claim}`.
macro_rules! reasons {
    ($(#[$of:meta])* $name:ident { $($(#[$meta:meta])* $variant:ident $(($payload:ident : $type:ty))? = $reason:literal, $sentence:literal;)* }) => {
        $(#[$of])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meta])* $variant $(($type))?,)*
        }

        impl $name {
            /// The words of all of them, in order.
            pub const REASONS: [&'static str; [$($reason),*].len()] = [$($reason),*];

            /// One of each.
            #[must_use]
            pub fn one_of_each() -> Vec<Self> {
                vec![$(Self::$variant $((<$type>::example()))?),*]
            }

            /// The word for it in answers.
            #[must_use]
            pub fn reason(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $reason,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant $(($payload))? => write!(f, $sentence),)*
                }
            }
        }
    };
}

reasons! {
    /// Why a credential was refused.
    Denied {
        /// No credential was sent.
        Missing = "missing", "no credential was sent";
        /// `Authorization` has another scheme than `Bearer` and `Basic`, or nothing after it.
        BadScheme = "bad_scheme", "the Authorization header must be Bearer or Basic, with a credential after it";
        /// The token is longer than any that is looked at.
        TooLong = "too_long", "the token is too long";
        /// The token is no compact serialization.
        NotThreeParts = "not_three_parts", "the token does not have three parts";
        /// A part of the token, or what Basic carries, cannot be decoded.
        BadBase64 = "bad_base64", "a part of the credential is no strict base64";
        /// The token's header or claims are no JSON object.
        BadJson = "bad_json", "the token's header or claims are no JSON object";
        /// The token's header or claims have a member twice.
        DoubledMember = "doubled_member", "the token has a member twice";
        /// The header names no algorithm that anybody may use here.
        UnknownAlgorithm = "unknown_algorithm", "the token's algorithm is none that is supported";
        /// The header has an extension that must be understood (RFC 7515, 4.1.11).
        CriticalExtension = "critical_extension", "the token's header demands an extension that is not supported";
        /// A claim has another type than it must have.
        ClaimType(claim: Claim) = "claim_type", "the claim {claim} has a value that cannot be used";
        /// A claim that must be there is absent.
        ClaimMissing(claim: Claim) = "claim_missing", "the claim {claim} is missing";
        /// Neither `exp` nor `iat` says when the token is over.
        NoLifetime = "no_lifetime", "the token has neither exp nor iat, and would be good for ever";
        /// No enabled token app could have issued the token, or the one that the call names did
        /// not.
        NoApp = "no_app", "no enabled token app fits the token and its signature";
        /// The token came in a URL parameter that is no app's.
        WrongParameter = "wrong_parameter", "the URL parameter carries the tokens of no enabled token app";
        /// No enabled token app uses the token's algorithm.
        WrongAlgorithm = "wrong_algorithm", "no enabled token app uses the token's algorithm";
        /// No key of the candidates verifies the token.
        BadSignature = "bad_signature", "the token's signature does not verify";
        /// The token's or session's lifetime is over.
        Expired = "expired", "the token is expired";
        /// `nbf` or `iat` lies ahead.
        NotYetValid = "not_yet_valid", "the token is not valid yet";
        /// `exp` lies further ahead than the app allows.
        TooLongLived = "too_long_lived", "the token is good for longer than its token app allows";
        /// An opaque token that is not, or no longer, valid.
        Revoked = "revoked", "the token is unknown or was revoked";
        /// The key is mistyped or cut off.
        BadKey = "bad_key", "the key is mistyped or cut off: its checksum is wrong";
        /// Basic had another name than the key's.
        KeyName = "key_name", "the user name before the key must be the key's name";
        /// `iss` is another.
        IssuerMismatch = "issuer_mismatch", "the token is of another issuer";
        /// `aud` has none of the audiences.
        AudienceMismatch = "audience_mismatch", "the token is for another audience";
        /// The token is of a type that is no credential here.
        TypeRefused = "type_refused", "the token's type is no credential here";
        /// The authorized party is another.
        PartyRefused = "party_refused", "the token was issued to another party";
        /// The token is bound to a key (`cnf`), and was sent as a bearer token.
        BoundToken = "bound_token", "the token is bound to a key and may not be used as a bearer token";
        /// Unknown user or wrong password: one answer for both.
        WrongPassword = "wrong_password", "the user name or password is incorrect";
        /// No enabled application has the access key.
        UnknownApplication = "unknown_application", "there is no such application";
        /// The signature was used before.
        Replayed = "replayed", "the signature was used before";
        /// What was signed is too old, or too far ahead.
        StaleTimestamp = "stale_timestamp", "the timestamp is not within 15 minutes of now";
    }
}

reasons! {
    /// Which limit on sign-ins is reached.
    Limit {
        /// With this user name from this network.
        Failures = "too_many_failures", "too many failed sign-ins";
        /// With this user name from many networks; its user has not signed in from this one.
        NewAddress = "new_address", "too many failed sign-ins with this user name from many addresses: for now its user is let in only from an address used during the last 30 days";
        /// From this network, with many user names.
        AddressFailures = "address_failures", "too many failed sign-ins from this address";
        /// More from this address than the platform lets through, right or wrong.
        Rate = "rate_limit", "too many sign-ins from this address at once";
        /// More passwords at once than an isolate hashes, whoever they are of.
        Hashing = "too_many_at_once", "too many passwords are being checked at once";
    }
}

impl Denied {
    /// Those that any caller can meet: the last three are of calls that an application signed.
    pub const OF_ANY_CALL: &'static [&'static str] =
        Self::REASONS.split_at(Self::REASONS.len() - 3).0;
}

/// The name of a claim, as a refusal says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim(Box<str>);

impl Claim {
    fn example() -> Self {
        Self("sub".into())
    }
}

impl From<&str> for Claim {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a known caller may not.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Only administrators may, and applications of the organization with the right to authorize
    /// applications.
    MayNotAuthorize,
    /// Only the user themselves, or an administrator, may.
    NotYourself,
    /// The user is disabled.
    UserDisabled,
    /// The token is good, and its user was deleted.
    UserDeleted,
    /// The token is good, its user does not exist, and its app creates none.
    UnknownUser,
    /// The token is good, and its app may not speak for this user, or the name is none for a new
    /// user.
    UserRefused,
    /// The token says another id of its user than Postern knows, or an id that is somebody else's.
    IdConflict,
    /// The token lacks scopes.
    InsufficientScope {
        /// All that are needed, separated by spaces.
        scopes: String,
    },
    /// A cookie was sent by a page of another origin.
    CrossOrigin,
    /// Only pages of the console begin and end its sessions.
    NotOfConsole,
    /// Only administrators sign in to the console.
    ConsoleIsForAdministrators,
    /// `CORS_ORIGINS` does not list the origin of the page.
    OriginNotListed,
    /// The key may not do this.
    KeyMayNot {
        /// What it needs; `None` where no key may.
        needs: Option<May>,
    },
    /// Only a user may do this, and a key is none.
    KeyIsNoUser,
    /// The key was made by a key, and may make none itself.
    KeyOfKey,
    /// A cookie asks about its own user only, since a browser sends it for every script of the
    /// page.
    CookieAsksAboutOthers,
    /// What would be made would outlive the credential that makes it.
    WouldOutlive,
    /// Provisioning changes only what it made or adopted, and no administrators.
    NotProvisioned {
        /// Whether it is an administrator.
        is_administrator: bool,
    },
    /// A rule of the gateway lets the caller not pass.
    ByRule {
        /// Its number in `ORIGIN_RULES`.
        rule: usize,
        /// The member of the rule that decided.
        member: &'static str,
    },
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

    /// A credential that is there twice (RFC 6750, 3.1: the request is invalid).
    #[must_use]
    pub fn doubled_credential(field: &str) -> Self {
        Self::Invalid {
            field: field.to_owned(),
            why: "must not be there twice".to_owned(),
            rule: Rule::Credential,
        }
    }

    /// Why a credential or somebody known was refused, in one word.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unauthenticated(denied) => Some(denied.reason()),
            Self::Forbidden(refusal) => Some(refusal.reason()),
            Self::TooMany { limit, .. } => Some(limit.reason()),
            _ => None,
        }
    }

    /// The word for it in the log and in counters: the reason, or what kind of failure it is.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.reason().unwrap_or(match self {
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::TooMany { .. } => "too_many",
            Self::NotFound { .. } => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::NotAcceptable { .. } => "not_acceptable",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::Conflict { .. } => "conflict",
            Self::AlreadyExists { .. } => "already_exists",
            Self::Invalid { .. } => "invalid",
            Self::TooLarge { .. } => "too_large",
            Self::OriginFailed(_) => "origin_failed",
            Self::OriginTimedOut { .. } => "origin_timed_out",
            Self::Unavailable(_) => "unavailable",
            Self::Misconfigured(_) => "misconfigured",
            Self::Internal(_) => "internal",
        })
    }

    /// What the log says besides of a failure that is not the caller's; `None` where there is
    /// nothing to say.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Internal(fault) | Self::Unavailable(fault) | Self::OriginFailed(fault) => {
                Some(fault.text.clone())
            }
            Self::OriginTimedOut { timeout_s } => {
                Some(format!("the origin did not answer within {timeout_s} seconds"))
            }
            Self::Misconfigured(problems) => Some(problems.join("; ")),
            _ => None,
        }
    }

    /// A fault of ours, with its text for the log.
    pub fn internal(text: impl Into<String>) -> Self {
        Self::Internal(Fault::new(text))
    }

    /// The same error with a field named as the caller knows it.
    #[must_use]
    pub fn with_field_named(self, field: &str, name: &str) -> Self {
        match self {
            Self::Invalid { field: of, why, rule } if of == field => {
                Self::Invalid { field: name.to_owned(), why, rule }
            }
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
        Self { text: text.into(), for_callers: "the database does not answer", retry_after_s: None }
    }

    /// A fault of the issuer of a token.
    #[must_use]
    pub fn of_issuer(self) -> Self {
        Self { for_callers: "the token's issuer does not answer", ..self }
    }

    /// The issuer of a token left the groups out.
    #[must_use]
    pub fn of_left_out_groups(self) -> Self {
        Self {
            for_callers: "the token's issuer left its groups out, since there are too many",
            ..self
        }
    }

    /// The issuer of a token has no such key yet, and will be asked again.
    #[must_use]
    pub fn of_unknown_key(self) -> Self {
        Self {
            for_callers: "the token names a key that its issuer did not have a moment ago",
            ..self
        }
    }

    /// The same, where it is known when another attempt is worth making.
    #[must_use]
    pub fn with_retry_after(self, seconds: i64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// What callers are told where something does not answer.
    #[must_use]
    pub fn for_callers(&self) -> &'static str {
        self.for_callers
    }

    /// After how many seconds another attempt is worth making.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<i64> {
        self.retry_after_s
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

impl Refusal {
    /// The words of all of them.
    pub const REASONS: [&'static str; 14] = [
        "user_refused",
        "user_disabled",
        "user_deleted",
        "user_unknown",
        "id_conflict",
        "insufficient_scope",
        "no_permission",
        "cross_origin",
        "not_administrator",
        "key_refused",
        "cookie_refused",
        "would_outlive",
        "not_provisioned",
        "rule",
    ];

    /// The word for it in answers.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UserRefused => "user_refused",
            Self::UserDisabled => "user_disabled",
            Self::UserDeleted => "user_deleted",
            Self::UnknownUser => "user_unknown",
            Self::IdConflict => "id_conflict",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::NoPermission { .. } | Self::CreatorGrant | Self::MayNotAuthorize => {
                "no_permission"
            }
            Self::CrossOrigin | Self::NotOfConsole | Self::OriginNotListed => "cross_origin",
            Self::NotAdministrator
            | Self::ConsoleIsForAdministrators
            | Self::NotCreator
            | Self::NotYourself => "not_administrator",
            Self::KeyMayNot { .. } | Self::KeyIsNoUser | Self::KeyOfKey => "key_refused",
            Self::CookieAsksAboutOthers => "cookie_refused",
            Self::WouldOutlive => "would_outlive",
            Self::NotProvisioned { .. } => "not_provisioned",
            Self::ByRule { .. } => "rule",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPermission { permission, service_id } => {
                return write!(f, "the permission {} on service {service_id} is needed", permission.name());
            }
            Self::KeyMayNot { needs: Some(may) } => {
                return write!(f, "the key may not do this: it needs {} among what it may", may.name());
            }
            Self::ByRule { rule, member: "deny" } => return write!(f, "rule {rule} of ORIGIN_RULES denies this"),
            Self::ByRule { rule, member } => {
                return write!(f, "rule {rule} of ORIGIN_RULES wants something of the caller that does not hold: {member}");
            }
            Self::NotProvisioned { is_administrator: true } => "provisioning does not change administrators",
            Self::NotProvisioned { is_administrator: false } => {
                "provisioning did not make this. It changes such users and groups where SCIM_ADOPT is set"
            }
            Self::KeyMayNot { needs: None } => "no key may do this, only a user",
            Self::KeyIsNoUser => "only a user may do this, and a key is none",
            Self::KeyOfKey => "a key that was made by a key makes no keys",
            Self::CookieAsksAboutOthers => "with a cookie users ask about themselves only: show a token or a password",
            Self::WouldOutlive => "this would outlive the credential: send the password, or ask an administrator",
            Self::InsufficientScope { scopes } => return write!(f, "the token lacks scopes: {scopes} are needed"),
            Self::CreatorGrant => "the grant of a service's creator cannot be changed",
            Self::NotAdministrator => "only administrators may do this",
            Self::NotCreator => "only administrators and creators may do this",
            Self::MayNotAuthorize => "the application may not authorize applications of the organization",
            Self::NotYourself => "only the user themselves or an administrator may do this",
            Self::UserDisabled => "the user is disabled",
            Self::UserDeleted => "the user was deleted. An administrator can create them again, or free the name",
            Self::UnknownUser => "the user is unknown and the token app creates none",
            Self::UserRefused => "the token app may not speak for this user, or create one of this name",
            Self::IdConflict => "the token gives its user another id",
            Self::CrossOrigin => {
                "a page of another origin may not use the cookie. If the page is the application's own, set PUBLIC_ORIGIN to its origin"
            }
            Self::NotOfConsole => {
                "only pages of the console begin and end its sessions: a browser must send Sec-Fetch-Site: same-origin, \
                 or without that header the Origin of this host. Programs send Authorization with each request instead"
            }
            Self::ConsoleIsForAdministrators => {
                "only administrators sign in to the console: an administrator can make the user one, by the type Administrator"
            }
            Self::OriginNotListed => "CORS_ORIGINS does not list the origin of the page that calls",
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
