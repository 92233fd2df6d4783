//! The audit trail.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::context::Cx;
use crate::domain::audit::{Actor, Deed, Event};
use crate::domain::identity::sign_in_limit::WINDOW;
use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};
use crate::store::ids::NewId;
use crate::store::sql;

/// Selects events: the newest first, at most `limit`.
#[derive(Debug, Default)]
pub struct Filter {
    /// Only events of this user name.
    pub actor: Option<String>,
    /// Only events with this action.
    pub action: Option<String>,
    /// Only events about this target.
    pub target: Option<String>,
    /// Only events at this time or later.
    pub from: Option<Millis>,
    /// Only events before this time.
    pub until: Option<Millis>,
    /// Only events with a smaller id.
    pub before_id: Option<i64>,
    pub limit: i64,
}

/// Adds an event to the audit trail.
#[must_use]
pub fn insert(cx: &Cx, deed: &Deed) -> Statement {
    let text = |value: &Option<Value>| Param::from(value.as_ref().map(ToString::to_string));
    Statement::new(
        "INSERT INTO audit_events (at, actor, actor_id, address, action, target, before, after,
           request_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        [
            cx.now.into(),
            deed.actor.name.as_str().into(),
            deed.actor.id.map_or(Param::Null, |id| Param::Int64(id.0)),
            cx.address().into(),
            deed.action.into(),
            deed.target.as_str().into(),
            text(&deed.before),
            text(&deed.after),
            cx.request_id.as_str().into(),
        ],
    )
}

/// Adds an event for a created record. Its id goes into `after`, and becomes the target if the deed
/// has none.
#[must_use]
pub fn insert_created(cx: &Cx, deed: &Deed, id: NewId) -> Statement {
    let mut statement = insert(cx, deed);
    let id = id.sql();
    statement.sql = format!(
        "INSERT INTO audit_events (at, actor, actor_id, address, action, target, before, after,
           request_id)
         VALUES (?1, ?2, ?3, ?4, ?5, CASE ?6 WHEN '' THEN CAST({id} AS TEXT) ELSE ?6 END, ?7,
           json_set(COALESCE(?8, '{{}}'), '$.id', {id}), ?9)"
    )
    .into();
    statement
}

/// Adds an event if a condition holds. `condition` receives the number of the first free parameter
/// and returns SQL; `values` are bound from there on.
#[must_use]
pub fn insert_where(
    cx: &Cx,
    deed: &Deed,
    condition: impl FnOnce(usize) -> String,
    values: Vec<Param>,
) -> Statement {
    let mut statement = insert(cx, deed);
    let condition = condition(statement.params.len() + 1);
    statement.sql = format!(
        "INSERT INTO audit_events (at, actor, actor_id, address, action, target, before, after,
           request_id)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE {condition}"
    )
    .into();
    statement.params.extend(values);
    statement
}

/// A summary of failed sign-ins lists at most this many networks, and this many names that no user
/// has.
const LISTED: usize = 20;

