//! A deployment with its users, and its traffic for a while.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use postern::actions::housekeeping;
use postern::api;
use postern::api::http::message::{Handled, Response};
use postern::context::Cx;
use postern::domain::config::Config;
use postern::domain::config::variables::Bindings;
use postern::domain::network::PEER;
use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::jwt;
use postern::memory::isolate::Memory;
use postern::ports::{Kv, Shared, Sql, Timer};
use serde_json::json;

use crate::clock::{Clock, Endless};
use crate::database::{Database, Session};
use crate::numbers::{Numbers, Zipf};
use crate::ports::{
    Asked, Copies, CopiesAtOnce, DataCentre, Distant, NothingShared, Request, Rest, RoundTrips,
    Why, block_on,
};

const SECOND: u64 = 1_000_000;
const SECRET: &str = "abcd";
const PASSWORD: &str = "correct horse admin";
/// How often the scheduled event comes.
const SCHEDULED_EVERY: u64 = 300 * SECOND;
/// For how long a token is valid, in seconds.
const TOKEN_VALID_S: i64 = 43_200;
/// Whom the administrator changes; no traffic is theirs.
const CHANGED: &str = "changed";

/// Which of the product's means are at work.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    pub staleness_s: u32,
    /// Whether anybody's patience ends.
    pub is_bounded: bool,
    /// Whether a data centre has a cache.
    pub is_shared: bool,
}

/// How much traffic there is, and where.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests a second, worldwide.
    pub rate: f64,
    pub places: usize,
    /// Isolates of each place.
    pub isolates: usize,
    /// How many of the places are simulated.
    pub simulated: usize,
    /// Changes a second that administrators make.
    pub writes: f64,
    /// How long the traffic goes on before anything is counted, in seconds.
    pub warm_s: f64,
    pub counted_s: f64,
    pub trips: Trips,
}

/// What makes a query slow.
#[derive(Debug, Clone, Copy)]
pub struct Trips {
    /// The medians of the nearest and the farthest place, in milliseconds.
    pub medians: [f64; 2],
    pub sigma: f64,
    pub stalls: f64,
    pub long_stalls: f64,
}

/// What users waited for, and what D1 was asked.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was added to each answer, in milliseconds, ascending.
    added: Vec<f32>,
    pub waited: f64,
    pub stale: f64,
    pub refused: f64,
    /// Queries a second, worldwide.
    pub queries: BTreeMap<Why, f64>,
    /// The most queries that a place had on their way at once.
    pub most_in_flight: u32,
}

impl Outcome {
    pub fn quantile(&self, share: f64) -> f32 {
        let last = self.added.len().saturating_sub(1);
        self.added.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
    }

    #[cfg(test)]
    pub fn answers(&self) -> usize {
        self.added.len()
    }

    pub fn queries_for(&self, why: Why) -> f64 {
        self.queries.get(&why).copied().unwrap_or(0.0)
    }

    pub fn all_queries(&self) -> f64 {
        self.queries.values().sum()
    }
}

/// The users of each place, and how often they come.
pub fn users_of_a_place(load: &Load) -> usize {
    ((load.rate * SECONDS_BETWEEN_REQUESTS / load.places as f64) as usize).max(LEAST_USERS)
}

/// How many seconds pass between two requests of a user, on average.
pub const SECONDS_BETWEEN_REQUESTS: f64 = 10.0;
/// How many users a place has at least.
pub const LEAST_USERS: usize = 10;

/// The mean lifetime of an isolate that gets so many requests a second, in seconds.
pub fn lifetime_s(rate: f64) -> f64 {
    if rate < 1.0 / 60.0 { 900.0 } else { 3_600.0 }
}

/// One database and one clock. Steps follow each other on it.
pub struct World {
    clock: Rc<Clock>,
    database: Rc<Database>,
    kv: Rc<Copies>,
    rest: Rc<Rest>,
    load: Load,
    seed: u64,
    tokens: Vec<RefCell<(i64, Rc<str>)>>,
    administrator: Administrator,
}

struct Administrator {
    memory: Rc<Memory>,
    config: Rc<Config>,
    authorization: String,
    path: String,
    enables: Cell<bool>,
}

struct Isolate {
    memory: Rc<Memory>,
    ends_at: u64,
}

