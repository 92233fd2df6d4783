//! The table of all variables and secrets of a deployment.
//!
//! `config.rs` parses by this table. `docs/reference/variables.md` and the comments in
//! `wrangler.toml` are generated from it. To add a variable, write a row here and read it in
//! `Config::read`. Then run `UPDATE=1 cargo test --test host variables`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::spelling;
use crate::domain::tokens::revocation::MAX_LEEWAY_S;

/// The bindings of the deployment by name, as JSON values. Bindings of D1 and KV are here as null,
/// so that a misspelled variable among them is found.
pub type Bindings = BTreeMap<String, Value>;

#[derive(Debug)]
pub struct Variable {
    /// The name of the binding, in capitals.
    pub name: &'static str,
    /// The allowed values, and the default.
    pub kind: ValueKind,
    /// For operators: one or two sentences in Markdown, without `|`.
    pub about: &'static str,
}

/// The type of a variable. Every type can be given as text, because secrets, `.dev.vars` and the
/// dashboard have texts only.
#[derive(Debug)]
pub enum ValueKind {
    /// A text that is never in `wrangler.toml` and never shown.
    Secret {
        /// Whether the Worker refuses all requests without it.
        required: bool,
    },
    /// A whole number from `min` to `max`.
    Integer { default: i64, min: i64, max: i64 },
    /// The default is false.
    Boolean,
    /// One of these words. The default is the first.
    Word(&'static [&'static str]),
    /// Some of these words. The default is all of them.
    Words(&'static [&'static str]),
    /// A text, with its default.
    Text(&'static str),
    /// The address of a server.
    Url,
    /// A host with an optional port.
    Host,
    /// A list of texts, or one text with commas between them.
    List,
    /// A list of tables, or the same as a JSON text.
    Json,
}

use ValueKind::{Boolean, Host, Integer, Json, List, Secret, Text, Url, Word, Words};

const fn row(name: &'static str, kind: ValueKind, about: &'static str) -> Variable {
    Variable { name, kind, about }
}

