//! What JavaScript is asked for and tells later. One function is told of everything that a kind of
//! questions asks: `JsFuture` would make two functions for each question, and have them collected.
//! What that gains was measured together with the executor, and is in its file.
//!
//! The trap is that a question whose request has ended is told of as well: its ticket is gone then,
//! and nothing may happen.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{self, Poll, Waker};
use std::thread::LocalKey;

use worker::wasm_bindgen::JsValue;

use crate::edge::runtime::executor;

/// What is known of a question, and who waits for it.
type Progress<T> = (Option<T>, Option<Waker>);

/// The questions of one kind that are under way in this isolate. No borrow outlives a call to
/// JavaScript.
pub(in crate::edge) struct Tickets<T> {
    next: Cell<u32>,
    progress: RefCell<BTreeMap<u32, Progress<T>>>,
    /// What JavaScript tells of each.
    done: JsValue,
}

impl<T> Tickets<T> {
    /// `done` is a function of JavaScript's that takes a ticket and what came of it, and calls
    /// [`tell`].
    pub(in crate::edge) fn new(done: JsValue) -> Self {
        Self { next: Cell::new(0), progress: RefCell::default(), done }
    }
}

/// Lets JavaScript begin: it is given a ticket, and the function that it calls with it in the end.
pub(in crate::edge) fn ask<T, E>(
    tickets: &'static LocalKey<Tickets<T>>,
    begin: impl FnOnce(u32, &JsValue) -> Result<(), E>,
) -> Result<Asked<T>, E> {
    tickets.with(|all| {
        let ticket = all.next.replace(all.next.get().wrapping_add(1));
        all.progress.borrow_mut().insert(ticket, (None, None));
        let asked = Asked { ticket, tickets };
        begin(ticket, &all.done)?;
        Ok(asked)
    })
}

/// Tells what came of it, and polls whoever waits for it. Nobody may: a request ends when its
/// client leaves.
pub(in crate::edge) fn tell<T>(tickets: &'static LocalKey<Tickets<T>>, ticket: u32, outcome: T) {
    let waker = tickets.with(|all| {
        let mut progress = all.progress.borrow_mut();
        let (told, waker) = progress.get_mut(&ticket)?;
        *told = Some(outcome);
        waker.take()
    });
    if let Some(waker) = waker {
        executor::happened(|| waker.wake());
    }
}

/// A question that is under way.
pub(in crate::edge) struct Asked<T: 'static> {
    ticket: u32,
    tickets: &'static LocalKey<Tickets<T>>,
}

impl<T> Future for Asked<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<T> {
        self.tickets.with(|all| {
            let mut progress = all.progress.borrow_mut();
            let (told, waker) = progress.entry(self.ticket).or_default();
            if let Some(outcome) = told.take() {
                return Poll::Ready(outcome);
            }
            *waker = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl<T> Drop for Asked<T> {
    fn drop(&mut self) {
        self.tickets.with(|all| all.progress.borrow_mut().remove(&self.ticket));
    }
}
