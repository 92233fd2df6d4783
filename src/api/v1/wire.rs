//! What the JSON of `/v1` looks like.

use serde_json::{Map, Value, json};

use crate::actions::authenticate::{Caller, Proof};
use crate::actions::health::Health;
use crate::actions::permissions::Question;
use crate::api::body::Fields;
use crate::api::http::Response;
use crate::api::shape::{Field, Kind, Shape, optional, required};
use crate::domain::audit::Event;
use crate::domain::directory::{Api, MAX_NAME, Service, Unit, UnitKind};
use crate::domain::opaque_token::Session;
use crate::domain::permission::Permission;
use crate::domain::secret::Secret;
use crate::domain::text;
use crate::domain::transfer::LineError;
use crate::domain::user::{Profile, User, UserType, Username};
use crate::error::Result;

/// How many wrong lines an import tells.
const MAX_LINE_ERRORS: usize = 100;

/// How many questions one request may ask.
const MAX_QUESTIONS: usize = 100;

const USER_TYPE: Kind = Kind::OneOf(&["Administrator", "SYS_Creator", "SYS_Reader"]);

const IDENTITY: Shape = Shape {
    name: "Identity",
    fields: &[
        required("id", Kind::Int64, "the user's id"),
        required("username", Kind::Text, "the user name"),
        required("name", Kind::Text, "a name for people, or null"),
        required("email", Kind::Text, "an address, or null"),
        required("type", USER_TYPE, "what the user is"),
        required("roles", Kind::Texts, "roles"),
    ],
    example: r#"{"id":1,"username":"admin","name":"Ada","email":"ada@example.com","type":"SYS_Reader","roles":["SYS_Reader"]}"#,
};

pub(super) const VERIFIED: Shape = Shape {
    name: "Verified",
    fields: &[
        required("active", Kind::Boolean, "true"),
        required("kind", Kind::OneOf(&["jwt", "opaque", "basic"]), "what kind of credential it is"),
        optional("app", Kind::Text, "the token app, for a jwt"),
        required("user", Kind::Object(&IDENTITY), "whose it is"),
        required("expiresAt", Kind::Int64, "when it is over, epoch seconds; null for a password"),
    ],
    example: r#"{"active":true,"kind":"jwt","app":"ERP","user":{"id":1,"username":"admin","name":"Ada","email":"ada@example.com","type":"SYS_Reader","roles":["SYS_Reader"]},"expiresAt":1737687504}"#,
};

pub(super) const TOKEN: Shape = Shape {
    name: "Token",
    fields: &[optional("token", Kind::Text, "the token to verify, opaque or a JSON Web Token")],
    example: r#"{"token":"7ac687f1-51c3-46ad-8617-89d737d1ba0d"}"#,
};

pub(super) const CHECKED: Shape = Shape {
    name: "Checked",
    fields: &[
        required("allowed", Kind::Boolean, "the answer"),
        required("service", Kind::Int64, "the service's id"),
        required("permission", Kind::Text, "the permission"),
        required("user", Kind::Int64, "the user's id"),
    ],
    example: r#"{"allowed":true,"service":1,"permission":"VIEW","user":2}"#,
};

const QUESTION: Shape = Shape {
    name: "Question",
    fields: &[
        required("service", Kind::Int64, "the service's id"),
        required("permission", Kind::Text, "ADD, VIEW, MODIFY, DELETE, TEST, GRANT, SHARE, RELEASE or EXPORT"),
        optional("user", Kind::Int64, "the user's id; default: the caller"),
    ],
    example: r#"{"service":1,"permission":"VIEW","user":2}"#,
};

pub(super) const QUESTIONS: Shape = Shape {
    name: "Questions",
    fields: &[required("checks", Kind::List(&QUESTION), "1 to 100 questions")],
    example: r#"{"checks":[{"service":1,"permission":"VIEW","user":2},{"service":1,"permission":"GRANT"}]}"#,
};