/// In the order of the documents.
#[rustfmt::skip]
pub const VARIABLES: &[Variable] = &[
    row("MASTER_KEY", Secret { required: true },
        "32 bytes in base64 or hex, which encrypt the secrets of token apps and applications, and \
         the copy in KV. Without them those secrets are lost, so keep a copy; `openssl rand \
         -base64 32` makes a key."),
    row("MASTER_KEY_PREVIOUS", Secret { required: false },
        "The old key while `MASTER_KEY` is being replaced, until the scheduled event has encrypted \
         everything anew."),
    row("ADMIN_PASSWORD", Secret { required: true },
        "The first administrator's password. It is ignored once the account exists."),
    row("ADMIN_USERNAME", Text("admin"),
        "The first administrator's name. Signing in with it and `ADMIN_PASSWORD` creates the \
         account, if no user has that name."),
    row("TOKEN_TTL_S", Integer { default: 43_200, min: 1, max: 31_536_000 },
        "Seconds for which a token that was issued for a user name and a password is valid."),
    row("CLOCK_LEEWAY_S", Integer { default: 60, min: 0, max: MAX_LEEWAY_S },
        "Seconds by which the clocks of issuers may differ. It applies to `exp`, `nbf` and `iat` \
         of a JWT."),
    row("STALENESS_S", Integer { default: 10, min: 2, max: 300 },
        "Seconds until a change made elsewhere must take effect, for example a revocation, a \
         disabled user or app, or a grant. A greater value makes answers faster where there is \
         little traffic, and asks D1 less often. At most `STALE_IF_ERROR_S`, unless that is 0."),
    row("STALE_IF_ERROR_S", Integer { default: 900, min: 0, max: 86_400 },
        "The greatest age, in seconds, of the copy in KV from which verification goes on while D1 \
         does not answer. 0 switches that off."),
    row("MASK_SECRETS", Boolean,
        "If true, lists show `************` instead of the secrets of token apps. By contract, \
         administrators see them in clear text otherwise."),
    row("MIN_SECRET_BYTES", Integer { default: 1, min: 1, max: 1024 },
        "The shortest shared secret, in bytes, that a token app may have. RFC 7518, section 3.2, \
         requires 32, 48 and 64 for HS256, HS384 and HS512."),
    row("DIRECTORY", Word(&["open", "strict"]),
        "With `open`, services, departments, groups, users, organizations and applications may be \
         named without being registered, because their ids come from your own systems. With \
         `strict` they must be registered first. Otherwise the answer is \"not found\"."),
    row("DIALECTS", Words(&["app_portal", "apim_token_service", "datafor_modeler", "imanager",
        "imanager_nodes", "services"]),
        "The documented dialects that are served. The paths of the other dialects go to the \
         application behind the gateway, or answer 404 if there is none. An empty list serves no \
         dialect."),
    row("CORS_ORIGINS", List,
        "The origins whose pages may call Postern, for example `https://app.example.com`."),
    row("TRUSTED_PROXIES", List,
        "The networks of the proxies or the other CDN in front of this deployment, for example \
         `203.0.113.0/24`. If one of them calls, the client's address is read from \
         `CLIENT_ADDRESS_HEADER`. The header is ignored for all other callers."),
    row("CLIENT_ADDRESS_HEADER", Text("X-Forwarded-For"),
        "The header in which `TRUSTED_PROXIES` send the client's address. In a list, the client's \
         address is the last one that is not a trusted proxy."),
    row("VERDICT_MAX_AGE_S", Integer { default: 0, min: 0, max: 3600 },
        "Seconds for which a proxy or a cache may keep a 200 answer of `/v1/verify`, `/v1/check` \
         and `/v1/forward-auth`. A revocation or the end of a grant then takes effect that much \
         later."),
    row("AUDIT_RETENTION_DAYS", Integer { default: 400, min: 1, max: 36_500 },
        "Days for which the audit trail is kept. The scheduled event deletes older entries."),
    row("SCIM_ADOPT", Boolean,
        "If true, provisioning by SCIM takes over users and groups that it did not make, when it \
         first writes to them. They keep their ids and grants. Whoever runs the identity provider \
         then controls local accounts. Administrators are never taken over."),
    row("LOGIN_URL", Url,
        "Where the gateway sends a browser whose user is not signed in: the URL of a page, which \
         gets `return_to` in its query, or `password` for Postern's own page at `/v1/sign-in`. If \
         it is not set, a page says what to do."),
    row("LOGOUT_URL", Url,
        "Where `/v1/sign-out` sends a browser. If it is not set, a page says that the session has \
         ended."),
    row("PUBLIC_ORIGIN", Url,
        "The origin at which browsers reach Postern, for example `https://app.example.com`. Set \
         it if a proxy in front changes the origin."),
    row("SESSION_SAMESITE", Word(&["lax", "none"]),
        "With `none` the gateway's session is also valid in frames of other sites, for \
         applications that are shown there. It needs https."),
    row("ADMIN_HOST", Host,
        "The host of the console, for example `admin.example.com`. People sign in there to manage \
         Postern, and no request to it goes to an application. It is required, except on \
         `localhost` and `workers.dev` without an application, so that no page of an application \
         can act as an administrator. The host must never have served an application."),
    row("TOKEN_HEADERS", List,
        "Headers that carry the token of a request to the gateway, to `/v1/verify`, `/v1/check` \
         and `/v1/forward-auth`, for example `Cf-Access-Jwt-Assertion`. If a request has one, its \
         token is used, and `Authorization` is left to the application."),
    row("TOKEN_COOKIES", List,
        "Cookies that carry the token of such a request, for example `CF_Authorization`. They are \
         used only if the request has no other credential."),
    row("ORIGIN_URL", Url,
        "The application behind the gateway, for example `https://app.internal.example.com`. If \
         the URL has a path, all requests go below it. If it is not set, the gateway is off and \
         unknown paths answer 404."),
    row("ORIGINS", Json,
        "Several applications behind the gateway, for example `[{ host = \"maps.example.com\", \
         url = \"https://maps.internal.example.com\" }, { path = \"/reports\", url = \
         \"http://10.0.0.5:8080\", timeoutS = 300 }]`. Each one gets the requests to its `host` \
         and below its `path`, or all requests without them. The whole path is passed on. \
         Applications with a host are tried first, then those with the longest path. `ORIGIN_URL` \
         gets the rest. `timeoutS` replaces `ORIGIN_TIMEOUT_S`."),
    row("ORIGIN_PUBLIC", List,
        "Path prefixes that pass through the gateway without a token, for example `/static`."),
    row("ORIGIN_RULES", Json,
        "The rules that callers must pass, for example `[{ path = \"/reports\", methods = \
         [\"GET\"], service = 7, permission = \"VIEW\" }]`. A rule applies to a `path` and \
         everything below it, for all methods and hosts or only for some `methods` and one \
         `host`. The caller must have everything that the rule names: `permission` on `service`, \
         one of the `groups` (ids), one of the `roles` (or user types), all of the `scopes`, one \
         of the `apps`, the `audience`, and one of the objects in `any`. A rule with `public` \
         lets everybody pass, `deny` refuses callers who have everything that the rule names, and \
         `report` only logs what it would have refused. docs/gateway.md says which rules decide."),
    row("ORIGIN_ASSERTION_KEY", Secret { required: false },
        "Signs the assertion of the caller's identity that the origin gets in the header \
         `X-Postern-Assertion`. A private JWK on P-256 signs with ES256, and its public half is \
         at `/.well-known/jwks.json`. Any other text of at least 32 bytes is a secret for HS256, \
         which the origin must have, too."),
    row("ORIGIN_ASSERTION_KEY_PREVIOUS", Secret { required: false },
        "The old key while `ORIGIN_ASSERTION_KEY` is being replaced. It signs nothing. If it is a \
         JWK, its public half is still published."),
    row("ORIGIN_TIMEOUT_S", Integer { default: 60, min: 1, max: 600 },
        "Seconds without progress (no request bytes read, no response begun) before the gateway \
         answers 504."),
    row("ORIGIN_NODES", Boolean,
        "If true, orders of GIS servers are verified and forwarded to the origin instead of being \
         stored here."),
];

