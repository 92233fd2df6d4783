//! `ORIGIN_PUBLIC` and `ORIGIN_RULES` together.

use crate::domain::origin::prefix::Prefix;
use crate::domain::origin::rule::{Need, Rule};

/// What the gateway wants of whom.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `ORIGIN_PUBLIC`: what passes without a token.
    pub public: Vec<Prefix>,
    /// `ORIGIN_RULES`: what is wanted of whom.
    pub rules: Vec<Rule>,
}

impl Rules {
    /// The services that the rules name, each once.
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

    /// Whether some rule looks at the method, so that nothing else may say what the method is.
    #[must_use]
    pub fn looks_at_methods(&self) -> bool {
        self.rules.iter().any(|rule| !rule.methods.is_empty())
    }

    /// Whether some rule looks at the host, so that whoever asks must tell it.
    #[must_use]
    pub fn looks_at_hosts(&self) -> bool {
        self.rules.iter().any(|rule| rule.host.is_some())
    }

    /// Whether some rule looks at what a token says, so that its claims are kept beside the caller.
    #[must_use]
    pub fn looks_at_tokens(&self) -> bool {
        let of_token =
            |need: &Need| matches!(need, Need::Scopes(_) | Need::Audience(_) | Need::Groups(_));
        self.rules.iter().flat_map(Rule::all_needs).any(of_token)
    }
}
