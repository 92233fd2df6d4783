//! URLs and cookies of an origin, rewritten for its clients.

use postern::api::http::origin_urls::{public_cookie, public_location};
use proptest::prelude::*;

#[test]
fn a_location_at_the_origin_is_one_at_postern() {
    let plain = "http://app.internal:8080";
    for (said, told) in [
        ("http://app.internal:8080/login?x=1#y", "/login?x=1#y"),
        ("HTTP://App.Internal:8080/Login", "/Login"),
        ("http://app.internal:8080", "/"),
        ("http://app.internal:8080?x=//y", "/?x=//y"),
        ("//app.internal:8080/a//b", "/a//b"),
        ("http://app.internal:8080//evil.example/x", "/.//evil.example/x"),
        ("http://app.internal:8080/\\evil.example", "/./\\evil.example"),
    ] {
        assert_eq!(public_location(said, plain).as_deref(), Some(told), "{said}");
    }
    for other in [
        "/login",
        "login",
        "?x=http://app.internal:8080/",
        "/x?u=http://app.internal:8080/y",
        "",
        "https://app.internal:8080/",
        "http://app.internal/",
        "http://app.internal:80801/",
        "http://app.internal:8080.evil.example/",
        "http://app.internal:8080@evil.example/",
        "http://app.internal:8080\\@evil.example/",
        "http://user@app.internal:8080/",
        "http:///app.internal:8080/",
        "http:/app.internal:8080/",
        "javascript://app.internal:8080/%0aalert(1)",
        "http://app.internal:8080/\t/evil.example",
        "https://elsewhere.example/http://app.internal:8080/",
    ] {
        assert_eq!(public_location(other, plain), None, "{other}");
    }
}

#[test]
fn a_default_port_may_be_there_or_not() {
    for (origin, said) in [
        ("http://a.internal", "http://a.internal:80/x"),
        ("http://a.internal:80", "http://a.internal/x"),
        ("https://a.internal", "https://a.internal:443/x"),
        ("https://a.internal:443", "//a.internal/x"),
    ] {
        assert_eq!(public_location(said, origin).as_deref(), Some("/x"), "{origin} {said}");
    }
    assert_eq!(public_location("https://a.internal:80/x", "https://a.internal"), None);
    assert_eq!(
        public_location("https://a.internal/x", "http://a.internal"),
        None,
        "this would go on for ever"
    );
}

#[test]
fn below_a_path_of_the_origin_both_forms_are_rewritten() {
    let below = "https://app.internal/base/app";
    for (said, told) in [
        ("https://app.internal/base/app/login", "/login"),
        ("https://app.internal/base/app", "/"),
        ("https://app.internal/base/app?x", "/?x"),
        ("/base/app/login;jsessionid=1?x", "/login;jsessionid=1?x"),
        ("/base/app", "/"),
        ("/base/app//evil.example", "/.//evil.example"),
    ] {
        assert_eq!(public_location(said, below).as_deref(), Some(told), "{said}");
    }
    for other in [
        "https://app.internal/base/apple",
        "https://app.internal/",
        "/base/ap",
        "/login",
        "login",
        "//base/app/x",
    ] {
        assert_eq!(public_location(other, below), None, "{other}");
    }
}

#[test]
fn a_cookie_counts_on_the_path_that_clients_know() {
    let below = "https://app.internal/base";
    for (said, told) in [
        ("JSESSIONID=1.node1; Path=/base; HttpOnly", "JSESSIONID=1.node1; Path=/; HttpOnly"),
        ("a=b;path=/base/x;Secure", "a=b; Path=/x;Secure"),
        ("Path=/base; Path=/base/", "Path=/base; Path=/"),
    ] {
        assert_eq!(public_cookie(said, below).as_deref(), Some(told), "{said}");
    }
    for other in [
        "a=b",
        "a=b; Path=/",
        "a=b; Path=/basement",
        "a=b; Path",
        "Path=/base",
        "a=/base; Domain=/base",
    ] {
        assert_eq!(public_cookie(other, below), None, "{other}");
    }
    assert_eq!(public_cookie("a=b; Path=/x", "https://app.internal"), None);
}

proptest! {
    #[test]
    fn no_location_that_is_told_leads_to_another_host(
        origin in prop_oneof![Just("http://a:8080"), Just("https://a"), Just("http://a/base")],
        begin in prop_oneof![
            Just(""), Just("/base"), Just("http://a:8080"), Just("https://a"),
            Just("http://a/base"), Just("//a"),
        ],
        rest in "[/\\\\?#@:. a-c\t\n]{0,8}",
    ) {
        if let Some(told) = public_location(&format!("{begin}{rest}"), origin) {
            let is_local =
                told.starts_with('/') && !told.starts_with("//") && !told.starts_with("/\\");
            prop_assert!(is_local, "{told}");
            prop_assert!(!told.contains(['\t', '\n']), "{told}");
        }
    }
}
