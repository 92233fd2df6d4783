//! Everything that can go wrong, in domain terms. Each dialect chooses the wording of its answer
//! and the status.

use std::fmt;

use crate::domain::identity::machine_key::May;
use crate::domain::permissions::permission::Permission;
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The caller is not authenticated, for this reason.
    Unauthenticated(Denied),
    /// The caller is authenticated but not permitted.
    Forbidden(Refusal),
    /// There is no `what` ("user", "token app", "path" …) with this id.
    NotFound {
        what: &'static str,
        /// The id that was requested.
        id: String,
    },
    /// The path exists, but not with this method.
    MethodNotAllowed {
        /// The methods that the path supports.
        allow: Vec<String>,
    },
    /// The path exists, but not in the requested format.
    NotAcceptable { format: String },
    /// The body has an unsupported media type.
    UnsupportedMediaType {
        /// The supported media types, as a phrase.
        taken: &'static str,
    },
    /// The request contradicts the current state.
    Conflict {
        /// The contradiction, as a sentence without a full stop.
        why: String,
    },
    /// The record to be created exists already.
    AlreadyExists {
        what: &'static str,
        /// The id, as the caller names it.
        id: String,
    },
    Invalid {
        /// The field's name, as the caller wrote it.
        field: String,
        /// The rule, worded so that "{field} {why}" is a sentence.
        why: String,
        rule: Rule,
    },
    /// The body or the URL is too long.
    TooLarge {
        /// "body" or "url".
        what: &'static str,
        limit_bytes: usize,
    },
    /// A limit on sign-ins is reached.
    TooMany {
        limit: Limit,
        /// Seconds until another attempt may succeed.
        retry_after_s: i64,
    },
    /// The origin behind the gateway could not be reached, or closed the connection.
    OriginFailed(Fault),
    /// The origin made no progress for too long.
    OriginTimedOut {
        /// How long the gateway waited, in seconds.
        timeout_s: i64,
    },
    /// D1 or a token's issuer did not answer, and no copy is recent enough.
    Unavailable(Fault),
    /// Variables or secrets of the deployment are missing or malformed. Each item is a sentence
    /// without a full stop.
    Misconfigured(Vec<String>),
    /// A bug or a failure of Postern.
    Internal(Fault),
}

/// The kind of rule that a field breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Presence,
    /// The field must be readable, for example as JSON or UTF-8.
    Syntax,
    /// The value must be an allowed one.
    Value,
    /// A credential must be sent only once.
    Credential,
    /// A rule of a single dialect, by the dialect's word for it.
    OfDialect(&'static str),
    /// The field must name an application of the organization.
    Organization,
    /// The field must not name an application that is a shortcut.
    Shortcut,
}

/// The cause of a failure. Only the log shows `text`; callers see `for_callers`.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault {
    text: String,
    for_callers: &'static str,
    retry_after_s: Option<i64>,
}

