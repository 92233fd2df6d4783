//! Explains why a token is refused, or what a user may do. All checks are made, and a failed check
//! does not stop the others. This creates no user and grants nothing, and the token goes neither
//! into the log nor into the audit trail.

use std::rc::Rc;

use crate::actions::caller::{Hints, KeyCaller};
use crate::actions::explain_permission::{self, DecidedBy, PermissionExplained, Reaching};
use crate::actions::find_signer::{self, Accepted, Signed};
use crate::actions::introspected_tokens::{self, Shown};
use crate::actions::machine_keys;
use crate::actions::sessions;
use crate::actions::token_user::{self, WouldBe};
use crate::actions::verify_token;
use crate::context::Cx;
use crate::domain::identity::machine_key;
use crate::domain::identity::opaque_token;
use crate::domain::identity::user::{User, Username};
use crate::domain::origin::TokenSays;
use crate::domain::permissions::period::Phase;
use crate::domain::permissions::permission::{Permission, StandingUser};
use crate::domain::secret::PlainToken;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::checks::{self, Admission, CHECKS, REVOCATION, Reading};
use crate::domain::tokens::introspection::{Introspected, Said};
use crate::domain::tokens::jwt::{Clock, MAX_BYTES, UnverifiedToken, VerifiedClaims};
use crate::domain::tokens::token_app::{self, TokenApp};
use crate::error::{Denied, Error, Refusal, Result};
use crate::memory::known::Known;
use crate::store::reach::Member;
use crate::store::{token_apps, tombstones};

#[derive(Debug)]
pub struct Asked {
    pub about: About,
    /// Only this app is compared with the token.
    pub app: Option<String>,
    /// Also check whether the user has this permission on this service.
    pub permission: Option<(i64, Permission)>,
}

#[derive(Debug)]
pub enum About {
    /// The user who shows this token.
    Token(PlainToken),
    /// The user of this name.
    Username(String),
}

#[derive(Debug, Default)]
pub struct Explanation {
    /// Whether the token would be accepted, the user be let in, and, if a permission was asked
    /// about, the user has it.
    pub holds: bool,
    pub checks: Vec<Checked>,
    /// `None` if no permission was asked about, or nobody is let in.
    pub permission: Option<PermissionExplained>,
}

#[derive(Debug)]
pub struct Checked {
    /// `None` if the check is about the token or the user alone.
    pub app: Option<String>,
    pub check: &'static str,
    pub held: bool,
    pub detail: String,
    /// What to change if the check did not hold.
    pub fix: Option<String>,
}

impl Explanation {
    /// Says that a key cannot have what only users have. Returns whether the check holds.
    fn key_is_no_user(&mut self) -> bool {
        let why = "a key is no user".to_owned();
        self.add(None, "user", Err((why, "ask about a user by user name")))
    }

    fn add(
        &mut self,
        app: Option<&TokenApp>,
        check: &'static str,
        result: std::result::Result<String, (String, &str)>,
    ) -> bool {
        let held = result.is_ok();
        let (detail, fix) = match result {
            Ok(detail) => (detail, None),
            Err((detail, fix)) => (detail, (!fix.is_empty()).then(|| fix.to_owned())),
        };
        self.checks.push(Checked {
            app: app.map(|app| app.name.as_str().to_owned()),
            check,
            held,
            detail,
            fix,
        });
        held
    }

    /// Adds the check of a text's form before all other checks.
    fn add_form(&mut self, result: std::result::Result<String, (String, &str)>) {
        self.add(None, "form", result);
        self.checks.rotate_right(1);
    }
}

pub async fn explain(cx: &Cx, asked: &Asked) -> Result<Explanation> {
    let mut explanation = Explanation::default();
    let found = find(cx, &mut explanation, &asked.about, asked.app.as_deref()).await?;
    explanation.holds = match (found, asked.permission) {
        (Found::Nobody, _) => false,
        (Found::Key | Found::Somebody(_), None) => true,
        (Found::Key, Some(_)) => explanation.key_is_no_user(),
        (Found::Somebody(who), Some(question)) => {
            permitted(cx, &mut explanation, &who, question).await?
        }
    };
    Ok(explanation)
}

/// The result of the checks.
enum Found {
    Nobody,
    /// A valid key for machines.
    Key,
    Somebody(Box<Who>),
}

