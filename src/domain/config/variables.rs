//! Every variable and every secret of a deployment.
//!
//! `config.rs` parses by this table. `docs/reference/variables.md` and the comments in
//! `wrangler.toml` are generated from it. To add a variable, write a row here and read it in
//! `Config::read`; then run `UPDATE=1 cargo test --test host variables`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::spelling;
use crate::domain::tokens::revocation::MAX_LEEWAY_S;

/// What the deployment gives, by name: texts as they are, other values as JSON has them. Bindings
/// that are no variable, as those of D1 and KV, are here too, as null: a misspelled variable is
/// found among them.
pub type Bindings = BTreeMap<String, Value>;

/// One row of the table.
#[derive(Debug)]
pub struct Variable {
    /// The name of the binding, in capitals.
    pub name: &'static str,
    /// What its value may be, and what counts where it is not set.
    pub kind: ValueKind,
    /// What it does, for operators: one or two sentences in Markdown, without `|`.
    pub about: &'static str,
}

/// What the value of a variable may be. Every kind may be given as text, since secrets, `.dev.vars`
/// and the dashboard know nothing else.
#[derive(Debug)]
pub enum ValueKind {
    /// A text that is never in `wrangler.toml`, and never shown.
    Secret {
        /// Whether the Worker answers nothing without it.
        required: bool,
    },
    /// A whole number within bounds, which are allowed too.
    Integer {
        /// Where it is not set.
        default: i64,
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// True or false; false where it is not set.
    Boolean,
    /// One of these words; the first where it is not set.
    Word(&'static [&'static str]),
    /// Some of these words; all of them where it is not set.
    Words(&'static [&'static str]),
    /// A text, and the one that counts where it is not set.
    Text(&'static str),
    /// The address of a server.
    Url,
    /// A host, with a port or without one.
    Host,
    /// A list of texts, or one text with commas between them.
    List,
    /// A list of tables, or a text that holds it as JSON.
    Json,
}

use ValueKind::{Boolean, Host, Integer, Json, List, Secret, Text, Url, Word, Words};

const fn row(name: &'static str, kind: ValueKind, about: &'static str) -> Variable {
    Variable { name, kind, about }
}

