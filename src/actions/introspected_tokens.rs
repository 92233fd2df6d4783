//! Asks the introspection endpoints of token apps about tokens that Postern cannot verify itself.
//!
//! Only a token that Postern has not issued, and that no app's key has signed, is sent to the
//! endpoints. Each question contains the token and nothing else. Whether the app accepts the claims
//! in the answer is checked as for a JSON Web Token.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::identity::{machine_key, opaque_token};
use crate::domain::secret::{hex, sha256_of};
use crate::domain::time::Millis;
use crate::domain::tokens::fetch_problem::FetchProblem;
use crate::domain::tokens::introspection::Said;
use crate::domain::tokens::introspection_endpoint::Endpoint;
use crate::domain::tokens::jwt::{MAX_BYTES, UnverifiedToken};
use crate::domain::tokens::keys::Keys;
use crate::domain::tokens::token_app::{Selection, TokenApp};
use crate::error::{Error, Fault, Result};
use crate::memory::introspections::{FAILED_FOR, INACTIVE_FOR, LIMIT, Look, Outcome, Question};
use crate::memory::known::Known;

/// The largest number of endpoints that are asked about one token. Each of them sees the token.
pub const MAX_ASKED: usize = 4;
/// The pause between two looks for an answer that another request has asked for.
const POLL: Millis = Millis(25);
/// How long a request waits. This is enough for a question that was lost with its request, and for
/// the next one.
const MAX_WAIT: Millis = Millis(2 * LIMIT.0);

/// A token that an endpoint may be asked about.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub token: &'a str,
    /// Whether the token has the form of a JSON Web Token.
    pub is_jwt: bool,
    /// The `iss` of a JSON Web Token.
    pub issuer: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// A token that says nothing by itself.
    #[must_use]
    pub fn opaque(token: &'a str) -> Self {
        Self { token, is_jwt: false, issuer: None }
    }

    /// Whether the token may be sent to an endpoint:
    ///
    /// * Keys and tokens of Postern must not leave it.
    /// * A text with the dots of a signed token that cannot be parsed may be a revoked token that
    ///   was altered. The endpoint might accept it, and it has another digest than the revoked one.
    ///   So it is not sent.
    /// * No token has white space or characters outside ASCII. An endpoint might cut them off.
    /// * An empty text is no token, and Postern takes no longer tokens than [`MAX_BYTES`].
    #[must_use]
    pub fn may_be_shown(&self) -> bool {
        let has_length = (1..=MAX_BYTES).contains(&self.token.len());
        if !has_length || !self.token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return false;
        }
        let is_ours = machine_key::looks_like_one(self.token)
            || opaque_token::is_token(self.token)
            || opaque_token::is_cookie(self.token);
        // The first two letters of a base64url header that begins with a brace.
        let has_header = || {
            matches!(
                self.token.as_bytes(),
                [b'e', b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'+' | b'/', ..]
            )
        };
        let is_altered =
            || !self.is_jwt && matches!(self.token.matches('.').count(), 2 | 3) && has_header();
        !is_ours && !is_altered()
    }

    /// A JSON Web Token that no app's key has signed.
    #[must_use]
    pub fn of_jwt(token: &'a UnverifiedToken<'_>) -> Self {
        Self { token: token.text(), is_jwt: true, issuer: token.issuer() }
    }
}

pub enum Told {
    /// There is no endpoint to ask.
    Nobody,
    /// No endpoint says that the token is active.
    Inactive,
    /// The endpoint of this app says that the token is active, with these claims.
    Active(Rc<TokenApp>, Said),
}

