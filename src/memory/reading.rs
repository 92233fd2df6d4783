//! Filling the isolate's memory: the change feed and whatever a request wants besides, in one round trip.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::applications::application::Application;
use crate::domain::feed::{Change, ChangeKind, MAX_APPS, MAX_CHANGES, Reading};
use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::{MAX_CANDIDATES, Selection};
use crate::error::{Error, Fault, Result};
use crate::memory::copy;
use crate::memory::isolate::Freshness;
use crate::memory::known::Copies;
pub use crate::memory::known::Loaded;
use crate::memory::snapshot::Snapshot;
use crate::ports::{Param, Rows, Statement};
use crate::store::{applications, sessions, sql, standings, token_apps, users};

/// Something that a request wants to know, beside what changed.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// The users of these names.
    Users(Vec<String>),
    /// The session of a token or cookie, and its user.
    Session(HashedToken),
    /// How somebody stands with a service.
    Standing {
        /// Who.
        subject: Subject,
        /// With what.
        service_id: i64,
    },
    /// The application of an access key.
    Application(String),
    /// The application of an access token.
    AccessToken(HashedToken),
}

/// Somebody, as a request names them before it is known who that is.
#[derive(Debug, Clone)]
pub enum Subject {
    /// By id; Postern need not know them.
    Id(i64),
    /// Any user of these names.
    Names(Vec<String>),
    /// The user of a session, by the hash of its token or cookie.
    Session(HashedToken),
}

/// The statements that bring memory up to date, and what is wanted besides.
pub struct Plan {
    since: Option<i64>,
    /// Whether the apps that changed are read, too. Where memory is fresh they hardly ever did, and are looked for only when they have.
    with_apps: bool,
    wanted: Vec<Wanted>,
    selection: Option<Selection>,
}

impl Plan {
    /// Plans a reading from where memory is.
    #[must_use]
    pub fn new(cx: &Cx, wanted: &[Wanted], selection: Option<&Selection>) -> Self {
        Self { since: cx.trust.revision(), with_apps: true, wanted: wanted.to_vec(), selection: selection.cloned() }
    }

    /// The same where memory is fresh, and lacks only what is wanted.
    fn of_a_miss(cx: &Cx, wanted: &[Wanted], selection: Option<&Selection>) -> Self {
        Self { with_apps: false, ..Self::new(cx, wanted, selection) }
    }

    /// The statements, to be run as one batch or at the end of one.
    #[must_use]
    pub fn statements(&self) -> Vec<Statement> {
        // NULL: memory is empty, nothing has to be forgotten, and every app is wanted.
        let since = self.since.map_or(Param::Null, Param::Number);
        let mut statements = vec![Statement::new(
            // One look at each end: both in one SELECT would read all that lies between. Where nothing changed there is one row all the same.
            "SELECT head, oldest, kind, key, revision
             FROM (SELECT (SELECT MAX(revision) FROM changes) AS head, (SELECT MIN(revision) FROM changes) AS oldest)
             LEFT JOIN (SELECT kind, key, revision FROM changes WHERE revision > ?1 ORDER BY revision LIMIT ?2)",
            [since.clone(), Param::Number(MAX_CHANGES)],
        )];
        statements.extend(self.with_apps.then(|| apps_since(since)));
        if let Some(selection) = &self.selection {
            statements.push(apps_selected(selection));
        }
        statements.extend(self.wanted.iter().map(Wanted::statement));
        statements
    }

