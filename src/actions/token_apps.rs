//! Registers, lists and deletes token apps.

use crate::actions::caller::Caller;
use crate::actions::key_sets::{self, Looked, Report, UsableKey};
use crate::actions::{introspected_tokens, passwords};
use crate::context::Cx;
use crate::domain::audit::Deed;
use crate::domain::identity::user::UserType;
use crate::domain::secret::Secret;
use crate::domain::spelling;
use crate::domain::text;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::introspection_endpoint::Endpoint;
use crate::domain::tokens::keys::Keys;
use crate::domain::tokens::policy::{Policy, SpeaksFor, TENANT};
use crate::domain::tokens::token_app::{AppName, TokenApp, TokenAppTerms};
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::constraint::Constraint;
use crate::store::sealed::SealedColumn;
use crate::store::token_apps::NewPassword;
use crate::store::{feed, token_apps, users};

/// The complete new configuration of an app.
#[derive(Debug)]
pub struct Registration {
    pub terms: TokenAppTerms,
    /// The shared secret or the public keys. `None` keeps the stored ones.
    pub secret: Option<Secret>,
    pub initial_password: InitialPasswordChange,
}

/// The change to the password of users whom the app creates.
#[derive(Debug)]
pub enum InitialPasswordChange {
    /// The password stays as it is.
    Stays,
    /// The password becomes this one.
    Becomes(Secret),
    /// New users have no password.
    Goes,
}

/// What a registration may leave unchanged. It is written as it was read. If another request has
/// changed it in between, that is a conflict.
#[derive(Debug, Clone, Copy)]
pub enum Kept {
    /// Members of the policy. Everything else is replaced.
    Policy,
    /// Everything that the request does not mention.
    Everything,
}

/// A registered app, and warnings about it.
#[derive(Debug)]
pub struct Registered {
    pub app: TokenApp,
    /// Sentences without a full stop.
    pub warnings: Vec<String>,
    /// Its public keys, as far as they are known.
    pub keys: Vec<UsableKey>,
}

/// Creates or replaces a token app, completely or not at all. `registration` makes the new
/// configuration from the existing app.
pub async fn register(
    cx: &Cx,
    by: &Caller,
    name: &AppName,
    kept: Kept,
    registration: impl FnOnce(Option<&TokenApp>) -> Result<Registration>,
) -> Result<Registered> {
    let before = token_apps::find(cx, name.as_str()).await?;
    if before.is_none() {
        text::can_be_in_a_path(name.as_str()).map_err(|why| Error::invalid("name", why))?;
    }
    let Registration { terms, secret, initial_password } = registration(before.as_ref())?;
    let kept_secret = before
        .as_ref()
        .and_then(|before| before.secret.as_ref())
        .filter(|secret| !secret.is_empty());
    if secret.is_none() {
        refuse_to_send_kept(before.as_ref().map(|before| &before.terms), &terms)?;
    }
    let keys = keys(&terms, secret.as_ref(), kept_secret)?;
    // An app of an older release may lack something that is required now. It can be disabled all
    // the same; the check is made when it is enabled again.
    let is_laid_aside =
        !terms.enabled && before.as_ref().is_some_and(|before| before.terms.policy == terms.policy);
    if !is_laid_aside {
        check_terms(&terms, &keys)?;
    }
    check_keys(cx, &terms, &keys).await?;
    let report = key_sets::inspect(cx, &keys, terms.algorithm).await;
    // With `discover` there is no secret, but the column is never NULL.
    let secret = if terms.policy.discover { Some(Secret::new("")) } else { secret };
    let sealed = secret
        .as_ref()
        .map(|secret| SealedColumn::TOKEN_APP_SECRET.seal(cx, name.as_str(), secret.expose()))
        .transpose()?;
    let hash = match &initial_password {
        InitialPasswordChange::Becomes(password) => Some(passwords::hash(cx, password).await?),
        InitialPasswordChange::Stays | InitialPasswordChange::Goes => None,
    };
    let password = match (&initial_password, &hash) {
        (InitialPasswordChange::Stays, _) => NewPassword::Stays,
        (_, Some(hash)) => NewPassword::Becomes(hash),
        (_, None) => NewPassword::Goes,
    };
    let mut deed = by
        .deed(
            if before.is_some() { "token_app.update" } else { "token_app.create" },
            name.as_str().to_owned(),
        )
        .before(before.as_ref().map(TokenApp::for_audit))
        .after(terms.for_audit());
    if let Some(before) = &before {
        deed = note_secrets(cx, deed, before, secret.as_ref(), &initial_password);
    }
    let upsert =
        token_apps::upsert(name, &terms, sealed.as_ref(), &password, by.accountable(), cx.now);
    let before = before.as_ref();
    let unchanged = match kept {
        Kept::Policy => {
            token_apps::refuse_changed_policy(name, before.map(|before| &before.terms.policy))
        }
        Kept::Everything => {
            token_apps::refuse_changed(name, before.map(|before| before.modified_at))
        }
    };
    let write = if hash.is_some() { by.unchanged() } else { Write::default() };
    write
        .and(unchanged)
        .and(upsert)
        .and(feed::token_app_changed(name.as_str(), cx.now))
        .deed(deed)
        .commit(cx)
        .await?;
    let app = find(cx, name.as_str()).await?;
    let mut warnings = warnings(&app);
    warnings.extend(told(&report, &keys));
    warnings.extend(introspected_tokens::try_out(cx, &keys).await?);
    if let InitialPasswordChange::Becomes(password) = &initial_password
        && password.expose_text().is_some_and(|text| text.chars().count() < ADVISED_CHARACTERS)
    {
        warnings.push(format!(
            "the initial password has fewer than {ADVISED_CHARACTERS} characters, and every new \
             user has it"
        ));
    }
    Ok(Registered { app, warnings, keys: report.usable })
}

