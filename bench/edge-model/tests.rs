//! That the model tells what it claims to tell.

use crate::ports::Why;
use crate::report::STEPS;
use crate::world::{Load, Outcome, Step, Trips, World};

/// Two places with five isolates each, D1 100 ms away.
const LOAD: Load = Load {
    rate: 10.0,
    places: 2,
    isolates: 5,
    simulated: 2,
    writes: 0.1,
    warm_s: 60.0,
    counted_s: 60.0,
    trips: Trips { medians: [100.0, 100.0], sigma: 0.0, stalls: 0.0, long_stalls: 0.0 },
};

fn run(load: Load, step: &Step) -> Outcome {
    World::new(load, 7).run(step)
}

#[test]
fn isolates_that_share_read_d1_less_often() {
    let world = World::new(LOAD, 7);
    let [_, alone, shared, minute] = STEPS.map(|step| world.run(&step));
    assert!(
        alone.answers() > 500 && alone.answers() == shared.answers(),
        "{} {}",
        alone.answers(),
        shared.answers()
    );
    let [alone, shared, minute] = [alone, shared, minute]
        .map(|outcome| (outcome.all_queries(), outcome.queries_for(Why::Feed)));
    assert!(shared.0 < alone.0 / 1.5, "{alone:?} {shared:?}");
    assert!(minute.1 > 0.0 && minute.1 < shared.1 / 2.0, "{shared:?} {minute:?}");
}

#[test]
fn the_same_seed_has_the_same_outcome() {
    let load = Load {
        warm_s: 10.0,
        counted_s: 10.0,
        trips: Trips { sigma: 0.3, stalls: 0.1, ..LOAD.trips },
        ..LOAD
    };
    let [one, other] = [(); 2].map(|()| format!("{:?}", run(load, &STEPS[2])));
    assert_eq!(one, other);
}

/// One isolate, so seldom visited that its memory is always expired.
#[test]
fn who_finds_memory_expired_waits_for_d1_as_long_as_it_takes_or_as_long_as_the_step_allows() {
    let load = Load {
        rate: 0.01,
        places: 1,
        isolates: 1,
        simulated: 1,
        writes: 0.001,
        warm_s: 4_000.0,
        counted_s: 20_000.0,
        ..LOAD
    };
    let outcome = run(load, &STEPS[1]);
    assert!(
        (outcome.quantile(0.5) - 100.0).abs() < 0.01 && outcome.waited > 0.8,
        "{}",
        outcome.quantile(0.5)
    );
    assert!(outcome.stale < 1e-9 && outcome.refused < 1e-9);
    let slow = Load { trips: Trips { medians: [10_000.0, 10_000.0], ..LOAD.trips }, ..load };
    let [unbounded, bounded] = [0, 1].map(|step| run(slow, &STEPS[step]));
    assert!((unbounded.quantile(0.5) - 10_000.0).abs() < 0.01, "{}", unbounded.quantile(0.5));
    let [median, most] = [0.5, 1.0].map(|share| bounded.quantile(share));
    assert!((1_500.0..1_700.0).contains(&median) && most < 2_700.0, "{median} {most}");
    assert!(unbounded.stale < 1e-9 && bounded.stale > 0.5, "{}", bounded.stale);
}
