//! Reading and writing the JSON of `/v1`. `shapes` declares what it looks like.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::actions::caller::{Caller, Proof};
use crate::actions::health::Health;
use crate::actions::permissions::Question;
use crate::api::http::body::Fields;
use crate::api::http::message::Response;
use crate::domain::applications::application::{AccessKey, Application, AuthorizationType, Organization, OrganizationId, Terms};
use crate::domain::audit::Event;
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::{Profile, User, UserType, Username};
use crate::domain::permissions::directory::{Api, MAX_NAME, Service, Unit, UnitKind};
use crate::domain::permissions::permission::Permission;
use crate::domain::permissions::transfer::LineError;
use crate::domain::secret::Secret;
use crate::domain::text;
use crate::error::Result;

/// How many wrong lines an import tells.
const MAX_LINE_ERRORS: usize = 100;

/// How many questions one request may ask.
const MAX_QUESTIONS: usize = 100;

/// What a verification answers, written as it stands: this is what Postern does most, and a tree of values in between costs more than the rest.
pub(super) fn verified(caller: &Caller) -> Response {
    #[derive(Serialize)]
    struct Verified<'a> {
        active: bool,
        kind: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        app: Option<&'a str>,
        user: Identity<'a>,
        #[serde(rename = "expiresAt")]
        expires_at: Option<i64>,
    }
    #[derive(Serialize)]
    struct Identity<'a> {
        id: i64,
        username: &'a str,
        name: Option<&'a str>,
        email: Option<&'a str>,
        #[serde(rename = "type")]
        user_type: &'a str,
        roles: &'a [String],
    }
    let (kind, app, expires_at) = match &caller.proof {
        Proof::Jwt { app, expires_at_s } => ("jwt", Some(app.as_str()), Some(*expires_at_s)),
        Proof::Session(session) => ("opaque", None, Some(session.expires_at.seconds())),
        Proof::Password => ("basic", None, None),
    };
    let User { id, username, profile, .. } = &*caller.user;
    let Profile { name, email, user_type, roles, .. } = profile;
    let (name, email) = (name.as_deref(), email.as_deref());
    let user = Identity { id: id.0, username: username.as_str(), name, email, user_type: user_type.name(), roles };
    Response::json(200, &Verified { active: true, kind, app, user, expires_at })
}

/// What a check answers.
pub(super) fn checked(question: Question, allowed: bool) -> Response {
    Response::json(200, &Checked::of(question, allowed))
}

/// What a batch of checks answers, in the order of the questions.
pub(super) fn checked_batch(questions: &[Question], answers: &[bool]) -> Response {
    let results: Vec<_> = questions.iter().zip(answers).map(|(question, allowed)| Checked::of(*question, *allowed)).collect();
    Response::json(200, &json!({ "results": results }))
}

#[derive(Serialize)]
struct Checked {
    allowed: bool,
    service: i64,
    permission: &'static str,
    user: i64,
}

impl Checked {
    fn of(Question { service_id, user_id, permission }: Question, allowed: bool) -> Self {
        Self { allowed, service: service_id, permission: permission.name(), user: user_id }
    }
}

/// Reads at most 100 questions; one that names no user is about the caller.
pub(super) fn questions(fields: &Fields, own_id: i64) -> Result<Vec<Question>> {
    let items = fields.required_objects("checks", MAX_QUESTIONS)?;
    let question = |item: &Fields| {
        Ok(Question {
            service_id: item.required_integer("service", i64::MIN, i64::MAX)?,
            user_id: item.integer("user", i64::MIN, i64::MAX)?.unwrap_or(own_id),
            permission: item.parsed("permission", Permission::parse)?,
        })
    };
    items.iter().map(question).collect()
}

/// What `/health` answers.
pub(super) fn health(health: Health) -> Response {
    let word = |answers| if answers { "ok" } else { "down" };
    let (status, summary) = match health {
        Health { verifies: false, .. } => (503, "down"),
        Health { d1: true, kv: true, .. } => (200, "ok"),
        Health { .. } => (200, "degraded"),
    };
    let version = env!("CARGO_PKG_VERSION");
    Response::json(status, &json!({ "status": summary, "version": version, "d1": word(health.d1), "kv": word(health.kv) }))
}

/// A user.
pub(super) fn user(user: &User) -> Value {
    let profile = &user.profile;
    json!({
        "id": user.id.0, "username": user.username.as_str(), "name": profile.name, "email": profile.email, "phone": profile.phone,
        "type": profile.user_type.name(), "roles": profile.roles, "enabled": profile.enabled, "hasPassword": user.has_password,
        "createdAt": user.created_at.0, "modifiedAt": user.modified_at.0,
    })
}

/// A user's tokens.
pub(super) fn tokens(sessions: &[Session]) -> Response {
    let item = |session: &Session| json!({ "id": session.id, "address": session.address, "createdAt": session.created_at.0, "expiresAt": session.expires_at.0 });
    Response::json(200, &json!({ "items": sessions.iter().map(item).collect::<Vec<_>>() }))
}

