//! The rules of permissions, naively, over plain lists; and the real path against them.
//!
//! `CHECKS` sets how many checks are compared (100,000 unless it is set), `SEED` where the random numbers begin.

use serde_json::{Value, json};

use crate::support::{Isolate, Request, World, admin, json_of};

const PERMISSIONS: [&str; 9] = ["ADD", "VIEW", "MODIFY", "DELETE", "TEST", "GRANT", "SHARE", "RELEASE", "EXPORT"];

/// Everything that a check depends on, as lists.
#[derive(Default)]
struct Oracle {
    users: Vec<(i64, bool, bool)>,
    departments: Vec<(i64, Option<i64>)>,
    groups: Vec<i64>,
    members: Vec<(i64, &'static str, i64)>,
    grants: Vec<(i64, i64, &'static str, i64, Vec<&'static str>)>,
    switched_off: Vec<i64>,
}

impl Oracle {
    /// Whether a user may do something with a service.
    fn allows(&self, user: i64, service: i64, permission: &str) -> bool {
        let (_, is_administrator, enabled) = *self.users.iter().find(|(id, ..)| *id == user).expect("a user");
        if !enabled {
            return false;
        }
        if self.switched_off.contains(&service) && permission != "GRANT" && permission != "RELEASE" {
            return true;
        }
        is_administrator || self.reach(user).iter().any(|object| self.grants_to(service, *object).contains(&permission))
    }

    /// Whom a grant must be given to so that it reaches the user.
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
        department == other || self.parent(department).is_some_and(|above| self.lies_below(above, other))
    }

    fn grants_to(&self, service: i64, (kind, id): (&str, i64)) -> Vec<&'static str> {
        let grants = self.grants.iter().filter(|grant| grant.1 == service && grant.2 == kind && grant.3 == id);
        grants.flat_map(|grant| grant.4.clone()).collect()
    }
}

/// Numbers that look random and can be had again (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or(0) % sides
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.roll(list.len())]
    }

    fn some(&mut self) -> Vec<&'static str> {
        let mut permissions: Vec<_> = PERMISSIONS.into_iter().filter(|_| self.roll(4) == 0).collect();
        if !permissions.contains(&"VIEW") {
            permissions.push("VIEW");
        }
        permissions
    }
}

/// One directory, one oracle, and the isolates that must agree.
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

    /// Makes users, departments, groups and services.
    fn set_up(&mut self) {
        for number in 0..12 {
            let is_administrator = number == 0;
            let user_type = if is_administrator { "Administrator" } else { "SYS_Reader" };
            let user = self.send("POST", "/v1/users", &json!({ "username": format!("user {number}"), "type": user_type }), 201);
            self.oracle.users.push((user["id"].as_i64().expect("an id"), is_administrator, true));
        }
        for id in 1..=8 {
            self.send("POST", "/v1/departments", &json!({ "id": id }), 201);
            self.oracle.departments.push((id, None));
        }
        for id in 1..=4 {
            self.send("POST", "/v1/groups", &json!({ "id": id }), 201);
            self.oracle.groups.push(id);
        }
        self.services = vec![1, 2, 3, 4, 9_007_199_254_740_993, -5];
    }

    /// Changes something, here and in the oracle.
    fn write(&mut self) {
        match self.dice.roll(10) {
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

    fn add_grant(&mut self) {
        let (service, (kind, id), permissions) = (self.dice.pick(&self.services), self.object(), self.dice.some());
        let is_there = self.oracle.grants.iter().any(|grant| (grant.1, grant.2, grant.3) == (service, kind, id));
        let body = json!({ "authObjectType": kind, "authObjectId": id, "permissions": permissions });
        let answer = self.send("POST", &format!("/api/v1/services/{service}/auth"), &body, if is_there { 409 } else { 200 });
        if !is_there {
            self.oracle.grants.push((answer["data"]["id"].as_i64().expect("an id"), service, kind, id, permissions));
        }
    }

    fn replace_grant(&mut self) {
        if self.oracle.grants.is_empty() {
            return;
        }
        let (index, permissions) = (self.dice.roll(self.oracle.grants.len()), self.dice.some());
        let path = format!("/api/v1/services/auth/{}", self.oracle.grants[index].0);
        self.send("PUT", &path, &json!({ "permissions": permissions }), 200);
        self.oracle.grants[index].4 = permissions;
    }

    fn delete_grant(&mut self) {
        if self.oracle.grants.is_empty() {
            return;
        }
        let index = self.dice.roll(self.oracle.grants.len());
        let grant = self.oracle.grants.swap_remove(index);
        self.send("DELETE", &format!("/api/v1/services/auth/{}", grant.0), &Value::Null, 200);
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
        self.send("PATCH", &format!("/api/v1/services/{service}/auth/enabled?enabled={enabled}"), &Value::Null, 200);
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
        let (index, parent) = (self.dice.roll(self.oracle.departments.len()), self.dice.pick(&self.oracle.departments).0);
        let id = self.oracle.departments[index].0;
        let parent = (self.dice.roll(3) > 0).then_some(parent);
        let is_cycle = parent.is_some_and(|parent| self.oracle.lies_below(parent, id));
        self.send("PATCH", &format!("/v1/departments/{id}"), &json!({ "parentId": parent }), if is_cycle { 409 } else { 200 });
        if !is_cycle {
            self.oracle.departments[index].1 = parent;
        }
    }

    /// Asks 100 questions, some of them twice, and compares the answers. Answers how many mismatched.
    fn check(&mut self, at_writer: bool) -> usize {
        let mut questions: Vec<(i64, i64, &str)> = Vec::new();
        for _ in 0..100 {
            let fresh = (self.dice.pick(&self.oracle.users).0, self.dice.pick(&self.services), self.dice.pick(&PERMISSIONS));
            let again = (!questions.is_empty() && self.dice.roll(8) == 0).then(|| self.dice.roll(questions.len()));
            questions.push(again.map_or(fresh, |index| questions[index]));
        }
        let checks: Vec<_> = questions
            .iter()
            .map(|(user, service, permission)| json!({ "user": user, "service": service, "permission": permission }))
            .collect();
        let isolate = if at_writer { &self.writer } else { &self.reader };
        let request = Request::new("POST", "/v1/check/batch").authorization(&admin()).body(&json!({ "checks": checks }).to_string());
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
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (checks, seed) = (number("CHECKS", 100_000), number("SEED", 20_250_123));
    let world = World::new();
    let (writer, reader) = (world.isolate(), world.isolate());
    let mut game = Game { oracle: Oracle::default(), dice: Dice(seed), writer, reader, services: Vec::new() };
    game.set_up();
    let (mut done, mut mismatches) = (0, 0);
    while done < checks {
        for _ in 0..game.dice.roll(4) {
            game.write();
        }
        // At once where it was written, and ten seconds later elsewhere, from memory and from the database.
        mismatches += game.check(true);
        world.pass(11);
        mismatches += game.check(false);
        mismatches += game.check(false);
        done += 300;
        world.run_tasks();
    }
    println!("{done} checks, {mismatches} mismatches");
    assert_eq!(mismatches, 0, "of {done} checks, seed {seed}");
}