/// A user, or the user whom the token would create.
#[derive(Debug)]
pub struct Who {
    /// As the token would make the user. The id of a new user is [`token_user::NOBODY`].
    pub user: Rc<User>,
    /// The ids of the groups that the token adds.
    pub groups: Vec<i64>,
    /// The ids of the groups that the token would remove the user from.
    pub leaves: Vec<i64>,
    /// The token app and its token's claims; `None` if no such token was shown.
    pub token: Option<(String, TokenSays)>,
}

/// Makes all checks of a token or a user. Returns them, and who would be let in.
pub async fn who(cx: &Cx, about: About) -> Result<(Vec<Checked>, Option<Who>)> {
    let mut explanation = Explanation::default();
    Ok(match find(cx, &mut explanation, &about, None).await? {
        Found::Nobody => (explanation.checks, None),
        Found::Key => {
            explanation.key_is_no_user();
            (explanation.checks, None)
        }
        Found::Somebody(who) => (explanation.checks, Some(*who)),
    })
}

async fn find(
    cx: &Cx,
    explanation: &mut Explanation,
    about: &About,
    app: Option<&str>,
) -> Result<Found> {
    let token = match about {
        About::Username(name) => return named(cx, explanation, name).await,
        About::Token(token) => token,
    };
    let text = token.expose();
    let found = if machine_key::looks_like_one(text) {
        of_key(cx, explanation, token).await?
    } else if opaque_token::is_token(text) {
        of_opaque_token(cx, explanation, token).await?
    } else if opaque_token::is_cookie(text) {
        return of_cookie(cx, explanation, token).await;
    } else {
        return of_other_token(cx, explanation, token, app).await;
    };
    if let Some(app) = app {
        let why = format!("Postern itself has issued it, so it is none of the token app {app:?}");
        explanation.add(None, "app", Err((why, "leave app out")));
        return Ok(Found::Nobody);
    }
    Ok(found)
}

/// Finds the user of a name, and checks whether they are let in.
async fn named(cx: &Cx, explanation: &mut Explanation, name: &str) -> Result<Found> {
    let Ok(username) = Username::parse(name) else {
        explanation.add(None, "user", Err(("no user can have that name".to_owned(), "")));
        return Ok(Found::Nobody);
    };
    if let Some(user) = Known::read_user(cx, &username).await? {
        return Ok(enabled(explanation, None, Who::without_token(user)));
    }
    let (why, fix) = if tombstones::find(cx, name).await?.is_some() {
        let fix = format!(
            "create them by POST /v1/users, or free the name by DELETE /v1/tombstones/{name}, so \
             that a token may create them"
        );
        (format!("the user {name:?} was deleted"), fix)
    } else {
        (
            format!("there is no user {name:?}"),
            "create them by POST /v1/users, or let a token do it".to_owned(),
        )
    };
    explanation.add(None, "user", Err((why, &fix)));
    Ok(Found::Nobody)
}

fn enabled(explanation: &mut Explanation, app: Option<&TokenApp>, who: Who) -> Found {
    let Who { user, .. } = &who;
    let named = format!(
        "user {} ({:?}, {})",
        user.id.0,
        user.username.as_str(),
        user.profile.user_type.name()
    );
    let fix = "enable them: PATCH /v1/users/{id} {\"enabled\":true}";
    let result = if user.profile.enabled {
        Ok(format!("{named} is enabled"))
    } else {
        Err((format!("{named} is disabled"), fix))
    };
    if !explanation.add(app, "user", result) {
        return Found::Nobody;
    }
    Found::Somebody(Box::new(who))
}

async fn of_opaque_token(
    cx: &Cx,
    explanation: &mut Explanation,
    token: &PlainToken,
) -> Result<Found> {
    match sessions::find(cx, token.hashed(), Hints::default()).await {
        Ok(caller) => {
            explanation.add(None, "token", Ok("a valid opaque token of Postern".to_owned()));
            Ok(enabled(explanation, None, Who::without_token(caller.user)))
        }
        Err(Error::Unauthenticated(denied)) => {
            explanation.add(None, "token", Err((denied.to_string(), "sign in again")));
            Ok(Found::Nobody)
        }
        Err(error) => Err(error),
    }
}

