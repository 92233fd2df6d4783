//! The variables and secrets of the deployment, read once per isolate.

mod values;
pub mod variables;

use serde_json::Value;

use crate::domain::admin_host::AdminHost;
use crate::domain::assertion::{AssertionKey, AssertionKeys};
use crate::domain::browsers::{self, Browsers, Login};
use crate::domain::config::variables::{Bindings, ValueKind, Variable};
use crate::domain::identity::user::Username;
use crate::domain::master_key::{MasterKey, MasterKeys};
use crate::domain::network::{Cidr, TrustedProxies};
use crate::domain::origin::{self, Origins, Prefix, Rules};
use crate::domain::secret::Secret;
use crate::domain::staleness::Staleness;

/// The settings from `wrangler.toml` and the secrets.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a variable of its own")]
pub struct Config {
    /// `MASTER_KEY` and `MASTER_KEY_PREVIOUS`.
    pub master_keys: MasterKeys,
    /// `ADMIN_USERNAME` and `ADMIN_PASSWORD`.
    pub first_administrator: FirstAdministrator,
    /// `TOKEN_TTL_S`: the lifetime of opaque tokens.
    pub token_ttl_s: i64,
    /// `CLOCK_LEEWAY_S`: the tolerated difference to the clocks of issuers.
    pub clock_leeway_s: i64,
    /// `STALENESS_S`: the greatest age of cached data.
    pub staleness: Staleness,
    /// `STALE_IF_ERROR_S`: the greatest age of a KV copy that is used while D1 does not answer.
    pub stale_if_error_s: i64,
    /// `MASK_SECRETS`: whether lists hide the secrets of token apps.
    pub mask_secrets: bool,
    /// `MIN_SECRET_BYTES`: the minimum length of shared secrets.
    pub min_secret_bytes: usize,
    /// `DIRECTORY`: whether ids in grants must be registered first (`strict`), or are references
    /// into other systems (`open`).
    pub strict_directory: bool,
    /// `DIALECTS`: the names of the documented dialects that are served.
    pub dialects: Vec<&'static str>,
    /// `CORS_ORIGINS`: origins whose pages may call. `*` is not allowed.
    pub cors_origins: Vec<String>,
    /// `TRUSTED_PROXIES` and `CLIENT_ADDRESS_HEADER`: the proxies that may name the client's
    /// address.
    pub trusted_proxies: TrustedProxies,
    /// `VERDICT_MAX_AGE_S`: the time for which callers may cache a decision. 0 forbids it.
    pub verdict_max_age_s: i64,
    /// `AUDIT_RETENTION_DAYS`: the time for which the audit trail is kept.
    pub audit_retention_days: i64,
    /// `SCIM_ADOPT`: whether provisioning takes over users and groups that it did not make.
    pub scim_adopts: bool,
    /// `LOGIN_URL` and the other variables for browsers.
    pub browsers: Browsers,
    /// `ADMIN_HOST`: the host of the console.
    pub admin_host: Option<AdminHost>,
    /// `ORIGIN_URL` and `ORIGINS`: the applications behind the gateway. Without any, the gateway is
    /// off.
    pub origins: Origins,
    /// `ORIGIN_PUBLIC` and `ORIGIN_RULES`. Proxies can ask for their decisions even if the gateway
    /// is off.
    pub rules: Rules,
    /// Whether some rule uses the claims of a token.
    pub rules_look_at_tokens: bool,
    /// `ORIGIN_ASSERTION_KEY` and `ORIGIN_ASSERTION_KEY_PREVIOUS`. `None` if the origin gets no
    /// assertions.
    pub assertion_keys: Option<AssertionKeys>,
}

/// The credentials whose first sign-in creates the first administrator.
#[derive(Debug)]
pub struct FirstAdministrator {
    pub username: Username,
    pub password: Secret,
}

