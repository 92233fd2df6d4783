//! The audit trail: who changed what, and when.

use serde_json::Value;

use super::paging::{self, page};
use crate::actions::audit;
use crate::api::http::declare::answer;
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, optional};
use crate::context::Cx;
use crate::domain::audit::Event;
use crate::domain::time::{MAX_MILLIS, Millis};
use crate::error::{Error, Result};

/// Milliseconds, up to the largest integer that a double holds exactly.
const MOMENT: Kind = Kind::Int64 { min: 0, max: MAX_MILLIS };
const FROM: Field = optional("from", MOMENT, "only from this moment on, epoch milliseconds");
const UNTIL: Field = optional("until", MOMENT, "only before this moment, epoch milliseconds");

const LIST_QUERY: &[Field] = &[
    optional("actor", Kind::TEXT, "only of this user name"),
    optional("action", Kind::TEXT, "only this action, for example token_app.update"),
    optional("target", Kind::TEXT, "only to this target, for example ERP"),
    FROM,
    UNTIL,
    paging::LIMIT,
    paging::CURSOR,
];

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[Route::get("list_audit_events", &["/v1/audit"], handler!(list))
        .summary("Lists all changes and who made them, the newest first")
        .access(Access::Administrator)
        .query(LIST_QUERY)
        .answers(Answer::json(200, &EVENTS))],
};

answer! {
    struct AuditEvent<'a> as "AuditEvent" {
        "id" id: i64 => "ascending",
        "at" at: i64 as Kind::TIME => "epoch milliseconds",
        "actor" actor: &'a str =>
            "the user name; in brackets if it was no user but a key, a token app or Postern itself",
        "actorId" actor_id: Option<i64> => "the user's id",
        "address" address: Option<&'a str> => "the client's address",
        "action" action: &'a str => "what was done",
        "target" target: &'a str => "the user, app or other object that was changed",
        "before" before: Option<&'a Value> => "the state before, or null; without secrets",
        "after" after: Option<&'a Value> => "the state after, or null; without secrets",
        "requestId" request_id: &'a str => "the x-request-id of the answer",
    } example r#"{
        "id":3,"at":1737599864898,"actor":"admin","actorId":1,"address":"203.0.113.9",
        "action":"token_app.delete","target":"ERP","before":{"enable":true},"after":null,
        "requestId":"7ac687f1-51c3-46ad-8617-89d737d1ba0d"
    }"#
}

const EVENTS: Shape = page!("AuditEvents", AuditEvent<'_>, "the newest first");

impl<'a> AuditEvent<'a> {
    fn of(event: &'a Event) -> Self {
        Self {
            id: event.id,
            at: event.at.0,
            actor: &event.actor.name,
            actor_id: event.actor.id.map(|id| id.0),
            address: event.address.as_deref(),
            action: &event.action,
            target: &event.target,
            before: event.before.as_ref(),
            after: event.after.as_ref(),
            request_id: &event.request_id,
        }
    }
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, before_id) = paging::asked(call)?;
    let text = |name| call.query.one(name).map(|text| text.map(str::to_owned));
    let time = |field: &'static Field| {
        let moment = call.query.declared_integer(field)?.map(Millis::named);
        moment.transpose().map_err(|why| Error::invalid(field.name, why))
    };
    let filter = audit::Filter {
        actor: text("actor")?,
        action: text("action")?,
        target: text("target")?,
        from: time(&FROM)?,
        until: time(&UNTIL)?,
        before_id,
        limit: limit + 1,
    };
    let found = audit::list(cx, &filter).await?;
    Ok(paging::answer(&found, limit, AuditEvent::of, |event| event.id))
}