/// The value of Postern's session cookie is no token, and is refused as one.
async fn of_cookie(cx: &Cx, explanation: &mut Explanation, cookie: &PlainToken) -> Result<Found> {
    let what = "this is the value of Postern's session cookie JSESSIONID, and no token";
    let fix = "send it as the cookie JSESSIONID, or show the token that came with the sign-in";
    explanation.add(None, "form", Err((what.to_owned(), fix)));
    match sessions::find(cx, cookie.hashed_as_cookie(), Hints::default()).await {
        Ok(caller) => {
            explanation.add(None, "session", Ok("as a cookie it is valid".to_owned()));
            enabled(explanation, None, Who::without_token(caller.user));
        }
        Err(Error::Unauthenticated(denied)) => {
            explanation.add(None, "session", Err((denied.to_string(), "sign in again")));
        }
        Err(error) => return Err(error),
    }
    Ok(Found::Nobody)
}

/// Says that a text is no token of a known form.
const NO_TOKEN: &str = "this is no JSON Web Token, which has three parts with dots between them, \
                        and no token or key of Postern";

/// Why a text is no JSON Web Token. If it has no dot, nobody meant it to be one.
fn no_token(text: &str, denied: &Denied) -> String {
    if text.contains('.') {
        format!("this is no JSON Web Token that can be read: {denied}")
    } else {
        NO_TOKEN.to_owned()
    }
}

/// Why a text is shown to no introspection endpoint. It is a phrase to put after a semicolon.
fn why_unshown(text: &str) -> String {
    if text.is_empty() {
        "it is empty".to_owned()
    } else if text.len() > MAX_BYTES {
        format!("it is longer than {MAX_BYTES} bytes")
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        "no token has white space or characters beyond ASCII".to_owned()
    } else {
        "it begins as a signed token does, and was cut or altered".to_owned()
    }
}

/// A text that is no JSON Web Token may be known to an app's introspection endpoint. The first
/// check is about the form of the text, because most of what is pasted here is no token.
async fn of_foreign_token(
    cx: &Cx,
    explanation: &mut Explanation,
    (text, denied): (&str, &Denied),
    apps: &[Rc<TokenApp>],
    app: Option<&str>,
) -> Result<Found> {
    const COPY: &str = "copy the whole token, and nothing else";
    let what = no_token(text, denied);
    let shown = Shown::opaque(text);
    if !shown.may_be_shown() {
        explanation.add_form(Err((format!("{what}; {}", why_unshown(text)), COPY)));
        return Ok(Found::Nobody);
    }
    match ask_endpoints(cx, explanation, shown, apps, app).await? {
        Told::Active(app, said) => {
            let detail = "no JSON Web Token: an introspection endpoint says what it means";
            explanation.add_form(Ok(detail.to_owned()));
            return of_introspected(cx, explanation, &app, &said.of(text)).await;
        }
        Told::Nobody => {
            let why = nobody_to_ask(apps, app);
            let fix = "copy the whole token; if its issuer makes tokens that only it can read, \
                       register its introspection endpoint, or name its app in app";
            explanation.add_form(Err((format!("{what}; {why}"), fix)));
        }
        Told::Inactive => {
            let why = "the introspection endpoints of token apps were asked, and none knows it";
            let fix = "copy the whole token, or get a new one from its issuer";
            explanation.add_form(Err((format!("{what}; {why}"), fix)));
        }
        Told::Unanswered => {
            let why = "only an introspection endpoint could know it, and one cannot be asked";
            let fix = "copy the whole token, or mend the endpoint if its issuer makes such tokens";
            explanation.add_form(Err((format!("{what}; {why}"), fix)));
        }
        Told::TooMany => {
            let why = too_many_to_ask();
            let fix = "name the token app in app; every request with such a token must name it too";
            explanation.add_form(Err((format!("{what}; {why}"), fix)));
        }
    }
    Ok(Found::Nobody)
}

/// Why no endpoint is asked. It is a phrase to put after a semicolon.
fn nobody_to_ask(apps: &[Rc<TokenApp>], app: Option<&str>) -> String {
    let Some(name) = app else {
        return "no token app has an introspection endpoint to ask about it".to_owned();
    };
    match apps.iter().find(|app| app.name.as_str() == name) {
        None => format!("there is no token app {name:?}"),
        Some(app) if app.terms.algorithm == Algorithm::Introspection => {
            format!("the token app {name:?} is disabled, so its endpoint is not asked about it")
        }
        Some(app) => format!(
            "the token app {name:?} has no introspection endpoint to ask about it: it takes \
             tokens under {}",
            app.terms.algorithm.name()
        ),
    }
}