/// An event of the audit trail.
pub(super) fn event(event: &Event) -> Value {
    json!({
        "id": event.id, "at": event.at.0, "actor": event.actor.name, "actorId": event.actor.id.map(|id| id.0), "address": event.address,
        "action": event.action, "target": event.target, "before": event.before, "after": event.after, "requestId": event.request_id,
    })
}

/// A page of at most `limit` items, of which one more was read to see whether there is a next page.
pub(super) fn page<T, Id: ToString>(found: &[T], limit: i64, item: impl Fn(&T) -> Value, id: impl Fn(&T) -> Id) -> Response {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let items = found.get(..limit).unwrap_or(found);
    let next = (found.len() > limit).then(|| items.last().map(|last| id(last).to_string())).flatten();
    Response::json(200, &json!({ "items": items.iter().map(item).collect::<Vec<_>>(), "next": next }))
}

/// A user to be created.
pub(super) struct NewUser {
    pub(super) username: Username,
    pub(super) profile: Profile,
    pub(super) password: Option<Secret>,
}

/// Reads a user to be created.
pub(super) fn new_user(fields: &Fields) -> Result<NewUser> {
    let username = fields.parsed("username", Username::parse)?;
    let password = fields.secret("password")?;
    if let Some(text) = fields.text("password")? {
        crate::domain::identity::password::rule(text).map_err(|why| fields.invalid("password", why))?;
    }
    let change = user_change(fields)?;
    let mut profile = Profile::of_type(change.user_type.unwrap_or(UserType::Reader));
    change.apply(&mut profile);
    Ok(NewUser { username, profile, password })
}

/// What is to become of a user; `None` leaves a member as it is.
pub(super) struct UserChange {
    name: Text,
    email: Text,
    phone: Text,
    user_type: Option<UserType>,
    roles: Option<Vec<String>>,
    enabled: Option<bool>,
}

/// What is to become of a text.
pub(super) enum Text {
    Stays,
    Is(String),
    Goes,
}

impl Text {
    /// Reads a member that may be left out, or null.
    fn read(fields: &Fields, name: &str, max: usize) -> Result<Self> {
        match fields.text(name)? {
            Some("") => Ok(Self::Goes),
            Some(text) => {
                text::printable(text, max).map_err(|why| fields.invalid(name, why))?;
                Ok(Self::Is(text.to_owned()))
            }
            None if fields.has(name) => Ok(Self::Goes),
            None => Ok(Self::Stays),
        }
    }

    pub(super) fn apply(self, text: &mut Option<String>) {
        match self {
            Self::Stays => {}
            Self::Is(new) => *text = Some(new),
            Self::Goes => *text = None,
        }
    }
}

impl UserChange {
    pub(super) fn apply(self, profile: &mut Profile) {
        let Self { name, email, phone, user_type, roles, enabled } = self;
        name.apply(&mut profile.name);
        email.apply(&mut profile.email);
        phone.apply(&mut profile.phone);
        let before = profile.user_type;
        profile.user_type = user_type.unwrap_or(before);
        profile.enabled = enabled.unwrap_or(profile.enabled);
        if let Some(roles) = roles {
            profile.roles = roles;
            return;
        }
        // Whoever trusts the roles must see the change of type too.
        let renamed = profile.roles.iter_mut().filter(|role| *role == before.name());
        renamed.for_each(|role| profile.user_type.name().clone_into(role));
    }
}

/// Reads what is to become of a user.
pub(super) fn user_change(fields: &Fields) -> Result<UserChange> {
    let wrong_type = || fields.invalid("type", "must be Administrator, SYS_Creator or SYS_Reader");
    let user_type = fields.text("type")?.map(|name| UserType::from_name(name).ok_or_else(wrong_type)).transpose()?;
    let roles = fields.texts("roles")?;
    for role in roles.iter().flatten() {
        text::printable(role, 128).map_err(|why| fields.invalid("roles", format!("has an item that {why}")))?;
    }
    Ok(UserChange {
        name: Text::read(fields, "name", Profile::MAX_TEXT)?,
        email: Text::read(fields, "email", Profile::MAX_TEXT)?,
        phone: Text::read(fields, "phone", Profile::MAX_TEXT)?,
        user_type,
        roles,
        enabled: fields.boolean("enabled")?,
    })
}

/// What an import answers.
pub(super) fn imported(count: usize) -> Response {
    Response::json(200, &json!({ "imported": count }))
}

/// What an import answers that wrote nothing: what is wrong with which line, at most 100 of them.
pub(super) fn import_refused(errors: &[LineError]) -> Response {
    let detail = format!("{} lines are wrong, nothing was written", errors.len());
    let error = |error: &LineError| json!({ "line": error.line, "field": error.field, "why": error.why });
    problem_with(400, &detail, Some(("errors", errors.iter().take(MAX_LINE_ERRORS).map(error).collect::<Vec<_>>())))
}

/// A service.
pub(super) fn service(service: &Service) -> Value {
    json!({
        "id": service.id, "name": service.name, "authEnabled": service.auth_enabled, "creatorId": service.creator_id,
        "createdAt": service.created_at.0,
    })
}

