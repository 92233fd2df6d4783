//! One rule of `ORIGIN_RULES`, and what it wants of a caller.

use std::fmt;

use crate::domain::origin::prefix::Prefix;
use crate::domain::permissions::permission::Permission;

/// One rule. It is about the requests of its host, prefix and methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its place in the variable, from 1 on.
    pub number: usize,
    /// Only requests to this host; `None`: all hosts.
    pub host: Option<String>,
    /// Only paths that begin with it.
    pub prefix: Prefix,
    /// Only these methods; empty: all. HEAD is in it as GET.
    pub methods: Vec<String>,
    /// All of these must hold of the caller.
    pub needs: Vec<Need>,
    /// Nobody is asked who they are.
    pub public: bool,
    /// Callers for whom all of `needs` hold are refused.
    pub deny: bool,
    /// The rule refuses nothing. The log says what it would have refused.
    pub report: bool,
}

/// Something that a rule wants of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A permission on a service.
    Permission(i64, Permission),
    /// To be in one of the groups with these ids.
    Groups(Vec<i64>),
    /// One of these roles, or of these types of users.
    Roles(Vec<String>),
    /// A token with all of these scopes.
    Scopes(Vec<String>),
    /// A token of one of these token apps.
    Apps(Vec<String>),
    /// A token for this audience.
    Audience(String),
    /// All needs of one of these lists.
    Any(Vec<Vec<Self>>),
}

impl Rule {
    /// Whether the rule is about requests with this method.
    #[must_use]
    pub fn takes_method(&self, method: &str) -> bool {
        // HEAD asks for what GET would answer.
        let method = if method == "HEAD" { "GET" } else { method };
        self.methods.is_empty() || self.methods.iter().any(|name| name == method)
    }

    /// Whether the rule is about requests to this host.
    #[must_use]
    pub fn takes_host(&self, host: &str) -> bool {
        self.host.as_deref().is_none_or(|own| own == host)
    }

    /// Whether an origin may read the path as one that the rule is about. Only a path that begins
    /// with the prefix letter for letter is free.
    #[must_use]
    pub fn takes_reading(&self, reading: &[u8]) -> bool {
        if self.public { self.prefix.begins(reading) } else { self.prefix.binds(reading) }
    }

    /// Whether the rule puts those of shorter prefixes out of force. A rule that only reports does
    /// not, and neither does one that refuses some callers: else adding one would let others in.
    #[must_use]
    pub fn replaces_shorter(&self) -> bool {
        !self.report && (!self.deny || self.needs.is_empty())
    }

    /// Everything that the rule wants, also what is within `any`.
    pub fn all_needs(&self) -> impl Iterator<Item = &Need> {
        self.needs.iter().flat_map(Need::leaves)
    }

    /// Whether the rule asks about the caller's groups.
    #[must_use]
    pub fn asks_groups(&self) -> bool {
        self.all_needs().any(|need| matches!(need, Need::Groups(_)))
    }

    /// The permissions that the rule asks about.
    pub fn permissions(&self) -> impl Iterator<Item = (i64, Permission)> {
        self.all_needs().filter_map(|need| match need {
            Need::Permission(service_id, permission) => Some((*service_id, *permission)),
            _ => None,
        })
    }
}

impl Need {
    /// The need itself; of `any`, what is within.
    fn leaves(&self) -> impl Iterator<Item = &Self> {
        let (own, lists) = match self {
            Self::Any(lists) => (None, lists.as_slice()),
            other => (Some(other), Default::default()),
        };
        own.into_iter().chain(lists.iter().flatten())
    }

    /// The member of the rule that says it.
    #[must_use]
    pub const fn member(&self) -> &'static str {
        match self {
            Self::Permission(..) => "permission",
            Self::Groups(_) => "groups",
            Self::Roles(_) => "roles",
            Self::Scopes(_) => "scopes",
            Self::Apps(_) => "apps",
            Self::Audience(_) => "audience",
            Self::Any(_) => "any",
        }
    }
}

/// What is wanted, as administrators are told it.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission(service_id, permission) => {
                write!(f, "the permission {} on service {service_id}", permission.name())
            }
            Self::Groups(groups) => write!(f, "one of the groups {groups:?}"),
            Self::Roles(roles) => write!(f, "one of the roles {roles:?}"),
            Self::Scopes(scopes) => write!(f, "all of the scopes {scopes:?}"),
            Self::Apps(apps) => write!(f, "a token of one of the apps {apps:?}"),
            Self::Audience(audience) => write!(f, "a token for the audience {audience:?}"),
            Self::Any(lists) => {
                let all = |needs: &Vec<Self>| {
                    needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
                };
                write!(f, "{}", lists.iter().map(all).collect::<Vec<_>>().join(", or "))
            }
        }
    }
}