fn too_many_to_ask() -> String {
    format!(
        "more than {} introspection endpoints would have to be asked, so none is",
        introspected_tokens::MAX_ASKED
    )
}

/// What the introspection endpoints say about a token.
enum Told {
    /// There is no endpoint to ask.
    Nobody,
    TooMany,
    Active(Rc<TokenApp>, Said),
    Inactive,
    /// An endpoint cannot be asked, and no other one calls the token active.
    Unanswered,
}

/// Asks the endpoints that verification would ask, in its order. They are asked now, without the
/// cache.
async fn ask_endpoints(
    cx: &Cx,
    explanation: &mut Explanation,
    shown: Shown<'_>,
    apps: &[Rc<TokenApp>],
    app: Option<&str>,
) -> Result<Told> {
    let Some(selection) = verify_token::endpoints(shown, app) else { return Ok(Told::Nobody) };
    let asked = token_app::candidates(apps.iter(), &selection);
    if app.is_none() && introspected_tokens::are_too_many(&asked) {
        return Ok(Told::TooMany);
    }
    let mut told = Told::Nobody;
    for app in asked {
        let result = match introspected_tokens::ask_now(cx, &app, shown).await {
            Ok(Some(said)) => {
                let detail = "the endpoint calls the token active".to_owned();
                explanation.add(Some(&app), "introspection", Ok(detail));
                return Ok(Told::Active(app, said));
            }
            Ok(None) => {
                if matches!(told, Told::Nobody) {
                    told = Told::Inactive;
                }
                let fix =
                    "get a new token from its issuer, or show it to the app whose issuer made it";
                Err(("the endpoint calls the token inactive".to_owned(), fix))
            }
            Err(problem) => {
                told = Told::Unanswered;
                let fix = if app.lacks_secret() {
                    way_to_a_signature(&app)
                } else {
                    "repair the endpoint, or correct its URL, client id or secret in the app"
                };
                Err((problem, fix))
            }
        };
        explanation.add(Some(&app), "introspection", result);
    }
    Ok(told)
}

/// Checks what the endpoint of an app said about a token. If an endpoint knows the token, no other
/// endpoint is asked.
async fn of_introspected(
    cx: &Cx,
    explanation: &mut Explanation,
    app: &TokenApp,
    token: &Introspected<'_>,
) -> Result<Found> {
    let Some(claims) = token.claims() else { return Ok(Found::Nobody) };
    let held = checked(cx, explanation, app, &claims).await?;
    if held { user_of(cx, explanation, app, &claims).await } else { Ok(Found::Nobody) }
}

/// Checks a machine key.
async fn of_key(cx: &Cx, explanation: &mut Explanation, key: &PlainToken) -> Result<Found> {
    match machine_keys::find(cx, None, key, Hints::default()).await {
        Ok(KeyCaller { key, .. }) => {
            explanation.add(
                None,
                "key",
                Ok(format!("the key {} ({:?}) is valid", key.id, key.name.as_str())),
            );
            return Ok(Found::Key);
        }
        Err(Error::Unauthenticated(denied)) => {
            explanation.add(
                None,
                "key",
                Err((denied.to_string(), "make another one by POST /v1/keys")),
            );
        }
        Err(Error::Forbidden(refusal)) => {
            explanation.add(
                None,
                "key",
                Err((refusal.to_string(), "enable its user, or make a key that needs none")),
            );
        }
        Err(error) => return Err(error),
    }
    Ok(Found::Nobody)
}

/// Checks a token that Postern has not issued. If no check is known that fails, although the token
/// is refused, the reason is that no app could have taken it.
async fn of_other_token(
    cx: &Cx,
    explanation: &mut Explanation,
    token: &PlainToken,
    app: Option<&str>,
) -> Result<Found> {
    let found = of_token(cx, explanation, token, app).await?;
    if matches!(found, Found::Nobody) && explanation.checks.iter().all(|check| check.held) {
        let why = "no token app that takes such tokens is named by the token's iss or kid, or by \
                   the call";
        let fix = "name the right app in app; a kid that is the name of an app names that app";
        explanation.add(None, "app", Err((why.to_owned(), fix)));
    }
    Ok(found)
}

