//! Forged tokens that other software has accepted and that Postern must refuse. Each case fails
//! when its check is taken out.
//!
//! The app is `ERP` with the secret `abcd` and HS256, unless a case says otherwise.

use base64ct::{Base64UrlUnpadded, Encoding};
use postern::domain::tokens::jwt::UnverifiedToken;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Isolate, Request, World, forge};

const HS256: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

fn with_erp(test: impl FnOnce(&Isolate<'_>, &str)) {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({}));
    let claims = serde_json::to_string(&isolate.claims("alice")).expect("claims");
    assert_eq!(
        isolate.verify(&forge(HS256, &claims, b"abcd")),
        (200, "alice".to_owned()),
        "the honest token"
    );
    test(&isolate, &claims);
}

fn refused(isolate: &Isolate<'_>, token: &str, reason: &str) {
    assert_eq!(isolate.verify(token), (401, reason.to_owned()), "{token}");
}

#[test]
fn no_algorithm_is_refused_in_every_spelling() {
    with_erp(|isolate, claims| {
        for name in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS1", "null"] {
            let honest = forge(&format!(r#"{{"alg":"{name}"}}"#), claims, b"abcd");
            let (text, _) = honest.rsplit_once('.').expect("two dots");
            refused(isolate, &honest, "unknown_algorithm");
            refused(isolate, &format!("{text}."), "unknown_algorithm");
        }
        for header in
            [r#"{"typ":"JWT"}"#, r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, r#"{"alg":256}"#]
        {
            refused(isolate, &forge(header, claims, b"abcd"), "unknown_algorithm");
        }
    });
}

#[test]
fn an_empty_signature_is_refused() {
    with_erp(|isolate, claims| {
        let honest = forge(HS256, claims, b"abcd");
        let (text, _) = honest.rsplit_once('.').expect("two dots");
        refused(isolate, &format!("{text}."), "bad_signature");
    });
}

#[test]
fn a_truncated_signature_is_refused() {
    with_erp(|isolate, claims| {
        let honest = forge(HS256, claims, b"abcd");
        let (text, signature) = honest.rsplit_once('.').expect("two dots");
        let bytes = Base64UrlUnpadded::decode_vec(signature).expect("base64url");
        for length in [1, 16, 31] {
            refused(
                isolate,
                &format!("{text}.{}", Base64UrlUnpadded::encode_string(&bytes[..length])),
                "bad_signature",
            );
        }
    });
}

#[test]
fn the_algorithm_is_the_apps_and_never_the_tokens() {
    with_erp(|isolate, claims| {
        for name in ["HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA"] {
            refused(
                isolate,
                &forge(&format!(r#"{{"alg":"{name}"}}"#), claims, b"abcd"),
                "wrong_algorithm",
            );
        }
    });
}

#[test]
fn keys_in_the_header_are_never_used() {
    with_erp(|isolate, claims| {
        let key = Base64UrlUnpadded::encode_string(b"mine");
        for header in [
            format!(r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{key}"}}}}"#),
            r#"{"alg":"HS256","jku":"https://evil.example/keys"}"#.to_owned(),
            r#"{"alg":"HS256","x5u":"https://evil.example/cert"}"#.to_owned(),
            r#"{"alg":"HS256","kid":"../../dev/null"}"#.to_owned(),
            r#"{"alg":"HS256","kid":"' OR 1=1 --"}"#.to_owned(),
            r#"{"alg":"HS256","kid":"ERP"}"#.to_owned(),
        ] {
            refused(isolate, &forge(&header, claims, b"mine"), "bad_signature");
            refused(isolate, &forge(&header, claims, b""), "bad_signature");
        }
        refused(isolate, &forge(r#"{"alg":"HS256","kid":7}"#, claims, b"abcd"), "claim_type");
    });
}

#[test]
fn extensions_that_are_not_understood_are_refused() {
    with_erp(|isolate, claims| {
        for header in [
            r#"{"alg":"HS256","crit":["exp"]}"#,
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":true}"#,
            r#"{"alg":"HS256","b64":false}"#,
            r#"{"alg":"HS256","b64":"true"}"#,
        ] {
            refused(isolate, &forge(header, claims, b"abcd"), "critical_extension");
        }
    });
}

#[test]
fn doubled_members_are_refused_in_header_and_claims() {
    with_erp(|isolate, _| {
        let end = isolate.world.now.get().seconds() + 600;
        let claims = format!(r#"{{"loginname":"alice","exp":{end}}}"#);
        refused(
            isolate,
            &forge(r#"{"alg":"HS256","alg":"HS256"}"#, &claims, b"abcd"),
            "doubled_member",
        );
        let doubled = format!(r#"{{"loginname":"alice","exp":{end},"loginname":"admin"}}"#);
        refused(isolate, &forge(HS256, &doubled, b"abcd"), "doubled_member");
        let nested = format!(r#"{{"loginname":"alice","exp":{end},"x":{{"a":1,"a":2}}}}"#);
        refused(isolate, &forge(HS256, &nested, b"abcd"), "doubled_member");
    });
}

/// A token of at most `limit` bytes, and of more than `limit - 4`.
fn of_length(limit: usize, claims: &str) -> String {
    let with = |padding: usize| {
        let end = claims.trim_end_matches('}');
        forge(HS256, &format!(r#"{end},"x":"{}"}}"#, "x".repeat(padding)), b"abcd")
    };
    let padding = (0..limit)
        .rev()
        .find(|padding| padding % 3 == 0 && with(*padding).len() <= limit)
        .expect("a length");
    let token = with(padding);
    assert!(token.len() > limit - 4);
    token
}

#[test]
fn a_token_may_have_16_kib_in_a_header_or_a_body_and_8_kib_in_a_url() {
    with_erp(|isolate, claims| {
        let post = |token: &str| {
            let body = serde_json::json!({ "token": token }).to_string();
            isolate.send(&Request::new("POST", "/v1/verify").body(&body)).status
        };
        let in_url = |token: &str| {
            let response = isolate.get(&format!("/v1/verify?token={token}"), "");
            assert_eq!(
                response.status == 401,
                response.body.contains("\"too_long\""),
                "{}",
                response.body
            );
            response.status
        };
        let forwarded = |token: &str| {
            let request = Request::new("GET", "/v1/forward-auth/signed-in");
            isolate.send(&request.header("x-forwarded-uri", &format!("/?token={token}"))).status
        };
        let (longest, too_long) = (of_length(16 * 1024, claims), of_length(16 * 1024 + 4, claims));
        assert_eq!((isolate.verify(&longest).0, post(&longest)), (200, 200));
        assert_eq!(
            (isolate.verify(&too_long), post(&too_long)),
            ((401, "too_long".to_owned()), 401)
        );
        let (longest, too_long) = (of_length(8 * 1024, claims), of_length(8 * 1024 + 4, claims));
        assert_eq!((in_url(&longest), forwarded(&longest)), (200, 200));
        assert_eq!(
            (in_url(&too_long), forwarded(&too_long), isolate.verify(&too_long).0),
            (401, 401, 200)
        );
        let beside =
            format!("/page?token={}&other={}", forge(HS256, claims, b"abcd"), "x".repeat(9 * 1024));
        let forwarded =
            Request::new("GET", "/v1/forward-auth/signed-in").header("x-forwarded-uri", &beside);
        assert_eq!(isolate.send(&forwarded).status, 200, "another parameter may be long");
    });
}

#[test]
fn huge_deep_and_misshapen_tokens_are_refused() {
    with_erp(|isolate, claims| {
        let honest = forge(HS256, claims, b"abcd");
        let end = isolate.world.now.get().seconds() + 600;
        let huge =
            format!(r#"{{"loginname":"alice","exp":{end},"x":"{}"}}"#, "x".repeat(16 * 1024));
        let deep = format!(
            r#"{{"loginname":"alice","exp":{end},"x":{}{}}}"#,
            "[".repeat(40),
            "]".repeat(40)
        );
        let trailing = format!("{claims} x");
        for token in [
            forge(HS256, &huge, b"abcd"),
            forge(HS256, &deep, b"abcd"),
            forge(HS256, &trailing, b"abcd"),
            forge(HS256, "[]", b"abcd"),
            forge("[]", claims, b"abcd"),
            format!("{honest}.{honest}"),
            format!("{honest}.a.b"),
            format!("{honest}="),
            honest.replace('.', ".."),
            "..".to_owned(),
            "a.b".to_owned(),
        ] {
            let reason = isolate.verify(&token).1;
            assert!(
                ["too_long", "bad_json", "not_three_parts", "bad_base64"]
                    .contains(&reason.as_str()),
                "{reason}: {token}"
            );
        }
    });
}

/// The last character of an HS256 signature has only four bits of the signature. A token with
/// another of the two unused bits set is another text with the same meaning.
#[test]
fn base64_that_is_not_canonical_is_refused() {
    with_erp(|isolate, claims| {
        let honest = forge(HS256, claims, b"abcd");
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = honest.chars().last().and_then(|last| alphabet.find(last)).expect("base64url");
        for low_bits in 1..4 {
            let twin = format!(
                "{}{}",
                &honest[..honest.len() - 1],
                &alphabet[last + low_bits..=last + low_bits]
            );
            refused(isolate, &twin, "bad_base64");
        }
    });
}

#[test]
fn a_token_of_one_app_is_refused_at_another() {
    with_erp(|isolate, claims| {
        isolate.register(&json!({ "name": "CRM", "secret": "efgh", "token_name": "crm" }));
        let of_crm = forge(HS256, claims, b"efgh");
        let reason = |path: &str| {
            let response = isolate.get(path, "");
            (
                response.status,
                crate::support::json_of(&response)["reason"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            )
        };
        assert_eq!(reason(&format!("/v1/verify?crm={of_crm}")).0, 200);
        assert_eq!(
            reason(&format!("/v1/verify?token={of_crm}")),
            (401, "bad_signature".to_owned())
        );
        assert_eq!(reason(&format!("/v1/verify?crm={of_crm}&app=ERP")), (401, "no_app".to_owned()));
        // Names of apps are case-sensitive.
        assert_eq!(reason(&format!("/v1/verify?crm={of_crm}&app=crm")), (401, "no_app".to_owned()));
    });
}

/// Whatever app a token names, the answer is the same as for a name that no app has.
fn compare_names(isolate: &Isolate<'_>) {
    let refuse = |query: &str, token: &str| {
        let response = isolate.get(&format!("/v1/verify?{query}"), &format!("Bearer {token}"));
        (
            response.status,
            crate::support::json_of(&response)["reason"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for (algorithm, issuer) in ["HS256", "HS512", "ES256"]
        .iter()
        .flat_map(|of| [None, Some("https://idp.example")].map(|iss| (of, iss)))
    {
        let mut claims = isolate.claims("alice");
        if let Some(issuer) = issuer {
            claims.insert("iss".to_owned(), json!(issuer));
        }
        let claims = json!(claims).to_string();
        let token = |header: &serde_json::Value| forge(&header.to_string(), &claims, b"a guess");
        let unnamed = token(&json!({ "alg": algorithm }));
        for name in ["ERP", "CRM", "OFF"] {
            assert_eq!(
                refuse(&format!("app={name}"), &unnamed),
                refuse("app=NONE", &unnamed),
                "{algorithm} {issuer:?} app={name}"
            );
            let named = |name: &str| refuse("", &token(&json!({ "alg": algorithm, "kid": name })));
            assert_eq!(named(name), named("NONE"), "{algorithm} {issuer:?} kid {name}");
        }
    }
}

/// A client that guesses names of apps with unsigned tokens gets the same answer for each name.
#[test]
fn a_forger_learns_no_names_of_apps() {
    let world = World::new();
    let isolate = world.isolate();
    let compare = || compare_names(&isolate);
    compare();
    isolate.register(&json!({ "name": "CRM", "secret": "efgh", "issuer": "https://crm.example" }));
    compare();
    isolate.register(&json!({ "name": "OFF", "secret": "ijkl", "enable": "0" }));
    compare();
    isolate.register(&json!({}));
    compare();
    // The same holds where MASTER_KEY is wrong for some of the apps.
    let wrong = [("MASTER_KEY", Some("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="))];
    let isolate = &world.isolate_with(&wrong);
    compare_names(isolate);
    isolate.register(&json!({ "name": "CRM", "secret": "efgh", "issuer": "https://crm.example" }));
    compare_names(isolate);
}

#[test]
fn a_doubled_token_is_refused() {
    with_erp(|isolate, claims| {
        let honest = forge(HS256, claims, b"abcd");
        for query in [
            format!("token={honest}&token={honest}"),
            format!("token=x&token={honest}"),
            format!("token={honest}&%74oken=x"),
        ] {
            let response = isolate.get(&format!("/v1/verify?{query}"), "");
            assert_eq!(
                (response.status, crate::support::json_of(&response)["field"].clone()),
                (400, json!("token")),
                "{query}"
            );
        }
        let bearer = format!("Bearer {honest}");
        let twice = Request::new("GET", "/v1/verify")
            .header("authorization", &bearer)
            .header("authorization", &bearer);
        assert_eq!(isolate.send(&twice).status, 401);
    });
}

#[test]
fn a_token_is_dead_once_its_app_is_disabled_or_deleted_or_its_secret_rotated() {
    with_erp(|isolate, claims| {
        let honest = forge(HS256, claims, b"abcd");
        isolate.register(&json!({ "enable": "0" }));
        refused(isolate, &honest, "no_app");
        isolate.register(&json!({ "secret": "new secret" }));
        refused(isolate, &honest, "bad_signature");
        isolate.register(&json!({}));
        assert_eq!(isolate.verify(&honest).0, 200);
        isolate.administer(
            "POST",
            "/plugin/datafor-modeler/api/token/delete",
            &json!({ "name": "ERP" }),
        );
        refused(isolate, &honest, "no_app");
    });
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let world = World::new();
    let isolate = world.isolate();
    for secret in [
        "-----BEGIN PUBLIC KEY-----\nMIIBIjAN\n-----END PUBLIC KEY-----",
        "\n \t-----BEGIN RSA PUBLIC KEY-----",
        " ",
        "\t\n",
    ] {
        let body = json!({
            "name": "ERP", "secret": secret, "expire": 60,
            "fieldmap": { "username": "u", "name": "n", "email": "e" },
            "algorithm": "HS256", "enable": "1", "inituser": "1", "initroles": [],
        });
        let response =
            isolate.administer("POST", "/plugin/datafor-modeler/api/token/update", &body);
        assert_eq!(response.status, 400, "{secret:?}: {}", response.body);
    }
}

#[test]
fn a_secret_that_no_master_key_opens_verifies_nothing() {
    with_erp(|isolate, claims| {
        let other = isolate
            .world
            .isolate_with(&[("MASTER_KEY", Some("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="))]);
        for secret in [b"abcd".as_slice(), b"", b"************"] {
            let response =
                other.get("/v1/verify", &format!("Bearer {}", forge(HS256, claims, secret)));
            assert_eq!(response.status, 503, "nobody knows whether it is good");
            assert!(
                response.body.contains("no master key opens the secret of a token app"),
                "{}",
                response.body
            );
        }
        refused(&other, &forge(r#"{"alg":"HS512"}"#, claims, b"abcd"), "wrong_algorithm");
    });
}

/// A call that names an app tries this app, whatever the token's issuer is. So a secret that no
/// master key opens is reported here, too.
#[test]
fn a_secret_that_no_master_key_opens_is_told_of_an_app_that_the_call_names() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "issuer": "https://erp.example" }));
    let token = forge(HS256, &json!(isolate.claims("alice")).to_string(), b"abcd");
    let other =
        world.isolate_with(&[("MASTER_KEY", Some("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="))]);
    for name in ["ERP", "NONE"] {
        assert_eq!(
            other.get(&format!("/v1/verify?app={name}"), &format!("Bearer {token}")).status,
            503,
            "{name}"
        );
    }
}

#[test]
fn more_candidates_than_keys_may_be_tried_ask_for_the_app() {
    with_erp(|isolate, claims| {
        for number in 0..64 {
            isolate.register(
                &json!({ "name": format!("App {number}"), "secret": format!("secret {number}") }),
            );
        }
        let of_last = forge(HS256, claims, b"secret 63");
        assert_eq!(isolate.verify(&of_last), (400, String::new()));
        assert_eq!(
            isolate.get("/v1/verify?app=App%2063", &format!("Bearer {of_last}")).status,
            200
        );
        let named = forge(r#"{"alg":"HS256","kid":"App 63"}"#, claims, b"secret 63");
        assert_eq!(isolate.verify(&named), (200, "alice".to_owned()));
        isolate.administer(
            "POST",
            "/plugin/datafor-modeler/api/token/delete",
            &json!({ "name": "App 0" }),
        );
        assert_eq!(isolate.verify(&of_last), (200, "alice".to_owned()));
    });
}

#[test]
fn a_token_without_a_usable_user_name_is_refused() {
    with_erp(|isolate, _| {
        let end = isolate.world.now.get().seconds() + 600;
        for name in [
            json!(""),
            json!(null),
            json!(true),
            json!(1.5),
            json!(["alice"]),
            json!(" alice"),
            json!("a\u{0}b"),
            json!("x".repeat(129)),
        ] {
            let claims = json!({ "loginname": name, "exp": end }).to_string();
            refused(isolate, &forge(HS256, &claims, b"abcd"), "claim_type");
        }
        let claims = json!({ "loginname": 9_007_199_254_740_993_i64, "exp": end }).to_string();
        assert_eq!(
            isolate.verify(&forge(HS256, &claims, b"abcd")),
            (200, "9007199254740993".to_owned())
        );
    });
}

proptest! {
    /// Exactly one spelling of each signature is valid, as in another strict reader of base64url.
    #[test]
    fn a_signature_is_read_as_another_strict_reader_does(
        text in "[A-Za-z0-9_=+/ -]{0,9}|[A-Za-z0-9_-]{0,90}",
    ) {
        let unsigned = forge(HS256, "{}", b"k");
        let (unsigned, _) = unsigned.rsplit_once('.').expect("dots");
        let read = UnverifiedToken::parse(&format!("{unsigned}.{text}")).is_ok();
        prop_assert_eq!(read, Base64UrlUnpadded::decode_vec(&text).is_ok());
    }

    #[test]
    fn any_text_is_read_or_refused_without_panic(text in ".{0,100}") {
        let _ = UnverifiedToken::parse(&text);
    }

    #[test]
    fn any_parts_are_read_or_refused_without_panic(header in ".{0,60}", claims in ".{0,60}") {
        let token = forge(&header, &claims, b"k");
        if let Ok(read) = UnverifiedToken::parse(&token) {
            let _ = read.possible_usernames();
        }
    }
}

/// A token with any single bit changed is refused.
#[test]
fn a_flipped_bit_anywhere_is_refused() {
    with_erp(|isolate, claims| {
        let honest = forge(HS256, claims, b"abcd");
        for (index, byte) in honest.bytes().enumerate() {
            for bit in 0..7 {
                let mut bytes = honest.as_bytes().to_vec();
                bytes[index] = byte ^ (1 << bit);
                let Ok(forged) = String::from_utf8(bytes) else { continue };
                let status = isolate.verify(&forged).0;
                assert_eq!(status, 401, "bit {bit} of byte {index}: {forged:?}");
            }
        }
    });
}

#[test]
fn a_stranger_learns_no_names_of_token_parameters() {
    let world = World::new();
    let isolate = world.isolate();
    isolate.register(&json!({ "token_name": "ticket" }));
    let answer = |name: &str| {
        let response = isolate.send(&Request::new("GET", &format!("/v1/users?{name}=x")));
        (response.status, response.body.replace(name, "…"))
    };
    assert_eq!(answer("ticket"), answer("picket"));
}
