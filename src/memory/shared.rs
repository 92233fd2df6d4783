//! Shares readings between the isolates of a data centre, so that one of them reads D1 and the
//! others need not.
//!
//! There are three kinds of entries:
//!
//! * The *window* is what an isolate knows of the change feed, and when it asked D1 for that.
//! * The *trust* is all enabled apps and all revocations.
//! * What one request has *asked for*: users, sessions, keys and standings.
//!
//! Entries of the last two kinds name their place in the feed. They are valid while the window
//! shows that nothing they depend on has changed since that place.
//!
//! The platform's cache may lose entries, keep old ones, or do nothing at all. An entry is sealed
//! under its name, with a key that is used for nothing else. So somebody who can write to the cache
//! can only bring an old entry back, and an old entry says how old it is. Age is counted from
//! before D1 was asked.

use futures_util::future::join3;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::context::Cx;
use crate::domain::feed::{Change, ChangeKind, Place};
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::Selection;
use crate::error::{Error, Result};
use crate::memory::feed::Reading;
use crate::memory::isolate::{CLOCKS_DIFFER, Freshness};
use crate::memory::reading::{self, News, Wanted};
use crate::memory::recent::Recent;
use crate::memory::sharing::Works;
use crate::ports::{Row, Rows, within};

/// How long an answer waits for shared entries.
const PATIENCE: Millis = Millis(100);
/// How long entries live that name their place in the feed, in seconds.
const LIFETIME_S: i64 = 86_400;
/// A longer entry is not shared: it would cost more than it saves.
const MAX_ENTRY_BYTES: usize = 512 * 1024;
/// The longest host name, and a port.
const MAX_HOST_BYTES: usize = 260;

/// What was found in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// Nothing, or nothing that is young enough.
    Nothing,
    /// The feed. If memory was cold, also the apps.
    Feed,
    /// The feed, and everything that was wanted.
    Wanted,
}

/// What an isolate knows of the change feed. A window has up to 500 changes, so they are tuples:
/// names of fields would double its length.
#[derive(Serialize, Deserialize)]
struct Window {
    asked_at: Millis,
    floor: (i64, Millis),
    head: (i64, Millis),
    changes: Vec<(String, String, i64, Millis)>,
}

/// The rows as D1 answered them.
#[derive(Serialize, Deserialize)]
struct Entry {
    place: (i64, Millis),
    results: Vec<Vec<Map<String, Value>>>,
}

enum What<'w> {
    Window,
    Trust,
    Asked(&'w [Wanted]),
}

/// Brings expired memory up to date from the cache. If memory is cold, also brings what is wanted.
pub async fn renew(cx: &Cx, wanted: &[Wanted], selection: Option<&Selection>) -> Brought {
    let Some(host) = host_worth_asking(cx) else { return Brought::Nothing };
    let is_cold = cx.memory.place().is_none();
    let trust = async { if is_cold { get::<Entry>(cx, &host, &What::Trust).await } else { None } };
    let asked = async { if is_cold { get_asked(cx, &host, wanted).await } else { None } };
    let got = within(
        &*cx.timer,
        PATIENCE,
        Box::pin(join3(get::<Window>(cx, &host, &What::Window), trust, asked)),
    )
    .await;
    let Some((window, trust, asked)) = got else { return Brought::Nothing };
    let window = window.filter(|window| window.asked_at <= cx.now + CLOCKS_DIFFER);
    cx.memory.counters.window(window.is_some());
    let Some(window) = window else {
        cx.memory.sharing.missed(&host, cx.now, window_lifetime(cx));
        return Brought::Nothing;
    };
    cx.memory.sharing.found(&host, window.asked_at, window.head.0);
    if !take_window(cx, &window, trust.as_ref()) {
        return Brought::Nothing;
    }
    let has_wanted = asked.is_some_and(|asked| take_asked(cx, wanted, &asked));
    // A window that is too old for this still went into memory, for use while D1 does not answer.
    if cx.memory.freshness(cx.now, cx.config.staleness) == Freshness::Expired {
        return Brought::Nothing;
    }
    // If memory does not keep all apps, only D1 knows those of the selection.
    let knows_apps = selection.is_none_or(|selection| cx.memory.candidates(selection).is_some());
    if has_wanted && knows_apps { Brought::Wanted } else { Brought::Feed }
}