/// Checks a token that Postern has not issued against the apps. Returns the user whom the
/// accepting app names. Verification itself says which app that is, so both have one verdict.
async fn of_token(
    cx: &Cx,
    explanation: &mut Explanation,
    token: &PlainToken,
    app: Option<&str>,
) -> Result<Found> {
    let text = token.expose();
    let apps: Vec<_> = token_apps::list(cx).await?.into_iter().map(Rc::new).collect();
    let read = match UnverifiedToken::parse(text) {
        Ok(read) => read,
        Err(denied) => {
            return of_foreign_token(cx, explanation, (text, &denied), &apps, app).await;
        }
    };
    let issuer =
        read.issuer().map_or_else(|| "no iss".to_owned(), |issuer| format!("iss {issuer:?}"));
    let key = read.key_id().map_or_else(|| "no kid".to_owned(), |id| format!("kid {id:?}"));
    explanation.add(
        None,
        "form",
        Ok(format!("a token under {}, {issuer}, {key}", read.algorithm().name())),
    );
    let asked = asked_about(&apps, &read, app);
    let is_named = |of: &Rc<TokenApp>| app.is_none_or(|app| app == of.name.as_str());
    if !apps.iter().any(is_named) {
        let which = app.map_or_else(
            || "there is no token app".to_owned(),
            |app| format!("there is no token app {app:?}"),
        );
        explanation.add(
            None,
            "app",
            Err((which, "name another in app, or create one by POST /v1/token-apps")),
        );
    }
    let signer = verify_token::signer_among(cx, &read, &apps, app).await;
    // The first app that accepts the token decides who the user is, even if it may not speak for
    // that user.
    let mut found = Found::Nobody;
    for app in asked {
        if let Some(claims) = of_app(cx, explanation, &app, &read).await? {
            let of_app = user_of(cx, explanation, &app, &claims).await?;
            if matches!(&signer, Ok(Some(signer)) if *signer == app.name) {
                found = of_app;
            }
        }
    }
    match signer {
        Ok(None) => {}
        Err(Error::Invalid { why, .. }) => {
            let fix = "name the token app in app; every request with such a token must name it too";
            explanation.add(None, "app", Err((format!("every request {why}"), fix)));
            return Ok(Found::Nobody);
        }
        Ok(Some(_)) | Err(_) => return Ok(found),
    }
    // No app's key has signed it, so its issuer's endpoint may know it.
    match ask_endpoints(cx, explanation, Shown::of_jwt(&read), &apps, app).await? {
        Told::Active(app, said) => of_introspected(cx, explanation, &app, &said.of(text)).await,
        Told::TooMany => {
            let fix = "name the token app in app; every request with such a token must name it too";
            explanation.add(None, "introspection", Err((too_many_to_ask(), fix)));
            Ok(Found::Nobody)
        }
        Told::Nobody | Told::Inactive | Told::Unanswered => Ok(Found::Nobody),
    }
}

/// The largest number of apps in one explanation.
const MAX_APPS: usize = 64;

/// The apps with keys that the token is compared with, in the order in which verification tries
/// them. If there are too many, only those are compared that could accept it, also if they have no
/// secret now: because of them, verification cannot say whether the token is good.
fn asked_about(
    apps: &[Rc<TokenApp>],
    token: &UnverifiedToken<'_>,
    app: Option<&str>,
) -> Vec<Rc<TokenApp>> {
    let name = app.or_else(|| verify_token::named_by_kid(token, apps));
    let looks_at_signature = |of: &&Rc<TokenApp>| of.terms.algorithm != Algorithm::Introspection;
    let mut asked: Vec<_> = apps
        .iter()
        .filter(looks_at_signature)
        .filter(|of| name.is_none_or(|name| name == of.name.as_str()))
        .cloned()
        .collect();
    if asked.len() > MAX_APPS {
        asked.retain(|of| {
            of.terms.enabled
                && (of.can_verify() || of.lacks_secret() || of.is_sealed())
                && of.terms.algorithm.canonical() == token.algorithm()
                && of.terms.policy.may_be_of(token.issuer())
        });
    }
    asked.sort_by(|one, other| token_app::rank(one).cmp(&token_app::rank(other)));
    asked.truncate(MAX_APPS);
    asked
}

/// How to make an app verify the signature of the token.
fn way_to_a_signature(app: &TokenApp) -> &'static str {
    if app.lacks_secret() {
        "give the app its secret by PATCH /v1/token-apps/{name}"
    } else if app.terms.algorithm.has_shared_secret() {
        "compare the secret with the issuer's (a line break at its end is a part of it), or show \
         the token to the app that it was made for"
    } else {
        "register the issuer's present key, or show the token to the app that it was made for"
    }
}