impl Config {
    /// Reads the variables. Null and an empty text are treated as absent. The error lists all
    /// problems.
    pub fn read(bindings: &Bindings) -> Result<Self, Vec<String>> {
        let mut reader = Reader { bindings, problems: variables::misspelled(bindings) };
        let mut key = |name| reader.read(name, |kind, value| kind.text(value, MasterKey::parse));
        let (current, previous) = (key("MASTER_KEY"), key("MASTER_KEY_PREVIOUS"));
        let username =
            reader.read("ADMIN_USERNAME", |kind, value| kind.text(value, Username::parse));
        let password = reader
            .read("ADMIN_PASSWORD", |kind, value| kind.text(value, |text| Ok(Secret::new(text))));
        let token_ttl_s = reader.read("TOKEN_TTL_S", ValueKind::integer);
        let clock_leeway_s = reader.read("CLOCK_LEEWAY_S", ValueKind::integer);
        let staleness_s = reader.read("STALENESS_S", ValueKind::integer);
        let stale_if_error_s = reader.read("STALE_IF_ERROR_S", ValueKind::integer);
        reader.compare_staleness(staleness_s, stale_if_error_s);
        let mask_secrets = reader.read("MASK_SECRETS", ValueKind::boolean);
        let min_secret_bytes = reader.read("MIN_SECRET_BYTES", ValueKind::integer);
        let strict_directory = reader.read("DIRECTORY", ValueKind::word) == "strict";
        let dialects = reader.read("DIALECTS", ValueKind::words);
        let cors_origins = reader.read("CORS_ORIGINS", |kind, value| kind.list(value, page_origin));
        let networks = reader.read("TRUSTED_PROXIES", |kind, value| kind.list(value, Cidr::parse));
        let header = reader
            .read("CLIENT_ADDRESS_HEADER", |kind, value| kind.text(value, header_name))
            .unwrap_or_default();
        let verdict_max_age_s = reader.read("VERDICT_MAX_AGE_S", ValueKind::integer);
        let audit_retention_days = reader.read("AUDIT_RETENTION_DAYS", ValueKind::integer);
        let scim_adopts = reader.read("SCIM_ADOPT", ValueKind::boolean);
        let browsers = reader.browsers();
        let origins = reader.origins();
        let admin_host = reader.admin_host(&browsers, &origins);
        let rules = reader.rules();
        let mut key = |name| reader.read(name, |kind, value| kind.text(value, AssertionKey::parse));
        let (signing, signed_before) =
            (key("ORIGIN_ASSERTION_KEY"), key("ORIGIN_ASSERTION_KEY_PREVIOUS"));
        match (current, username, password) {
            (Some(current), Some(username), Some(password)) if reader.problems.is_empty() => {
                Ok(Self {
                    master_keys: MasterKeys::new(current, previous),
                    first_administrator: FirstAdministrator { username, password },
                    token_ttl_s,
                    clock_leeway_s,
                    staleness: Staleness::of_seconds(staleness_s),
                    stale_if_error_s,
                    mask_secrets,
                    min_secret_bytes: usize::try_from(min_secret_bytes).unwrap_or(usize::MAX),
                    strict_directory,
                    dialects,
                    cors_origins,
                    trusted_proxies: TrustedProxies { networks, header },
                    verdict_max_age_s,
                    audit_retention_days,
                    scim_adopts,
                    browsers,
                    admin_host,
                    origins,
                    rules_look_at_tokens: rules.looks_at_tokens(),
                    rules,
                    assertion_keys: signing
                        .map(|current| AssertionKeys { current, previous: signed_before }),
                })
            }
            _ => Err(reader.problems),
        }
    }
}

struct Reader<'a> {
    bindings: &'a Bindings,
    problems: Vec<String>,
}

