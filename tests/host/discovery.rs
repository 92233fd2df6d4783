//! Keys that are found by an issuer's metadata, and what registration says about keys.

use postern::actions::key_sets::{self, Found, MAX_ASKED, Report};
use postern::domain::secret::Secret;
use postern::domain::time::Millis;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::fetch_problem::FetchProblem;
use postern::domain::tokens::key_source::KeySource;
use postern::domain::tokens::keys::Keys;
use postern::memory::key_sets::WantedKey;
use serde_json::json;

use crate::support::signatures::Issuer;
use crate::support::{Isolate, World, block_on};

const ISSUER: &str = "https://idp.test/realm";
const JWKS: &str = "https://keys.test/jwks.json";
const PLACES: [&str; 3] = [
    "https://idp.test/realm/.well-known/openid-configuration",
    "https://idp.test/.well-known/oauth-authorization-server/realm",
    "https://idp.test/.well-known/openid-configuration/realm",
];

fn metadata(issuer: &str, jwks_uri: &str) -> String {
    json!({ "issuer": issuer, "jwks_uri": jwks_uri, "response_types_supported": ["code"] })
        .to_string()
}

fn set(keys: &[(&Issuer, &str)]) -> String {
    let jwks = keys.iter().map(|(issuer, id)| issuer.jwk(&json!({ "kid": id })));
    json!({ "keys": jwks.collect::<Vec<_>>() }).to_string()
}

fn source(keys: &Keys) -> &KeySource {
    match keys {
        Keys::Published(source) => source,
        other => panic!("{other:?}"),
    }
}

/// Finds the key of that name by the issuer's metadata.
fn finds(isolate: &Isolate<'_>, keys: &Keys, name: &str) -> bool {
    let cx = isolate.cx();
    let wanted = WantedKey { algorithm: Algorithm::EdDsa, name: Some(name), since: cx.now };
    match block_on(key_sets::published(&cx, source(keys), wanted, &mut { MAX_ASKED }))
        .expect("an outcome")
    {
        Found::Settled(set) => set.has(Algorithm::EdDsa, Some(name)),
        Found::Open { known, .. } => known.is_some_and(|set| set.has(Algorithm::EdDsa, Some(name))),
    }
}

fn inspect(isolate: &Isolate<'_>, keys: &Keys) -> Report {
    block_on(key_sets::inspect(&isolate.cx(), keys, Algorithm::EdDsa))
}

fn at(url: &str) -> Keys {
    Keys::parse(Algorithm::EdDsa, &Secret::new(url)).expect("a URL")
}

#[test]
fn metadata_is_found_in_each_of_its_three_places_and_kept_for_its_max_age() {
    let issuer = Issuer::of(Algorithm::EdDsa);
    for (index, place) in PLACES.iter().enumerate() {
        let world = World::new();
        let isolate = world.isolate();
        let keys = Keys::discovered(ISSUER).expect("an issuer");
        for place in PLACES {
            world.issuers.fail(place, FetchProblem::NotFound(404));
        }
        world.issuers.publish(place, &metadata(ISSUER, JWKS), Some("max-age=600"));
        world.issuers.publish(JWKS, &set(&[(&issuer, "1")]), Some("max-age=60"));
        assert!(finds(&isolate, &keys, "1"), "{place}");
        let places = u32::try_from(index).expect("an index") + 1;
        assert_eq!(world.issuers.asked.get(), places + 1);
        world.pass(60);
        assert!(finds(&isolate, &keys, "1"));
        assert_eq!(world.issuers.asked.get(), places + 2, "the set only");
        world.pass(600);
        assert!(finds(&isolate, &keys, "1"));
        assert_eq!(world.issuers.asked.get(), 2 * places + 3, "both");
    }
}

#[test]
fn only_a_missing_place_leads_to_the_next() {
    for problem in [
        FetchProblem::Status(500),
        FetchProblem::Forbidden(403),
        FetchProblem::TimedOut,
        FetchProblem::TooLong,
    ] {
        let world = World::new();
        let isolate = world.isolate();
        world.issuers.fail(PLACES[0], problem.clone());
        world.issuers.publish(PLACES[1], &metadata(ISSUER, JWKS), None);
        assert_eq!(
            inspect(&isolate, &Keys::discovered(ISSUER).expect("an issuer")).problem,
            Some(problem)
        );
        assert_eq!(world.issuers.asked.get(), 1);
    }
}

#[test]
fn metadata_of_another_issuer_ends_trust_at_once() {
    let world = World::new();
    let isolate = world.isolate();
    let issuer = Issuer::of(Algorithm::EdDsa);
    let keys = Keys::discovered(ISSUER).expect("an issuer");
    world.issuers.publish(PLACES[0], &metadata(ISSUER, JWKS), Some("max-age=300"));
    world.issuers.publish(JWKS, &set(&[(&issuer, "1")]), Some("max-age=60"));
    assert!(finds(&isolate, &keys, "1"));
    for other in ["https://idp.test/realm/", "https://IDP.test/realm", "https://evil.test"] {
        world.issuers.publish(PLACES[0], &metadata(other, JWKS), None);
        world.pass(3600);
        assert!(!finds(&isolate, &keys, "1"), "{other}");
        let problem = isolate.memory.key_sets.problem(source(&keys));
        assert_eq!(problem, Some(FetchProblem::IssuerMismatch { found: other.to_owned() }));
        world.issuers.publish(PLACES[0], &metadata(ISSUER, JWKS), None);
        world.pass(5);
        assert!(finds(&isolate, &keys, "1"));
    }
}