/// Checks a token against one app. Returns its claims if the app accepts it.
async fn of_app<'t>(
    cx: &Cx,
    explanation: &mut Explanation,
    app: &TokenApp,
    read: &'t UnverifiedToken<'_>,
) -> Result<Option<VerifiedClaims<'t>>> {
    let is_enabled = explanation.add(
        Some(app),
        "enabled",
        if app.terms.enabled {
            Ok("the app is enabled".to_owned())
        } else {
            Err(("the app is disabled".to_owned(), "enable it: PATCH {\"enabled\":true}"))
        },
    );
    let (wanted, has) = (app.terms.algorithm.name(), read.algorithm().name());
    let fits = explanation.add(
        Some(app),
        "algorithm",
        if app.terms.algorithm.canonical() == read.algorithm() {
            Ok(format!("{wanted}, as the app has it"))
        } else {
            Err((
                format!("the token is signed under {has}, the app takes {wanted}"),
                "change the app's algorithm and secret, or let the issuer sign under the app's",
            ))
        },
    );
    if !fits {
        return Ok(None);
    }
    let signed = find_signer::signed_by(cx, read, app).await?;
    let claims = match signed {
        Signed::By(claims, key) => {
            explanation.add(Some(app), "signature", Ok(format!("made by {key}")));
            claims
        }
        Signed::ByNone(why) => {
            explanation.add(Some(app), "signature", Err((why, way_to_a_signature(app))));
            return Ok(None);
        }
    };
    let held = checked(cx, explanation, app, &claims).await?;
    Ok((is_enabled && held).then_some(claims))
}

/// Makes all checks of the token's claims. Returns whether all hold.
async fn checked(
    cx: &Cx,
    explanation: &mut Explanation,
    app: &TokenApp,
    claims: &VerifiedClaims<'_>,
) -> Result<bool> {
    let mut held = true;
    let clock = clock(cx);
    for check in &CHECKS {
        let result = (check.holds)(claims, &app.terms, clock, &mut Reading::default())
            .map(|()| "holds".to_owned());
        held &= explanation.add(
            Some(app),
            check.name,
            result.map_err(|error| told(&error, claims, app, clock)),
        );
    }
    held &= explanation.add(Some(app), REVOCATION, unrevoked(cx, app, claims).await?);
    Ok(held)
}

/// Checks whether the token was revoked. D1 is read now.
async fn unrevoked(
    cx: &Cx,
    app: &TokenApp,
    claims: &VerifiedClaims<'_>,
) -> Result<std::result::Result<String, (String, &'static str)>> {
    let mut known = Known::read(cx, &[], None).await?;
    match find_signer::refuse_revoked(&mut known, app, claims).await {
        Ok(()) => Ok(Ok("holds".to_owned())),
        Err(Error::Unauthenticated(Denied::Revoked)) => {
            let found = "the token, or its jti, was revoked; GET /v1/audit?action=token.revoke \
                         tells by whom";
            Ok(Err((
                found.to_owned(),
                "get a new token from its issuer, since no revocation is taken back",
            )))
        }
        Err(error) => Err(error),
    }
}

fn clock(cx: &Cx) -> Clock {
    Clock { now: cx.now, leeway_s: cx.config.clock_leeway_s }
}

/// The longest part of a claim that is shown, in characters.
const MAX_TOLD: usize = 500;