/// A binding that begins like this is meant for Postern. The prefixes are long enough to leave
/// names like `TOKEN_X` to others.
#[rustfmt::skip]
pub const PREFIXES: &[&str] = &[
    "ADMIN_", "AUDIT_RETENTION", "CLIENT_ADDRESS", "CLOCK_LEEWAY", "CORS_", "DIALECT", "DIRECTORY",
    "LOGIN_U", "LOGOUT_", "MASK_SECRET", "MASTER_KEY", "MIN_SECRET", "ORIGIN_", "PUBLIC_ORIGIN",
    "SCIM_", "SESSION_SAME", "STALE_IF_ERROR", "TOKEN_COOKIE", "TOKEN_HEADER", "TOKEN_TTL",
    "TRUSTED_PROX", "VERDICT_",
];

#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// A problem for each binding that looks like a misspelled variable. Ignoring such a variable could
/// leave open what it should close.
#[must_use]
pub fn misspelled(bindings: &Bindings) -> Vec<String> {
    let problem = |name: &String| {
        let nearest = meant_by(name)?.name;
        Some(format!("{name} is no variable of Postern: did you mean {nearest}?"))
    };
    bindings.keys().filter_map(problem).collect()
}

/// The variable that a misspelled name was meant to be. `None` if the name is right, or if it
/// belongs to something else.
fn meant_by(name: &str) -> Option<&'static Variable> {
    if find(name).is_some() {
        return None;
    }
    // No variable is longer, but a name may be.
    let capitals: String = name.chars().take(64).collect::<String>().to_ascii_uppercase();
    let swapped =
        VARIABLES.iter().find(|variable| sorted_words(variable.name) == sorted_words(&capitals));
    if swapped.is_some() {
        return swapped;
    }
    let edits = |variable: &&Variable| spelling::distance(&capitals, variable.name);
    let nearest = VARIABLES.iter().min_by_key(edits)?;
    // In a short word two edits can make another word. One edit is allowed per four letters, and
    // two at most.
    let is_near = edits(&nearest) <= (nearest.name.len() / 4).min(2);
    let begins_alike = PREFIXES.iter().any(|prefix| capitals.starts_with(prefix));
    (is_near || begins_alike).then_some(nearest)
}

