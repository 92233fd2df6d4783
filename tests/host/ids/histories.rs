//! Random histories of a directory, compared with the oracle. Nobody ever has a right that was not
//! granted to them, by id, name, department or group, while it was theirs.
//!
//! `HISTORIES` sets how many are compared (default 10,000). `SEED` sets where the random numbers
//! begin.

use std::collections::HashMap;

use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt;
use serde_json::{Value, json};

use super::model::{Kind, MAPPED, Model};
use crate::oracle::Dice;
use crate::support::{Isolate, Request, World, json_of};

/// There are few names and ids, so that histories reuse them. They include the ids that Postern
/// chooses first. Id 1 is the administrator's.
const NAMES: [&str; 2] = ["ann", "bob"];
// A history uses one row of each table.
const USERS: [[i64; 3]; 2] = [[2, 3, 4], [2, 3, i64::MAX]];
const UNITS: [[i64; 2]; 3] = [[1, 2], [1, i64::MIN], [1, i64::MAX]];
const SERVICES: [[i64; 2]; 3] = [[1, 2], [1, i64::MIN], [1, i64::MAX]];
const STEPS: usize = 10;

/// Tokens by user name, id claim, whether they have the group, and whether they are issued after
/// the history's other tokens. They are cached, because signing takes longer than a lookup.
type Tokens = HashMap<(&'static str, Option<i64>, bool, bool), String>;

/// Restores the state that [`prepare`] left.
const FORGET: &str = "BEGIN;
    DELETE FROM users WHERE id > 1; DELETE FROM grants; DELETE FROM memberships; DELETE FROM units;
    DELETE FROM services; DELETE FROM tombstones; DELETE FROM freed_names; DELETE FROM past_ids;
    DELETE FROM audit_events;
    DELETE FROM changes WHERE revision < (SELECT MAX(revision) FROM changes);
    UPDATE id_counters SET last = (kind = 'user');
    COMMIT";

struct Game<'a> {
    isolate: &'a Isolate<'a>,
    administrator: &'a str,
    tokens: &'a mut Tokens,
    dice: Dice,
    /// A history has groups or departments, but not both.
    unit_kind: Kind,
    /// The ids that the history names, some at the ends of int64.
    users: [i64; 3],
    units: [i64; 2],
    services: [i64; 2],
    model: Model,
    told: Vec<String>,
}

