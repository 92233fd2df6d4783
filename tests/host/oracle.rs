//! A naive implementation of the permission rules over plain lists, and a comparison with the real
//! one.
//!
//! `CHECKS` sets how many checks are compared (default 100,000). `SEED` sets where the random
//! numbers begin.

mod searches;

use postern::actions::housekeeping;
use postern::domain::time::Millis;
use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, block_on, json_of};

const PERMISSIONS: [&str; 9] =
    ["ADD", "VIEW", "MODIFY", "DELETE", "TEST", "GRANT", "SHARE", "RELEASE", "EXPORT"];

struct Grant {
    id: i64,
    service: i64,
    object: (&'static str, i64),
    permissions: Vec<&'static str>,
    starts_at: Option<i64>,
    expires_at: Option<i64>,
}

impl Grant {
    fn is_over(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    fn counts(&self, now: i64) -> bool {
        !self.is_over(now) && self.starts_at.is_none_or(|start| now >= start)
    }
}

/// Everything that a check depends on.
#[derive(Default)]
struct Oracle {
    users: Vec<(i64, bool, bool)>,
    departments: Vec<(i64, Option<i64>)>,
    groups: Vec<i64>,
    members: Vec<(i64, &'static str, i64)>,
    grants: Vec<Grant>,
    switched_off: Vec<i64>,
    /// Epoch milliseconds.
    now: i64,
}

impl Oracle {
    /// Decides whether a user has a permission on a service.
    fn allows(&self, user: i64, service: i64, permission: &str) -> bool {
        let (_, is_administrator, enabled) =
            *self.users.iter().find(|(id, ..)| *id == user).expect("a user");
        if !enabled {
            return false;
        }
        if self.switched_off.contains(&service) && permission != "GRANT" && permission != "RELEASE"
        {
            return true;
        }
        is_administrator
            || self
                .reach(user)
                .iter()
                .any(|object| self.grants_to(service, *object).contains(&permission))
    }

    /// The users, groups and departments whose grants reach the user.
    fn reach(&self, user: i64) -> Vec<(&'static str, i64)> {
        let mut reached = vec![("USER", user)];
        for (_, kind, id) in self.members.iter().filter(|(member, ..)| *member == user) {
            reached.push((kind, *id));
            let mut above = if *kind == "DEPT" { self.parent(*id) } else { None };
            while let Some(id) = above {
                reached.push(("DEPT", id));
                above = self.parent(id);
            }
        }
        reached
    }

    fn parent(&self, department: i64) -> Option<i64> {
        self.departments.iter().find(|(id, _)| *id == department).and_then(|(_, parent)| *parent)
    }

    fn lies_below(&self, department: i64, other: i64) -> bool {
        department == other
            || self.parent(department).is_some_and(|above| self.lies_below(above, other))
    }

    fn grants_to(&self, service: i64, object: (&str, i64)) -> Vec<&'static str> {
        let grants =
            self.grants.iter().filter(|grant| grant.service == service && grant.object == object);
        grants
            .filter(|grant| grant.counts(self.now))
            .flat_map(|grant| grant.permissions.clone())
            .collect()
    }
}

/// Pseudo-random numbers that can be repeated (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or(0) % sides
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.roll(list.len())]
    }

    fn some(&mut self) -> Vec<&'static str> {
        let mut permissions: Vec<_> =
            PERMISSIONS.into_iter().filter(|_| self.roll(4) == 0).collect();
        if !permissions.contains(&"VIEW") {
            permissions.push("VIEW");
        }
        permissions
    }
}

/// One directory, its oracle, and the isolates that must agree with it.
struct Game<'a> {
    oracle: Oracle,
    dice: Dice,
    writer: Isolate<'a>,
    reader: Isolate<'a>,
    services: Vec<i64>,
}