/// The words of a name in sorted order, so that names with swapped words are equal.
fn sorted_words(name: &str) -> Vec<&str> {
    let mut words: Vec<_> = name.split('_').collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_is_told_with_the_one_that_was_meant() {
        for (name, meant) in [
            ("ORIGIN_PUBLIK", "ORIGIN_PUBLIC"),
            ("ORIGIN", "ORIGINS"),
            ("ORIGIN_PUBILC", "ORIGIN_PUBLIC"),
            ("ORIGIN_RULE", "ORIGIN_RULES"),
            ("ORIGN_RULES", "ORIGIN_RULES"),
            ("ORIGIN-RULES", "ORIGIN_RULES"),
            ("origin_rules", "ORIGIN_RULES"),
            ("ORIGIN_PUBLIC_PATHS", "ORIGIN_PUBLIC"),
            ("CORS_ORIGIN", "CORS_ORIGINS"),
            ("MASK_SECRET", "MASK_SECRETS"),
            ("MASKSECRETS", "MASK_SECRETS"),
            ("DIRECTROY", "DIRECTORY"),
            ("TOKEN_TTL", "TOKEN_TTL_S"),
            ("TOKEN_TTL_SECONDS", "TOKEN_TTL_S"),
            ("MASTER_KEY_PREVIUS", "MASTER_KEY_PREVIOUS"),
            ("ADMIN_USER", "ADMIN_USERNAME"),
            ("ORIGINS_PUBLIC", "ORIGIN_PUBLIC"),
            ("TOKEN_HEADER", "TOKEN_HEADERS"),
            ("LOGIN_URI", "LOGIN_URL"),
            ("SECRETS_MASK", "MASK_SECRETS"),
            ("TTL_TOKEN_S", "TOKEN_TTL_S"),
        ] {
            assert_eq!(meant_by(name).map(|variable| variable.name), Some(meant), "{name}");
        }
    }

    #[test]
    fn names_of_others_are_left_alone() {
        let others = [
            "",
            "DB",
            "KV",
            "DB2",
            "KEY",
            "ASSETS",
            "CF_VERSION_METADATA",
            "__STATIC_CONTENT",
            "CLOUDFLARE_ENV",
            "NODE_ENV",
            "PATH",
            "TOKEN",
            "TOKEN_X",
            "SECRET",
            "URL",
            "DIRECT",
            "Ä",
            "MINIFLARE_LOOPBACK",
        ];
        for name in others.into_iter().chain(VARIABLES.iter().map(|variable| variable.name)) {
            assert_eq!(meant_by(name).map(|variable| variable.name), None, "{name}");
        }
        assert!(meant_by(&"X".repeat(100_000)).is_none());
    }

    #[test]
    fn every_prefix_begins_a_variable_and_every_name_is_there_once() {
        for prefix in PREFIXES {
            assert!(VARIABLES.iter().any(|variable| variable.name.starts_with(prefix)), "{prefix}");
        }
        for variable in VARIABLES {
            assert_eq!(
                VARIABLES.iter().filter(|other| other.name == variable.name).count(),
                1,
                "{}",
                variable.name
            );
            assert!(
                variable.about.ends_with('.') && !variable.about.contains('|'),
                "{}",
                variable.name
            );
        }
    }
}
