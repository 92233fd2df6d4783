//! One rule of `ORIGIN_RULES`, and its needs.

use std::fmt;

use crate::domain::origin::prefix::Prefix;
use crate::domain::permissions::permission::Permission;

/// A rule. It applies to requests that match its host, its prefix and its methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The position in `ORIGIN_RULES`, starting at 1.
    pub number: usize,
    /// `None` for all hosts.
    pub host: Option<String>,
    pub prefix: Prefix,
    /// Empty for all methods. HEAD is stored as GET.
    pub methods: Vec<String>,
    /// All of these must hold for the caller.
    pub needs: Vec<Need>,
    /// Requests pass without authentication.
    pub public: bool,
    /// Refuses callers for whom all of `needs` hold.
    pub deny: bool,
    /// The rule refuses nothing. The log says what it would have refused.
    pub report: bool,
}

/// A condition that a caller must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The caller has this permission on the service with this id.
    Permission(i64, Permission),
    /// The caller is in one of the groups with these ids.
    Groups(Vec<i64>),
    /// The caller has one of these roles or user types.
    Roles(Vec<String>),
    /// The caller's token has all of these scopes.
    Scopes(Vec<String>),
    /// The caller's token belongs to one of these token apps.
    Apps(Vec<String>),
    /// The caller's token is for this audience.
    Audience(String),
    /// All needs of one of these lists hold.
    Any(Vec<Vec<Self>>),
}

impl Rule {
    #[must_use]
    pub fn takes_method(&self, method: &str) -> bool {
        // HEAD asks for the headers that GET would answer, so rules treat both alike.
        let method = if method == "HEAD" { "GET" } else { method };
        self.methods.is_empty() || self.methods.iter().any(|name| name == method)
    }

    #[must_use]
    pub fn takes_host(&self, host: &str) -> bool {
        self.host.as_deref().is_none_or(|own| own == host)
    }

    /// Whether the rule applies to this reading of a path. A rule with `public` compares
    /// case-sensitively and cuts off no suffix. Other rules apply if some server may read the path
    /// so.
    #[must_use]
    pub fn takes_reading(&self, reading: &[u8]) -> bool {
        if self.public { self.prefix.begins(reading) } else { self.prefix.binds(reading) }
    }

    /// Whether the rule replaces the rules of shorter prefixes. Rules with `report` and rules that
    /// deny only some callers do not. Otherwise, adding such a rule would let other callers in.
    #[must_use]
    pub fn replaces_shorter(&self) -> bool {
        !self.report && (!self.deny || self.needs.is_empty())
    }

    /// The needs, with those inside `any` instead of `any` itself.
    pub fn all_needs(&self) -> impl Iterator<Item = &Need> {
        self.needs.iter().flat_map(Need::leaves)
    }

    /// Whether the caller's groups must be looked up for this rule.
    #[must_use]
    pub fn asks_groups(&self) -> bool {
        self.all_needs().any(|need| matches!(need, Need::Groups(_)))
    }

    /// The permissions that must be looked up for this rule.
    pub fn permissions(&self) -> impl Iterator<Item = (i64, Permission)> {
        self.all_needs().filter_map(|need| match need {
            Need::Permission(service_id, permission) => Some((*service_id, *permission)),
            _ => None,
        })
    }
}

impl Need {
    /// The need itself, or the needs inside `any`.
    fn leaves(&self) -> impl Iterator<Item = &Self> {
        let (own, lists) = match self {
            Self::Any(lists) => (None, lists.as_slice()),
            other => (Some(other), Default::default()),
        };
        own.into_iter().chain(lists.iter().flatten())
    }

    /// The member of the rule that states this need.
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

/// The text that administrators see.
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