impl Reader<'_> {
    /// Reads a variable according to its row in the table. A problem is collected and an empty
    /// value returned, so that one run finds all problems.
    fn read<T: Default>(
        &mut self,
        name: &str,
        read: impl FnOnce(&ValueKind, Option<&Value>) -> Result<T, String>,
    ) -> T {
        let is_empty = |value: &Value| {
            value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
        };
        let value = self.bindings.get(name).filter(|value| !is_empty(value));
        let result = match variables::find(name) {
            None => Err(format!("{name} is in no row of the table of variables")),
            Some(Variable { kind: ValueKind::Secret { required: true }, .. })
                if value.is_none() =>
            {
                Err(format!("the secret {name} is missing"))
            }
            Some(variable) => read(&variable.kind, value).map_err(|why| format!("{name} {why}")),
        };
        result.unwrap_or_else(|problem| {
            self.problems.push(problem);
            T::default()
        })
    }

    /// The default of `STALENESS_S` is accepted with any `STALE_IF_ERROR_S`, because some
    /// deployments are older than `STALENESS_S`.
    fn compare_staleness(&mut self, staleness_s: i64, stale_if_error_s: i64) {
        if self.bindings.contains_key("STALENESS_S")
            && stale_if_error_s > 0
            && staleness_s > stale_if_error_s
        {
            self.problems.push(format!(
                "STALENESS_S must be at most STALE_IF_ERROR_S, which is {stale_if_error_s}"
            ));
        }
    }

    fn browsers(&mut self) -> Browsers {
        Browsers {
            login: self.read("LOGIN_URL", |kind, value| kind.text(value, Login::parse)),
            logout_url: self.read("LOGOUT_URL", |kind, value| kind.text(value, browsers::page)),
            public_origin: self.read("PUBLIC_ORIGIN", |kind, value| kind.text(value, page_origin)),
            in_frames: self.read("SESSION_SAMESITE", ValueKind::word) == "none",
            token_headers: self.read("TOKEN_HEADERS", |kind, value| kind.list(value, header_name)),
            token_cookies: self
                .read("TOKEN_COOKIES", |kind, value| kind.list(value, browsers::cookie_name)),
        }
    }

    fn origins(&mut self) -> Origins {
        let url = self.read("ORIGIN_URL", |kind, value| kind.text(value, origin::read_url));
        let list = self.read("ORIGINS", |kind, value| kind.json(value, origin::read_origins));
        let timeout_s = self.read("ORIGIN_TIMEOUT_S", ValueKind::integer);
        let takes_nodes = self.read("ORIGIN_NODES", ValueKind::boolean);
        Origins::new(list, url, timeout_s, takes_nodes)
    }

    /// Nothing on the console's host goes to an application, so no application can be on it.
    fn admin_host(&mut self, browsers: &Browsers, origins: &Origins) -> Option<AdminHost> {
        let host = self.read("ADMIN_HOST", |kind, value| kind.text(value, AdminHost::parse))?;
        let is_of_application = !origins.is_empty() || browsers.login.is_some();
        let public = browsers.public_origin.as_deref().filter(|_| is_of_application);
        let public = public.is_some_and(|origin| host.is(origin));
        let of_list = || {
            origins
                .list()
                .iter()
                .filter_map(|origin| origin.host.as_deref())
                .any(|of| host.is_all_of(of))
        };
        let other = if public { Some("PUBLIC_ORIGIN") } else { of_list().then_some("ORIGINS") };
        if let Some(other) = other {
            self.problems.push(format!(
                "ADMIN_HOST must be another host than that of {other}: the console and the \
                 application have one each"
            ));
        }
        Some(host)
    }

    /// Checks the rules even if the gateway is off.
    fn rules(&mut self) -> Rules {
        Rules {
            public: self.read("ORIGIN_PUBLIC", |kind, value| kind.list(value, Prefix::parse)),
            rules: self.read("ORIGIN_RULES", |kind, value| kind.json(value, origin::read_rules)),
        }
    }
}

/// Checks an origin in the form that browsers send. The error is a phrase to put after the
/// variable's name.
fn page_origin(text: &str) -> Result<String, String> {
    let host =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    if host.is_empty() || host.contains(['/', '*', '?', '#', '@']) {
        return Err(format!("must list origins like https://app.example.com, not {text:?}"));
    }
    Ok(text.to_owned())
}

/// Checks the name of a header. The error is a phrase to put after the variable's name.
fn header_name(text: &str) -> Result<String, String> {
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.len() > 64 || !text.bytes().all(is_of_names) {
        return Err(
            "must be the name of a header: letters, digits and hyphens, 64 at most".to_owned()
        );
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let binding = |(name, text): &(&str, &str)| ((*name).to_owned(), Value::from(*text));
        Config::read(&pairs.iter().map(binding).collect())
    }

    #[test]
    fn missing_secrets_are_all_named() {
        let problems = read(&[("MASTER_KEY", " ")]).unwrap_err();
        assert_eq!(
            problems,
            ["the secret MASTER_KEY is missing", "the secret ADMIN_PASSWORD is missing"]
        );
    }

    #[test]
    fn malformed_values_are_named_and_nothing_of_them_is_shown() {
        let problems = read(&[
            ("MASTER_KEY", "c2hvcnQ"),
            ("ADMIN_PASSWORD", "x"),
            ("TOKEN_TTL_S", "0"),
            ("MASK_SECRETS", "yes"),
            ("CORS_ORIGINS", "*"),
        ])
        .unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(!problems.iter().any(|problem| problem.contains("c2hvcnQ")), "{problems:?}");
    }

    #[test]
    fn defaults_are_those_of_the_readme() {
        let config = read(&[("MASTER_KEY", &"ab".repeat(32)), ("ADMIN_PASSWORD", "x")]).unwrap();
        assert_eq!(
            (config.token_ttl_s, config.clock_leeway_s, config.stale_if_error_s),
            (43_200, 60, 900)
        );
        assert_eq!(config.first_administrator.username.as_str(), "admin");
        assert!(config.origins.is_empty());
    }
}