    /// Takes the answers into memory; `None` where apps changed that were not read.
    pub fn take_in(self, cx: &Cx, results: &[Rows]) -> Result<Option<Loaded>> {
        let mut reading = Reading { since: self.since, ..Reading::default() };
        for row in sql::rows(results, 0)? {
            reading.head = row.number("head")?;
            reading.oldest = row.number("oldest")?;
            if let Some(kind) = row.optional_text("kind")?.and_then(ChangeKind::from_name) {
                reading.changes.push(Change { kind, key: row.text("key")?.to_owned(), revision: row.number("revision")? });
            }
        }
        let lacks_apps = || reading.has_gap() || reading.changes.iter().any(|change| change.kind == ChangeKind::TokenApp);
        if !self.with_apps && lacks_apps() {
            return Ok(None);
        }
        let apps = |index| {
            let app = |row| token_apps::app(cx, row).map(Rc::new);
            sql::rows(results, index)?.iter().map(app).collect::<Result<Vec<_>>>()
        };
        let mut next = 1;
        if self.with_apps {
            reading.apps = apps(next)?;
            next += 1;
        }
        if let Some(selection) = self.selection {
            reading.selected = Some((selection, apps(next)?));
            next += 1;
        }
        for (index, wanted) in (next..).zip(&self.wanted) {
            let rows = sql::rows(results, index)?;
            match wanted {
                Wanted::Standing { service_id, .. } => reading.standings.extend(standings::read(*service_id, rows)?),
                Wanted::Application(_) | Wanted::AccessToken(_) => {
                    let found = rows.iter().map(|row| applications::application(cx, row)).collect::<Result<Vec<_>>>()?;
                    if let (Wanted::Application(access_key), true) = (wanted, found.is_empty()) {
                        reading.applications.push((access_key.clone(), None));
                    }
                    let pair = |found: Application| (found.access_key.as_str().to_owned(), Some(Rc::new(found)));
                    reading.applications.extend(found.into_iter().map(pair));
                }
                Wanted::Users(_) | Wanted::Session(_) => {
                    for row in rows {
                        reading.users.push(Rc::new(users::user(row)?));
                        if let Wanted::Session(hash) = wanted {
                            reading.session = Some((*hash, Rc::new(sessions::session(row)?)));
                        }
                    }
                }
            }
        }
        cx.trust.take_in(&reading, cx.now);
        cx.must_read.set(false);
        let session = reading.session.map(|(_, session)| session);
        let selected = reading.selected.map(|(_, apps)| apps);
        Ok(Some(Loaded {
            users: reading.users,
            session,
            selected,
            standings: reading.standings,
            applications: reading.applications,
            copies: None,
        }))
    }
}

/// The enabled apps that changed since a revision; all of them where the feed has a gap there (`Reading::has_gap` decides the same).
fn apps_since(since: Param) -> Statement {
    let columns = token_apps::COLUMNS;
    Statement::new(
        format!(
            "SELECT {columns} FROM token_apps WHERE enabled = 1 AND name IN (
               SELECT key FROM changes WHERE revision > ?1 AND kind = 'token_app'
               UNION
               SELECT name FROM token_apps WHERE ?1 IS NULL OR (SELECT ?1 < oldest - 1 OR ?1 > head OR head - ?1 > ?2
                 FROM (SELECT (SELECT MIN(revision) FROM changes) AS oldest, (SELECT MAX(revision) FROM changes) AS head)))
             ORDER BY name LIMIT ?3"
        ),
        [since, Param::Number(MAX_CHANGES), count(MAX_APPS)],
    )
}

fn apps_selected(selection: &Selection) -> Statement {
    let columns = token_apps::COLUMNS;
    Statement::new(
        format!(
            "SELECT {columns} FROM token_apps WHERE enabled = 1 AND algorithm = ?1 AND (?2 IS NULL OR token_name = ?2) AND (?3 IS NULL OR name = ?3)
             ORDER BY name LIMIT ?4"
        ),
        [selection.algorithm.name().into(), selection.token_name.clone().into(), selection.app.clone().into(), count(MAX_CANDIDATES)],
    )
}

/// One more than the limit, so that it shows when there are more.
fn count(limit: usize) -> Param {
    Param::Number(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1))
}