impl Game<'_> {
    fn send(&mut self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request =
            Request::new(method, path).header("x-auth-token", self.administrator).body(body);
        let response = self.isolate.send(&request);
        self.told.push(format!("{method} {path} {body}: {}", response.status));
        (response.status, json_of(&response))
    }

    fn expect(&self, status: u16, expected: u16) {
        assert_eq!(status, expected, "{:#?} {:#?}", self.told, self.model);
    }

    fn unit(&mut self) -> (Kind, i64) {
        (self.unit_kind, self.dice.pick(&self.units))
    }

    fn object(&mut self) -> (Kind, i64) {
        if self.dice.roll(2) == 0 { (Kind::User, self.dice.pick(&self.users)) } else { self.unit() }
    }

    fn step(&mut self) {
        match self.dice.roll(18) {
            0..=2 => self.sign_in(None),
            3 => {
                let id = self.dice.pick(&self.users);
                self.sign_in(Some(id));
            }
            4 | 5 => self.create_user(),
            6 => self.delete_user(),
            7 => self.free_name(),
            8 | 9 => self.grant(),
            10 => self.revoke(),
            11 | 12 => self.set_member(),
            13..=15 => self.create_other(),
            16 => self.delete_other(),
            _ => self.import(),
        }
    }

    fn token(
        &mut self,
        name: &'static str,
        id: Option<i64>,
        has_group: bool,
        at_end: bool,
    ) -> String {
        let isolate = self.isolate;
        let sign = || {
            let mut claims = isolate.claims(name);
            claims
                .insert("groups".to_owned(), if has_group { json!(["staff"]) } else { json!([]) });
            claims.extend(id.map(|id| ("uid".to_owned(), json!(id))));
            // The issuer's clock may be ahead. Postern's clock stands still during a history.
            let seconds = isolate.world.now.get().seconds() + if at_end { 2 } else { 0 };
            claims.insert("iat".to_owned(), json!(seconds));
            let secret = if id.is_some() { "efgh" } else { "abcd" };
            format!(
                "Bearer {}",
                jwt::sign(Algorithm::Hs256, &Secret::new(secret), &claims).expect("a token")
            )
        };
        self.tokens.entry((name, id, has_group, at_end)).or_insert_with(sign).clone()
    }

    /// A token creates its user at their first sign-in. Its rights include those of its group.
    fn sign_in(&mut self, claim: Option<i64>) {
        let (name, has_group, at_end) =
            (self.dice.pick(&NAMES), self.dice.roll(2) == 0, self.dice.roll(2) == 0);
        let (service, token) =
            (self.dice.pick(&self.services), self.token(name, claim, has_group, at_end));
        let path = format!("/v1/check?service={service}&permission=TEST");
        let known = self.model.users.get(name).copied();
        let is_taken = |id| {
            self.model.is_registered(Kind::User, id)
                || self.model.is_past(id, name)
                || self.model.is_freed_for_another(id, name)
        };
        let refusal = match (known, claim) {
            (Some(known), Some(id)) if known != id => Some("id_conflict"),
            (Some(_), _) if !at_end && self.model.made_anew.contains(name) => Some("revoked"),
            (None, _) if self.model.tombstones.contains_key(name) => Some("user_deleted"),
            (None, _) if !at_end && self.model.freed.contains_key(name) => Some("revoked"),
            (None, Some(id)) if is_taken(id) => Some("id_conflict"),
            _ => None,
        };
        let is_unknown = self.model.is_strict && !self.model.is_registered(Kind::Service, service);
        let response = self.isolate.get(&path, &token);
        let body = json_of(&response);
        self.told.push(format!(
            "{name} signs in, claim {claim:?}, group {has_group}, late {at_end}: {body}"
        ));
        if let Some(reason) = refusal {
            self.expect(response.status, if reason == "revoked" { 401 } else { 403 });
            assert_eq!(body["reason"], reason, "{:#?} {:#?}", self.told, self.model);
            return;
        }
        if known.is_none() {
            let id = self.created_id(name);
            assert!(claim.is_none_or(|claim| claim == id), "{:#?}", self.told);
            self.model.add_user(name, id, claim.is_none());
        }
        if is_unknown {
            return self.expect(response.status, 404);
        }
        let user = self.model.users[name];
        let group_counts = has_group && claim.is_none();
        let expected = self.model.allows(user, service, group_counts);
        assert_eq!(body["allowed"], expected, "{:#?} {:#?}", self.told, self.model);
    }

    fn created_id(&self, name: &str) -> i64 {
        let sql = format!("SELECT COALESCE((SELECT id FROM users WHERE username = '{name}'), 0)");
        let id = self.isolate.world.database.number(&sql);
        assert!(id > 0, "{name} is not there: {:#?}", self.told);
        id
    }

    fn create_user(&mut self) {
        let (name, id) = (self.dice.pick(&NAMES), self.dice.pick(&self.users));
        let id = Some(id).filter(|_| self.dice.roll(2) == 0);
        let mut body = json!({ "username": name });
        if let Some(id) = id {
            body["id"] = json!(id);
        }
        let (status, user) = self.send("POST", "/v1/users", &body.to_string());
        let is_taken =
            |id| self.model.is_registered(Kind::User, id) || self.model.is_past(id, name);
        if self.model.users.contains_key(name) || id.is_some_and(is_taken) {
            return self.expect(status, 409);
        }
        self.expect(status, 201);
        self.model.add_user(name, user["id"].as_i64().expect("an id"), id.is_none());
    }

    fn delete_user(&mut self) {
        let name = self.dice.pick(&NAMES);
        let Some(id) = self.model.users.get(name).copied() else { return };
        let (status, _) = self.send("DELETE", &format!("/v1/users/{id}"), "");
        self.expect(status, 204);
        self.model.remove_user(name);
        // Half of them are created again with the same id. They are new users without any rights.
        if self.dice.roll(2) == 0 {
            let body = json!({ "username": name, "id": id });
            let (status, _) = self.send("POST", "/v1/users", &body.to_string());
            self.expect(status, 201);
            self.model.add_user(name, id, false);
        }
    }

    fn free_name(&mut self) {
        let name = self.dice.pick(&NAMES);
        let (status, _) = self.send("DELETE", &format!("/v1/tombstones/{name}"), "");
        let id = self.model.tombstones.get(name).copied();
        self.expect(status, if id.is_some() { 204 } else { 404 });
        self.model.free(name);
        // A history is too short to name the freed id often by itself.
        if id.is_some() {
            self.sign_in(id);
        }
    }

    fn grant(&mut self) {
        let (service, (kind, id)) = (self.dice.pick(&self.services), self.object());
        let name =
            Some(self.dice.pick(&NAMES)).filter(|_| kind == Kind::User && self.dice.roll(2) == 0);
        let body = match name {
            Some(name) => json!({ "username": name, "permissions": ["TEST"] }),
            None => {
                json!({ "authObjectType": word(kind), "authObjectId": id, "permissions": ["TEST"] })
            }
        };
        let (status, grant) =
            self.send("POST", &format!("/v1/services/{service}/grants"), &body.to_string());
        let Some(id) = name.map_or(Some(id), |name| self.model.users.get(name).copied()) else {
            return self.expect(status, 404);
        };
        let known =
            self.model.is_registered(Kind::Service, service) && self.model.is_registered(kind, id);
        if self.model.is_strict && !known {
            return self.expect(status, 404);
        }
        if self.model.is_granted(service, kind, id) {
            return self.expect(status, 409);
        }
        self.expect(status, 201);
        self.model.grant(service, kind, id, grant["id"].as_i64().expect("an id"));
    }

    fn revoke(&mut self) {
        let grants: Vec<_> = self.model.grants.iter().map(|(pair, id)| (*pair, *id)).collect();
        if grants.is_empty() {
            return;
        }
        let (pair, id) = self.dice.pick(&grants);
        if id == 0 {
            return;
        }
        let (status, _) = self.send("DELETE", &format!("/api/v1/services/auth/{id}"), "");
        self.expect(status, 200);
        self.model.grants.remove(&pair);
    }

    fn set_member(&mut self) {
        let ((kind, unit), user) = (self.unit(), self.dice.pick(&self.users));
        let name = Some(self.dice.pick(&NAMES)).filter(|_| self.dice.roll(2) == 0);
        let is_member = self.dice.roll(4) > 0;
        let method = if is_member { "PUT" } else { "DELETE" };
        let members = format!("{}/{unit}/members", path(kind));
        let path = name.map_or_else(
            || format!("{members}/{user}"),
            |name| format!("{members}?username={name}"),
        );
        let (status, _) = self.send(method, &path, "");
        let Some(user) = name.map_or(Some(user), |name| self.model.users.get(name).copied()) else {
            return self.expect(status, 404);
        };
        let is_known = self.model.is_registered(kind, unit)
            && (!is_member || self.model.is_registered(Kind::User, user));
        if self.model.is_strict && !is_known {
            return self.expect(status, 404);
        }
        self.expect(status, 204);
        self.model.set_member(kind, unit, user, is_member);
    }

    fn create_other(&mut self) {
        let kind = self.dice.pick(&[self.unit_kind, self.unit_kind, Kind::Service]);
        let id = Some(self.dice.pick(&self.units)).filter(|_| self.dice.roll(2) == 0);
        let departments: Vec<_> =
            self.model.registered.iter().filter(|(kind, _)| *kind == Kind::Department).collect();
        let above = departments.get(self.dice.roll(departments.len() + 1)).map(|(_, id)| *id);
        let above = above.filter(|above| kind == Kind::Department && Some(*above) != id);
        let mut body = json!({ "name": "x" });
        if let Some(id) = id {
            body["id"] = json!(id);
        }
        if let Some(above) = above {
            body["parentId"] = json!(above);
        }
        let (status, created) = self.send("POST", path(kind), &body.to_string());
        if id.is_some_and(|id| self.model.is_registered(kind, id)) {
            return self.expect(status, 409);
        }
        self.expect(status, 201);
        let created = created["id"].as_i64().expect("an id");
        if id.is_none() {
            self.model.register_chosen(kind, created);
        } else {
            self.model.register(kind, created);
        }
        if let Some(above) = above {
            self.model.put_below(created, above);
        }
    }

    fn delete_other(&mut self) {
        let kind = self.dice.pick(&[self.unit_kind, self.unit_kind, Kind::Service]);
        let id = self.dice.pick(&self.units);
        let (status, _) = self.send("DELETE", &format!("{}/{id}", path(kind)), "");
        if !self.model.is_registered(kind, id) {
            return self.expect(status, 404);
        }
        if kind == Kind::Department && self.model.has_below(id) {
            return self.expect(status, 409);
        }
        self.expect(status, 204);
        self.model.remove(kind, id);
    }

    /// Imports records that name ids: a group, its member and its grant.
    fn import(&mut self) {
        let (group, user, service) = (
            self.dice.pick(&self.units),
            self.dice.pick(&self.users),
            self.dice.pick(&self.services),
        );
        let lines = [
            json!({ "record": "service", "id": service }),
            json!({ "record": "group", "id": group, "name": "x" }),
            json!({
                "record": "member", "authObjectType": "GROUP", "authObjectId": group,
                "userId": user,
            }),
            json!({
                "record": "grant", "serviceId": service, "authObjectType": "GROUP",
                "authObjectId": group,
                "permissions": ["TEST"],
            }),
        ];
        let text: Vec<_> = lines.iter().map(Value::to_string).collect();
        let (status, _) = self.send("POST", "/v1/import", &text.join("\n"));
        if self.model.is_strict && !self.model.is_registered(Kind::User, user) {
            return self.expect(status, 400);
        }
        self.expect(status, 200);
        self.model.register(Kind::Service, service);
        self.model.register(Kind::Group, group);
        self.model.set_member(Kind::Group, group, user, true);
        // The answer of an import does not have the grant's id.
        self.model.grant(service, Kind::Group, group, 0);
    }

    /// Compares each user's rights with the oracle.
    fn compare(&mut self) {
        let users: Vec<_> = self.model.users.values().copied().collect();
        let mut services: Vec<_> = self.services.to_vec();
        let registered = self
            .model
            .registered
            .iter()
            .filter(|(kind, _)| *kind == Kind::Service)
            .map(|(_, id)| *id);
        services.extend(registered.filter(|id| !self.services.contains(id)));
        if self.model.is_strict {
            services.retain(|id| self.model.is_registered(Kind::Service, *id));
        }
        let pairs: Vec<_> = users
            .iter()
            .flat_map(|user| services.iter().map(|service| (*user, *service)))
            .collect();
        if pairs.is_empty() {
            return;
        }
        let question = |(user, service): &(i64, i64)| {
            json!({
                "service": service, "permission": "TEST", "user": user,
            })
        };
        let body = json!({ "checks": pairs.iter().map(question).collect::<Vec<_>>() });
        let (status, answers) = self.send("POST", "/v1/check/batch", &body.to_string());
        self.expect(status, 200);
        for (index, (user, service)) in pairs.into_iter().enumerate() {
            let expected = self.model.allows(user, service, false);
            let answer = &answers["results"][index]["allowed"];
            assert_eq!(
                *answer, expected,
                "user {user}, service {service} after {:#?} {:#?}",
                self.told, self.model
            );
        }
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "USER",
        Kind::Group => "GROUP",
        Kind::Department => "DEPT",
        Kind::Service => "SERVICE",
    }
}

