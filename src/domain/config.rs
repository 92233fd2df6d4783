//! The deployment's variables and secrets, read once an isolate.

use crate::domain::identity::user::Username;
use crate::domain::master_key::{MasterKey, MasterKeys};
use crate::domain::origin::Origin;
use crate::domain::secret::Secret;

/// What `wrangler.toml` and the secrets say.
#[derive(Debug)]
pub struct Config {
    /// `MASTER_KEY` and `MASTER_KEY_PREVIOUS`.
    pub master_keys: MasterKeys,
    /// `ADMIN_USERNAME`, `ADMIN_PASSWORD`: what creates the first administrator.
    pub first_administrator: FirstAdministrator,
    /// `TOKEN_TTL_S`: how long opaque tokens live.
    pub token_ttl_s: i64,
    /// `CLOCK_LEEWAY_S`: how far the clocks of issuers may differ.
    pub clock_leeway_s: i64,
    /// `STALE_IF_ERROR_S`: how old a copy may be while D1 does not answer.
    pub stale_if_error_s: i64,
    /// `MASK_SECRETS`: whether lists hide the secrets of token apps.
    pub mask_secrets: bool,
    /// `MIN_SECRET_BYTES`: shorter shared secrets are refused.
    pub min_secret_bytes: usize,
    /// `DIRECTORY`: whether ids in grants must be registered first (`strict`), or are references into other systems (`open`).
    pub strict_directory: bool,
    /// `CORS_ORIGINS`: origins whose pages may call, separated by commas; `*` is not taken.
    pub cors_origins: Vec<String>,
    /// `ORIGIN_URL` and its like: what is behind the gateway; `None` where there is no gateway.
    pub origin: Option<Origin>,
}

/// Who becomes the first administrator, by signing in.
#[derive(Debug)]
pub struct FirstAdministrator {
    /// The user name.
    pub username: Username,
    /// The password.
    pub password: Secret,
}

impl Config {
    /// Reads the variables through `variable`; an empty one counts as absent. The error lists everything that is wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut reader = Reader { variable, problems: Vec::new() };
        let current = reader.required("MASTER_KEY").and_then(|text| reader.master_key("MASTER_KEY", &text));
        let previous = reader.get("MASTER_KEY_PREVIOUS").and_then(|text| reader.master_key("MASTER_KEY_PREVIOUS", &text));
        let username = reader.get("ADMIN_USERNAME").unwrap_or_else(|| "admin".to_owned());
        let username = reader.checked("ADMIN_USERNAME", Username::parse(&username));
        let password = reader.required("ADMIN_PASSWORD").map(Secret::new);
        let token_ttl_s = reader.integer("TOKEN_TTL_S", 43_200, 1, 31_536_000);
        let clock_leeway_s = reader.integer("CLOCK_LEEWAY_S", 60, 0, 600);
        let stale_if_error_s = reader.integer("STALE_IF_ERROR_S", 900, 0, 86_400);
        let mask_secrets = reader.flag("MASK_SECRETS");
        let min_secret_bytes = usize::try_from(reader.integer("MIN_SECRET_BYTES", 1, 1, 1024)).unwrap_or(1);
        let strict_directory = reader.one_of("DIRECTORY", ["open", "strict"]) == 1;
        let cors_origins = reader.origins("CORS_ORIGINS");
        let origin = reader.origin();
        match (current, username, password) {
            (Some(current), Some(username), Some(password)) if reader.problems.is_empty() => Ok(Self {
                master_keys: MasterKeys::new(current, previous),
                first_administrator: FirstAdministrator { username, password },
                token_ttl_s,
                clock_leeway_s,
                stale_if_error_s,
                mask_secrets,
                min_secret_bytes,
                strict_directory,
                cors_origins,
                origin,
            }),
            _ => Err(reader.problems),
        }
    }
}

struct Reader<F> {
    variable: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|text| !text.trim().is_empty())
    }

    fn required(&mut self, name: &str) -> Option<String> {
        let text = self.get(name);
        if text.is_none() {
            self.problems.push(format!("the secret {name} is missing"));
        }
        text
    }

    fn checked<T>(&mut self, name: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|why| self.problems.push(format!("{name} {why}"))).ok()
    }

    fn master_key(&mut self, name: &str, text: &str) -> Option<MasterKey> {
        self.checked(name, MasterKey::parse(text))
    }

    fn integer(&mut self, name: &str, default: i64, min: i64, max: i64) -> i64 {
        let Some(text) = self.get(name) else { return default };
        let number = text.trim().parse().ok().filter(|number| (min..=max).contains(number));
        self.checked(name, number.ok_or(format!("must be a whole number from {min} to {max}"))).unwrap_or(default)
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.get(name).as_deref().map(str::trim) {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => self.checked(name, Err("must be \"0\" or \"1\"".to_owned())).unwrap_or(false),
        }
    }

    /// The index of the word; that of the first where there is none.
    fn one_of(&mut self, name: &str, words: [&str; 2]) -> usize {
        let Some(text) = self.get(name) else { return 0 };
        let index = words.iter().position(|word| *word == text.trim());
        self.checked(name, index.ok_or(format!("must be one of {}", words.join(", ")))).unwrap_or(0)
    }

    fn origin(&mut self) -> Option<Origin> {
        let timeout_s = self.integer("ORIGIN_TIMEOUT_S", 60, 1, 600);
        let takes_nodes = self.flag("ORIGIN_NODES");
        let [url, public, rules] = ["ORIGIN_URL", "ORIGIN_PUBLIC", "ORIGIN_RULES"].map(|name| self.get(name));
        let origin = Origin::read(&url?, timeout_s, takes_nodes, public.as_deref(), rules.as_deref());
        origin.map_err(|(name, why)| self.problems.push(format!("{name} {why}"))).ok()
    }

    fn origins(&mut self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        let origins: Vec<_> = text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned).collect();
        for origin in &origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or_default();
            if host.is_empty() || host.contains(['/', '*', '?', '#', '@']) {
                self.problems.push(format!("{name} must list origins like https://app.example.com, not {origin:?}"));
            }
        }
        origins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        Config::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn missing_secrets_are_all_named() {
        let problems = read(&[("MASTER_KEY", " ")]).unwrap_err();
        assert_eq!(problems, ["the secret MASTER_KEY is missing", "the secret ADMIN_PASSWORD is missing"]);
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
        assert_eq!((config.token_ttl_s, config.clock_leeway_s, config.stale_if_error_s), (43_200, 60, 900));
        assert_eq!(config.first_administrator.username.as_str(), "admin");
        assert_eq!(config.origin, None);
    }
}