/// The table, in the order in which the documents list it.
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
        "The first administrator's password. It is not looked at again once the account exists."),
    row("ADMIN_USERNAME", Text("admin"),
        "The first administrator's name. Signing in with it and `ADMIN_PASSWORD` creates the \
         account, if no user has that name."),
    row("TOKEN_TTL_S", Integer { default: 43_200, min: 1, max: 31_536_000 },
        "How many seconds a token from a user name and a password is valid."),
    row("CLOCK_LEEWAY_S", Integer { default: 60, min: 0, max: MAX_LEEWAY_S },
        "How many seconds the clocks of issuers may differ, when `exp`, `nbf` and `iat` of a JWT \
         are checked."),
    row("STALENESS_S", Integer { default: 10, min: 2, max: 300 },
        "How many seconds after a change made elsewhere an answer may still rely on what was before: \
         a revocation, a disabled user or app, a grant. With more, seldom visited places answer faster, \
         and D1 is asked less often. At most `STALE_IF_ERROR_S`, where that is not 0."),
    row("STALE_IF_ERROR_S", Integer { default: 900, min: 0, max: 86_400 },
        "How many seconds old the copy in KV may be for verification to go on while D1 does not \
         answer. 0 switches that off."),
    row("MASK_SECRETS", Boolean,
        "When true, lists show `************` instead of the secrets of token apps. By contract \
         administrators see them in clear."),
    row("MIN_SECRET_BYTES", Integer { default: 1, min: 1, max: 1024 },
        "The shortest shared secret, in bytes, that a token app may have. RFC 7518, 3.2, asks for \
         32, 48 and 64 with HS256, HS384 and HS512."),
    row("DIRECTORY", Word(&["open", "strict"]),
        "With `open`, services, departments, groups, users, organizations and applications may be \
         named without being registered: they are references into your own systems. With `strict` \
         they must be registered first, else the answer is \"not found\"."),
    row("DIALECTS", Words(&["app_portal", "apim_token_service", "datafor_modeler", "imanager",
        "imanager_nodes", "services"]),
        "The documented dialects that are served. The paths of the others are the application's \
         behind the gateway, and 404 without one; an empty list serves none."),
    row("CORS_ORIGINS", List,
        "The origins whose pages may call, like `https://app.example.com`."),
    row("TRUSTED_PROXIES", List,
        "The networks of the proxies or the other CDN in front of this deployment, like \
         `203.0.113.0/24`. When one of them calls, the client's address is read from \
         `CLIENT_ADDRESS_HEADER`. Nobody else is believed."),
    row("CLIENT_ADDRESS_HEADER", Text("X-Forwarded-For"),
        "The header in which `TRUSTED_PROXIES` tell the client's address. In a list, the last \
         address that is no trusted proxy's counts."),
    row("VERDICT_MAX_AGE_S", Integer { default: 0, min: 0, max: 3600 },
        "How many seconds a proxy or a cache may keep an answer 200 of `/v1/verify`, `/v1/check` and \
         `/v1/forward-auth`. Who keeps one sees a revocation, or the end of a grant, that much later."),
    row("AUDIT_RETENTION_DAYS", Integer { default: 400, min: 1, max: 36_500 },
        "How many days the audit trail is kept. The scheduled event deletes what is older."),
    row("SCIM_ADOPT", Boolean,
        "When true, provisioning by SCIM takes over users and groups that it did not make, at its first \
         write to them. They keep their ids and grants. Whoever runs the identity provider then controls \
         local accounts; administrators are never taken over."),
    row("LOGIN_URL", Url,
        "Where the gateway sends somebody with a browser who is not signed in, with `return_to` in the \
         query: the URL of a page, or `password` for Postern's own page at `/v1/sign-in`. Without it \
         they see what to do."),
    row("LOGOUT_URL", Url,
        "Where `/v1/sign-out` sends a browser. Without it the page says that the session has ended."),
    row("PUBLIC_ORIGIN", Url,
        "The origin at which browsers reach Postern, like `https://app.example.com`, where a proxy in \
         front changes it."),
    row("SESSION_SAMESITE", Word(&["lax", "none"]),
        "With `none` the gateway's session also counts in frames of other sites, for applications \
         that are shown there. It needs https."),
    row("ADMIN_HOST", Host,
        "The host of the console, like `admin.example.com`: people sign in to manage there, and nothing \
         goes to an application. It is needed everywhere but on `localhost` and `workers.dev`, and \
         with an application there too, so that no page of an application acts for an \
         administrator. It must be a host that never served an application."),
    row("TOKEN_HEADERS", List,
        "Headers that carry the token of a request to the gateway, to `/v1/verify`, `/v1/check` and \
         `/v1/forward-auth`, like `Cf-Access-Jwt-Assertion`. Where one is there, it counts, and \
         `Authorization` is the application's."),
    row("TOKEN_COOKIES", List,
        "Cookies that carry the token of such a request, like `CF_Authorization`. They count after \
         everything else."),
    row("ORIGIN_URL", Url,
        "The application behind the gateway, like `https://app.internal.example.com`; with a path, \
         every path goes below it. Without it there is no gateway, and unknown paths are 404."),
    row("ORIGINS", Json,
        "Several applications behind the gateway, like `[{ host = \"maps.example.com\", url = \
         \"https://maps.internal.example.com\" }, { path = \"/reports\", url = \"http://10.0.0.5:8080\", \
         timeoutS = 300 }]`. Each takes the requests of its `host` and below its `path`, or all; the \
         path is passed on whole. Those with a host are tried first, then the longest path, and \
         `ORIGIN_URL` takes the rest. `timeoutS` stands for `ORIGIN_TIMEOUT_S`."),
    row("ORIGIN_PUBLIC", List,
        "The beginnings of paths that pass through the gateway without a token, like `/static`."),
    row("ORIGIN_RULES", Json,
        "What is wanted of whom, like `[{ path = \"/reports\", methods = [\"GET\"], service = 7, \
         permission = \"VIEW\" }]`. A rule is about a `path` and all that is below it, for some \
         `methods` and one `host`, or for all. Everything that it names must hold: `service` with \
         `permission`, one of the `groups` (ids), one of the `roles` (or types of users), all of the \
         `scopes`, one of the `apps`, the `audience`, and one of the objects in `any`. `public` asks \
         nobody, `deny` refuses those for whom the rest holds, and `report` only logs what would \
         have been refused. docs/gateway.md tells which rules decide."),
    row("ORIGIN_ASSERTION_KEY", Secret { required: false },
        "Signs who calls, in the header `X-Postern-Assertion` to the origin. A private JWK on P-256 \
         signs with ES256, and its public half is at `/.well-known/jwks.json`; any other text of at \
         least 32 bytes is a secret for HS256, which the origin must have too."),
    row("ORIGIN_ASSERTION_KEY_PREVIOUS", Secret { required: false },
        "The old key while `ORIGIN_ASSERTION_KEY` is being replaced. The public half of a JWK is \
         still published; it signs nothing."),
    row("ORIGIN_TIMEOUT_S", Integer { default: 60, min: 1, max: 600 },
        "How many seconds the origin may take nothing of the body and not begin its answer, before \
         the gateway answers 504."),
    row("ORIGIN_NODES", Boolean,
        "When true, orders of GIS servers are verified and passed to the origin instead of being \
         written down here."),
];

