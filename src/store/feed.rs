//! The change feed tells isolates which cached records to evict.

use crate::domain::feed::{ChangeKind, Place};
use crate::domain::identity::user::{UserId, Username};
use crate::domain::permissions::names::{ResourceName, ResourceType};
use crate::domain::permissions::permission::ObjectType;
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::Revocation;
use crate::ports::{Param, Statement};

const KEPT: Millis = Millis::from_seconds(3600);

/// SQL: does the feed lack changes after revision `?1`, whose entry has the time `?3`? At most `?2`
/// changes are read at once. `Reading::has_gap` decides the same on the rows.
pub(super) const HAS_GAP: &str = "SELECT ?1 < oldest - 1 OR ?1 > head OR head - ?1 > ?2
      OR EXISTS (SELECT 1 FROM changes WHERE revision = ?1 AND at <> ?3)
    FROM (SELECT (SELECT MIN(revision) FROM changes) AS oldest,
      (SELECT MAX(revision) FROM changes) AS head)";

/// The parameters `?1` to `?3` of [`HAS_GAP`].
pub(super) fn of_gap(since: Option<Place>, max_changes: i64) -> Vec<Param> {
    let number = |of: fn(Place) -> i64| since.map_or(Param::Null, |place| Param::Number(of(place)));
    vec![number(|place| place.revision), Param::Number(max_changes), number(|place| place.at.0)]
}

/// Reads the ends of the feed, and at most `limit` changes after a place in it. The columns are
/// `head`, `head_at`, `oldest`, `is_other`, `kind`, `key`, `revision` and `changed_at`. If nothing
/// changed, there is one row whose last four columns are NULL. `is_other` means that the entry at
/// the place is not the one that was read. With `None` as the place, no changes are read.
#[must_use]
pub fn select_since(since: Option<Place>, limit: i64) -> Statement {
    Statement::new(
        // Each end needs a SELECT of its own: both in one SELECT would read all rows between them.
        "SELECT head, head_at, oldest, is_other, kind, key, changes.revision,
           changes.at AS changed_at
         FROM (SELECT revision AS head, at AS head_at,
             (SELECT MIN(revision) FROM changes) AS oldest,
             EXISTS (SELECT 1 FROM changes WHERE revision = ?1 AND at <> ?3) AS is_other
           FROM changes ORDER BY revision DESC LIMIT 1)
         LEFT JOIN (SELECT kind, key, revision, at FROM changes WHERE revision > ?1
           ORDER BY revision LIMIT ?2) AS changes",
        of_gap(since, limit),
    )
}

/// Reads the newest revision (`head`) and its time (`head_at`).
#[must_use]
pub fn select_head() -> Statement {
    Statement::new(
        "SELECT revision AS head, at AS head_at FROM changes ORDER BY revision DESC LIMIT 1",
        [],
    )
}

#[must_use]
pub fn token_app_changed(name: &str, now: Millis) -> Statement {
    changed(ChangeKind::TokenApp, name.to_owned(), now)
}

#[must_use]
pub fn token_app_deleted(name: &str, now: Millis) -> [Statement; 2] {
    [token_app_changed(name, now), changed(ChangeKind::DeletedTokenApp, name.to_owned(), now)]
}

#[must_use]
pub fn user_changed(id: UserId, now: Millis) -> Statement {
    changed(ChangeKind::User, id.0.to_string(), now)
}

#[must_use]
pub fn session_changed(id: i64, now: Millis) -> Statement {
    changed(ChangeKind::Session, id.to_string(), now)
}

/// A service, its switch, or a grant on it to a department or a group was changed.
#[must_use]
pub fn service_changed(id: i64, now: Millis) -> Statement {
    changed(ChangeKind::Service, id.to_string(), now)
}

#[must_use]
pub fn grant_changed(
    service_id: i64,
    object_type: ObjectType,
    object_id: i64,
    now: Millis,
) -> Statement {
    match object_type {
        ObjectType::User => changed(ChangeKind::Grant, format!("{service_id}/{object_id}"), now),
        ObjectType::Dept | ObjectType::Group => service_changed(service_id, now),
    }
}

/// A user joined or left departments or groups.
#[must_use]
pub fn membership_changed(user_id: i64, now: Millis) -> Statement {
    changed(ChangeKind::Membership, user_id.to_string(), now)
}

/// An application, its access token or its authorizations were changed.
#[must_use]
pub fn application_changed(access_key: &str, now: Millis) -> Statement {
    changed(ChangeKind::Application, access_key.to_owned(), now)
}

/// A machine key or one of its secrets was removed. A new key needs no entry, since nobody can have
/// used it before.
#[must_use]
pub fn key_changed(id: i64, now: Millis) -> Statement {
    changed(ChangeKind::Key, id.to_string(), now)
}

/// A change too broad to name: every cached standing must be evicted.
#[must_use]
pub fn directory_changed(now: Millis) -> Statement {
    changed(ChangeKind::Directory, String::new(), now)
}

/// A resource gained or lost a name.
#[must_use]
pub fn name_changed(name: &ResourceName, now: Millis) -> Statement {
    changed(ChangeKind::Name, format!("{}/{}", name.of.as_str(), name.id), now)
}

/// The action names of a type were changed.
#[must_use]
pub fn actions_changed(of: &ResourceType, now: Millis) -> Statement {
    changed(ChangeKind::Name, of.as_str().to_owned(), now)
}

#[must_use]
pub fn revoked(revocation: &Revocation, now: Millis) -> Statement {
    changed(ChangeKind::Revocation, revocation.text(), now)
}

/// A change after which every cached record must be evicted. It writes two entries that nobody can
/// have read, and deletes all older ones. Every reader sees that as a gap, and a reader that finds
/// a gap empties its cache.
#[must_use]
pub fn everything_changed(now: Millis) -> Vec<Statement> {
    let older = Statement::new(
        "DELETE FROM changes WHERE revision < (SELECT MAX(revision) FROM changes)",
        [],
    );
    vec![directory_changed(now), directory_changed(now), older]
}

/// A user was created in the same batch. The id is not known yet, so the name finds it.
#[must_use]
pub fn user_created(username: &Username, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO changes (kind, key, at) SELECT 'user', CAST(id AS TEXT), ?2 FROM users
         WHERE username = ?1",
        [username.as_str().into(), now.into()],
    )
}

/// Deletes old entries, but never the newest one: it tells readers the current revision.
#[must_use]
pub fn prune(now: Millis) -> Statement {
    Statement::new(
        "DELETE FROM changes WHERE at < ?1 AND revision < (SELECT MAX(revision) FROM changes)",
        [Param::from(now - KEPT)],
    )
}

fn changed(kind: ChangeKind, key: String, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO changes (kind, key, at) VALUES (?1, ?2, ?3)",
        [kind.name().into(), key.into(), now.into()],
    )
}