/// Adds a failed sign-in to the event that sums up those of the same ten minutes. There is one
/// event for each name that a user has, and one for all other names. So strangers cannot fill the
/// audit trail.
#[must_use]
pub fn sum_up_failed_sign_in(
    cx: &Cx,
    claimed: &str,
    network: &str,
    is_known: bool,
) -> [Statement; 2] {
    let window = cx.now.0.div_euclid(WINDOW.0);
    let (of, actor) = if is_known {
        (format!("of {claimed}"), Actor::claimed(claimed))
    } else {
        ("unknown".to_owned(), Actor::bracketed("unknown user"))
    };
    let summary = format!("sign_in.fail/{window}/{of}");
    let after = if is_known {
        json!({ "failures": 0, "addresses": [] })
    } else {
        json!({ "failures": 0, "addresses": [], "usernames": [] })
    };
    let target = actor.name.clone();
    let deed = Deed::new(actor, "sign_in.fail", target).after(after);
    let first = summarizing(cx, &deed, &summary);
    let listed = |member: &str, value: &str| {
        format!(
            "'$.{member}', json(CASE WHEN json_array_length(after, '$.{member}') >= {LISTED}
                 OR EXISTS (SELECT 1 FROM json_each(after, '$.{member}') WHERE value = {value})
               THEN json_extract(after, '$.{member}')
                 ELSE json_insert(json_extract(after, '$.{member}'), '$[#]', {value}) END)"
        )
    };
    let usernames =
        if is_known { String::new() } else { format!(", {}", listed("usernames", "?4")) };
    let sql = format!(
        "UPDATE audit_events
         SET after = json_set(after, '$.failures', json_extract(after, '$.failures') + 1,
           '$.lastAt', CAST(?3 AS INTEGER), {}{usernames}) WHERE summary = ?1",
        listed("addresses", "?2")
    );
    let mut params = vec![summary.into(), network.into(), cx.now.into()];
    if !is_known {
        params.push(claimed.into());
    }
    [first, Statement::new(sql, params)]
}

/// Adds the event of a summary, unless it exists.
fn summarizing(cx: &Cx, deed: &Deed, summary: &str) -> Statement {
    let mut statement = insert(cx, deed);
    statement.sql =
        "INSERT INTO audit_events (at, actor, actor_id, address, action, target, before,
           after, request_id, summary)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
         WHERE NOT EXISTS (SELECT 1 FROM audit_events WHERE summary = ?10)"
            .into();
    statement.params.push(summary.into());
    statement
}

/// Deletes at most `limit` events from before a time, the oldest first.
#[must_use]
pub fn prune(before: Millis, limit: i64) -> Statement {
    Statement::new(
        "DELETE FROM audit_events
         WHERE id IN (SELECT id FROM audit_events WHERE at < ?1 ORDER BY at LIMIT ?2)",
        [before.into(), Param::Number(limit)],
    )
}

pub async fn list(cx: &Cx, filter: &Filter) -> Result<Vec<Event>> {
    let mut sql = String::from(
        "SELECT CAST(id AS TEXT) AS id, at, actor, CAST(actor_id AS TEXT) AS actor_id, address,
           action, target, before, after, request_id
         FROM audit_events WHERE 1",
    );
    let mut params = Vec::new();
    let conditions = [
        (" AND actor = ?", filter.actor.clone().map(Param::from)),
        (" AND action = ?", filter.action.clone().map(Param::from)),
        (" AND target = ?", filter.target.clone().map(Param::from)),
        (" AND at >= ?", filter.from.map(Param::from)),
        (" AND at < ?", filter.until.map(Param::from)),
        (" AND id < ?", filter.before_id.map(Param::Int64)),
    ];
    for (condition, value) in
        conditions.into_iter().filter_map(|(condition, value)| Some((condition, value?)))
    {
        params.push(value);
        let _ = write!(sql, "{condition}{}", params.len());
    }
    params.push(Param::Number(filter.limit));
    let _ = write!(sql, " ORDER BY audit_events.id DESC LIMIT ?{}", params.len());
    sql::all(cx, Statement::new(sql, params), event).await
}

fn event(row: &Row) -> Result<Event> {
    let value = |column| {
        Ok::<_, crate::error::Error>(
            row.optional_text(column)?.and_then(|text| serde_json::from_str(text).ok()),
        )
    };
    let actor_id = row.optional_text("actor_id")?.and_then(|id| id.parse().ok()).map(UserId);
    Ok(Event {
        id: row.int64("id")?,
        at: Millis(row.number("at")?),
        actor: Actor { name: row.text("actor")?.to_owned(), id: actor_id },
        address: row.optional_text("address")?.map(str::to_owned),
        action: row.text("action")?.to_owned(),
        target: row.text("target")?.to_owned(),
        before: value("before")?,
        after: value("after")?,
        request_id: row.text("request_id")?.to_owned(),
    })
}
