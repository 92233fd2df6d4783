//! Searches and evaluations of the AuthZEN API, compared with the same naive rules. A search lists
//! exactly what evaluations allow, page by page, in a warm isolate and in a cold one.
//!
//! `CASES` sets how many answers are compared (default 20,000). `SEED` sets where the random
//! numbers begin.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Dice, Game, Oracle, PERMISSIONS};
use crate::support::{Isolate, Request, World, json_of};

/// Services that have a name of the type `record`.
const NAMED: [(&str, i64); 5] =
    [("one", 1), ("two", 2), ("three", 3), ("great", 9_007_199_254_740_993), ("below zero", -5)];
const ACTIONS: [(&str, &str); 3] = [("read", "VIEW"), ("write", "MODIFY"), ("allow", "GRANT")];

struct Searching<'a> {
    game: Game<'a>,
    world: &'a World,
    key: String,
    compared: usize,
}

impl Searching<'_> {
    fn ask(&self, isolate: &Isolate<'_>, path: &str, body: &Value) -> Value {
        let request = Request::new("POST", &format!("/access/v1/{path}"))
            .authorization(&format!("Bearer {}", self.key));
        let response = isolate
            .send(&request.header("content-type", "application/json").body(&body.to_string()));
        assert_eq!(
            response.status,
            200,
            "{path} {body}: {} {:?}",
            response.body,
            self.world.log.0.borrow()
        );
        json_of(&response)
    }

    /// All pages of a search. Checks that each page has as many results as it says, and that no
    /// result comes twice.
    fn pages(&mut self, path: &str, question: &Value, member: &str) -> BTreeSet<String> {
        let (mut found, mut token) = (BTreeSet::new(), String::new());
        let limit = 1 + self.game.dice.roll(6);
        loop {
            let mut question = question.clone();
            question["page"] = if token.is_empty() {
                json!({ "limit": limit })
            } else {
                json!({ "token": token })
            };
            let answer = self.ask(&self.game.writer, &format!("search/{path}"), &question);
            let results = answer["results"].as_array().expect("results");
            assert!(results.len() <= limit && answer["page"]["count"] == results.len(), "{answer}");
            for result in results {
                let name = result[member].as_str().expect("a name").to_owned();
                assert!(found.insert(name), "{question}: {result} is there twice");
            }
            answer["page"]["next_token"].as_str().expect("a token").clone_into(&mut token);
            if token.is_empty() {
                return found;
            }
            assert_eq!(results.len(), limit, "a page before the last one is full");
        }
    }

    fn users(&self) -> Vec<(String, i64)> {
        self.game
            .oracle
            .users
            .iter()
            .enumerate()
            .map(|(number, (id, ..))| (format!("user {number}"), *id))
            .collect()
    }

    fn compare(
        &mut self,
        what: &Value,
        found: &BTreeSet<String>,
        expected: &BTreeSet<String>,
        of: usize,
    ) {
        assert_eq!(found, expected, "{what}, at {}", self.game.oracle.now);
        self.compared += of;
    }

    fn search_subjects(&mut self) {
        let (service, permission) =
            (self.game.dice.pick(&self.game.services), self.game.dice.pick(&PERMISSIONS));
        let by_id = self.game.dice.roll(2) == 0;
        let subject = if by_id { "user_id" } else { "user" };
        let question = json!({
            "subject": { "type": subject },
            "action": { "name": permission },
            "resource": { "type": "service", "id": service.to_string() },
        });
        let mut found = self.pages("subject", &question, "id");
        let administrator = if by_id {
            self.world.database.text("SELECT id || '' FROM users WHERE username = 'admin'")
        } else {
            "admin".to_owned()
        };
        assert!(
            found.remove(&administrator),
            "the first administrator, whom the oracle does not know, may everything"
        );
        let users = self.users();
        let may = users.iter().filter(|(_, id)| self.game.oracle.allows(*id, service, permission));
        let expected =
            may.map(|(name, id)| if by_id { id.to_string() } else { name.clone() }).collect();
        self.compare(&question, &found, &expected, users.len());
    }

    fn search_resources(&mut self) {
        let users = self.users();
        let (name, id) = users[self.game.dice.roll(users.len())].clone();
        let permission = self.game.dice.pick(&PERMISSIONS);
        let subject = json!({ "type": "user", "id": name });
        let question = json!({
            "subject": subject, "action": { "name": permission }, "resource": { "type": "service" },
        });
        let found = self.pages("resource", &question, "id");
        let registered = |service: &i64| {
            self.world
                .database
                .number(&format!("SELECT COUNT(*) FROM services WHERE id = {service}"))
                == 1
        };
        let services: Vec<_> = self.game.services.iter().copied().filter(registered).collect();
        let may =
            services.iter().filter(|service| self.game.oracle.allows(id, **service, permission));
        let expected = may.map(ToString::to_string).collect();
        self.compare(&question, &found, &expected, services.len());

        let question = json!({
            "subject": subject, "action": { "name": permission }, "resource": { "type": "record" },
        });
        let found = self.pages("resource", &question, "id");
        let may =
            NAMED.iter().filter(|(_, service)| self.game.oracle.allows(id, *service, permission));
        let expected = may.map(|(name, _)| (*name).to_owned()).collect();
        self.compare(&question, &found, &expected, NAMED.len());
    }

    fn search_actions(&mut self) {
        let users = self.users();
        let (name, id) = users[self.game.dice.roll(users.len())].clone();
        let (record, service) = self.game.dice.pick(&NAMED);
        let question = json!({
            "subject": { "type": "identity", "id": name },
            "resource": { "type": "record", "id": record },
        });
        let found = self.pages("action", &question, "name");
        let all = PERMISSIONS.into_iter().map(|name| (name, name)).chain(ACTIONS);
        let may = all.filter(|(_, permission)| self.game.oracle.allows(id, service, permission));
        let expected = may.map(|(name, _)| name.to_owned()).collect();
        self.compare(&question, &found, &expected, PERMISSIONS.len() + ACTIONS.len());
    }

    /// Sends a batch of a hundred questions and compares each answer.
    fn evaluate(&mut self, at_writer: bool) {
        let users = self.users();
        let mut asked = Vec::new();
        for _ in 0..100 {
            let (name, id) = users[self.game.dice.roll(users.len())].clone();
            let by_id = self.game.dice.roll(3) == 0;
            let subject = if by_id {
                json!({ "type": "user_id", "id": id.to_string() })
            } else {
                json!({ "type": "user", "id": name })
            };
            let (resource, service) = if self.game.dice.roll(2) == 0 {
                let (record, service) = self.game.dice.pick(&NAMED);
                (json!({ "type": "record", "id": record }), service)
            } else {
                let service = self.game.dice.pick(&self.game.services);
                (json!({ "type": "service", "id": service.to_string() }), service)
            };
            let alias = self.game.dice.pick(&ACTIONS);
            let is_record = resource["type"] == "record";
            let plain = self.game.dice.pick(&PERMISSIONS);
            let (action, permission) =
                if is_record && self.game.dice.roll(2) == 0 { alias } else { (plain, plain) };
            let expected = self.game.oracle.allows(id, service, permission);
            asked.push((
                json!({ "subject": subject, "action": { "name": action }, "resource": resource }),
                expected,
            ));
        }
        let items: Vec<_> = asked.iter().map(|(item, _)| item).collect();
        let isolate = if at_writer { &self.game.writer } else { &self.game.reader };
        let answer = self.ask(isolate, "evaluations", &json!({ "evaluations": items }));
        for (index, (item, expected)) in asked.iter().enumerate() {
            assert_eq!(
                answer["evaluations"][index]["decision"], *expected,
                "{item}: {}",
                answer["evaluations"][index]
            );
        }
        self.compared += asked.len();
    }
}