impl Wanted {
    fn statement(&self) -> Statement {
        let columns = users::COLUMNS;
        match self {
            Self::Users(names) => Statement::new(
                format!("SELECT {columns} FROM users u WHERE u.username IN (SELECT value FROM json_each(?1))"),
                [sql::stored_strings(names).into()],
            ),
            Self::Session(hash) => Statement::new(
                format!(
                    "SELECT {columns}, {} FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ?1 OR s.cookie_hash = ?1",
                    sessions::COLUMNS
                ),
                [hash.to_hex().into()],
            ),
            Self::Standing { subject, service_id } => standings::select(subject, *service_id),
            Self::Application(access_key) => applications::select(access_key),
            Self::AccessToken(hash) => applications::select_by_token(hash),
        }
    }
}

/// Memory as it may be relied on now: read first where it must be, together with what is wanted; read behind the answer where that is enough.
pub async fn current(cx: &Cx, wanted: impl FnOnce() -> Vec<Wanted>, selection: Option<&Selection>) -> Result<Loaded> {
    if cx.must_read.get() {
        return load(cx, &wanted(), selection).await;
    }
    match cx.trust.freshness(cx.now) {
        Freshness::Fresh => Ok(Loaded::default()),
        Freshness::Aging => {
            if cx.trust.begin_background_reading(cx.now) {
                let behind = cx.clone();
                cx.tasks.spawn(Box::pin(async move {
                    // A failure is noted in memory, which then ages on: the next request reads first.
                    let _ = read(&behind, &[], None).await;
                }));
            }
            Ok(Loaded::default())
        }
        Freshness::Expired => load(cx, &wanted(), selection).await,
    }
}

/// Reads now, whatever memory says; falls back on copies that are young enough while D1 does not answer.
pub async fn load(cx: &Cx, wanted: &[Wanted], selection: Option<&Selection>) -> Result<Loaded> {
    // A caller who names a bookmark asks for D1 itself.
    if cx.must_read.get() {
        return read(cx, wanted, selection).await;
    }
    let failed = Error::Unavailable(Fault::new("D1 did not answer a moment ago"));
    let result = if cx.trust.is_pausing(cx.now) { Err(failed) } else { read(cx, wanted, selection).await };
    match result {
        Err(Error::Unavailable(fault)) => copies(cx).await.ok_or(Error::Unavailable(fault)),
        other => other,
    }
}

async fn read(cx: &Cx, wanted: &[Wanted], selection: Option<&Selection>) -> Result<Loaded> {
    if cx.trust.freshness(cx.now) == Freshness::Fresh
        && let Some(loaded) = run(cx, Plan::of_a_miss(cx, wanted, selection)).await?
    {
        return Ok(loaded);
    }
    let loaded = run(cx, Plan::new(cx, wanted, selection)).await?;
    loaded.ok_or_else(|| Error::internal("a reading of all apps lacks apps"))
}

async fn run(cx: &Cx, plan: Plan) -> Result<Option<Loaded>> {
    match cx.sql.batch(plan.statements()).await {
        Ok(results) => plan.take_in(cx, &results),
        Err(error) => {
            cx.trust.note_failure(cx.now, false);
            let error = Error::from(error);
            // Where a copy serves, nobody else will say it.
            if let Error::Unavailable(fault) = &error {
                cx.log.line(&format!("D1 did not answer: {}", fault.for_log()));
            }
            Err(error)
        }
    }
}

/// Memory and the snapshot, while one of them is young enough.
async fn copies(cx: &Cx) -> Option<Loaded> {
    let snapshot = copy::fetch(cx).await;
    let age = cx.trust.age(cx.now);
    let memory_is_young = age.is_some_and(|age| age <= Millis::from_seconds(cx.config.stale_if_error_s));
    let newer = |snapshot: &Rc<Snapshot>| age.is_none_or(|age| snapshot.taken_at > cx.now - age);
    let snapshot_is_newer = snapshot.as_ref().is_some_and(newer);
    let serves = memory_is_young || snapshot.is_some();
    serves.then(|| Loaded { copies: Some(Copies { snapshot, memory_is_young, snapshot_is_newer }), ..Loaded::default() })
}
