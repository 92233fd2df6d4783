//! What a request finds out about itself on its way: for the log, for analytics and for
//! `Server-Timing`.
//!
//! Nobody decides by it. Whatever is noted of a credential that was not accepted is noted only
//! where it is known: an app once a key of it has signed the token, a user once they were found.

use std::cell::{Cell, RefCell};

use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::AppName;
use crate::error::Error;

/// What is known of one request so far.
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
    /// What it cost to ask D1.
    pub d1: Cost,
    /// What it cost to ask the cache of the data centre.
    pub cache: Cost,
    hits: Cell<u32>,
    misses: Cell<u32>,
}

/// How often a request asked something else than memory, and for how long it waited for that.
#[derive(Debug, Default)]
pub struct Cost {
    asked: Cell<u32>,
    rows: Cell<u64>,
    time: Cell<Millis>,
}

/// How many questions of a request were answered with yes, and how many with no.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    /// Yes.
    pub yes: u32,
    /// No.
    pub no: u32,
}

impl Noted {
    /// Forgets whose credential it was: another one is looked at.
    pub fn another_credential(&self) {
        self.app.take();
        self.user.set(None);
        self.key.set(None);
        self.is_settled.set(false);
    }

    /// The credential was accepted. What is found out about other tokens from now on, as about one
    /// that the caller asks about, is not noted.
    pub fn settle(&self) {
        self.is_settled.set(true);
    }

    /// Notes the app whose key signed the token, or whose endpoint knows it.
    pub fn app(&self, app: &AppName) {
        if !self.is_settled.get() {
            *self.app.borrow_mut() = Some(app.clone());
        }
    }

    /// Notes the user of the credential.
    pub fn user(&self, user: UserId) {
        if !self.is_settled.get() {
            self.user.set(Some(user));
        }
    }

    /// Notes the key for machines.
    pub fn key(&self, key: i64) {
        if !self.is_settled.get() {
            self.key.set(Some(key));
        }
    }

    /// Notes the rule of `ORIGIN_RULES` that decided.
    pub fn rule(&self, rule: usize) {
        self.rule.set(Some(rule));
    }

    /// Notes whether the caller, and not some token that they ask about, may what administrators
    /// may.
    pub fn administrator(&self, is_one: bool) {
        self.is_administrator.set(is_one);
    }

    /// Notes what the request asks Postern to decide.
    pub fn decides(&self, kind: Option<&'static str>) {
        self.decides.set(kind);
    }

    /// Notes the method and the path that a proxy asks about.
    pub fn about(&self, what: String) {
        *self.about.borrow_mut() = Some(what);
    }

    /// Notes the answer to one question.
    pub fn answered(&self, is_yes: bool) {
        let Answers { yes, no } = self.answers.get();
        let (more_yes, more_no) = if is_yes { (1, 0) } else { (0, 1) };
        self.answers
            .set(Answers { yes: yes.saturating_add(more_yes), no: no.saturating_add(more_no) });
    }

    /// Notes a refusal whose answer is a page or a redirect, and not the failure of a dialect.
    pub fn refused(&self, error: &Error) {
        *self.refused.borrow_mut() = Some(error.clone());
    }

    /// Notes a look into memory.
    pub fn looked(&self, is_hit: bool) {
        let count = if is_hit { &self.hits } else { &self.misses };
        count.set(count.get().saturating_add(1));
    }

    /// The app.
    #[must_use]
    pub fn app_name(&self) -> Option<String> {
        self.app.borrow().as_ref().map(|app| app.as_str().to_owned())
    }

    /// The user's id.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        self.user.get().map(|user| user.0)
    }

    /// The key's id.
    #[must_use]
    pub fn key_id(&self) -> Option<i64> {
        self.key.get()
    }

    /// The rule's number.
    #[must_use]
    pub fn rule_number(&self) -> Option<usize> {
        self.rule.get()
    }

    /// What a proxy asked about.
    #[must_use]
    pub fn asked_about(&self) -> Option<String> {
        self.about.borrow().clone()
    }

    /// Whether the caller may what administrators may.
    #[must_use]
    pub fn is_by_administrator(&self) -> bool {
        self.is_administrator.get()
    }

    /// What is to be decided; `None` where the request asks for something else.
    #[must_use]
    pub fn decision(&self) -> Option<&'static str> {
        self.decides.get()
    }

    /// The answers to the questions of the request.
    #[must_use]
    pub fn answers(&self) -> Answers {
        self.answers.get()
    }

    /// The refusal that was told by a page or a redirect. It is told once.
    #[must_use]
    pub fn take_refused(&self) -> Option<Error> {
        self.refused.take()
    }

    /// How many looks into memory found something, and how many did not.
    #[must_use]
    pub fn looks(&self) -> (u32, u32) {
        (self.hits.get(), self.misses.get())
    }
}

impl Cost {
    /// Adds a question that took so long, and for which so many rows were read.
    pub fn add(&self, took: Millis, rows: u64) {
        self.asked.set(self.asked.get().saturating_add(1));
        self.rows.set(self.rows.get().saturating_add(rows));
        self.time.set(self.time.get() + took.max(Millis(0)));
    }

    /// How often something was asked.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.asked.get()
    }

    /// How many rows were read for it, as far as D1 tells.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.get()
    }

    /// For how long the answers were waited for, one after the other.
    #[must_use]
    pub fn time(&self) -> Millis {
        self.time.get()
    }
}