const fn path(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "/v1/users",
        Kind::Group => "/v1/groups",
        Kind::Department => "/v1/departments",
        Kind::Service => "/v1/services",
    }
}

/// Creates an app whose tokens have groups and one whose tokens have ids. Returns an
/// administrator's token.
fn prepare(isolate: &Isolate<'_>) -> String {
    let fields =
        json!({ "username": "loginname", "name": "name", "email": "email", "groups": "groups" });
    isolate.register(
        &json!({ "fieldmap": fields, "groups_mode": "request", "group_map": { "staff": MAPPED } }),
    );
    let fields = json!({ "username": "loginname", "name": "name", "email": "email", "id": "uid" });
    isolate.register(&json!({ "name": "CRM", "secret": "efgh", "fieldmap": fields }));
    let body =
        json!({ "username": "admin", "password": crate::support::ADMIN_PASSWORD }).to_string();
    let response = isolate.send(&Request::new("POST", "/imanager/security/tokens").body(&body));
    assert_eq!(response.status, 200, "{}", response.body);
    response.body.trim_matches('"').to_owned()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn histories(is_strict: bool) {
    let world = World::new();
    let variables = [("DIRECTORY", is_strict.then_some("strict"))];
    let mut isolate = world.isolate_with(&variables);
    let administrator = prepare(&isolate);
    let (count, seed) = (number("HISTORIES", 10_000) / 2, number("SEED", 1));
    let mut tokens = Tokens::default();
    for index in 0..count {
        world.database.execute(FORGET);
        isolate.memory = std::rc::Rc::default();
        let mut dice = Dice::new(seed.wrapping_add(index).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let unit_kind = dice.pick(&[Kind::Group, Kind::Department]);
        let model = Model::new(is_strict);
        let told = vec![format!("history {index}")];
        let (administrator, tokens) = (&*administrator, &mut tokens);
        let (users, units, services) = (dice.pick(&USERS), dice.pick(&UNITS), dice.pick(&SERVICES));
        let mut game = Game {
            isolate: &isolate,
            administrator,
            tokens,
            dice,
            unit_kind,
            users,
            units,
            services,
            model,
            told,
        };
        for _ in 0..STEPS {
            game.step();
        }
        game.compare();
    }
}

#[test]
fn nobody_in_an_open_directory_holds_a_right_that_was_not_given_to_them() {
    histories(false);
}

#[test]
fn nobody_in_a_strict_directory_holds_a_right_that_was_not_given_to_them() {
    histories(true);
}
