//! The section of `bench/RESULTS.md`.

use std::fs;

use crate::ports::Why;
use crate::world::{LEAST_USERS, Load, Outcome, SECONDS_BETWEEN_REQUESTS, Step, Trips, World};

const RESULTS: &str = "bench/RESULTS.md";
const HEADING: &str = "## What users wait for where it runs";

/// From what the last release did to what this one can do.
pub const STEPS: [Step; 4] = [
    Step { name: "a", staleness_s: 10, is_bounded: false, is_shared: false },
    Step { name: "b", staleness_s: 10, is_bounded: true, is_shared: false },
    Step { name: "c", staleness_s: 10, is_bounded: true, is_shared: true },
    Step { name: "d", staleness_s: 60, is_bounded: true, is_shared: true },
];

const TRIPS: Trips =
    Trips { medians: [70.0, 176.0], sigma: 0.25, stalls: 0.005, long_stalls: 0.0001 };

/// Places, isolates, simulated places, seconds until it counts and seconds that count.
const fn load(
    rate: f64,
    places: usize,
    isolates: usize,
    simulated: usize,
    writes: f64,
    seconds: (f64, f64),
) -> Load {
    Load {
        rate,
        places,
        isolates,
        simulated,
        writes,
        warm_s: seconds.0,
        counted_s: seconds.1,
        trips: TRIPS,
    }
}

const LOADS: [Load; 7] = [
    load(0.1, 20, 1, 20, 1.0 / 600.0, (3_600.0, 100_000.0)),
    load(1.0, 20, 1, 20, 1.0 / 600.0, (3_600.0, 14_400.0)),
    load(10.0, 50, 2, 50, 1.0 / 600.0, (3_600.0, 3_600.0)),
    load(100.0, 100, 3, 25, 1.0 / 60.0, (2_700.0, 2_700.0)),
    load(1_000.0, 200, 5, 10, 1.0 / 60.0, (2_700.0, 1_800.0)),
    load(10_000.0, 300, 10, 3, 0.1, (2_700.0, 1_800.0)),
    load(100_000.0, 300, 30, 1, 0.1, (2_700.0, 1_800.0)),
];

/// One request a minute to an isolate.
const SELDOM: [Load; 2] = [
    load(20.0 / 60.0, 20, 1, 20, 1.0 / 600.0, (3_600.0, 36_000.0)),
    load(100.0 / 60.0, 20, 5, 20, 1.0 / 600.0, (3_600.0, 14_400.0)),
];

const ABOUT: &str = "Written by `make model`, which runs the product's own code in a model of \
                     where it runs (`bench/edge-model/`): do not edit.";

pub fn main() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<f64>().ok());
    let seed = number("SEED").map_or(1, |seed| seed as u64);
    let only = number("ONLY");
    let steps = std::env::var("STEPS").unwrap_or_else(|_| "abcd".to_owned());
    let table = |title: &str, loads: &[Load]| {
        let mut text = format!("### {title}\n\n{}", head());
        for load in
            loads.iter().filter(|load| only.is_none_or(|only| (only - load.rate).abs() < 1e-9))
        {
            let world = World::new(*load, seed);
            for step in STEPS.iter().filter(|step| steps.contains(step.name)) {
                let line = line(load, step, &world.run(step));
                eprint!("{line}");
                text.push_str(&line);
            }
        }
        text
    };
    let tables = [
        table("Requests a second, worldwide", &LOADS),
        table("One request a minute to an isolate", &SELDOM),
    ];
    let section = format!("{HEADING}\n\n{ABOUT}\n\n{}\n\n{}", assumptions(seed), tables.join("\n"));
    if only.is_some() || steps != "abcd" {
        println!("{section}");
        return;
    }
    let results =
        fs::read_to_string(RESULTS).expect("make model runs at the top of the repository");
    let before = results.split(HEADING).next().unwrap_or_default().trim_end();
    fs::write(RESULTS, format!("{before}\n\n{section}")).expect("bench/RESULTS.md can be written");
}

fn assumptions(seed: u64) -> String {
    let Trips { medians: [nearest, farthest], sigma, stalls, long_stalls } = TRIPS;
    format!(
        "* Steps: **a** as the last release did, memory used for 10 s, no limit on waiting, \
         nothing shared; **b** a reading in front of an answer has 1.5 s; **c** the isolates of \
         a data centre share what they have read; **d** the same with `STALENESS_S=60`. What a \
         step lacks, the ports lack: a timer that ends nobody's patience, a cache that keeps \
         nothing. So in a, too, of many requests that find memory expired one reads; the last \
         release had all of them read.\n\
         * Product: the whole way of a request, memory, the statements, and the scheduled event. \
         Model: everything that follows.\n\
         * A round trip to D1 has a median of {nearest} to {farthest} ms by place, spread evenly \
         over the places, and is lognormal around it (σ {sigma}). {} % of the queries take 2 to \
         25 s more (evenly by magnitude), {} % 60 to 80 s, each by itself. D1 does not get \
         slower by being asked. The cache of a data centre takes 1 to 3 ms, KV 30 ms (lognormal, \
         σ 0.5), computing nothing.\n\
         * Requests come at random (Poisson), to each place and each of its isolates alike. They \
         verify tokens (HS256) of users who come by Zipf's law, each in one place: \
         {SECONDS_BETWEEN_REQUESTS} s apart on average, but at least {LEAST_USERS} users a \
         place.\n\
         * An isolate lives for an hour (exponential), for a quarter of one where it gets less \
         than a request a minute, and the next one is cold. All begin cold; 45 to 60 minutes \
         pass before anything counts, so that few of them are new by then.\n\
         * Administrators change a user every ten minutes up to 10 requests a second, every \
         minute up to 1,000, else every 10 s.\n\
         * Where not all places are simulated, D1's queries are scaled up; the places have \
         nothing in common but the database. Seed {seed}.\n\
         * *Added* is what an answer waits, in ms. *Stale* answers say so (`x-postern-stale`), \
         *refused* ones lack D1. *Why*: the feed behind an answer, memory expired, a cold \
         isolate, a user whom the isolate does not remember. *At once* is the most queries that \
         one place had on their way.",
        stalls * 100.0,
        long_stalls * 100.0,
    )
}

fn head() -> String {
    let columns = [
        "requests/s",
        "places × isolates",
        "simulated",
        "step",
        "added p50",
        "p95",
        "p99",
        "waited %",
        "stale %",
        "refused %",
        "D1 queries/s",
        "why: feed + expired + cold + user",
        "at once",
    ];
    format!("| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len()))
}

fn line(load: &Load, step: &Step, outcome: &Outcome) -> String {
    let Load { rate, places, isolates, simulated, .. } = load;
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| figure(f64::from(outcome.quantile(share))));
    let [waited, stale, refused] =
        [outcome.waited, outcome.stale, outcome.refused].map(|share| figure(share * 100.0));
    let whys = [Why::Feed, Why::Expired, Why::Cold, Why::Unknown];
    let queries = whys.map(|why| figure(outcome.queries_for(why))).join(" + ");
    format!(
        "| {} | {places} × {isolates} | {simulated} | {} | {p50} | {p95} | {p99} | {waited} \
         | {stale} | {refused} | {} | {queries} | {} |\n",
        figure(*rate),
        step.name,
        figure(outcome.all_queries()),
        outcome.most_in_flight,
    )
}

/// Three digits, and none behind the point that say nothing.
fn figure(value: f64) -> String {
    let digits = match value {
        ..0.0005 => 0,
        ..0.1 => 3,
        ..1.0 => 2,
        ..10.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}
