//! The shapes of the bodies of `/v1`, for the OpenAPI document. What reads and writes them is in `wire`.

use crate::api::http::shape::{Field, Kind, Shape, optional, required};

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

pub(super) const NEXT: Field = required("next", Kind::Text, "the cursor of the next page, or null");

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
