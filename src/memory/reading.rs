//! Reads D1: the change feed, and whatever else a request wants, in one round trip.

use std::rc::Rc;

use crate::context::Cx;
use crate::domain::applications::application::{AccessKey, Application};
use crate::domain::feed::{Change, ChangeKind, Place};
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::{User, UserId};
use crate::domain::permissions::names::{Actions, ResourceName, ResourceType};
use crate::domain::permissions::period::InTime;
use crate::domain::permissions::permission::{Pair, Permissions, ServiceGroup, Standing};
use crate::domain::secret::HashedToken;
use crate::domain::time::Millis;
use crate::domain::tokens::revocation::RevocationKey;
use crate::domain::tokens::token_app::{MAX_CANDIDATES, Selection, TokenApp};
use crate::error::{Error, Result};
use crate::memory::feed::{MAX_APPS, MAX_CHANGES, Reading};
use crate::memory::isolate::Freshness;
use crate::memory::machine_keys::ByItsSecret;
use crate::memory::revocations::KEPT_ALL;
use crate::ports::{Row, Rows, SqlError, Statement};
use crate::store::standings::{self, Subject};
use crate::store::{
    applications, feed, machine_keys, names, revocations, sessions, sql, token_apps, users,
};

/// Something that a request wants to know, in addition to the changes.
#[derive(Debug, Clone)]
pub enum Wanted {
    Users(Vec<String>),
    UserIds(Vec<UserId>),
    /// The session of a token or cookie, with its user.
    Session(HashedToken),
    /// The key that has a secret of that hash, with its user.
    Key(HashedToken),
    /// A user's permissions on a service.
    Standing {
        subject: Subject,
        service_id: i64,
    },
    /// The ids of a user's groups.
    Groups(Subject),
    /// What is granted to groups on a service.
    OfGroups {
        service_id: i64,
        groups: Vec<i64>,
    },
    /// Which of these keys are revoked.
    Revoked(Vec<RevocationKey>),
    Application(AccessKey),
    AccessToken(HashedToken),
    /// The services of these resource names.
    Names(Vec<ResourceName>),
    /// The action names of these types.
    Actions(Vec<ResourceType>),
}

/// What a reading brought of the things that were wanted.
#[derive(Debug, Default)]
pub struct Found {
    pub(super) users: Vec<Rc<User>>,
    pub(super) session: Option<Rc<Session>>,
    pub(super) keys: Vec<(HashedToken, Option<ByItsSecret>)>,
    pub(super) revoked: Vec<(RevocationKey, bool)>,
    pub(super) selected: Option<(Selection, Vec<Rc<TokenApp>>)>,
    pub(super) standings: Vec<(Pair, InTime<Standing>)>,
    pub(super) groups: Vec<(UserId, Rc<[i64]>)>,
    pub(super) of_groups: Vec<(ServiceGroup, InTime<Permissions>)>,
    pub(super) applications: Vec<(AccessKey, Option<Rc<Application>>)>,
    pub(super) names: Vec<(ResourceName, Option<i64>)>,
    pub(super) actions: Vec<(ResourceType, Actions)>,
    pub(super) news: Option<News>,
}

/// Rows of a reading that are shared with other isolates.
#[derive(Debug)]
pub struct News {
    /// Their place in the change feed.
    pub place: Place,
    /// The apps and the revocations, if all of them were read.
    pub trust: Option<Vec<Rows>>,
    /// What was wanted, and the rows of each.
    pub asked: Option<(Vec<Wanted>, Vec<Rows>)>,
}

/// The statements of one reading: those that bring memory up to date, and those for what is wanted.
pub struct Plan {
    since: Option<Place>,
    now: Millis,
    /// Whether to run two more statements: one reads the apps that changed, one reads all
    /// revocations if the feed has a gap. Both cases are rare. So while memory is fresh, the
    /// statements are left out, and a second batch runs them if the feed shows that it must.
    with_apps: bool,
    wanted: Vec<Wanted>,
    selection: Option<Selection>,
}

impl Plan {
    /// Plans a reading from the place where memory is.
    #[must_use]
    pub fn new(cx: &Cx, wanted: &[Wanted], selection: Option<&Selection>) -> Self {
        Self {
            since: cx.memory.place(),
            now: cx.now,
            with_apps: true,
            wanted: wanted.to_vec(),
            selection: selection.cloned(),
        }
    }

    /// Plans a reading for when memory is fresh, and lacks only what is wanted.
    fn of_a_miss(cx: &Cx, wanted: &[Wanted], selection: Option<&Selection>) -> Self {
        Self { with_apps: false, ..Self::new(cx, wanted, selection) }
    }

    /// The statements, in order. They run as one batch, or at the end of one.
    #[must_use]
    pub fn statements(&self) -> Vec<Statement> {
        let mut statements = vec![feed::select_since(self.since, MAX_CHANGES)];
        let apps =
            || token_apps::select_changed_since(self.since, MAX_CHANGES, one_more_than(MAX_APPS));
        statements.extend(self.with_apps.then(apps));
        let revoked = || {
            revocations::select_all_at_gap(
                self.since,
                MAX_CHANGES,
                one_more_than(KEPT_ALL),
                self.now,
            )
        };
        statements.extend(self.with_apps.then(revoked));
        let candidates =
            |selection| token_apps::select_candidates(selection, one_more_than(MAX_CANDIDATES));
        statements.extend(self.selection.as_ref().map(candidates));
        statements.extend(self.wanted.iter().map(Wanted::statement));
        statements
    }