/// Asks the endpoints of a selection's apps in their order, until one says that the token is
/// active.
pub async fn ask(
    cx: &Cx,
    known: &mut Known<'_>,
    shown: Shown<'_>,
    selection: &Selection,
) -> Result<Told> {
    let apps = known.candidates(selection).await?;
    if are_too_many(&apps) {
        return Err(Error::invalid(
            "app",
            format!(
                "must name the token app: more than {MAX_ASKED} would have to be asked about this \
                 token"
            ),
        ));
    }
    let mut told = Told::Nobody;
    let mut has_failed = false;
    for app in &apps {
        let Keys::Introspected(endpoint) = &app.keys else { continue };
        match outcome(cx, app, endpoint, shown).await {
            Outcome::Active(said) => return Ok(Told::Active(Rc::clone(app), said)),
            Outcome::Inactive => told = Told::Inactive,
            Outcome::Failed => has_failed = true,
        }
    }
    refuse_to_judge(known, selection, apps).await?;
    if has_failed {
        let fault =
            Fault::new("an introspection endpoint has not answered, and may know the token");
        return Err(Error::Unavailable(fault.of_issuer().with_retry_after(FAILED_FOR.seconds())));
    }
    Ok(told)
}

/// Whether too many endpoints would have to be asked about one token.
#[must_use]
pub fn are_too_many(apps: &[Rc<TokenApp>]) -> bool {
    apps.iter().filter(|app| app.can_verify()).count() > MAX_ASKED
}

/// Fails if an app's client secret cannot be opened, or was left out of an import. Then nobody can
/// say whether its endpoint knows the token. If the call names an app, all apps are looked at
/// anyway, so that the answer does not tell which names exist.
async fn refuse_to_judge(
    known: &mut Known<'_>,
    selection: &Selection,
    apps: Vec<Rc<TokenApp>>,
) -> Result<()> {
    let all = if selection.app.is_some() {
        known.candidates(&Selection { app: None, issuer: None, ..selection.clone() }).await?
    } else {
        apps
    };
    let why = if all.iter().any(|app| app.is_sealed()) {
        "no master key opens the client secret of a token app that introspects: is MASTER_KEY \
         the right one?"
    } else if all.iter().any(|app| app.lacks_secret()) {
        "a token app that introspects has no client secret: GET /health names it to \
         administrators"
    } else {
        return Ok(());
    };
    Err(Error::Misconfigured(vec![why.to_owned()]))
}

async fn outcome(cx: &Cx, app: &TokenApp, endpoint: &Endpoint, shown: Shown<'_>) -> Outcome {
    let kept_for = Millis::from_seconds(app.terms.policy.introspection_cache_s);
    let version = app.modified_at.0.to_string();
    // An app's name has no slash, so the parts cannot be confused.
    let question = sha256_of(&[
        app.name.as_str().as_bytes(),
        b"/",
        version.as_bytes(),
        b"/",
        shown.token.as_bytes(),
    ]);
    let begun = cx.timer.now();
    // If nothing may be cached, each request asks.
    let is_kept = kept_for > Millis(0);
    if is_kept && let Some(outcome) = known_or_asked(cx, &question).await {
        return outcome;
    }
    if !cx.memory.introspections.may_ask(&question, &cx.network(), cx.timer.now()) {
        if is_kept {
            cx.memory.introspections.keep(question, &Outcome::Failed, cx.timer.now());
        }
        return Outcome::Failed;
    }
    let outcome = fetch(cx, endpoint, shown).await;
    if !matches!(outcome, Outcome::Failed) {
        cx.memory.introspections.note_active(question, matches!(outcome, Outcome::Active(_)));
    }
    if !is_kept {
        return outcome;
    }
    let until = match &outcome {
        Outcome::Active(said) => {
            // The time counts from before the question, as for all caches.
            let until = begun + kept_for;
            said.expires_at_s().map_or(until, |end_s| until.min(Millis::from_seconds(end_s)))
        }
        Outcome::Inactive => cx.timer.now() + INACTIVE_FOR,
        Outcome::Failed => cx.timer.now() + FAILED_FOR,
    };
    cx.memory.introspections.keep(question, &outcome, until);
    outcome
}