/// Describes a failed check for administrators: what the token says, what the app requires, and how
/// to fix it.
fn told(
    error: &Error,
    claims: &VerifiedClaims<'_>,
    app: &TokenApp,
    clock: Clock,
) -> (String, &'static str) {
    let told =
        |value: &serde_json::Value| value.to_string().chars().take(MAX_TOLD).collect::<String>();
    let claim = |name: &str| {
        claims
            .get(name)
            .map_or_else(|| format!("no {name}"), |value| format!("{name} {}", told(value)))
    };
    let policy = &app.terms.policy;
    let now_s = clock.now.seconds();
    let off = |name: &str| {
        let seconds =
            claims.get(name).and_then(serde_json::Value::as_i64).map(|at| at.saturating_sub(now_s));
        seconds.map_or_else(String::new, |seconds| format!(", which is {seconds} s from now"))
    };
    match error {
        Error::Unauthenticated(Denied::IssuerMismatch) => (
            format!(
                "the token has {}, the app wants {:?}",
                claim("iss"),
                policy.issuer.as_deref().unwrap_or_default()
            ),
            "set issuer (and tenants) of the app to what the token says, if you trust it",
        ),
        Error::Unauthenticated(Denied::AudienceMismatch) => (
            format!("the token has {}, the app wants one of {:?}", claim("aud"), policy.audiences),
            "add the audience to audiences, if tokens for it are meant for this application",
        ),
        Error::Unauthenticated(Denied::TypeRefused) => (
            format!(
                "the token's type is {:?}, the app takes {:?}{}",
                claims.kind(),
                policy.types,
                if claims.get("events").is_some() {
                    "; it has events, and so is no credential"
                } else {
                    ""
                }
            ),
            "show an access or ID token, or add the type to types",
        ),
        Error::Unauthenticated(Denied::PartyRefused) => (
            format!(
                "the token has {}, {}, {}, {}; the app wants one of {:?}",
                claim("azp"),
                claim("client_id"),
                claim("appid"),
                claim("cid"),
                policy.authorized_parties
            ),
            "add the client to authorizedParties",
        ),
        Error::Unauthenticated(Denied::BoundToken) => (
            format!("the token has {}", claim("cnf")),
            "let the issuer make bearer tokens, or set boundTokens to ignore",
        ),
        Error::Unauthenticated(Denied::Expired) => (
            format!(
                "the token has {}{}, {}{}; the app's expire is {} s",
                claim("exp"),
                off("exp"),
                claim("iat"),
                off("iat"),
                app.terms.expire_s
            ),
            "get a fresh token, raise expire, or set the issuer's clock",
        ),
        Error::Unauthenticated(Denied::NotYetValid) => (
            format!(
                "the token has {}{}, {}{}; {} s of difference are allowed",
                claim("nbf"),
                off("nbf"),
                claim("iat"),
                off("iat"),
                clock.leeway_s
            ),
            "set the issuer's clock; times are in seconds",
        ),
        Error::Unauthenticated(Denied::TooLongLived) => (
            format!(
                "the token has {}{} and no iat; the app's expire is {} s",
                claim("exp"),
                off("exp"),
                app.terms.expire_s
            ),
            "let the issuer set iat or an earlier exp, in seconds, or raise expire",
        ),
        Error::Unauthenticated(Denied::ClaimMissing(_) | Denied::ClaimType(_)) => (
            error_sentence(error),
            "let the issuer put the claim into the token, or name another in claims",
        ),
        Error::Forbidden(Refusal::InsufficientScope { scopes }) => (
            format!("the token has {}, {}; {scopes} are needed", claim("scope"), claim("scp")),
            "ask the issuer for the scopes, or change requiredScopes",
        ),
        other => (error_sentence(other), ""),
    }
}

fn error_sentence(error: &Error) -> String {
    match error {
        Error::Unauthenticated(denied) => denied.to_string(),
        Error::Forbidden(refusal) => refusal.to_string(),
        _ => "it could not be checked".to_owned(),
    }
}