    /// Stores the answers in memory. Returns `None` if apps changed and were not read.
    pub fn take_in(self, cx: &Cx, rows: Vec<Rows>) -> Result<Option<Found>> {
        let mut results = Results { results: &rows, next: 0 };
        let mut reading = read_feed(self.since, results.rows()?)?;
        let lacks_apps = || {
            reading.has_gap()
                || reading.changes.iter().any(|change| change.kind == ChangeKind::TokenApp)
        };
        if !self.with_apps && lacks_apps() {
            return Ok(None);
        }
        if self.with_apps {
            reading.apps = results.apps(cx)?;
            reading.revocations = revocations::all(results.rows()?)?;
        }
        if let Some(selection) = &self.selection {
            reading.selected = Some((selection.clone(), results.apps(cx)?));
        }
        for wanted in &self.wanted {
            wanted.read(cx, &mut results, &mut reading)?;
        }
        cx.memory.counters.feed_read(reading.has_gap());
        cx.memory.take_in(&reading, cx.now);
        cx.must_read.set(false);
        let news = Some(self.news(rows, &reading));
        Ok(Some(Found {
            users: reading.users,
            session: reading.session.map(|(_, session)| session),
            keys: reading.keys,
            revoked: reading.revoked,
            selected: reading.selected,
            standings: reading.standings,
            groups: reading.groups,
            of_groups: reading.of_groups,
            applications: reading.applications,
            names: reading.names,
            actions: reading.actions,
            news,
        }))
    }

    fn news(self, mut rows: Vec<Rows>, reading: &Reading) -> News {
        let place = Place { revision: reading.head, at: reading.head_at };
        let asked = rows.split_off(rows.len().saturating_sub(self.wanted.len()));
        let is_all = self.with_apps
            && reading.has_gap()
            && reading.apps.len() <= MAX_APPS
            && rows.len() >= 3;
        let trust = is_all.then(|| rows.drain(1..3).collect());
        let is_shared = !asked.is_empty()
            && self.wanted.iter().zip(&asked).all(|(wanted, rows)| wanted.is_shared(rows));
        News { place, trust, asked: is_shared.then_some((self.wanted, asked)) }
    }
}

/// Reads the rows of apps and revocations that another isolate has shared.
pub(super) fn read_trust(cx: &Cx, results: &[Rows], reading: &mut Reading) -> Result<()> {
    let mut results = Results { results, next: 0 };
    reading.apps = results.apps(cx)?;
    reading.revocations = revocations::all(results.rows()?)?;
    Ok(())
}

/// Reads the rows that another isolate has shared, of what it wanted.
pub(super) fn read_wanted(
    cx: &Cx,
    wanted: &[Wanted],
    results: &[Rows],
    reading: &mut Reading,
) -> Result<()> {
    let mut results = Results { results, next: 0 };
    wanted.iter().try_for_each(|wanted| wanted.read(cx, &mut results, reading))
}

/// Takes the results of a batch in the order of its statements.
struct Results<'r> {
    results: &'r [Rows],
    next: usize,
}

impl<'r> Results<'r> {
    fn rows(&mut self) -> Result<&'r [Row]> {
        self.next += 1;
        sql::rows(self.results, self.next - 1)
    }

    fn apps(&mut self, cx: &Cx) -> Result<Vec<Rc<TokenApp>>> {
        self.rows()?.iter().map(|row| token_apps::app(cx, row).map(Rc::new)).collect()
    }
}

/// Reads the rows of [`feed::select_since`].
pub(super) fn read_feed(since: Option<Place>, rows: &[Row]) -> Result<Reading> {
    let mut reading = Reading { since: since.map(|place| place.revision), ..Reading::default() };
    for row in rows {
        reading.head = row.number("head")?;
        reading.head_at = Millis(row.number("head_at")?);
        reading.is_other = row.flag("is_other")?;
        reading.oldest = row.number("oldest")?;
        if let Some(kind) = row.optional_text("kind")?.and_then(ChangeKind::from_name) {
            let at = Millis(row.number("changed_at")?);
            reading.changes.push(Change {
                kind,
                key: row.text("key")?.to_owned(),
                revision: row.number("revision")?,
                at,
            });
        }
    }
    Ok(reading)
}

