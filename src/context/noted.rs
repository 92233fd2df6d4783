//! Facts that a request collects about itself for the log, analytics and `Server-Timing`.
//!
//! No decision relies on them. For a credential that was not accepted, only proven facts are noted:
//! an app once one of its keys verified the token, a user once they were found.

use std::cell::{Cell, RefCell};

use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::AppName;
use crate::error::Error;

#[derive(Debug, Default)]
pub struct Noted {
    app: RefCell<Option<AppName>>,
    user: Cell<Option<UserId>>,
    key: Cell<Option<i64>>,
    is_settled: Cell<bool>,
    rule: Cell<Option<usize>>,
    is_administrator: Cell<bool>,
    decides: Cell<Option<&'static str>>,
    about: RefCell<Option<String>>,
    answers: Cell<Answers>,
    refused: RefCell<Option<Error>>,
    /// The cost of queries to D1.
    pub d1: Cost,
    /// The cost of lookups in the data centre's cache.
    pub cache: Cost,
    hits: Cell<u32>,
    misses: Cell<u32>,
}

/// How often a request asked an outside store, and how long it waited for that.
#[derive(Debug, Default)]
pub struct Cost {
    asked: Cell<u32>,
    rows: Cell<u64>,
    time: Cell<Millis>,
}

/// How many of a request's permission questions were answered with yes, and how many with no.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    pub yes: u32,
    pub no: u32,
}

impl Noted {
    /// Drops the facts about a credential, because another one is tried.
    pub fn another_credential(&self) {
        self.app.take();
        self.user.set(None);
        self.key.set(None);
        self.is_settled.set(false);
    }

    /// The credential was accepted. From now on, facts about other tokens, such as one the caller
    /// asks about, are not noted.
    pub fn settle(&self) {
        self.is_settled.set(true);
    }

    /// Notes the app whose key verified the token, or whose endpoint accepted it.
    pub fn app(&self, app: &AppName) {
        if !self.is_settled.get() {
            *self.app.borrow_mut() = Some(app.clone());
        }
    }

    pub fn user(&self, user: UserId) {
        if !self.is_settled.get() {
            self.user.set(Some(user));
        }
    }

    /// Notes the machine key's id.
    pub fn key(&self, key: i64) {
        if !self.is_settled.get() {
            self.key.set(Some(key));
        }
    }

    pub fn rule(&self, rule: usize) {
        self.rule.set(Some(rule));
    }

    /// Notes whether the caller has an administrator's rights. A token that they ask about does not
    /// matter.
    pub fn administrator(&self, is_one: bool) {
        self.is_administrator.set(is_one);
    }

    /// Notes which kind of decision the request asks for.
    pub fn decides(&self, kind: Option<&'static str>) {
        self.decides.set(kind);
    }

    pub fn about(&self, what: String) {
        *self.about.borrow_mut() = Some(what);
    }

    pub fn answered(&self, is_yes: bool) {
        let Answers { yes, no } = self.answers.get();
        let (more_yes, more_no) = if is_yes { (1, 0) } else { (0, 1) };
        self.answers
            .set(Answers { yes: yes.saturating_add(more_yes), no: no.saturating_add(more_no) });
    }

    /// Notes a refusal that is answered by a page or a redirect instead of a dialect's error body.
    pub fn refused(&self, error: &Error) {
        *self.refused.borrow_mut() = Some(error.clone());
    }

    /// Notes a lookup in the isolate's cache.
    pub fn looked(&self, is_hit: bool) {
        let count = if is_hit { &self.hits } else { &self.misses };
        count.set(count.get().saturating_add(1));
    }

    #[must_use]
    pub fn app_name(&self) -> Option<String> {
        self.app.borrow().as_ref().map(|app| app.as_str().to_owned())
    }

    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        self.user.get().map(|user| user.0)
    }

    #[must_use]
    pub fn key_id(&self) -> Option<i64> {
        self.key.get()
    }

    /// The number of the rule of `ORIGIN_RULES` that decided.
    #[must_use]
    pub fn rule_number(&self) -> Option<usize> {
        self.rule.get()
    }

    /// The method and path that a proxy asked about.
    #[must_use]
    pub fn asked_about(&self) -> Option<String> {
        self.about.borrow().clone()
    }

    /// Tells whether the caller has an administrator's rights.
    #[must_use]
    pub fn is_by_administrator(&self) -> bool {
        self.is_administrator.get()
    }

    /// The kind of decision; `None` if the request asks for none.
    #[must_use]
    pub fn decision(&self) -> Option<&'static str> {
        self.decides.get()
    }

    #[must_use]
    pub fn answers(&self) -> Answers {
        self.answers.get()
    }

    /// The refusal that was answered by a page or a redirect. Later calls return `None`.
    #[must_use]
    pub fn take_refused(&self) -> Option<Error> {
        self.refused.take()
    }

    /// The numbers of hits and misses in the isolate's cache.
    #[must_use]
    pub fn looks(&self) -> (u32, u32) {
        (self.hits.get(), self.misses.get())
    }
}

impl Cost {
    /// Adds a query, the time it took and the rows it read.
    pub fn add(&self, took: Millis, rows: u64) {
        self.asked.set(self.asked.get().saturating_add(1));
        self.rows.set(self.rows.get().saturating_add(rows));
        self.time.set(self.time.get() + took.max(Millis(0)));
    }

    #[must_use]
    pub fn asked(&self) -> u32 {
        self.asked.get()
    }

    /// The number of rows read, as far as D1 reports it.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.get()
    }

    /// The sum of the times that the queries took.
    #[must_use]
    pub fn time(&self) -> Millis {
        self.time.get()
    }
}