#[test]
fn keys_are_not_taken_from_places_that_could_not_be_registered() {
    let world = World::new();
    let keys = Keys::discovered(ISSUER).expect("an issuer");
    for uri in ["http://keys.test/", "https://user:password@keys.test/", "file:///keys", ""] {
        world.issuers.publish(PLACES[0], &metadata(ISSUER, uri), None);
        let report = inspect(&world.isolate(), &keys);
        assert!(matches!(report.problem, Some(FetchProblem::BadKeysUrl(_))), "{uri}: {report:?}");
    }
}

#[test]
fn the_issuer_of_all_tenants_has_its_metadata_below_common() {
    let world = World::new();
    let issuer = Issuer::of(Algorithm::EdDsa);
    let name = "https://login.test/{tenantid}/v2.0";
    let place = "https://login.test/common/v2.0/.well-known/openid-configuration";
    let keys = Keys::discovered(name).expect("an issuer");
    world.issuers.publish(JWKS, &set(&[(&issuer, "1")]), None);
    world.issuers.publish(place, &metadata(name, JWKS), None);
    assert!(finds(&world.isolate(), &keys, "1"));
    world.issuers.publish(place, &metadata("https://login.test/common/v2.0", JWKS), None);
    assert!(!finds(&world.isolate(), &keys, "1"));
}

#[test]
fn metadata_and_keys_together_take_five_seconds_at_most() {
    let world = World::new();
    let isolate = world.isolate();
    world.issuers.publish(PLACES[0], &metadata(ISSUER, JWKS), None);
    world.issuers.publish(JWKS, &set(&[(&Issuer::of(Algorithm::EdDsa), "1")]), None);
    world.issuers.delay.set(Millis(3000));
    let begun = world.now.get();
    let report = inspect(&isolate, &Keys::discovered(ISSUER).expect("an issuer"));
    assert_eq!((report.problem, (world.now.get() - begun).0), (Some(FetchProblem::TimedOut), 5000));
}

#[test]
fn registration_is_told_which_keys_count_and_why_others_do_not() {
    let world = World::new();
    let isolate = world.isolate();
    let (ours, ec) = (Issuer::of(Algorithm::EdDsa), Issuer::of(Algorithm::Es256));
    let keys = json!({
        "keys": [
            ours.jwk(&json!({ "kid": "a", "alg": "Ed25519" })), ec.jwk(&json!({ "kid": "b" })),
            { "kid": "c", "kty": "future" },
        ],
    });
    world.issuers.publish(JWKS, &keys.to_string(), None);
    for keys in
        [at(JWKS), Keys::parse(Algorithm::EdDsa, &Secret::new(keys.to_string())).expect("a set")]
    {
        let report = inspect(&isolate, &keys);
        let [usable] = &report.usable[..] else { panic!("{report:?}") };
        assert_eq!(
            (usable.kid.as_deref(), usable.algorithm, usable.thumbprint.len()),
            (Some("a"), Algorithm::Ed25519, 43)
        );
        let left_out: Vec<_> =
            report.left_out.iter().map(|key| (key.kid.as_deref(), key.why.as_str())).collect();
        let expected = [
            (Some("c"), "must be an RSA, EC or Ed25519 key"),
            (Some("b"), "must be an Ed25519 key for EdDSA, not P-256"),
        ];
        assert_eq!(left_out, expected);
        assert!(report.problem.is_none() && report.hint.is_none(), "{report:?}");
    }
    assert_eq!(world.issuers.asked.get(), 1);
    // Keys that were fetched are known.
    assert!(finds(&isolate, &at(JWKS), "a"));
    assert_eq!(world.issuers.asked.get(), 1);
}

#[test]
fn a_url_that_is_an_issuer_or_its_metadata_is_recognised() {
    let world = World::new();
    let expected = format!(
        "register {JWKS:?}, where the issuer {ISSUER:?} has its keys, or the issuer itself with \
         discover"
    );
    world.issuers.publish(PLACES[0], &metadata(ISSUER, JWKS), None);
    let report = inspect(&world.isolate(), &at(PLACES[0]));
    assert!(matches!(report.problem, Some(FetchProblem::IsMetadata { .. })), "{report:?}");
    assert_eq!(report.hint.as_deref(), Some(expected.as_str()));
    world.issuers.publish(ISSUER, "<html>Sign in</html>", None);
    let report = inspect(&world.isolate(), &at(ISSUER));
    assert!(matches!(report.problem, Some(FetchProblem::NotASet(_))), "{report:?}");
    assert_eq!(report.hint.as_deref(), Some(expected.as_str()));
    world.issuers.fail(ISSUER, FetchProblem::NotFound(404));
    let report = inspect(&world.isolate(), &at(ISSUER));
    assert_eq!((report.problem, report.hint), (Some(FetchProblem::NotFound(404)), Some(expected)));
    // A URL that does not answer is a warning without a proposal.
    let report = inspect(&world.isolate(), &at("https://down.test/keys"));
    assert!(
        matches!(report.problem, Some(FetchProblem::Unreachable(_))) && report.hint.is_none(),
        "{report:?}"
    );
}
