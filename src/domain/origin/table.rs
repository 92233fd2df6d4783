//! What the variables `ORIGIN_…` say.

use crate::domain::origin::prefix::Prefix;
use crate::domain::origin::rule::{Need, Rule};

/// What the variables `ORIGIN_…` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `https://host:port/path` without a slash at its end.
    pub url: String,
    /// For how many seconds the origin may show no sign of life before it answers.
    pub timeout_s: i64,
    /// Whether orders of GIS servers are passed on instead of written down.
    pub takes_nodes: bool,
    /// `ORIGIN_PUBLIC`: what passes without a token.
    pub public: Vec<Prefix>,
    /// `ORIGIN_RULES`: what is wanted of whom.
    pub rules: Vec<Rule>,
}

impl Origin {
    /// The services that the rules name, each once.
    #[must_use]
    pub fn services(&self) -> Vec<i64> {
        let mut services: Vec<_> = self.rules.iter().flat_map(Rule::permissions).map(|(service_id, _)| service_id).collect();
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
        let of_token = |need: &Need| matches!(need, Need::Scopes(_) | Need::Audience(_) | Need::Groups(_));
        self.rules.iter().flat_map(Rule::all_needs).any(of_token)
    }
}

/// Checks `ORIGIN_URL`; the error is the phrase that follows its name.
pub fn read_url(text: &str) -> Result<String, String> {
    let wrong = || "must be like https://app.example.com or http://10.0.0.5:8080/base, without user, query or fragment".to_owned();
    let text = text.trim();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(wrong)?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || rest.contains(['?', '#', '@', '\\', '%']) || rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong());
    }
    if rest.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}
