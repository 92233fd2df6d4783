//! The oracle of the histories: plain sets of who was granted which right.
//!
//! A being is a person, a group, a department or a service. An id only names a being: after a
//! deletion, the next one with the id is another being.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    User,
    Group,
    Department,
    Service,
}

type Being = usize;

#[derive(Debug, Default)]
pub struct Model {
    pub is_strict: bool,
    beings: usize,
    /// The being that an id means now, also before it is registered.
    meant: BTreeMap<(Kind, i64), Being>,
    pub registered: BTreeSet<(Kind, i64)>,
    /// Ids that have been used.
    given: BTreeSet<(Kind, i64)>,
    /// The ids of existing users, by name.
    pub users: BTreeMap<&'static str, i64>,
    pub tombstones: BTreeMap<&'static str, i64>,
    /// Users who were created with a deleted user's name. Earlier tokens mean the deleted user.
    pub made_anew: BTreeSet<&'static str>,
    /// Names of deleted users that were freed, with the user's id if nobody has got it since.
    /// Earlier tokens create nobody.
    pub freed: BTreeMap<&'static str, Option<i64>>,
    /// Ids of deleted users that were freed.
    freed_ids: BTreeSet<i64>,
    /// Ids of deleted users that were not freed.
    past: BTreeSet<i64>,
    /// The service and the subject of each grant, with the grant's id.
    pub grants: BTreeMap<(Being, Being), i64>,
    /// The group or department of each member.
    members: BTreeSet<(Being, Being)>,
    /// Departments and their parents.
    above: BTreeMap<Being, Being>,
    mapped: Option<Being>,
}

pub const MAPPED: i64 = 1;

impl Model {
    pub fn new(is_strict: bool) -> Self {
        let mut model = Self { is_strict, ..Self::default() };
        model.mapped = Some(model.being(Kind::Group, MAPPED));
        model
    }

    fn being(&mut self, kind: Kind, id: i64) -> Being {
        self.beings += 1;
        *self.meant.entry((kind, id)).or_insert(self.beings)
    }

    pub fn is_registered(&self, kind: Kind, id: i64) -> bool {
        self.registered.contains(&(kind, id))
    }

    /// Registers an id that callers choose.
    pub fn register(&mut self, kind: Kind, id: i64) {
        self.being(kind, id);
        self.registered.insert((kind, id));
        self.given.insert((kind, id));
    }

    /// Registers an id that Postern has chosen. Nobody may have used it before.
    pub fn register_chosen(&mut self, kind: Kind, id: i64) {
        assert!(!self.given.contains(&(kind, id)), "{kind:?} {id} was somebody else's");
        self.meant.remove(&(kind, id));
        self.register(kind, id);
    }

    pub fn remove(&mut self, kind: Kind, id: i64) {
        self.registered.remove(&(kind, id));
        let Some(being) = self.meant.remove(&(kind, id)) else { return };
        self.grants.retain(|(service, object), _| *service != being && *object != being);
        self.members.retain(|(user, unit)| *user != being && *unit != being);
        self.above.remove(&being);
        if self.mapped == Some(being) {
            self.mapped = Some(self.being(Kind::Group, MAPPED));
        }
    }

    pub fn remove_user(&mut self, name: &'static str) {
        let id = self.users.remove(name).expect("a user");
        self.made_anew.remove(name);
        self.remove(Kind::User, id);
        self.tombstones.insert(name, id);
        self.past.insert(id);
        self.freed_ids.remove(&id);
    }

    pub fn free(&mut self, name: &'static str) -> bool {
        let id = self.tombstones.remove(name);
        self.freed.extend(id.map(|id| (name, Some(id))));
        let is_past = id.is_some_and(|id| self.past.remove(&id));
        self.freed_ids.extend(id.filter(|_| is_past));
        is_past
    }

    /// Answers whether a token may not give the id to a user of this name, because the id was freed
    /// with another name.
    pub fn is_freed_for_another(&self, id: i64, name: &str) -> bool {
        self.freed_ids.contains(&id) && self.freed.get(name) != Some(&Some(id))
    }

    /// Answers whether the id is closed to users with another name.
    pub fn is_past(&self, id: i64, name: &str) -> bool {
        self.past.contains(&id) && self.tombstones.get(name) != Some(&id)
    }

    pub fn add_user(&mut self, name: &'static str, id: i64, is_chosen: bool) {
        if self.tombstones.remove(name).is_some() || self.freed.remove(name).is_some() {
            self.made_anew.insert(name);
        }
        self.freed.values_mut().filter(|of| **of == Some(id)).for_each(|of| *of = None);
        self.users.insert(name, id);
        if is_chosen { self.register_chosen(Kind::User, id) } else { self.register(Kind::User, id) }
    }

    /// Adds a grant; false if it exists already.
    pub fn grant(&mut self, service: i64, kind: Kind, id: i64, grant: i64) -> bool {
        if !self.is_strict {
            self.register(Kind::Service, service);
        }
        let pair = (self.being(Kind::Service, service), self.being(kind, id));
        if self.grants.contains_key(&pair) {
            return false;
        }
        self.grants.insert(pair, grant);
        true
    }

    pub fn is_granted(&self, service: i64, kind: Kind, id: i64) -> bool {
        let being = |kind, id| self.meant.get(&(kind, id)).copied();
        being(Kind::Service, service)
            .zip(being(kind, id))
            .is_some_and(|pair| self.grants.contains_key(&pair))
    }

    pub fn set_member(&mut self, kind: Kind, unit: i64, user: i64, is_member: bool) {
        let pair = (self.being(Kind::User, user), self.being(kind, unit));
        if is_member {
            self.members.insert(pair)
        } else {
            self.members.remove(&pair)
        };
    }

    pub fn put_below(&mut self, department: i64, above: i64) {
        let pair = [department, above].map(|id| self.being(Kind::Department, id));
        self.above.insert(pair[0], pair[1]);
    }

    pub fn has_below(&self, department: i64) -> bool {
        let being = self.meant.get(&(Kind::Department, department));
        self.above.values().any(|above| Some(above) == being)
    }

    /// Decides whether the user has a right on the service. `with_group` adds the rights of the
    /// mapped group.
    pub fn allows(&self, user: i64, service: i64, with_group: bool) -> bool {
        let being = |kind, id| self.meant.get(&(kind, id)).copied();
        let (Some(user), Some(service)) = (being(Kind::User, user), being(Kind::Service, service))
        else {
            return false;
        };
        let mut reached = vec![user];
        reached.extend(self.mapped.filter(|_| with_group));
        for (_, unit) in self.members.iter().filter(|(member, _)| *member == user) {
            let path = std::iter::successors(Some(*unit), |unit| self.above.get(unit).copied());
            reached.extend(path);
        }
        reached.into_iter().any(|object| self.grants.contains_key(&(service, object)))
    }
}