/// Notes in the audit entry which secrets of an app are replaced.
fn note_secrets(
    cx: &Cx,
    deed: Deed,
    before: &TokenApp,
    secret: Option<&Secret>,
    password: &InitialPasswordChange,
) -> Deed {
    let id = |secret: &Secret| {
        Some(secret)
            .filter(|secret| !secret.is_empty())
            .map(|secret| cx.config.master_keys.id_of_secret(secret.expose()))
    };
    let (old, new) = (before.secret.as_ref().and_then(id), secret.and_then(id));
    let deed = if secret.is_some() && old != new {
        deed.secret_changed(old.as_deref(), new.as_deref())
    } else {
        deed
    };
    match password {
        InitialPasswordChange::Becomes(_) => deed.noting("initpwd", "set"),
        InitialPasswordChange::Goes if before.initial_password.is_some() => {
            deed.noting("initpwd", "removed")
        }
        InitialPasswordChange::Goes | InitialPasswordChange::Stays => deed,
    }
}

/// Refuses to send a stored secret to a new endpoint, or to verify signatures with an endpoint's
/// stored secret. Nobody can read a stored secret, so whoever changes the endpoint must send the
/// secret.
fn refuse_to_send_kept(before: Option<&TokenAppTerms>, terms: &TokenAppTerms) -> Result<()> {
    let whom = |terms: &TokenAppTerms| {
        let policy = &terms.policy;
        let is_asked = terms.algorithm == Algorithm::Introspection;
        is_asked.then(|| {
            (policy.introspection_endpoint.clone(), policy.introspection_client_id.clone())
        })
    };
    match before {
        Some(before) if whom(before) != whom(terms) => Err(invalid_secret(
            "is needed where introspectionEndpoint, introspectionClientId or the algorithm \
             introspection changes"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}

/// What the app's tokens will be verified with.
fn keys(terms: &TokenAppTerms, secret: Option<&Secret>, kept: Option<&Secret>) -> Result<Keys> {
    let policy = &terms.policy;
    let names_endpoint =
        policy.introspection_endpoint.is_some() || policy.introspection_client_id.is_some();
    if names_endpoint && terms.algorithm != Algorithm::Introspection {
        return Err(Error::invalid("introspectionEndpoint", "needs the algorithm introspection"));
    }
    if policy.discover {
        if secret.is_some() {
            return Err(invalid_secret(
                "must be left out with discover: the issuer's metadata say where its keys are"
                    .to_owned(),
            ));
        }
        let issuer = policy.issuer.as_deref();
        let issuer = issuer.ok_or_else(|| {
            Error::invalid(
                "issuer",
                "is required with discover: its metadata say where the keys are",
            )
        })?;
        if terms.algorithm.has_shared_secret() || terms.algorithm == Algorithm::Introspection {
            return Err(Error::invalid(
                "discover",
                format!("needs an algorithm with public keys, not {}", terms.algorithm),
            ));
        }
        return Keys::discovered(issuer).map_err(|why| Error::invalid("issuer", why));
    }
    let secret = secret.or(kept).ok_or_else(|| Constraint::TokenAppSecret.error())?;
    if terms.algorithm == Algorithm::Introspection {
        return Endpoint::of(policy, secret)
            .map(Keys::Introspected)
            .map_err(|(member, why)| Error::invalid(member, why));
    }
    Keys::parse(terms.algorithm, secret).map_err(invalid_secret)
}

/// The warnings from inspecting the keys, as sentences without a full stop.
fn told(report: &Report, keys: &Keys) -> Vec<String> {
    let Keys::Published(source) = keys else { return Vec::new() };
    let cannot = |problem| {
        format!(
            "the keys of {source} cannot be fetched now, and tokens are refused until they can: \
             {problem}"
        )
    };
    let problem = report.problem.as_ref().map(cannot);
    let none = (report.problem.is_none() && report.usable.is_empty())
        .then(|| format!("{source} has no key that can be used"));
    let left_out = report.left_out.iter().take(10).map(|key| match &key.kid {
        Some(kid) => format!("the key {kid:?} is left out: it {}", key.why),
        None => format!("a key without a name is left out: it {}", key.why),
    });
    problem.into_iter().chain(report.hint.clone()).chain(none).chain(left_out).collect()
}

/// The public keys of an app that are known without asking its issuer.
pub async fn known_keys(cx: &Cx, app: &TokenApp) -> Vec<UsableKey> {
    key_sets::known(cx, &app.keys, app.terms.algorithm).await
}

/// What the app's tokens are verified with at this moment.
pub async fn look_at_keys(cx: &Cx, app: &TokenApp) -> Result<Looked> {
    key_sets::look(cx, app).await
}

/// A shorter initial password is accepted with a warning.
const ADVISED_CHARACTERS: usize = 12;

/// The warning about an app whose issuer signs for many audiences, if the app does not say which of
/// them it accepts.
pub const AUDIENCE_UNCHECKED: &str = "audience unchecked: its keys sign for other audiences too, \
                                      and tokens for any of them are accepted";

fn invalid_secret(why: String) -> Error {
    Error::invalid("secret", why)
}

/// The warnings about an app, as sentences without a full stop.
#[must_use]
pub fn warnings(app: &TokenApp) -> Vec<String> {
    let mut warnings = Vec::new();
    let secret_bytes = app.keys.secret_bytes();
    let min = app.terms.algorithm.min_secret_bytes();
    if let Some(min) = min.filter(|min| secret_bytes.is_some_and(|bytes| bytes < *min)) {
        warnings.push(format!("secret is shorter than {min} bytes (RFC 7518, 3.2)"));
    }
    if app.leaves_audience_unchecked() {
        warnings.push(AUDIENCE_UNCHECKED.to_owned());
    }
    let mapped = app.terms.policy.role_map.values();
    let roles = app.terms.initial_roles.iter().chain(mapped);
    warnings.extend(roles.filter_map(|role| role_like_a_type(role)));
    let has_administrators = UserType::among(&app.terms.initial_roles) == UserType::Administrator;
    if has_administrators && app.speaks_for() == SpeaksFor::Everybody {
        warnings
            .push("its new users are administrators, and its tokens may name everybody".to_owned());
    }
    if has_administrators && app.speaks_for() != SpeaksFor::Everybody {
        warnings.push(
            "its new users would be administrators, for whom it may not speak: it creates none"
                .to_owned(),
        );
    }
    warnings
}

/// A warning about a role that is not a user type, but was probably meant to be one.
fn role_like_a_type(role: &str) -> Option<String> {
    let meant = spelling::nearest(role, UserType::ALL.into_iter().map(UserType::name))
        .filter(|name| *name != role)?;
    Some(format!("the role {role:?} is no user type: did you mean {meant:?}?"))
}

/// Whether many tenants or projects share this issuer's keys, so that a signature does not tell
/// which one it is for.
fn is_shared_by_many(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let of_any_tenant = ["common", "organizations", "consumers"]
        .iter()
        .any(|name| path.to_ascii_lowercase().starts_with(&format!("{name}/")));
    (host == "login.microsoftonline.com" && of_any_tenant)
        || (host == "www.googleapis.com" && path.starts_with("oauth2/"))
}

/// Refuses terms that contradict each other, or that would accept too much.
fn check_terms(terms: &TokenAppTerms, keys: &Keys) -> Result<()> {
    let policy = &terms.policy;
    check_issuer(terms, keys)?;
    if keys.are_of_issuer() && policy.audiences.is_empty() && !policy.any_audience {
        let why = "is required where the keys come from a URL or an issuer, since they sign for \
                   other audiences too: name what aud must be, or accept all by anyAudience";
        return Err(Error::invalid("audiences", why));
    }
    if policy.any_audience && !policy.audiences.is_empty() {
        return Err(Error::invalid("anyAudience", "contradicts audiences: leave one of them out"));
    }
    if policy.types.is_empty() {
        return Err(Error::invalid("types", "must not be empty: no token would be accepted"));
    }
    let gives_administrators =
        policy.role_map.values().any(|role| role == UserType::Administrator.name());
    if gives_administrators && policy.speaks_for(&terms.initial_roles) != SpeaksFor::Everybody {
        return Err(Error::invalid(
            "roleMap",
            "may give Administrator only where speaksFor is everybody",
        ));
    }
    check_passed(policy)
}

fn check_issuer(terms: &TokenAppTerms, keys: &Keys) -> Result<()> {
    let policy = &terms.policy;
    let issuer = policy.issuer.as_deref();
    let places = issuer.map_or(0, |issuer| issuer.matches(TENANT).count());
    if places > 1 {
        return Err(Error::invalid("issuer", format!("must have {TENANT} once at most")));
    }
    if places == 1 && policy.tenants.is_empty() {
        return Err(Error::invalid(
            "tenants",
            format!(
                "is required where the issuer has {TENANT}: without it every tenant would be \
                 accepted"
            ),
        ));
    }
    if places == 0 && !policy.tenants.is_empty() {
        return Err(Error::invalid("tenants", format!("needs an issuer with {TENANT} in it")));
    }
    match keys {
        Keys::Published(url) if issuer.is_none() && is_shared_by_many(url.as_str()) => {
            Err(Error::invalid(
                "issuer",
                "is required for this key set, because it signs tokens of other organizations, too",
            ))
        }
        _ => Ok(()),
    }
}

fn check_passed(policy: &Policy) -> Result<()> {
    let names: Vec<String> =
        policy.pass_claims.iter().map(|claim| Policy::header_of(claim)).collect();
    let doubled = names
        .iter()
        .enumerate()
        .find(|(index, name)| names.iter().take(*index).any(|other| other == *name));
    match doubled {
        Some((_, name)) => Err(Error::invalid(
            "passClaims",
            format!("has two claims for the header X-Auth-Claim-{name}"),
        )),
        None => Ok(()),
    }
}

/// Refuses keys that the algorithm cannot use.
async fn check_keys(cx: &Cx, terms: &TokenAppTerms, keys: &Keys) -> Result<()> {
    let algorithm = terms.algorithm;
    let min = cx.config.min_secret_bytes;
    match keys {
        Keys::Shared(key) if key.secret.len() < min => {
            Err(invalid_secret(format!("must have at least {min} bytes (MIN_SECRET_BYTES)")))
        }
        // The issuer is not asked here: it need not exist before the first token comes.
        Keys::Shared(_) | Keys::Published(_) | Keys::Introspected(_) | Keys::None => Ok(()),
        Keys::Public(keys) => {
            for key in keys.choose(algorithm, None) {
                if cx.signatures.accepts(algorithm, &key.key).await.is_ok() {
                    return Ok(());
                }
            }
            Err(invalid_secret(
                "must be a usable key: WebCrypto does not take its numbers".to_owned(),
            ))
        }
    }
}

/// Lists the token apps whose names begin with a text, in upper or lower case, by name.
pub async fn list_beginning(cx: &Cx, beginning: &str) -> Result<Vec<TokenApp>> {
    token_apps::list_beginning(cx, beginning).await
}

/// Lists all token apps by name.
pub async fn list(cx: &Cx) -> Result<Vec<TokenApp>> {
    token_apps::list(cx).await
}

pub async fn find(cx: &Cx, name: &str) -> Result<TokenApp> {
    token_apps::find(cx, name).await?.ok_or_else(|| Error::not_found("token app", name))
}

pub async fn delete_one(cx: &Cx, by: &Caller, name: &str) -> Result<()> {
    find(cx, name).await?;
    delete(cx, by, &[name.to_owned()]).await
}

/// Deletes the apps of these names, all or none. Unknown names are skipped.
pub async fn delete(cx: &Cx, by: &Caller, names: &[String]) -> Result<()> {
    let apps = token_apps::find_all(cx, names).await?;
    let mut write = Write::default();
    for app in &apps {
        let name = app.name.as_str();
        let deed = by.deed("token_app.delete", name.to_owned()).before(app.for_audit());
        let written = write.and(token_apps::delete(name)).and(users::leave_token_app(name));
        write = written.and_all(feed::token_app_deleted(name, cx.now)).deed(deed);
    }
    if apps.is_empty() { Ok(()) } else { write.commit(cx).await.map(drop) }
}