struct Place {
    isolates: Vec<Isolate>,
    shared: Rc<dyn Shared>,
    asked: Rc<Asked>,
    takes: RoundTrips,
}

#[derive(Default)]
struct Counts {
    begins_at: u64,
    added: RefCell<Vec<f32>>,
    stale: Cell<u64>,
    refused: Cell<u64>,
}

fn config(staleness_s: u32) -> Rc<Config> {
    let variables = Bindings::from([
        ("MASTER_KEY".to_owned(), json!("MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")),
        ("ADMIN_PASSWORD".to_owned(), json!(PASSWORD)),
        ("TOKEN_TTL_S".to_owned(), json!("31536000")),
        ("STALENESS_S".to_owned(), json!(staleness_s.to_string())),
    ]);
    Rc::new(Config::read(&variables).expect("the variables are right"))
}

impl World {
    /// A deployment with an app, and with the users of all places that are simulated.
    pub fn new(load: Load, seed: u64) -> Self {
        let clock: Rc<Clock> = Rc::default();
        let rest = Rc::new(Rest(Numbers::new(seed)));
        let kv = Rc::new(Copies {
            clock: Rc::clone(&clock),
            numbers: Rc::new(Numbers::new(seed ^ 1)),
            values: RefCell::default(),
        });
        let administrator = Administrator {
            memory: Rc::default(),
            config: config(10),
            authorization: String::new(),
            path: String::new(),
            enables: Cell::new(false),
        };
        let users = users_of_a_place(&load) * load.simulated;
        let tokens = (0..users).map(|_| RefCell::new((0, Rc::from("")))).collect();
        let mut world = Self {
            clock,
            database: Rc::new(Database::new()),
            kv,
            rest,
            load,
            seed,
            tokens,
            administrator,
        };
        world.set_up();
        world
    }