pub(super) const ANSWERS: Shape = Shape {
    name: "Answers",
    fields: &[required("results", Kind::List(&CHECKED), "in the order of the questions")],
    example: r#"{"results":[{"allowed":true,"service":1,"permission":"VIEW","user":2},{"allowed":false,"service":1,"permission":"GRANT","user":1}]}"#,
};

pub(super) const HEALTH: Shape = Shape {
    name: "Health",
    fields: &[
        required("status", Kind::OneOf(&["ok", "degraded", "down"]), "down is answered with 503"),
        required("version", Kind::Text, "the version of Postern"),
        required("d1", Kind::OneOf(&["ok", "down"]), "whether D1 answers"),
        required("kv", Kind::OneOf(&["ok", "down"]), "whether KV answers"),
    ],
    example: r#"{"status":"ok","version":"0.1.0","d1":"ok","kv":"ok"}"#,
};

pub(super) const USER: Shape = Shape {
    name: "User",
    fields: &[
        required("id", Kind::Int64, "the user's id"),
        required("username", Kind::Text, "the user name"),
        required("name", Kind::Text, "a name for people, or null"),
        required("email", Kind::Text, "an address, or null"),
        required("phone", Kind::Text, "a number, or null"),
        required("type", USER_TYPE, "what the user is"),
        required("roles", Kind::Texts, "roles"),
        required("enabled", Kind::Boolean, "disabled users may do nothing"),
        required("hasPassword", Kind::Boolean, "whether they can sign in with a password"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
        required("modifiedAt", Kind::Int64, "epoch milliseconds"),
    ],
    example: r#"{"id":2,"username":"alice","name":"Alice","email":"alice@example.com","phone":null,"type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true,"hasPassword":true,"createdAt":1737599864898,"modifiedAt":1737599864898}"#,
};

const NEXT: Field = required("next", Kind::Text, "the cursor of the next page, or null");

pub(super) const USERS: Shape = Shape {
    name: "Users",
    fields: &[required("items", Kind::List(&USER), "by ascending id"), NEXT],
    example: r#"{"items":[{"id":2,"username":"alice","name":"Alice","email":"alice@example.com","phone":null,"type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true,"hasPassword":true,"createdAt":1737599864898,"modifiedAt":1737599864898}],"next":null}"#,
};

pub(super) const NEW_USER: Shape = Shape {
    name: "NewUser",
    fields: &[
        required("username", Kind::Text, "1 to 128 characters, case-sensitive"),
        optional("name", Kind::Text, "a name for people"),
        optional("email", Kind::Text, "an address"),
        optional("phone", Kind::Text, "a number"),
        optional("type", USER_TYPE, "default SYS_Reader"),
        optional("roles", Kind::Texts, "default: the type"),
        optional("enabled", Kind::Boolean, "default true"),
        optional("password", Kind::Text, "at least 8 characters; without one the user signs in with tokens only"),
    ],
    example: r#"{"username":"alice","name":"Alice","email":"alice@example.com","type":"SYS_Reader","password":"correct horse"}"#,
};

pub(super) const USER_CHANGE: Shape = Shape {
    name: "UserChange",
    fields: &[
        optional("name", Kind::Text, "null removes it"),
        optional("email", Kind::Text, "null removes it"),
        optional("phone", Kind::Text, "null removes it"),
        optional("type", USER_TYPE, "what the user is"),
        optional("roles", Kind::Texts, "replaces all roles"),
        optional("enabled", Kind::Boolean, "disabled users may do nothing"),
    ],
    example: r#"{"enabled":false}"#,
};

pub(super) const PASSWORD: Shape = Shape {
    name: "Password",
    fields: &[
        required("password", Kind::Text, "the new one, at least 8 characters"),
        optional("currentPassword", Kind::Text, "required to change one's own"),
    ],
    example: r#"{"password":"correct horse","currentPassword":"battery staple"}"#,
};

const SESSION: Shape = Shape {
    name: "IssuedToken",
    fields: &[
        required("id", Kind::Int64, "for revoking it"),
        required("address", Kind::Text, "where it was issued to, or null"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
        required("expiresAt", Kind::Int64, "epoch milliseconds"),
    ],
    example: r#"{"id":7,"address":"203.0.113.9","createdAt":1737599864898,"expiresAt":1737643064898}"#,
};

pub(super) const TOKENS: Shape = Shape {
    name: "IssuedTokens",
    fields: &[required("items", Kind::List(&SESSION), "the newest first, 500 at most")],
    example: r#"{"items":[{"id":7,"address":"203.0.113.9","createdAt":1737599864898,"expiresAt":1737643064898}]}"#,
};

const EVENT: Shape = Shape {
    name: "AuditEvent",
    fields: &[
        required("id", Kind::Int64, "ascending"),
        required("at", Kind::Int64, "epoch milliseconds"),
        required("actor", Kind::Text, "a user name; in brackets where nobody asked"),
        required("actorId", Kind::Int64, "the user's id, or null"),
        required("address", Kind::Text, "the client's address, or null"),
        required("action", Kind::Text, "what was done"),
        required("target", Kind::Text, "to whom or what"),
        required("before", Kind::Any, "how it was, or null; without secrets"),
        required("after", Kind::Any, "how it is, or null; without secrets"),
        required("requestId", Kind::Text, "the x-request-id of the answer"),
    ],
    example: r#"{"id":3,"at":1737599864898,"actor":"admin","actorId":1,"address":"203.0.113.9","action":"token_app.delete","target":"ERP","before":{"enable":true},"after":null,"requestId":"7ac687f1-51c3-46ad-8617-89d737d1ba0d"}"#,
};

pub(super) const EVENTS: Shape = Shape {
    name: "AuditEvents",
    fields: &[required("items", Kind::List(&EVENT), "the newest first"), NEXT],
    example: r#"{"items":[{"id":3,"at":1737599864898,"actor":"admin","actorId":1,"address":"203.0.113.9","action":"token_app.delete","target":"ERP","before":{"enable":true},"after":null,"requestId":"7ac687f1-51c3-46ad-8617-89d737d1ba0d"}],"next":null}"#,
};

pub(super) const SERVICE: Shape = Shape {
    name: "Service",
    fields: &[
        required("id", Kind::Int64, "the callers' id"),
        required("name", Kind::Text, "a name for people, or null"),
        required("authEnabled", Kind::Boolean, "the authorization switch"),
        required("creatorId", Kind::Int64, "who created it, or null"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
    ],
    example: r#"{"id":1,"name":"Orders","authEnabled":true,"creatorId":1,"createdAt":1737599864898}"#,
};

pub(super) const SERVICES: Shape = Shape {
    name: "ServicePage",
    fields: &[required("items", Kind::List(&SERVICE), "by ascending id"), NEXT],
    example: r#"{"items":[{"id":1,"name":"Orders","authEnabled":true,"creatorId":1,"createdAt":1737599864898}],"next":null}"#,
};

pub(super) const NEW_SERVICE: Shape = Shape {
    name: "NewService",
    fields: &[
        optional("id", Kind::Int64, "the callers' id; chosen where it is left out"),
        optional("name", Kind::Text, "1 to 256 characters"),
        optional("authEnabled", Kind::Boolean, "default true"),
    ],
    example: r#"{"id":1,"name":"Orders"}"#,
};

pub(super) const SERVICE_CHANGE: Shape = Shape {
    name: "ServiceChange",
    fields: &[optional("name", Kind::Text, "null removes it"), optional("authEnabled", Kind::Boolean, "the authorization switch")],
    example: r#"{"authEnabled":false}"#,
};

pub(super) const API: Shape = Shape {
    name: "ServiceApi",
    fields: &[
        required("id", Kind::Int64, "unique in its service"),
        required("serviceId", Kind::Int64, "the service's id"),
        required("name", Kind::Text, "a name for people, or null"),
        required("authEnabled", Kind::Boolean, "the authorization switch"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
    ],
    example: r#"{"id":2,"serviceId":1,"name":"List orders","authEnabled":true,"createdAt":1737599864898}"#,
};

pub(super) const APIS: Shape = Shape {
    name: "ServiceApiPage",
    fields: &[required("items", Kind::List(&API), "by ascending id"), NEXT],
    example: r#"{"items":[{"id":2,"serviceId":1,"name":"List orders","authEnabled":true,"createdAt":1737599864898}],"next":null}"#,
};

pub(super) const DEPARTMENT: Shape = Shape {
    name: "Department",
    fields: &[
        required("id", Kind::Int64, "the callers' id"),
        required("name", Kind::Text, "a name for people, or null"),
        required("parentId", Kind::Int64, "the department above, or null"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
    ],
    example: r#"{"id":2,"name":"Sales","parentId":1,"createdAt":1737599864898}"#,
};

pub(super) const DEPARTMENTS: Shape = Shape {
    name: "DepartmentPage",
    fields: &[required("items", Kind::List(&DEPARTMENT), "by ascending id"), NEXT],
    example: r#"{"items":[{"id":2,"name":"Sales","parentId":1,"createdAt":1737599864898}],"next":null}"#,
};

pub(super) const NEW_DEPARTMENT: Shape = Shape {
    name: "NewDepartment",
    fields: &[
        optional("id", Kind::Int64, "the callers' id; chosen where it is left out"),
        optional("name", Kind::Text, "1 to 256 characters"),
        optional("parentId", Kind::Int64, "the department above; it must exist"),
    ],
    example: r#"{"name":"Sales","parentId":1}"#,
};

pub(super) const DEPARTMENT_CHANGE: Shape = Shape {
    name: "DepartmentChange",
    fields: &[optional("name", Kind::Text, "null removes it"), optional("parentId", Kind::Int64, "the department above; null for none")],
    example: r#"{"parentId":null}"#,
};

pub(super) const GROUP: Shape = Shape {
    name: "Group",
    fields: &[
        required("id", Kind::Int64, "the callers' id"),
        required("name", Kind::Text, "a name for people, or null"),
        required("createdAt", Kind::Int64, "epoch milliseconds"),
    ],
    example: r#"{"id":3,"name":"Testers","createdAt":1737599864898}"#,
};

pub(super) const GROUPS: Shape = Shape {
    name: "GroupPage",
    fields: &[required("items", Kind::List(&GROUP), "by ascending id"), NEXT],
    example: r#"{"items":[{"id":3,"name":"Testers","createdAt":1737599864898}],"next":null}"#,
};

pub(super) const NEW_GROUP: Shape = Shape {
    name: "NewGroup",
    fields: &[
        optional("id", Kind::Int64, "the callers' id; chosen where it is left out"),
        optional("name", Kind::Text, "1 to 256 characters"),
    ],
    example: r#"{"name":"Testers"}"#,
};

pub(super) const GROUP_CHANGE: Shape =
    Shape { name: "GroupChange", fields: &[optional("name", Kind::Text, "null removes it")], example: r#"{"name":"Testers"}"# };

const MEMBER: Shape = Shape { name: "Member", fields: &[required("userId", Kind::Int64, "the user's id")], example: r#"{"userId":5}"# };

pub(super) const MEMBERS: Shape = Shape {
    name: "MemberPage",
    fields: &[required("items", Kind::List(&MEMBER), "by ascending id"), NEXT],
    example: r#"{"items":[{"userId":5}],"next":null}"#,
};

pub(super) const RECORD: Shape = Shape {
    name: "DirectoryRecord",
    fields: &[
        required("record", Kind::OneOf(&["service", "api", "department", "group", "member", "grant"]), "one such object a line"),
        optional("serviceId", Kind::Int64, "of an api or a grant"),
        optional("id", Kind::Int64, "of a service, an api, a department or a group"),
        optional("name", Kind::Text, "of the same"),
        optional("parentId", Kind::Int64, "of a department"),
        optional("authEnabled", Kind::Boolean, "of a service or an api, default true"),
        optional("creatorId", Kind::Int64, "of a service: the user who created it"),
        optional("authObjectType", Kind::OneOf(&["USER", "DEPT", "GROUP"]), "of a grant; DEPT or GROUP of a member"),
        optional("authObjectId", Kind::Int64, "of the same"),
        optional("userId", Kind::Int64, "of a member"),
        optional("permissions", Kind::Texts, "of a grant; in CSV joined by |"),
        optional("creator", Kind::Boolean, "of a grant, default false"),
        optional("createdAt", Kind::Int64, "epoch milliseconds, default now"),
    ],
    example: r#"{"record":"grant","serviceId":1,"authObjectType":"USER","authObjectId":2,"permissions":["VIEW"]}"#,
};

pub(super) const IMPORTED: Shape =
    Shape { name: "Imported", fields: &[required("imported", Kind::Int64, "how many records")], example: r#"{"imported":1}"# };

pub(super) const PROBLEM: Shape = Shape {
    name: "Problem",
    fields: &[
        required("type", Kind::Text, "about:blank"),
        required("title", Kind::Text, "the status in words"),
        required("status", Kind::Int64, "the HTTP status"),
        required("detail", Kind::Text, "what is wrong"),
        optional(
            "reason",
            Kind::Text,
            "401: missing, malformed, unknown_app, bad_signature, expired, not_yet_valid, revoked, no_username or wrong_password",
        ),
        optional("field", Kind::Text, "400: which field"),
    ],
    example: r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"the token's signature does not verify","reason":"bad_signature"}"#,
};

/// What a verification answers.
pub(super) fn verified(caller: &Caller) -> Response {
    let user = &caller.user;
    let profile = &user.profile;
    let identity = json!({
        "id": user.id.0, "username": user.username.as_str(), "name": profile.name, "email": profile.email,
        "type": profile.user_type.name(), "roles": profile.roles,
    });
    let body = match &caller.proof {
        Proof::Jwt { app, expires_at_s } => {
            json!({ "active": true, "kind": "jwt", "app": app.as_str(), "user": identity, "expiresAt": expires_at_s })
        }
        Proof::Session(session) => json!({ "active": true, "kind": "opaque", "user": identity, "expiresAt": session.expires_at.seconds() }),
        Proof::Password => json!({ "active": true, "kind": "basic", "user": identity, "expiresAt": null }),
    };
    Response::json(200, &body)
}

/// What a check answers.
pub(super) fn checked(question: Question, allowed: bool) -> Response {
    Response::json(200, &checked_item(question, allowed))
}

/// What a batch of checks answers, in the order of the questions.
pub(super) fn checked_batch(questions: &[Question], answers: &[bool]) -> Response {
    let items: Vec<_> = questions.iter().zip(answers).map(|(question, allowed)| checked_item(*question, *allowed)).collect();
    Response::json(200, &json!({ "results": items }))
}

fn checked_item(question: Question, allowed: bool) -> Value {
    json!({ "allowed": allowed, "service": question.service_id, "permission": question.permission.name(), "user": question.user_id })
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
pub(super) fn page<T>(found: &[T], limit: i64, item: impl Fn(&T) -> Value, id: impl Fn(&T) -> i64) -> Response {
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
        crate::domain::password::rule(text).map_err(|why| fields.invalid("password", why))?;
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
    let mut body = problem_body(400, &detail);
    body.insert("errors".to_owned(), errors.iter().take(MAX_LINE_ERRORS).map(error).collect());
    problem_response(400, &body)
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

/// Reads what is to become of a name.
pub(super) fn name(fields: &Fields) -> Result<Text> {
    Text::read(fields, "name", MAX_NAME)
}

/// A problem (RFC 9457).
pub(super) fn problem(status: u16, detail: &str, member: Option<(&str, &str)>) -> Response {
    let mut body = problem_body(status, detail);
    if let Some((name, value)) = member {
        body.insert(name.to_owned(), json!(value));
    }
    problem_response(status, &body)
}

fn problem_body(status: u16, detail: &str) -> Map<String, Value> {
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
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    let members = [("type", json!("about:blank")), ("title", json!(title)), ("status", json!(status)), ("detail", json!(detail))];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn problem_response(status: u16, body: &Map<String, Value>) -> Response {
    Response::text(status, "application/problem+json", Value::Object(body.clone()).to_string())
}