/// An API of a service.
pub(super) fn api(api: &Api) -> Value {
    json!({ "id": api.id, "serviceId": api.service_id, "name": api.name, "authEnabled": api.auth_enabled, "createdAt": api.created_at.0 })
}

/// A department or group.
pub(super) fn unit(unit: &Unit) -> Value {
    match unit.kind {
        UnitKind::Department => json!({ "id": unit.id, "name": unit.name, "parentId": unit.parent_id, "createdAt": unit.created_at.0 }),
        UnitKind::Group => json!({ "id": unit.id, "name": unit.name, "createdAt": unit.created_at.0 }),
    }
}

/// An organization.
pub(super) fn organization(organization: &Organization) -> Value {
    json!({
        "id": organization.id.as_str(), "name": organization.name, "createdAt": organization.created_at.0,
        "modifiedAt": organization.modified_at.0,
    })
}

/// An application; its secret is shown where it is chosen only.
pub(super) fn application(application: &Application) -> Value {
    let terms = &application.terms;
    json!({
        "accessKey": application.access_key.as_str(), "organization": application.organization_id.as_str(), "name": terms.name,
        "shortcut": terms.shortcut, "authorizeApplications": terms.authorizes, "enabled": terms.enabled,
        "hasSecret": application.secret.is_some(), "authorizations": application.authorizations.names(),
        "createdAt": application.created_at.0, "modifiedAt": application.modified_at.0,
    })
}

/// An application that was just registered.
pub(super) fn application_with_secret(created: &Application, secret: Option<&Secret>) -> Value {
    let mut body = application(created);
    if let Value::Object(members) = &mut body {
        members.insert("secret".to_owned(), json!(secret.and_then(Secret::expose_text)));
    }
    body
}

/// A new secret.
pub(super) fn secret(access_key: &str, secret: &Secret) -> Response {
    Response::json(200, &json!({ "accessKey": access_key, "secret": secret.expose_text() }))
}

/// What a check of an application answers.
pub(super) fn authorized(access_key: &str, kind: AuthorizationType, allowed: bool) -> Response {
    Response::json(200, &json!({ "allowed": allowed, "accessKey": access_key, "type": kind.name() }))
}

/// An application to be registered.
pub(super) struct NewApplication {
    pub(super) access_key: Option<AccessKey>,
    pub(super) organization_id: OrganizationId,
    pub(super) terms: Terms,
}

/// Reads an application to be registered.
pub(super) fn new_application(fields: &Fields) -> Result<NewApplication> {
    let parse = |text| AccessKey::parse(text).map_err(|why| fields.invalid("accessKey", why));
    let mut terms = Terms { enabled: true, ..Terms::default() };
    application_change(fields)?.apply(&mut terms);
    Ok(NewApplication {
        access_key: fields.text("accessKey")?.map(parse).transpose()?,
        organization_id: fields.parsed("organization", OrganizationId::parse)?,
        terms,
    })
}

/// What is to become of an application; `None` leaves a member as it is.
pub(super) struct ApplicationChange {
    name: Text,
    shortcut: Option<bool>,
    authorizes: Option<bool>,
    enabled: Option<bool>,
}

impl ApplicationChange {
    pub(super) fn apply(self, terms: &mut Terms) {
        self.name.apply(&mut terms.name);
        terms.shortcut = self.shortcut.unwrap_or(terms.shortcut);
        terms.authorizes = self.authorizes.unwrap_or(terms.authorizes);
        terms.enabled = self.enabled.unwrap_or(terms.enabled);
    }
}

/// Reads what is to become of an application.
pub(super) fn application_change(fields: &Fields) -> Result<ApplicationChange> {
    Ok(ApplicationChange {
        name: name(fields)?,
        shortcut: fields.boolean("shortcut")?,
        authorizes: fields.boolean("authorizeApplications")?,
        enabled: fields.boolean("enabled")?,
    })
}

/// Reads what is to become of a name.
pub(super) fn name(fields: &Fields) -> Result<Text> {
    Text::read(fields, "name", MAX_NAME)
}

/// A problem (RFC 9457).
pub(super) fn problem(status: u16, detail: &str, member: Option<(&str, &str)>) -> Response {
    problem_with(status, detail, member)
}

/// A problem with a member of its own, written as it stands, so that a refusal costs no more than an answer.
fn problem_with(status: u16, detail: &str, member: Option<(&str, impl Serialize)>) -> Response {
    #[derive(Serialize)]
    struct Problem<'a, Member: Serialize> {
        #[serde(rename = "type")]
        kind: &'a str,
        title: &'a str,
        status: u16,
        detail: &'a str,
        #[serde(flatten)]
        member: BTreeMap<&'a str, Member>,
    }
    let title = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    };
    let problem = Problem { kind: "about:blank", title, status, detail, member: member.into_iter().collect() };
    Response::text(status, "application/problem+json", serde_json::to_string(&problem).unwrap_or_default())
}