/// The cached outcome, or the outcome of a question that another request is asking now. `None` if
/// the caller must ask.
async fn known_or_asked(cx: &Cx, question: &Question) -> Option<Outcome> {
    let begun = cx.timer.now();
    loop {
        let now = cx.timer.now();
        match cx.memory.introspections.look(question, now) {
            Look::Use(outcome) => return Some(outcome),
            Look::Ask if now - begun < MAX_WAIT => return None,
            Look::Wait if now - begun < MAX_WAIT => cx.timer.sleep(POLL).await,
            Look::Ask | Look::Wait => return Some(Outcome::Failed),
        }
    }
}

async fn fetch(cx: &Cx, endpoint: &Endpoint, shown: Shown<'_>) -> Outcome {
    let asked = introspect(cx, endpoint, shown).await;
    let url = endpoint.url.as_str();
    if let Err(problem) = &asked {
        let url = url.split('?').next().unwrap_or_default();
        let line = format!("{url} does not introspect: {problem}");
        if cx.memory.lines.may_write(&line, cx.timer.now()) {
            cx.log.line(&line);
        }
    }
    cx.memory.introspections.note(url, asked.as_ref().err().cloned());
    match asked {
        Ok(Some(said)) => Outcome::Active(said),
        Ok(None) => Outcome::Inactive,
        Err(_) => Outcome::Failed,
    }
}

/// Asks the endpoint. The error is a sentence without a full stop.
async fn introspect(
    cx: &Cx,
    endpoint: &Endpoint,
    shown: Shown<'_>,
) -> std::result::Result<Option<Said>, String> {
    let (authorization, body) = (endpoint.authorization(), Endpoint::question(shown.token));
    let answer = cx
        .issuers
        .introspect(&endpoint.url, authorization, body, LIMIT)
        .await
        .map_err(|problem| sentence(&problem))?;
    Said::read(&answer, shown.token, shown.is_jwt)
        .map_err(|why| format!("the answer is no introspection: it {why}"))
}

fn sentence(problem: &FetchProblem) -> String {
    match problem {
        FetchProblem::Forbidden(status) => {
            format!("the endpoint refuses the client id and secret: status {status}")
        }
        // The platform's words for a host that is not there.
        FetchProblem::Unreachable(why) if why.starts_with("internal error") => {
            "the endpoint cannot be reached: is its host name right?".to_owned()
        }
        FetchProblem::Unreachable(why) => format!("the endpoint cannot be reached: {why}"),
        other => other.to_string(),
    }
}

/// Asks an app's endpoint about a token now, without the cache, for explanations. The error is a
/// sentence without a full stop.
pub async fn ask_now(
    cx: &Cx,
    app: &TokenApp,
    shown: Shown<'_>,
) -> std::result::Result<Option<Said>, String> {
    match &app.keys {
        _ if !shown.may_be_shown() => {
            let why = "the text has the form of a token or key of Postern's, or of a signed token \
                       that cannot be read, or cannot be a token at all";
            Err(why.to_owned())
        }
        Keys::Introspected(endpoint) => introspect(cx, endpoint, shown).await,
        _ => Err(app.why_no_key().to_owned()),
    }
}

/// Tries an app's endpoint with a made-up token, for whoever registers the app. Returns what is
/// wrong with the endpoint, if anything.
pub async fn try_out(cx: &Cx, keys: &Keys) -> Result<Option<String>> {
    let Keys::Introspected(endpoint) = keys else { return Ok(None) };
    let made_up = hex(&cx.random::<16>()?);
    let url = endpoint.url.as_str();
    Ok(match introspect(cx, endpoint, Shown::opaque(&made_up)).await {
        Ok(None) => None,
        Ok(Some(_)) => Some(format!(
            "{url} calls a token active that was made up: it says nothing about tokens"
        )),
        Err(problem) => Some(format!(
            "{url} does not answer now, and tokens are refused until it does: {problem}"
        )),
    })
}