/// Declares an enum of reasons, each with its word in answers and its sentence without a full stop.
/// A reason may carry a claim's name, which its sentence quotes as `{claim}`.
macro_rules! reasons {
    ($(#[$of:meta])* $name:ident { $(
        $(#[$meta:meta])*
        $variant:ident $(($payload:ident : $type:ty))? = $reason:literal, $sentence:literal;
    )* }) => {
        $(#[$of])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meta])* $variant $(($type))?,)*
        }

        impl $name {
            /// The words of all reasons, in order.
            pub const REASONS: [&'static str; [$($reason),*].len()] = [$($reason),*];

            /// One value of each variant.
            #[must_use]
            pub fn one_of_each() -> Vec<Self> {
                vec![$(Self::$variant $((<$type>::example()))?),*]
            }

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
    Denied {
        Missing = "missing", "no credential was sent";
        /// `Authorization` has a scheme other than `Bearer` and `Basic`, or no credential.
        BadScheme = "bad_scheme",
            "the Authorization header must be Bearer or Basic, with a credential after it";
        /// The token is longer than the limit.
        TooLong = "too_long", "the token is too long";
        /// The token is not a JWS in compact serialization.
        NotThreeParts = "not_three_parts", "the token does not have three parts";
        /// A part of the token, or the credential of Basic, is not valid base64.
        BadBase64 = "bad_base64", "a part of the credential is no strict base64";
        /// The token's header or claims are not a JSON object.
        BadJson = "bad_json", "the token's header or claims are no JSON object";
        /// The token's header or claims contain a member twice.
        DoubledMember = "doubled_member", "the token has a member twice";
        /// The header names no supported algorithm.
        UnknownAlgorithm = "unknown_algorithm", "the token's algorithm is none that is supported";
        /// The header marks an extension as critical (RFC 7515, 4.1.11).
        CriticalExtension = "critical_extension",
            "the token's header demands an extension that is not supported";
        /// A claim's value has the wrong type.
        ClaimType(claim: Claim) = "claim_type", "the claim {claim} has a value that cannot be used";
        /// A required claim is missing.
        ClaimMissing(claim: Claim) = "claim_missing", "the claim {claim} is missing";
        /// The token has neither `exp` nor `iat`, so it would never expire.
        NoLifetime = "no_lifetime", "the token has neither exp nor iat, and would be good for ever";
        /// No enabled token app could have issued the token; or the app that the request names did
        /// not issue it.
        NoApp = "no_app", "no enabled token app fits the token and its signature";
        /// The token was sent in a URL parameter that no app uses.
        WrongParameter = "wrong_parameter",
            "the URL parameter carries the tokens of no enabled token app";
        WrongAlgorithm = "wrong_algorithm", "no enabled token app uses the token's algorithm";
        /// None of the candidate apps' keys verifies the token's signature.
        BadSignature = "bad_signature", "the token's signature does not verify";
        /// The token or session has expired.
        Expired = "expired", "the token is expired";
        /// `nbf` or `iat` is in the future.
        NotYetValid = "not_yet_valid", "the token is not valid yet";
        /// `exp` is further in the future than the app allows.
        TooLongLived = "too_long_lived", "the token is good for longer than its token app allows";
        /// The opaque token is unknown or was revoked.
        Revoked = "revoked", "the token is unknown or was revoked";
        /// The machine key's checksum is wrong.
        BadKey = "bad_key", "the key is mistyped or cut off: its checksum is wrong";
        /// With Basic, the user name must be the machine key's name.
        KeyName = "key_name", "the user name before the key must be the key's name";
        /// `iss` is not the app's issuer.
        IssuerMismatch = "issuer_mismatch", "the token is of another issuer";
        /// `aud` contains none of the app's audiences.
        AudienceMismatch = "audience_mismatch", "the token is for another audience";
        /// The token's type is not accepted as a credential.
        TypeRefused = "type_refused", "the token's type is no credential here";
        /// The token's authorized party is not the app's.
        PartyRefused = "party_refused", "the token was issued to another party";
        /// The token is bound to a key (`cnf`), but was sent as a bearer token.
        BoundToken = "bound_token",
            "the token is bound to a key and may not be used as a bearer token";
        /// The user is unknown or the password wrong. Both get the same answer.
        WrongPassword = "wrong_password", "the user name or password is incorrect";
        // The last three: see `OF_ANY_CALL`.
        UnknownApplication = "unknown_application", "there is no such application";
        Replayed = "replayed", "the signature was used before";
        /// The signed timestamp is too old or too far in the future.
        StaleTimestamp = "stale_timestamp", "the timestamp is not within 15 minutes of now";
    }
}

reasons! {
    /// A limit on sign-ins.
    Limit {
        /// Failures with this user name from this network.
        Failures = "too_many_failures", "too many failed sign-ins";
        /// Failures with this user name from many networks. The limit applies where its user has
        /// not signed in from this network.
        NewAddress = "new_address",
            "too many failed sign-ins with this user name from many addresses: for now its user \
             is let in only from an address used during the last 30 days";
        /// Failures from this network with many user names.
        AddressFailures = "address_failures", "too many failed sign-ins from this address";
        /// Attempts from this address, failed or not. The platform counts them.
        Rate = "rate_limit", "too many sign-ins from this address at once";
        /// Passwords that one isolate hashes at the same time, for all users.
        Hashing = "too_many_at_once", "too many passwords are being checked at once";
    }
}

impl Denied {
    /// The reasons that any caller can meet. The last three apply only to requests that an
    /// application signed.
    pub const OF_ANY_CALL: &'static [&'static str] =
        Self::REASONS.split_at(Self::REASONS.len() - 3).0;
}

/// The name of a claim in a refusal.
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

/// Why an authenticated caller is not permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NoPermission {
        permission: Permission,
        service_id: i64,
    },
    /// The grant of a service's creator cannot be changed.
    CreatorGrant,
    /// Only users of type `Administrator` may do this.
    NotAdministrator,
    /// Only users of type `Administrator` or `SYS_Creator` may do this.
    NotCreator,
    /// Only administrators may do this, and applications of the organization that may authorize
    /// applications.
    MayNotAuthorize,
    /// Only the user themselves or an administrator may do this.
    NotYourself,
    UserDisabled,
    /// The token is valid, but its user was deleted.
    UserDeleted,
    /// The token is valid, but its user does not exist and its app creates none.
    UnknownUser,
    /// The token is valid, but its app may not act for this user, or the name is not allowed for a
    /// new user.
    UserRefused,
    /// The token gives its user another id than Postern has, or an id of another user.
    IdConflict,
    /// The token would create a user whose name an application may take for another user's.
    NameConflict,
    InsufficientScope {
        /// All required scopes, separated by spaces.
        scopes: String,
    },
    /// A page of another origin sent a cookie.
    CrossOrigin,
    /// Only the console's pages may begin and end its sessions.
    NotOfConsole,
    /// Only administrators may sign in to the console.
    ConsoleIsForAdministrators,
    OriginNotListed,
    /// The machine key lacks a right.
    KeyMayNot {
        /// The right that is needed; `None` if no key may do this.
        needs: Option<May>,
    },
    /// Only a user may do this, not a machine key.
    KeyIsNoUser,
    /// A machine key that another key created may not create keys.
    KeyOfKey,
    /// With a cookie, a request may ask only about its own user, because a browser sends the cookie
    /// for every script of the page.
    CookieAsksAboutOthers,
    /// The new credential would outlive the one that creates it.
    WouldOutlive,
    /// Provisioning may only change what it created or adopted, and no administrators.
    NotProvisioned {
        /// The refused change was to an administrator.
        is_administrator: bool,
    },
    /// A rule of the gateway refuses the caller.
    ByRule {
        /// The rule's number in `ORIGIN_RULES`.
        rule: usize,
        /// The member of the rule that refused.
        member: &'static str,
    },
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A field has a wrong value.
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into(), rule: Rule::Value }
    }

    /// A required field is missing.
    pub fn missing(field: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: "is required".to_owned(), rule: Rule::Presence }
    }

    /// A field cannot be read.
    pub fn unreadable(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into(), rule: Rule::Syntax }
    }

    /// A credential was sent twice (RFC 6750, 3.1: the request is invalid).
    #[must_use]
    pub fn doubled_credential(field: &str) -> Self {
        Self::Invalid {
            field: field.to_owned(),
            why: "must not be there twice".to_owned(),
            rule: Rule::Credential,
        }
    }

    /// The reason of a refusal, in one word; `None` for other errors.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unauthenticated(denied) => Some(denied.reason()),
            Self::Forbidden(refusal) => Some(refusal.reason()),
            Self::TooMany { limit, .. } => Some(limit.reason()),
            _ => None,
        }
    }

    /// The word for the error in the log and in counters: the reason, or the kind of error.
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

    /// What the log adds about a failure that is not the caller's; `None` for other errors.
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

    /// A failure of Postern, with its text for the log.
    pub fn internal(text: impl Into<String>) -> Self {
        Self::Internal(Fault::new(text))
    }

    /// The same error, with the field under the name that the caller knows.
    #[must_use]
    pub fn with_field_named(self, field: &str, name: &str) -> Self {
        match self {
            Self::Invalid { field: of, why, rule } if of == field => {
                Self::Invalid { field: name.to_owned(), why, rule }
            }
            other => other,
        }
    }

    pub fn not_found(what: &'static str, id: impl fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
}