    fn set_up(&mut self) {
        let account = json!({ "username": "admin", "password": PASSWORD }).to_string();
        let opaque = self.administer("POST", "/imanager/cloud/security/tokens.json", account, 200);
        self.administrator.authorization = format!("Bearer {}", opaque.body);
        let app = json!({
            "name": "ERP", "token_name": "token", "secret": SECRET, "expire": 86_400,
            "fieldmap": { "username": "sub", "name": "name", "email": "email" },
            "algorithm": "HS256", "enable": "1", "inituser": "1", "initroles": ["SYS_Reader"],
        });
        self.administer("POST", "/plugin/datafor-modeler/api/token/update", app.to_string(), 200);
        let user = json!({ "username": CHANGED }).to_string();
        let created = self.administer("POST", "/v1/users", user, 201);
        let created: serde_json::Value = serde_json::from_str(&created.body).expect("a user");
        self.administrator.path = format!("/v1/users/{}", created["id"]);
        for user in 0..self.tokens.len() {
            let request = verification(&self.token(user));
            let answer = block_on(self.answer(self.cx_at_once(), request));
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }

    /// A token of a user, who gets a new one now and then.
    fn token(&self, user: usize) -> Rc<str> {
        let now = self.clock.now().seconds();
        let mut token = self.tokens[user].borrow_mut();
        if token.0 < now + 60 {
            // Not all of them at once.
            let until = now + TOKEN_VALID_S - i64::try_from(self.rest.0.below(20_000)).unwrap_or(0);
            let claims = json!({ "sub": format!("user{user}"), "exp": until });
            let claims = claims.as_object().cloned().unwrap_or_default();
            *token = (
                until,
                jwt::sign(Algorithm::Hs256, &Secret::new(SECRET), &claims)
                    .expect("a shared secret")
                    .into(),
            );
        }
        Rc::clone(&token.1)
    }

    async fn answer(&self, cx: Cx, request: Request) -> Response {
        answered(&cx, &request).await
    }

    fn administer(&self, method: &'static str, path: &str, body: String, status: u16) -> Response {
        let request = Request {
            method,
            path: path.to_owned(),
            authorization: self.administrator.authorization.clone(),
            body,
        };
        let answer = block_on(self.answer(self.cx_at_once(), request));
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        answer
    }

    /// Somebody changes something.
    fn write(&self) {
        let enables = self.administrator.enables.replace(!self.administrator.enables.get());
        self.administer(
            "PATCH",
            &self.administrator.path,
            json!({ "enabled": enables }).to_string(),
            200,
        );
    }

    /// What administrators and the scheduled event have at hand: time does not pass for them, and
    /// what they ask D1 is not counted.
    fn cx_at_once(&self) -> Cx {
        let sql = Rc::new(Session::new(&self.database, &self.clock));
        let Administrator { memory, config, .. } = &self.administrator;
        self.cx(
            memory,
            config,
            sql,
            Rc::new(NothingShared),
            Rc::new(CopiesAtOnce(Rc::clone(&self.kv))),
            self.clock.clone(),
        )
    }

    fn cx(
        &self,
        memory: &Rc<Memory>,
        config: &Rc<Config>,
        sql: Rc<dyn Sql>,
        shared: Rc<dyn Shared>,
        kv: Rc<dyn Kv>,
        timer: Rc<dyn Timer>,
    ) -> Cx {
        Cx {
            sql,
            kv,
            shared,
            signatures: self.rest.clone(),
            issuers: self.rest.clone(),
            timer,
            entropy: self.rest.clone(),
            tasks: self.clock.clone(),
            log: self.rest.clone(),
            memory: Rc::clone(memory),
            config: Rc::clone(config),
            now: self.clock.now(),
            limiter: self.rest.clone(),
            request_header: Rc::new(|name| match name {
                PEER => Some("203.0.113.9".to_owned()),
                "host" => Some("postern.example".to_owned()),
                _ => None,
            }),
            decisions: None,
            noted: Rc::default(),
            request_id: String::new(),
            is_recheck: false,
            must_read: Cell::new(false),
            ended_session: Cell::new(None),
            stale_by: Cell::new(None),
        }
    }

    fn place(
        &self,
        number: usize,
        step: &Step,
        numbers: &Rc<Numbers>,
        lifetimes: &Numbers,
    ) -> Place {
        let Load { simulated, isolates, trips, .. } = self.load;
        let [nearest, farthest] = trips.medians;
        let median = nearest + (farthest - nearest) * (number as f64 + 0.5) / simulated as f64;
        let cache = DataCentre {
            clock: Rc::clone(&self.clock),
            numbers: Rc::clone(numbers),
            entries: RefCell::default(),
        };
        Place {
            isolates: (0..isolates).map(|_| self.isolate(lifetimes)).collect(),
            shared: if step.is_shared { Rc::new(cache) } else { Rc::new(NothingShared) },
            asked: Rc::default(),
            takes: RoundTrips {
                median,
                sigma: trips.sigma,
                stalls: trips.stalls,
                long_stalls: trips.long_stalls,
            },
        }
    }

    /// An isolate that has just begun.
    fn isolate(&self, lifetimes: &Numbers) -> Isolate {
        let Load { rate, places, isolates, .. } = self.load;
        let lives = lifetimes.exponential(lifetime_s(rate / (places * isolates) as f64));
        Isolate { memory: Rc::default(), ends_at: self.clock.micros() + micros(lives) }
    }

    /// The traffic of a step. All places begin cold, and the arrivals are the same for each step.
    pub fn run(&self, step: &Step) -> Outcome {
        let Load {
            rate, places: all_places, simulated, writes, warm_s, counted_s, isolates, ..
        } = self.load;
        let arrivals = Numbers::new(self.seed ^ 0xA);
        let lifetimes = Numbers::new(self.seed ^ 0xB);
        let numbers = Rc::new(Numbers::new(self.seed ^ 0xC));
        let config = config(step.staleness_s);
        let timer: Rc<dyn Timer> = if step.is_bounded {
            self.clock.clone()
        } else {
            Rc::new(Endless(Rc::clone(&self.clock)))
        };
        let mut places: Vec<_> =
            (0..simulated).map(|number| self.place(number, step, &numbers, &lifetimes)).collect();
        let users = users_of_a_place(&self.load);
        let zipf = Zipf::of(users);
        let begins_at = self.clock.micros();
        let counted_from = begins_at + micros(warm_s);
        let ends_at = counted_from + micros(counted_s);
        let counts = Rc::new(Counts { begins_at: counted_from, ..Counts::default() });
        let between = all_places as f64 / (rate * simulated as f64);
        let mut next_write = begins_at + micros(arrivals.exponential(1.0 / writes));
        let mut next_event = begins_at;
        let mut next_arrival = begins_at + micros(arrivals.exponential(between));
        let mut counts_already = false;
        loop {
            let next = next_arrival.min(next_write).min(next_event);
            if !counts_already && next >= counted_from {
                self.clock.pass_until(counted_from);
                for place in &places {
                    place.asked.forget();
                }
                counts_already = true;
            }
            if next >= ends_at {
                break;
            }
            self.clock.pass_until(next);
            if next == next_event {
                block_on(housekeeping::run(&self.cx_at_once())).expect("the scheduled event");
                next_event += SCHEDULED_EVERY;
            } else if next == next_write {
                self.write();
                next_write = next + micros(arrivals.exponential(1.0 / writes));
            } else {
                next_arrival = next + micros(arrivals.exponential(between)).max(1);
                let number = arrivals.below(simulated);
                let isolate = arrivals.below(isolates);
                let user = number * users + zipf.draw(&arrivals);
                let place = &mut places[number];
                if place.isolates[isolate].ends_at <= next {
                    place.isolates[isolate] = self.isolate(&lifetimes);
                }
                self.arrive(&places[number], isolate, user, (&config, &timer, &numbers), &counts);
            }
        }
        self.clock.pass_until(ends_at);
        let scale = all_places as f64 / simulated as f64 / counted_s;
        let mut outcome = Outcome::default();
        for place in &places {
            for (why, queries) in &*place.asked.queries.borrow() {
                *outcome.queries.entry(*why).or_default() += *queries as f64 * scale;
            }
            outcome.most_in_flight = outcome.most_in_flight.max(place.asked.most_in_flight.get());
        }
        // Whoever came in time is counted, also where the answer comes later.
        self.clock.pass_until(ends_at + 100 * SECOND);
        self.clock.drop_tasks();
        outcome.added = counts.added.take();
        outcome.added.sort_by(f32::total_cmp);
        let share = |of: u64| of as f64 / outcome.added.len().max(1) as f64;
        outcome.waited = share(outcome.added.iter().filter(|added| **added > 0.0).count() as u64);
        outcome.stale = share(counts.stale.get());
        outcome.refused = share(counts.refused.get());
        outcome
    }

    fn arrive(
        &self,
        place: &Place,
        isolate: usize,
        user: usize,
        (config, timer, numbers): (&Rc<Config>, &Rc<dyn Timer>, &Rc<Numbers>),
        counts: &Rc<Counts>,
    ) {
        let sql = Distant {
            database: Session::new(&self.database, &self.clock),
            clock: Rc::clone(&self.clock),
            numbers: Rc::clone(numbers),
            takes: place.takes,
            asked: Rc::clone(&place.asked),
        };
        let memory = &place.isolates[isolate].memory;
        let cx = self.cx(
            memory,
            config,
            Rc::new(sql),
            Rc::clone(&place.shared),
            self.kv.clone(),
            Rc::clone(timer),
        );
        let request = verification(&self.token(user));
        let (clock, counts, began) =
            (Rc::clone(&self.clock), Rc::clone(counts), self.clock.micros());
        self.clock.begin(Box::pin(async move {
            let answer = answered(&cx, &request).await;
            if began >= counts.begins_at {
                let added = (clock.micros() - began) as f32 / 1_000.0;
                counts.added.borrow_mut().push(added);
                counts.stale.set(
                    counts.stale.get() + u64::from(answer.header("x-postern-stale").is_some()),
                );
                counts.refused.set(counts.refused.get() + u64::from(answer.status != 200));
            }
        }));
    }
}

fn verification(token: &str) -> Request {
    Request {
        method: "GET",
        path: "/v1/verify".to_owned(),
        authorization: format!("Bearer {token}"),
        body: String::new(),
    }
}

async fn answered(cx: &Cx, request: &Request) -> Response {
    match api::handle(cx, request).await {
        Handled::Answered(response) => response,
        Handled::Passed(_) => panic!("there is no origin"),
    }
}

/// Seconds as whole microseconds.
fn micros(seconds: f64) -> u64 {
    (seconds * SECOND as f64) as u64
}