/// Finds or would create the user whom the claims name, if the app may speak for them.
async fn user_of(
    cx: &Cx,
    explanation: &mut Explanation,
    app: &TokenApp,
    claims: &VerifiedClaims<'_>,
) -> Result<Found> {
    let Admission { username, lifetime } =
        checks::admit(claims, &app.terms, clock(cx)).map_err(|failed| failed.why)?;
    let accepted = Accepted { app, claims: claims.again(), username, lifetime };
    let has_no_iat = claims.get("iat").is_none();
    let says = || (app.name.as_str().to_owned(), token_user::says(app, &accepted.claims));
    match token_user::would_be(cx, &accepted).await {
        Ok(WouldBe { user, is_new: false, groups, leaves, .. }) => {
            Ok(enabled(explanation, Some(app), Who { user, groups, leaves, token: Some(says()) }))
        }
        Ok(WouldBe { user, is_new: true, groups, leaves, .. }) => {
            explanation.add(
                Some(app),
                "user",
                Ok(format!("{:?} would be created at first sight", accepted.username.as_str())),
            );
            Ok(Found::Somebody(Box::new(Who { user, groups, leaves, token: Some(says()) })))
        }
        Err(error @ (Error::Forbidden(_) | Error::Unauthenticated(_))) => {
            let fix = match &error {
                Error::Forbidden(Refusal::UserRefused) => {
                    "set speaksFor of the app, or PATCH /v1/users/{id} {\"tokenApp\"} if it \
                     speaks for its own users"
                }
                Error::Forbidden(Refusal::IdConflict) => {
                    "to move a known user to the claim's id: export, replace the stored id by \
                     that id in each line, delete the user, create them by POST /v1/users with \
                     that id, and import"
                }
                Error::Forbidden(Refusal::UserDeleted) => {
                    "create them by POST /v1/users, or free the name by DELETE \
                     /v1/tombstones/{username}"
                }
                Error::Forbidden(Refusal::NameConflict) => {
                    "if this is another person, and the application tells the names apart, create \
                     them by POST /v1/users; if it is the same person, let the issuer put the \
                     stored name into the token; if a deleted user had the other name, free it by \
                     DELETE /v1/tombstones/{username}"
                }
                Error::Forbidden(Refusal::UnknownUser) => "create the user, or set createsUsers",
                Error::Unauthenticated(Denied::Revoked) if has_no_iat => {
                    "let the issuer put iat into tokens: without it, the time of issue is taken \
                     to be exp less the app's expire"
                }
                Error::Unauthenticated(Denied::Revoked) => {
                    "get a token that is issued after the user was made, or after their tokens \
                     were revoked"
                }
                Error::Unauthenticated(_) => {
                    "let the issuer correct the claim, or name another in claims"
                }
                _ => "",
            };
            let why = match &error {
                Error::Forbidden(Refusal::IdConflict) => {
                    token_user::id_conflict(cx, &accepted).await?
                }
                Error::Unauthenticated(Denied::Revoked) if has_no_iat => format!(
                    "the token has no iat, so it counts as issued at its exp less the app's \
                     expire of {} s; tokens issued to the user at that time are revoked",
                    app.terms.expire_s
                ),
                _ => error_sentence(&error),
            };
            explanation.add(
                Some(app),
                "user",
                Err((format!("{:?}: {why}", accepted.username.as_str()), fix)),
            );
            Ok(Found::Nobody)
        }
        Err(error) => Err(error),
    }
}

impl Who {
    fn without_token(user: Rc<User>) -> Self {
        Self { user, groups: Vec::new(), leaves: Vec::new(), token: None }
    }

    /// Explains a permission. The user is taken as the token would make them, which may differ from
    /// what is stored.
    pub async fn explain(&self, cx: &Cx, of: (i64, Permission)) -> Result<PermissionExplained> {
        let member = Member { user_id: self.user.id.0, token_groups: &self.groups };
        let user = StandingUser { is_administrator: self.user.is_administrator(), enabled: true };
        explain_permission::explain(cx, &member, user, of).await
    }
}

async fn permitted(
    cx: &Cx,
    explanation: &mut Explanation,
    who: &Who,
    of: (i64, Permission),
) -> Result<bool> {
    let explained = who.explain(cx, of).await?;
    let result = if explained.decided_by.allows() {
        Ok(found(&explained))
    } else {
        Err((found(&explained), fix(&explained)))
    };
    explanation.permission = Some(explained);
    Ok(explanation.add(None, "permission", result))
}

fn found(explained: &PermissionExplained) -> String {
    let switch = if explained.switch { "on" } else { "off" };
    let decides = match explained.decided_by {
        DecidedBy::UnknownService => "the directory is strict, and does not have the service",
        DecidedBy::Switch => {
            "the switch decides: while it is off, it allows everything but GRANT and RELEASE"
        }
        DecidedBy::Administrator => "the user is an administrator",
        DecidedBy::Grant => "a grant decides",
        DecidedBy::NoGrant => "no grant that is valid now gives it",
    };
    format!(
        "{} on service {}: granted are {:?}, the authorization switch is {switch}; {decides}",
        explained.permission.name(),
        explained.service_id,
        explained.granted.names(),
    )
}

fn fix(explained: &PermissionExplained) -> &'static str {
    let is_out_of_time =
        |of: &Reaching| of.phase != Phase::Within && of.grant.permissions.has(explained.permission);
    if explained.decided_by == DecidedBy::UnknownService {
        "register the service: POST /v1/services"
    } else if explained.grants.iter().any(is_out_of_time) {
        "a grant would give it, but not at this time: see state, startsAt and expiresAt"
    } else {
        "grant it to the user, or to a group or department of theirs"
    }
}