impl Fault {
    /// A fault with its text for the log. Callers are told that the database does not answer,
    /// unless a method below says otherwise.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), for_callers: "the database does not answer", retry_after_s: None }
    }

    #[must_use]
    pub fn of_issuer(self) -> Self {
        Self { for_callers: "the token's issuer does not answer", ..self }
    }

    /// The token's issuer left out the groups.
    #[must_use]
    pub fn of_left_out_groups(self) -> Self {
        Self {
            for_callers: "the token's issuer left its groups out, since there are too many",
            ..self
        }
    }

    /// The token's issuer has no such key yet, and will be asked again.
    #[must_use]
    pub fn of_unknown_key(self) -> Self {
        Self {
            for_callers: "the token names a key that its issuer did not have a moment ago",
            ..self
        }
    }

    /// Adds the time after which another attempt is worthwhile.
    #[must_use]
    pub fn with_retry_after(self, seconds: i64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// The text for callers.
    #[must_use]
    pub fn for_callers(&self) -> &'static str {
        self.for_callers
    }

    /// Seconds after which another attempt is worthwhile.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<i64> {
        self.retry_after_s
    }

    /// The text for the log.
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
    /// The words of all refusals.
    pub const REASONS: &'static [&'static str] = &[
        "user_refused",
        "user_disabled",
        "user_deleted",
        "user_unknown",
        "id_conflict",
        "name_conflict",
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

    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UserRefused => "user_refused",
            Self::UserDisabled => "user_disabled",
            Self::UserDeleted => "user_deleted",
            Self::UnknownUser => "user_unknown",
            Self::IdConflict => "id_conflict",
            Self::NameConflict => "name_conflict",
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
                let permission = permission.name();
                return write!(f, "the permission {permission} on service {service_id} is needed");
            }
            Self::KeyMayNot { needs: Some(may) } => {
                return write!(f, "the key's rights must include {}", may.name());
            }
            Self::InsufficientScope { scopes } => {
                return write!(f, "the token lacks scopes: {scopes} are needed");
            }
            Self::ByRule { rule, member: "deny" } => {
                return write!(f, "rule {rule} of ORIGIN_RULES denies this");
            }
            Self::ByRule { rule, member } => {
                return write!(
                    f,
                    "rule {rule} of ORIGIN_RULES requires what the caller lacks: {member}"
                );
            }
            Self::NotProvisioned { is_administrator: true } => {
                "provisioning does not change administrators"
            }
            Self::NotProvisioned { is_administrator: false } => {
                "provisioning may not change what it did not create, unless SCIM_ADOPT is true"
            }
            Self::KeyMayNot { needs: None } => "no key may do this, only a user",
            Self::KeyIsNoUser => "only a user may do this, not a key",
            Self::KeyOfKey => "a key that another key created cannot create keys",
            Self::CookieAsksAboutOthers => {
                "with a cookie users ask about themselves only: show a token or a password"
            }
            Self::WouldOutlive => {
                "this would outlive the credential: send the password, or ask an administrator"
            }
            Self::CreatorGrant => "the grant of a service's creator cannot be changed",
            Self::NotAdministrator => "only administrators may do this",
            Self::NotCreator => "only administrators and creators may do this",
            Self::MayNotAuthorize => {
                "the application may not authorize applications of the organization"
            }
            Self::NotYourself => "only the user themselves or an administrator may do this",
            Self::UserDisabled => "the user is disabled",
            Self::UserDeleted => {
                "the user was deleted. An administrator can create them again, or free the name"
            }
            Self::UnknownUser => "the user is unknown and the token app creates none",
            Self::UserRefused => {
                "the token app may not speak for this user, or create one of this name"
            }
            Self::IdConflict => "the token gives its user another id",
            Self::NameConflict => {
                "the token's user name differs from that of another user, or of a deleted one, \
                 only in case, accents or letters that look alike. \
                 An administrator can create the user"
            }
            Self::CrossOrigin => {
                "a page of another origin may not use the cookie. \
                 If the page is the application's own, set PUBLIC_ORIGIN to its origin"
            }
            Self::NotOfConsole => {
                "only pages of the console begin and end its sessions: \
                 a browser must send Sec-Fetch-Site: same-origin, \
                 or without that header the Origin of this host. \
                 Programs send Authorization with each request instead"
            }
            Self::ConsoleIsForAdministrators => {
                "only administrators sign in to the console: \
                 an administrator can make the user one, by the type Administrator"
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
