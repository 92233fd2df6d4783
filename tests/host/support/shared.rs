//! The cache of a data centre. It does nothing until a test switches it on, as on `workers.dev`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use postern::domain::time::Millis;
use postern::ports::{LocalFuture, Shared};

use super::clock::Clock;

pub struct DataCentre {
    pub works: Cell<bool>,
    pub takes: Cell<Millis>,
    pub gets: Cell<u32>,
    pub puts: Cell<u32>,
    /// The text of each name, and when it expires.
    pub entries: RefCell<BTreeMap<String, (String, Millis)>>,
    clock: Rc<Clock>,
}

impl DataCentre {
    pub fn new(clock: &Rc<Clock>) -> Self {
        Self {
            works: Cell::default(),
            takes: Cell::default(),
            gets: Cell::default(),
            puts: Cell::default(),
            entries: RefCell::default(),
            clock: Rc::clone(clock),
        }
    }
}

impl Shared for DataCentre {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Option<String>> {
        Box::pin(async move {
            self.gets.set(self.gets.get() + 1);
            if self.takes.get() > Millis(0) {
                postern::ports::Timer::sleep(&*self.clock, self.takes.get()).await;
            }
            let entries = self.entries.borrow();
            let (text, until) = entries.get(name).filter(|_| self.works.get())?;
            (*until > self.clock.get()).then(|| text.clone())
        })
    }

    fn put<'a>(&'a self, name: &'a str, text: String, lifetime_s: i64) -> LocalFuture<'a, ()> {
        Box::pin(async move {
            self.puts.set(self.puts.get() + 1);
            if self.works.get() {
                let until = self.clock.get() + Millis::from_seconds(lifetime_s);
                self.entries.borrow_mut().insert(name.to_owned(), (text, until));
            }
        })
    }
}