/// Brings what is wanted into memory that already knows the feed. Returns whether it was there.
pub async fn bring(cx: &Cx, wanted: &[Wanted]) -> bool {
    if !are_shared(wanted) {
        return false;
    }
    let Some(host) = host_worth_asking(cx) else { return false };
    let asked =
        within(&*cx.timer, PATIENCE, Box::pin(get_asked(cx, &host, wanted))).await.flatten();
    asked.is_some_and(|asked| take_asked(cx, wanted, &asked))
}

fn are_shared(wanted: &[Wanted]) -> bool {
    !wanted.is_empty() && wanted.iter().all(Wanted::may_be_shared)
}

async fn get_asked(cx: &Cx, host: &str, wanted: &[Wanted]) -> Option<Entry> {
    if are_shared(wanted) { get(cx, host, &What::Asked(wanted)).await } else { None }
}

/// Stores a window that is newer than memory. Its changes begin at the place where memory is; if
/// memory is cold, at the place of the trust.
fn take_window(cx: &Cx, window: &Window, trust: Option<&Entry>) -> bool {
    let Some(recent) = window.recent() else { return false };
    let asked_at = window.asked_at.min(cx.now);
    let Some((_, head)) = recent.ends() else { return false };
    let here = cx.memory.place();
    let place = match (here, trust) {
        (Some(place), _) => place,
        (None, Some(trust)) => trust.place(),
        (None, None) => return false,
    };
    if !cx.memory.may_learn_from(window.asked_at) {
        return false;
    }
    // If memory has read further than the window, memory stays as it is.
    let Some(changes) = recent.since(place).filter(|_| place.revision <= head.revision) else {
        return false;
    };
    if changes.iter().any(|change| change.kind == ChangeKind::TokenApp) {
        return false;
    }
    let changes: Vec<Change> = changes.into_iter().cloned().collect();
    let since = here.map(|place| place.revision);
    let oldest = since.unwrap_or(head.revision);
    let mut reading = Reading {
        head: head.revision,
        head_at: head.at,
        oldest,
        since,
        changes,
        ..Reading::default()
    };
    if here.is_some() && reading.has_gap() {
        return false;
    }
    if here.is_none() {
        let Some(Ok(())) = trust.map(|trust| reading::read_trust(cx, &trust.rows(), &mut reading))
        else {
            return false;
        };
    }
    cx.memory.take_in_shared(&reading, asked_at, recent);
    true
}

fn take_asked(cx: &Cx, wanted: &[Wanted], entry: &Entry) -> bool {
    let mut reading = Reading::default();
    let is_read = reading::read_wanted(cx, wanted, &entry.rows(), &mut reading).is_ok();
    is_read && cx.memory.take_in_earlier(&reading, entry.place(), cx.now)
}

/// Shares what was just read and stored in memory. Runs in the background.
pub fn publish(cx: &Cx, news: News) {
    let Some(host) = host_worth_asking(cx) else { return };
    let behind = cx.clone();
    cx.tasks.spawn(Box::pin(async move {
        // Nobody depends on it: an isolate that does not find it asks D1.
        let _ = put_all(&behind, &host, news).await;
    }));
}

async fn put_all(cx: &Cx, host: &str, news: News) -> Result<()> {
    let place = news.place;
    if let Some(results) = news.trust {
        put(cx, host, &What::Trust, &Entry::new(place, &results), LIFETIME_S).await?;
    }
    if let Some((wanted, results)) = news.asked {
        put(cx, host, &What::Asked(&wanted), &Entry::new(place, &results), LIFETIME_S).await?;
    }
    let Some((asked_at, floor, head, changes)) = cx.memory.shared_window() else { return Ok(()) };
    if cx.memory.sharing.begin_writing(
        host,
        asked_at,
        head.revision,
        cx.now,
        Millis(cx.config.staleness.fresh().0 / 2),
    ) {
        let changes = changes
            .into_iter()
            .map(|change| (change.kind.name().to_owned(), change.key, change.revision, change.at))
            .collect();
        let window = Window {
            asked_at,
            floor: (floor.revision, floor.at),
            head: (head.revision, head.at),
            changes,
        };
        put(cx, host, &What::Window, &window, window_lifetime(cx).seconds()).await?;
    }
    Ok(())
}