impl Game<'_> {
    fn send(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let response = self.writer.administer(method, path, body);
        assert_eq!(response.status, status, "{method} {path} {body}: {}", response.body);
        json_of(&response)
    }

    /// Creates users, departments, groups and services.
    fn set_up(&mut self) {
        for number in 0..12 {
            let is_administrator = number == 0;
            let user_type = if is_administrator { "Administrator" } else { "SYS_Reader" };
            let user = self.send(
                "POST",
                "/v1/users",
                &json!({ "username": format!("user {number}"), "type": user_type }),
                201,
            );
            self.oracle.users.push((user["id"].as_i64().expect("an id"), is_administrator, true));
        }
        for id in 1..=8 {
            self.send("POST", "/v1/departments", &json!({ "id": id, "name": "Department" }), 201);
            self.oracle.departments.push((id, None));
        }
        for id in 1..=4 {
            self.send("POST", "/v1/groups", &json!({ "id": id, "name": "Group" }), 201);
            self.oracle.groups.push(id);
        }
        self.services = vec![1, 2, 3, 4, 9_007_199_254_740_993, -5];
    }

    /// Makes a random change in the database and in the oracle.
    fn write(&mut self) {
        match self.dice.roll(60) {
            59 => self.tidy(),
            other => self.write_one(other % 10),
        }
    }

    fn write_one(&mut self, which: usize) {
        match which {
            0..=2 => self.add_grant(),
            3 => self.replace_grant(),
            4 => self.delete_grant(),
            5 | 6 => self.change_member(),
            7 => self.switch_service(),
            8 => self.enable_user(),
            _ => self.move_department(),
        }
    }

    fn object(&mut self) -> (&'static str, i64) {
        match self.dice.roll(3) {
            0 => ("USER", self.dice.pick(&self.oracle.users).0),
            1 => ("DEPT", self.dice.pick(&self.oracle.departments).0),
            _ => ("GROUP", self.dice.pick(&self.oracle.groups)),
        }
    }

    /// Adds a grant. Nearly half of them have a beginning or an end, some soon and some late.
    fn add_grant(&mut self) {
        let (service, object, permissions) =
            (self.dice.pick(&self.services), self.object(), self.dice.some());
        let mut moment = |sides| (self.dice.roll(4) == 0).then(|| self.dice.roll(sides));
        let now = self.oracle.now;
        let later = |at: usize| now + i64::try_from(at).expect("a number");
        let starts_at = moment(60_000).map(later);
        let expires_at = moment(60_000).map(|at| starts_at.unwrap_or(now).max(later(at)) + 1);
        let known = self
            .oracle
            .grants
            .iter()
            .position(|grant| grant.service == service && grant.object == object);
        let is_there = known.is_some_and(|index| !self.oracle.grants[index].is_over(now));
        let mut body = json!({
            "authObjectType": object.0, "authObjectId": object.1, "permissions": permissions,
        });
        let answer = if starts_at.is_none() && expires_at.is_none() {
            let path = format!("/api/v1/services/{service}/auth");
            self.send("POST", &path, &body, if is_there { 409 } else { 200 })["data"].clone()
        } else {
            body["startsAt"] = json!(starts_at);
            body["expiresAt"] = json!(expires_at);
            self.send(
                "POST",
                &format!("/v1/services/{service}/grants"),
                &body,
                if is_there { 409 } else { 201 },
            )
        };
        if is_there {
            return;
        }
        known.map(|index| self.oracle.grants.swap_remove(index));
        let id = answer["id"].as_i64().expect("an id");
        self.oracle.grants.push(Grant { id, service, object, permissions, starts_at, expires_at });
    }

    fn replace_grant(&mut self) {
        if self.oracle.grants.is_empty() {
            return;
        }
        let (index, permissions) = (self.dice.roll(self.oracle.grants.len()), self.dice.some());
        let path = format!("/api/v1/services/auth/{}", self.oracle.grants[index].id);
        self.send("PUT", &path, &json!({ "permissions": permissions }), 200);
        self.oracle.grants[index].permissions = permissions;
    }

    fn delete_grant(&mut self) {
        if self.oracle.grants.is_empty() {
            return;
        }
        let index = self.dice.roll(self.oracle.grants.len());
        let grant = self.oracle.grants.swap_remove(index);
        self.send("DELETE", &format!("/api/v1/services/auth/{}", grant.id), &Value::Null, 200);
    }

    /// The scheduled event removes expired grants.
    fn tidy(&mut self) {
        block_on(housekeeping::run(&self.writer.cx())).expect("the scheduled event");
        let now = self.oracle.now;
        self.oracle.grants.retain(|grant| !grant.is_over(now));
    }

    /// Lets time pass. Both isolates keep in memory what they were asked before.
    fn pass(&mut self, world: &World, ms: i64) {
        world.now.set(Millis(world.now.get().0 + ms));
        self.oracle.now = world.now.get().0;
    }

    fn change_member(&mut self) {
        let user = self.dice.pick(&self.oracle.users).0;
        let (kind, path, id) = if self.dice.roll(2) == 0 {
            ("DEPT", "departments", self.dice.pick(&self.oracle.departments).0)
        } else {
            ("GROUP", "groups", self.dice.pick(&self.oracle.groups))
        };
        let member = (user, kind, id);
        let path = format!("/v1/{path}/{id}/members/{user}");
        if let Some(index) = self.oracle.members.iter().position(|known| *known == member) {
            self.send("DELETE", &path, &Value::Null, 204);
            self.oracle.members.swap_remove(index);
        } else {
            self.send("PUT", &path, &Value::Null, 204);
            self.oracle.members.push(member);
        }
    }

    fn switch_service(&mut self) {
        let service = self.dice.pick(&self.services);
        let enabled = self.oracle.switched_off.contains(&service);
        self.send(
            "PATCH",
            &format!("/api/v1/services/{service}/auth/enabled?enabled={enabled}"),
            &Value::Null,
            200,
        );
        self.oracle.switched_off.retain(|id| *id != service);
        if !enabled {
            self.oracle.switched_off.push(service);
        }
    }

    fn enable_user(&mut self) {
        let index = self.dice.roll(self.oracle.users.len());
        let (id, _, enabled) = self.oracle.users[index];
        self.send("PATCH", &format!("/v1/users/{id}"), &json!({ "enabled": !enabled }), 200);
        self.oracle.users[index].2 = !enabled;
    }

    fn move_department(&mut self) {
        let (index, parent) = (
            self.dice.roll(self.oracle.departments.len()),
            self.dice.pick(&self.oracle.departments).0,
        );
        let id = self.oracle.departments[index].0;
        let parent = (self.dice.roll(3) > 0).then_some(parent);
        let is_cycle = parent.is_some_and(|parent| self.oracle.lies_below(parent, id));
        self.send(
            "PATCH",
            &format!("/v1/departments/{id}"),
            &json!({ "parentId": parent }),
            if is_cycle { 409 } else { 200 },
        );
        if !is_cycle {
            self.oracle.departments[index].1 = parent;
        }
    }

    /// Asks for ten explanations and compares them with the rules: the decision, the grants, and
    /// how these reach the user.
    fn explain(&mut self) -> usize {
        let mut mismatches = 0;
        for _ in 0..10 {
            let index = self.dice.roll(self.oracle.users.len());
            let (user, is_administrator, enabled) = self.oracle.users[index];
            let (service, permission) =
                (self.dice.pick(&self.services), self.dice.pick(&PERMISSIONS));
            let question = json!({
                "username": format!("user {index}"), "service": service, "permission": permission,
            });
            let told = self.send("POST", "/v1/explain", &question, 200);
            let allows = self.oracle.allows(user, service, permission);
            let mut agrees = told["verdict"] == if allows { "accepted" } else { "refused" };
            if enabled {
                let giving = self.giving(user, service, permission);
                let is_spared = self.oracle.switched_off.contains(&service)
                    && permission != "GRANT"
                    && permission != "RELEASE";
                let decides = match () {
                    () if is_administrator => "administrator",
                    () if !giving.is_empty() => "grant",
                    () if is_spared => "switch",
                    () => "noGrant",
                };
                let of = &told["permission"];
                let grants = of["grants"].as_array().map(Vec::as_slice).unwrap_or_default();
                let gives: Vec<_> = grants
                    .iter()
                    .filter(|grant| grant["gives"] == true)
                    .filter_map(|grant| grant["id"].as_i64())
                    .collect();
                agrees &= of["allowed"] == allows && of["decidedBy"] == decides && gives == giving;
                agrees &= grants.iter().all(|grant| self.is_way(user, grant));
            } else {
                agrees &= told["permission"].is_null();
            }
            if !agrees {
                println!("user {user}, service {service}, {permission}: {told}");
                mismatches += 1;
            }
        }
        mismatches
    }

    /// The ids of the grants that give the permission now, in ascending order.
    fn giving(&self, user: i64, service: i64, permission: &str) -> Vec<i64> {
        let reached = self.oracle.reach(user);
        let gives = |grant: &&Grant| {
            grant.service == service
                && reached.contains(&grant.object)
                && grant.counts(self.oracle.now)
                && grant.permissions.contains(&permission)
        };
        let mut ids: Vec<_> =
            self.oracle.grants.iter().filter(gives).map(|grant| grant.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Checks that the path of an explained grant leads from a department of the user up to the
    /// department that has the grant.
    fn is_way(&self, user: i64, grant: &Value) -> bool {
        let path: Vec<_> = grant["path"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|unit| unit["id"].as_i64())
            .collect();
        if grant["authObjectType"] != "DEPT" {
            return path.is_empty();
        }
        let begins =
            path.first().is_some_and(|first| self.oracle.members.contains(&(user, "DEPT", *first)));
        let climbs = path.windows(2).all(|pair| self.oracle.parent(pair[0]) == Some(pair[1]));
        begins && climbs && path.last().copied() == grant["authObjectId"].as_i64()
    }

    /// Asks 100 questions, some of them twice, and returns how many answers differ from the
    /// oracle's.
    fn check(&mut self, at_writer: bool) -> usize {
        let mut questions: Vec<(i64, i64, &str)> = Vec::new();
        for _ in 0..100 {
            let fresh = (
                self.dice.pick(&self.oracle.users).0,
                self.dice.pick(&self.services),
                self.dice.pick(&PERMISSIONS),
            );
            let again = (!questions.is_empty() && self.dice.roll(8) == 0)
                .then(|| self.dice.roll(questions.len()));
            questions.push(again.map_or(fresh, |index| questions[index]));
        }
        let checks: Vec<_> = questions
            .iter()
            .map(|(user, service, permission)| {
                json!({
                    "user": user, "service": service, "permission": permission,
                })
            })
            .collect();
        let isolate = if at_writer { &self.writer } else { &self.reader };
        let request = Request::new("POST", "/v1/check/batch")
            .authorization(&admin())
            .body(&json!({ "checks": checks }).to_string());
        let response = isolate.send(&request);
        assert_eq!(response.status, 200, "{}", response.body);
        let body = json_of(&response);
        let wrong = |(index, (user, service, permission)): &(usize, &(i64, i64, &str))| {
            let expected = self.oracle.allows(*user, *service, permission);
            let is_wrong = body["results"][index]["allowed"] != json!(expected);
            if is_wrong {
                println!("user {user}, service {service}, {permission}: expected {expected}");
            }
            is_wrong
        };
        questions.iter().enumerate().filter(wrong).count()
    }
}

#[test]
fn the_real_path_agrees_with_the_oracle() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (checks, seed) = (number("CHECKS", 100_000), number("SEED", 20_250_123));
    let world = World::new();
    let (writer, reader) = (world.isolate(), world.isolate());
    let mut game = Game {
        oracle: Oracle { now: world.now.get().0, ..Oracle::default() },
        dice: Dice::new(seed),
        writer,
        reader,
        services: Vec::new(),
    };
    game.set_up();
    let (mut done, mut mismatches) = (0, 0);
    while done < checks {
        for _ in 0..game.dice.roll(4) {
            game.write();
        }
        // A change is in force at once in the isolate that wrote it, and ten seconds later
        // elsewhere, from memory and from the database.
        mismatches += game.check(true);
        mismatches += game.explain();
        game.pass(&world, 11_000);
        mismatches += game.check(false);
        // Grants begin and end meanwhile, while memory is fresh.
        let moment = i64::try_from(game.dice.roll(4_000)).expect("a number");
        game.pass(&world, moment);
        mismatches += game.check(false);
        done += 300;
        world.run_tasks();
    }
    println!("{done} checks, {mismatches} mismatches");
    assert_eq!(mismatches, 0, "of {done} checks, seed {seed}");
}