#[test]
fn searches_and_evaluations_agree_with_the_oracle() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (cases, seed) =
        (usize::try_from(number("CASES", 20_000)).expect("a number"), number("SEED", 20_260_101));
    let world = World::new();
    let (writer, reader) = (world.isolate(), world.isolate());
    let oracle = Oracle { now: world.now.get().0, ..Oracle::default() };
    let mut game = Game { oracle, dice: Dice::new(seed), writer, reader, services: Vec::new() };
    game.set_up();
    for (name, service) in NAMED {
        let path = format!("/v1/resource-types/record/resources/{}", name.replace(' ', "%20"));
        game.send("PUT", &path, &json!({ "service": service }), 200);
    }
    let actions: serde_json::Map<_, _> = ACTIONS
        .into_iter()
        .map(|(name, permission)| (name.to_owned(), json!(permission)))
        .collect();
    game.send("PUT", "/v1/resource-types/record", &json!({ "actions": actions }), 200);
    let key =
        game.send("POST", "/v1/keys", &json!({ "name": "gateway", "may": ["decisions"] }), 201);
    let key = key["key"].as_str().expect("a key").to_owned();
    let mut searching = Searching { game, world: &world, key, compared: 0 };
    while searching.compared < cases {
        for _ in 0..searching.game.dice.roll(6) {
            searching.game.write();
        }
        searching.evaluate(true);
        for _ in 0..4 {
            searching.search_subjects();
            searching.search_resources();
            searching.search_actions();
        }
        searching.game.pass(&world, 11_000);
        searching.evaluate(false);
        // From memory, while grants begin and end.
        let moment = i64::try_from(searching.game.dice.roll(4_000)).expect("a number");
        searching.game.pass(&world, moment);
        searching.evaluate(false);
        world.run_tasks();
    }
    println!("{} answers", searching.compared);
}
