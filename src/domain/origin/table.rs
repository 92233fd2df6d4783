//! `ORIGIN_PUBLIC` and `ORIGIN_RULES` together.

use crate::domain::origin::prefix::Prefix;
use crate::domain::origin::rule::{Need, Rule};

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `ORIGIN_PUBLIC`: prefixes of paths that pass without a token.
    pub public: Vec<Prefix>,
    /// `ORIGIN_RULES`.
    pub rules: Vec<Rule>,
}

impl Rules {
    /// Each service that the rules name, once.
    #[must_use]
    pub fn services(&self) -> Vec<i64> {
        let mut services: Vec<_> = self
            .rules
            .iter()
            .flat_map(Rule::permissions)
            .map(|(service_id, _)| service_id)
            .collect();
        services.sort_unstable();
        services.dedup();
        services
    }

    /// Whether some rule has `methods`. Then a request must not be able to override its method.
    #[must_use]
    pub fn looks_at_methods(&self) -> bool {
        self.rules.iter().any(|rule| !rule.methods.is_empty())
    }

    /// Whether some rule has `host`. Then whoever asks for a decision must name the host.
    #[must_use]
    pub fn looks_at_hosts(&self) -> bool {
        self.rules.iter().any(|rule| rule.host.is_some())
    }

    /// Whether some rule uses the claims of a token. Then they are kept with the caller.
    #[must_use]
    pub fn looks_at_tokens(&self) -> bool {
        let of_token =
            |need: &Need| matches!(need, Need::Scopes(_) | Need::Audience(_) | Need::Groups(_));
        self.rules.iter().flat_map(Rule::all_needs).any(of_token)
    }
}
