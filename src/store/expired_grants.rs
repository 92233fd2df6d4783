//! Expired grants. Permission checks ignore them immediately. Their rows are removed later, each
//! with an event in the audit trail.

use serde_json::json;

use crate::context::Cx;
use crate::domain::audit::Actor;
use crate::domain::permissions::grant::NewGrant;
use crate::domain::permissions::permission::Permission;
use crate::ports::{Param, Statement};

#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// The expired grant that a new grant on the same service to the same object replaces.
    To(NewGrant),
    /// At most this many, the earliest expired first.
    Oldest(i64),
}

impl Which {
    /// SQL for the ids. `?1` is the current time; the returned parameters follow it.
    fn ids(&self) -> (&'static str, Vec<Param>) {
        match self {
            Self::To(grant) => (
                "SELECT id FROM grants WHERE service_id = CAST(?2 AS INTEGER) AND object_type = ?3
                   AND object_id = CAST(?4 AS INTEGER)
                   AND creator = 0 AND expires_at <= ?1",
                vec![
                    Param::Int64(grant.service_id),
                    grant.object_type.name().into(),
                    Param::Int64(grant.object_id),
                ],
            ),
            Self::Oldest(limit) => (
                "SELECT id FROM grants WHERE expires_at <= ?1 AND creator = 0
                 ORDER BY expires_at, id LIMIT ?2",
                vec![Param::Number(*limit)],
            ),
        }
    }
}

/// Removes the grants, and adds events that name `actor`. All belong into one batch.
#[must_use]
pub fn remove(cx: &Cx, actor: &Actor, which: &Which) -> [Statement; 2] {
    let (ids, mut params) = which.ids();
    params.insert(0, cx.now.into());
    let delete = Statement::new(format!("DELETE FROM grants WHERE id IN ({ids})"), params.clone());
    [audit(cx, actor, ids, params), delete]
}

/// Adds the change feed's entries for the grants that [`remove`] will remove. It must run before
/// `remove`.
#[must_use]
pub fn announce(cx: &Cx, which: &Which) -> Statement {
    let (ids, mut params) = which.ids();
    params.insert(0, cx.now.into());
    Statement::new(
        format!(
            "INSERT INTO changes (kind, key, at)
             SELECT DISTINCT CASE object_type WHEN 'USER' THEN 'grant' ELSE 'service' END,
               CASE object_type WHEN 'USER' THEN service_id || '/' || object_id
                 ELSE CAST(service_id AS TEXT) END, ?1
             FROM grants WHERE id IN ({ids})"
        ),
        params,
    )
}

/// The events are built from the rows in the batch, because somebody may prolong a grant after it
/// was read.
fn audit(cx: &Cx, actor: &Actor, ids: &str, mut params: Vec<Param>) -> Statement {
    let names: Vec<_> = Permission::ALL.into_iter().map(Permission::name).collect();
    let first = params.len() + 1;
    params.extend([
        actor.name.as_str().into(),
        actor.id.map_or(Param::Null, |id| Param::Int64(id.0)),
        cx.address().into(),
        cx.request_id.as_str().into(),
        json!(names).to_string().into(),
    ]);
    let [name, id, address, request_id, names] = [0, 1, 2, 3, 4].map(|index| first + index);
    Statement::new(
        format!(
            "INSERT INTO audit_events (at, actor, actor_id, address, action, target, before,
               request_id)
             SELECT ?1, ?{name}, ?{id}, ?{address}, 'grant.expire',
               service_id || '/' || object_type || '/' || object_id,
               json_patch('{{}}', json_object(
                 'permissions', json((SELECT json_group_array(n.value)
                   FROM json_each(?{names}) n WHERE g.permissions & (1 << n.key))),
                 'startsAt', starts_at, 'expiresAt', expires_at)), ?{request_id}
             FROM grants g WHERE id IN ({ids}) ORDER BY expires_at, id"
        ),
        params,
    )
}