/// How long a window may be used: `STALENESS_S`, or `STALE_IF_ERROR_S` if that is longer, because
/// memory that took it in serves that long while D1 does not answer.
fn window_lifetime(cx: &Cx) -> Millis {
    Millis::from_seconds(cx.config.stale_if_error_s).max(cx.config.staleness.usable())
}

async fn get<T: for<'de> Deserialize<'de>>(cx: &Cx, host: &str, what: &What<'_>) -> Option<T> {
    let name = name(cx, host, what);
    let sealed = cx.shared.get(&name).await?;
    let text = cx.config.master_keys.open_shared(&sealed, &name)?;
    serde_json::from_slice(text.expose()).ok()
}

async fn put<T: Serialize>(
    cx: &Cx,
    host: &str,
    what: &What<'_>,
    entry: &T,
    lifetime_s: i64,
) -> Result<()> {
    let Ok(text) = serde_json::to_vec(entry) else { return Ok(()) };
    if text.len() > MAX_ENTRY_BYTES {
        return Ok(());
    }
    let name = name(cx, host, what);
    let sealed =
        cx.config.master_keys.seal_shared(&text, &name, cx.random()?).map_err(Error::Internal)?;
    cx.shared.put(&name, sealed, lifetime_s).await;
    Ok(())
}

/// The host that the request names; `None` for an event without a request.
fn host(cx: &Cx) -> Option<String> {
    let is_of_hosts = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    (cx.request_header)("host")
        .filter(|host| (1..=MAX_HOST_BYTES).contains(&host.len()) && host.bytes().all(is_of_hosts))
}

fn host_worth_asking(cx: &Cx) -> Option<String> {
    host(cx).filter(|host| cx.memory.sharing.is_worth_asking(host, cx.now))
}

/// Whether the cache works for the request's host, as far as this isolate knows.
pub fn works(cx: &Cx) -> Works {
    host(cx).map_or(Works::Unknown, |host| cx.memory.sharing.works(&host))
}

/// The name of an entry: a URL of the request's own host without its scheme, because the platform
/// requires that. The name does not show what the entry is of. Another release may write other
/// entries, so its names differ. The names of another deployment with the same master key differ,
/// too, because people reach it at another host.
fn name(cx: &Cx, host: &str, what: &What<'_>) -> String {
    let what = match what {
        What::Window => "window".to_owned(),
        What::Trust => "trust".to_owned(),
        What::Asked(wanted) => {
            wanted.iter().map(|wanted| wanted.statement().name()).collect::<Vec<_>>().join("\n")
        }
    };
    let name = cx
        .config
        .master_keys
        .name_of_shared(&format!("{}\n{host}\n{what}", env!("CARGO_PKG_VERSION")));
    format!("{host}/v1/shared/{name}")
}

impl Window {
    /// `None` if the window is damaged: the changes must ascend, and lie between floor and head.
    fn recent(&self) -> Option<Recent> {
        let place = |(revision, at): (i64, Millis)| Place { revision, at };
        let (floor, head) = (place(self.floor), place(self.head));
        let mut recent = Recent::from(floor);
        let read = |(kind, key, revision, at): &(String, String, i64, Millis)| {
            Some(Change {
                kind: ChangeKind::from_name(kind)?,
                key: key.clone(),
                revision: *revision,
                at: *at,
            })
        };
        let changes = self.changes.iter().map(read).collect::<Option<Vec<_>>>()?;
        let revisions = || {
            changes.iter().map(|change| change.revision).chain([head.revision.saturating_add(1)])
        };
        let ascends = revisions().zip(revisions().skip(1)).all(|(one, next)| one < next);
        let begins = changes.first().is_none_or(|first| first.revision > floor.revision)
            && floor.revision <= head.revision;
        recent.go_on(&changes, head);
        (ascends && begins).then_some(recent)
    }
}

impl Entry {
    fn new(place: Place, results: &[Rows]) -> Self {
        let maps = |rows: &Rows| rows.rows.iter().map(Row::to_map).collect();
        Self { place: (place.revision, place.at), results: results.iter().map(maps).collect() }
    }

    fn place(&self) -> Place {
        Place { revision: self.place.0, at: self.place.1 }
    }

    fn rows(&self) -> Vec<Rows> {
        let rows = |maps: &Vec<Map<String, Value>>| Rows {
            rows: maps.iter().cloned().map(Row::from).collect(),
            read: 0,
        };
        self.results.iter().map(rows).collect()
    }
}