/// A limit for SQL that shows whether there are more.
pub(super) fn one_more_than(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

impl Wanted {
    /// Whether the isolates of a data centre may share this. It must be something whose changes
    /// name it in the feed.
    pub(super) fn may_be_shared(&self) -> bool {
        matches!(
            self,
            Self::Users(_)
                | Self::Session(_)
                | Self::Key(_)
                | Self::Standing { .. }
                | Self::Groups(_)
        )
    }

    /// Whether these rows are shared. That a user, session or key does not exist is never shared:
    /// it may be created a moment later, and no change would name it. Empty rows of a standing or
    /// of groups may be shared, because memory stores nothing for them.
    fn is_shared(&self, rows: &Rows) -> bool {
        self.may_be_shared()
            && (!rows.rows.is_empty() || matches!(self, Self::Standing { .. } | Self::Groups(_)))
    }

    pub(super) fn statement(&self) -> Statement {
        match self {
            Self::Users(names) => users::select_named(names),
            Self::UserIds(ids) => users::select_of_ids(ids),
            Self::Session(hash) => sessions::select_with_user(hash),
            Self::Key(hash) => machine_keys::select_with_user(hash),
            Self::Standing { subject, service_id } => standings::select(subject, *service_id),
            Self::Groups(subject) => standings::select_groups(subject),
            Self::OfGroups { service_id, groups } => {
                standings::select_of_groups(*service_id, groups)
            }
            Self::Revoked(keys) => revocations::select_among(keys),
            Self::Application(access_key) => applications::select(access_key.as_str()),
            Self::AccessToken(hash) => applications::select_by_token(hash),
            Self::Names(asked) => names::select_services(asked),
            Self::Actions(types) => names::select_actions(types),
        }
    }

    /// Reads the rows of its statement.
    fn read(&self, cx: &Cx, results: &mut Results<'_>, reading: &mut Reading) -> Result<()> {
        let rows = results.rows()?;
        match self {
            Self::Standing { service_id, .. } => {
                reading.standings.extend(standings::read(*service_id, rows, cx.now)?);
            }
            Self::Groups(_) => {
                reading.groups.extend(
                    standings::read_groups(rows)?
                        .into_iter()
                        .map(|(id, groups)| (id, groups.into())),
                );
            }
            Self::OfGroups { service_id, groups } => {
                let of_service = |(group_id, permissions)| {
                    (ServiceGroup { service_id: *service_id, group_id }, permissions)
                };
                reading.of_groups.extend(
                    standings::read_of_groups(groups, rows, cx.now)?.into_iter().map(of_service),
                );
            }
            Self::Users(_) | Self::UserIds(_) => {
                for row in rows {
                    reading.users.push(Rc::new(users::user(row)?));
                }
            }
            Self::Session(hash) => {
                for row in rows {
                    reading.users.push(Rc::new(users::user(row)?));
                    reading.session = Some((*hash, Rc::new(sessions::session(row)?)));
                }
            }
            Self::Key(hash) => {
                let row = rows.first();
                let read = |row| {
                    let key = Rc::new(machine_keys::key(row)?);
                    Ok::<_, Error>(ByItsSecret {
                        key,
                        last_used_on: machine_keys::secret(row)?.last_used_on,
                    })
                };
                let read = row.map(read).transpose()?;
                if let (Some(row), true) =
                    (row, read.as_ref().is_some_and(|read| read.key.user_id.is_some()))
                {
                    reading.users.push(Rc::new(users::user(row)?));
                }
                reading.keys.push((*hash, read));
            }
            Self::Revoked(keys) => {
                let found = rows.iter().map(revocations::key).collect::<Result<Vec<_>>>()?;
                reading.revoked.extend(keys.iter().map(|key| (*key, found.contains(key))));
            }
            Self::Names(asked) => reading.names.extend(names::services(asked, rows)?),
            Self::Actions(types) => reading.actions.extend(names::actions(types, rows)?),
            Self::Application(_) | Self::AccessToken(_) => {
                if let (Self::Application(access_key), true) = (self, rows.is_empty()) {
                    reading.applications.push((access_key.clone(), None));
                }
                for row in rows {
                    let application = applications::application(cx, row)?;
                    let access_key = application.access_key.clone();
                    reading.applications.push((access_key, Some(Rc::new(application))));
                }
            }
        }
        Ok(())
    }
}

pub(super) async fn read(
    cx: &Cx,
    wanted: &[Wanted],
    selection: Option<&Selection>,
) -> Result<Found> {
    if cx.memory.freshness(cx.now, cx.config.staleness) == Freshness::Fresh
        && let Some(found) = run(cx, Plan::of_a_miss(cx, wanted, selection)).await?
    {
        return Ok(found);
    }
    let found = run(cx, Plan::new(cx, wanted, selection)).await?;
    found.ok_or_else(|| Error::internal("a reading of all apps lacks apps"))
}

async fn run(cx: &Cx, plan: Plan) -> Result<Option<Found>> {
    match cx.sql.batch(plan.statements()).await {
        Ok(results) => plan.take_in(cx, results),
        // D1 answers, and will repeat this answer until the migrations are applied. So there is no
        // pause.
        Err(error @ SqlError::Unmigrated(_)) => Err(error.into()),
        Err(error) => {
            cx.memory.note_failure(cx.timer.now());
            let error = Error::from(error);
            // If a copy is used instead, nothing else logs this error.
            if let Error::Unavailable(fault) = &error {
                cx.log.line(&format!("D1 did not answer: {}", fault.for_log()));
            }
            Err(error)
        }
    }
}