/// Whatever begins like this is Postern's. They are long enough to leave names like `TOKEN_X` to
/// others.
#[rustfmt::skip]
pub const PREFIXES: &[&str] = &[
    "ADMIN_", "AUDIT_RETENTION", "CLIENT_ADDRESS", "CLOCK_LEEWAY", "CORS_", "DIALECT", "DIRECTORY", "LOGIN_U", "LOGOUT_", "MASK_SECRET", "MASTER_KEY", "MIN_SECRET",
    "ORIGIN_", "PUBLIC_ORIGIN", "SCIM_", "SESSION_SAME", "STALE_IF_ERROR", "TOKEN_COOKIE", "TOKEN_HEADER", "TOKEN_TTL", "TRUSTED_PROX", "VERDICT_",
];

/// The row of a variable.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// A problem for each binding that looks like a variable of the table and is none: a variable that
/// is ignored because of its spelling may leave open what it was to close.
#[must_use]
pub fn misspelled(bindings: &Bindings) -> Vec<String> {
    let problem = |name: &String| {
        let nearest = meant_by(name)?.name;
        Some(format!("{name} is no variable of Postern: did you mean {nearest}?"))
    };
    bindings.keys().filter_map(problem).collect()
}

/// The variable that is meant by a name that is none. `None` where it is one, or somebody else's.
fn meant_by(name: &str) -> Option<&'static Variable> {
    if find(name).is_some() {
        return None;
    }
    // No variable is longer, and a name may be long.
    let capitals: String = name.chars().take(64).collect::<String>().to_ascii_uppercase();
    let swapped =
        VARIABLES.iter().find(|variable| sorted_words(variable.name) == sorted_words(&capitals));
    if swapped.is_some() {
        return swapped;
    }
    let edits = |variable: &&Variable| spelling::distance(&capitals, variable.name);
    let nearest = VARIABLES.iter().min_by_key(edits)?;
    // Two letters make one short word of another: one edit in four letters, and two at most.
    let is_near = edits(&nearest) <= (nearest.name.len() / 4).min(2);
    let begins_alike = PREFIXES.iter().any(|prefix| capitals.starts_with(prefix));
    (is_near || begins_alike).then_some(nearest)
}

/// The words of a name, in whatever order they stand there.
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
