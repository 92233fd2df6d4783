//! The page of reasons. It derives from `Denied`, `Refusal` and `Limit`; each reason has its way
//! out in the table below.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use postern::domain::identity::machine_key::May;
use postern::domain::permissions::permission::Permission;
use postern::error::{Denied, Limit, Refusal};

use crate::errors::variants;

const PAGE: &str = "docs/reference/reasons.md";
const COMMAND: &str = "UPDATE=1 cargo test --test host page_of_reasons";

/// Each reason, and what somebody who gets it can do.
const WAYS_OUT: &[(&str, &str)] = &[
    ("missing", "Send a credential: [where each is taken](credentials.md)."),
    (
        "bad_scheme",
        "Write `Authorization: Bearer TOKEN`, or `Basic` with the base64 of name, colon and \
         password.",
    ),
    (
        "too_long",
        "A token may have 16 KiB, and 8 KiB in a URL. Let the issuer leave out claims, such as \
         groups.",
    ),
    (
        "not_three_parts",
        "It is no JSON Web Token, or it was cut off. Some providers' access tokens are none: ask \
         for one, or use [introspection](../introspection.md#let-postern-ask-your-provider).",
    ),
    (
        "bad_base64",
        "Send the token as it was issued: base64url without padding and line breaks. Of Basic, \
         encode the whole of name, colon and password.",
    ),
    ("bad_json", "The issuer must write a JSON object as header and as claims."),
    (
        "doubled_member",
        "The issuer writes a claim twice, so that two readers could read two tokens. It must \
         write each once.",
    ),
    (
        "unknown_algorithm",
        "Let the issuer sign with one of the [algorithms](credentials.md#algorithms-and-keys). \
         `none` is never accepted.",
    ),
    ("critical_extension", "Let the issuer leave out `crit` and `b64`."),
    (
        "claim_type",
        "The issuer must give the claim another value. `POST /v1/explain` shows what was found.",
    ),
    (
        "claim_missing",
        "Let the issuer put the claim into the token, or name another claim in the token app \
         (`claims`, `fieldmap`).",
    ),
    ("no_lifetime", "The issuer must set `exp`, or `iat`, from which the app's `expire` counts."),
    (
        "no_app",
        "Is the app enabled? If the call names one by `app=`, is it the one that signed? `POST \
         /v1/explain` goes through all of them.",
    ),
    ("wrong_parameter", "Use the `token_name` of the app as the name of the URL parameter."),
    (
        "wrong_algorithm",
        "Register an app with the token's `alg`, or let the issuer sign with the app's.",
    ),
    (
        "bad_signature",
        "Another secret or another provider signed the token, or the key was withdrawn. Compare \
         the secret, also for a line break at its end.",
    ),
    ("expired", "Ask for a new token. If it is new, compare the clocks (`CLOCK_LEEWAY_S`)."),
    (
        "not_yet_valid",
        "Compare the clocks: `nbf` or `iat` is in the future by more than `CLOCK_LEEWAY_S`.",
    ),
    (
        "too_long_lived",
        "Let the issuer set `iat` or an earlier `exp`, or raise the app's `expire`.",
    ),
    (
        "revoked",
        "Sign in again. If the token is new and has no `iat`, let the issuer set it: without it, \
         the token counts as issued at `exp` less `expire`.",
    ),
    ("bad_key", "Copy the whole key, from `pst_` to its end."),
    ("key_name", "With Basic, write the key's name as user name, or send the key as `Bearer`."),
    (
        "issuer_mismatch",
        "Set the app's `issuer` to the token's `iss`, to the letter: a slash at the end, the \
         version, the realm, the tenant.",
    ),
    (
        "audience_mismatch",
        "The token is for another API. Ask the provider for one for yours, or add the value to \
         `audiences` if it is meant for this application.",
    ),
    (
        "type_refused",
        "Send an access token, and no logout token or security event. If its `typ` is right, add \
         it to the app's `types`.",
    ),
    ("party_refused", "Add the client to `authorizedParties`, if it may call."),
    (
        "bound_token",
        "Only the holder of a key may use the token (DPoP, mTLS). Let the provider issue bearer \
         tokens for this API, or set `boundTokens`.",
    ),
    (
        "wrong_password",
        "An unknown user and a wrong password have the same answer. An administrator sets a new \
         one: `PUT /v1/users/{id}/password`.",
    ),
    ("unknown_application", "Is the access key right, and the application enabled?"),
    ("replayed", "Sign each call anew, with a new timestamp."),
    (
        "stale_timestamp",
        "Compare the clocks. A timestamp is in milliseconds and counts for 15 minutes.",
    ),
    (
        "user_refused",
        "The app's `speaksFor` leaves this user out. Administrators need `everybody`; users of \
         another app need another value than `own`.",
    ),
    (
        "user_disabled",
        "An administrator enables the user: `PATCH /v1/users/{id}` with `{\"enabled\":true}`. The \
         identity provider does so for users that it keeps.",
    ),
    (
        "user_deleted",
        "An administrator creates the user again (`POST /v1/users`), or frees the name (`DELETE \
         /v1/tombstones/{username}`).",
    ),
    (
        "user_unknown",
        "Create the user, or let the app create its users (`createsUsers`, `inituser`).",
    ),
    ("id_conflict", "`POST /v1/explain` says whose the id is, and how to move the user."),
    (
        "name_conflict",
        "If the user is another person, create them by `POST /v1/users`: first make sure that the \
         application tells the two names apart. If it is the same person, let the issuer put the \
         stored name into the token.",
    ),
    (
        "insufficient_scope",
        "Let the client ask the provider for the scope, or take it out of `requiredScopes` or of \
         the rule.",
    ),
    (
        "no_permission",
        "Give the permission by a grant. `POST /v1/explain` with `username`, `service` and \
         `permission` says what is missing.",
    ),
    (
        "cross_origin",
        "Send a token in place of the cookie. If the page is the application's own, set \
         `PUBLIC_ORIGIN`; if another origin may call, list it in `CORS_ORIGINS`.",
    ),
    ("not_administrator", "Ask an administrator, or use a key with `administration`."),
    (
        "key_refused",
        "Use a key whose `may` includes what the answer names, or a user's credential where no \
         key may.",
    ),
    ("cookie_refused", "Show a token or a password: a cookie is sent by every script of the page."),
    (
        "would_outlive",
        "Send the password in place of the token, or let an administrator make the key.",
    ),
    (
        "not_provisioned",
        "Set `SCIM_ADOPT`, if the identity provider shall take over users and groups that it did \
         not make. Administrators are never taken over.",
    ),
    (
        "rule",
        "`POST /v1/rules/test` says what the rule of `ORIGIN_RULES` demands and what was found.",
    ),
    (
        "too_many_failures",
        "Wait for `Retry-After`: ten passwords may fail in ten minutes for a name from one \
         address.",
    ),
    (
        "new_address",
        "Sign in from where the user signed in during the last 30 days, or wait for \
         `Retry-After`. Tokens go on working.",
    ),
    (
        "address_failures",
        "Wait for `Retry-After`. Behind a proxy, set `TRUSTED_PROXIES`, or all its users share \
         one address.",
    ),
    (
        "rate_limit",
        "Wait for `Retry-After`, and use a token or a key in programs, not a password in each \
         call.",
    ),
    (
        "too_many_at_once",
        "Try again after `Retry-After`. In programs, use a token or a key, which need no password \
         to be hashed.",
    ),
];

/// At least one of each, with each of its sentences.
pub fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::UserRefused,
        Refusal::UserDisabled,
        Refusal::UserDeleted,
        Refusal::UnknownUser,
        Refusal::IdConflict,
        Refusal::NameConflict,
        Refusal::InsufficientScope { scopes: "a b".to_owned() },
        Refusal::NoPermission { permission: Permission::View, service_id: 7 },
        Refusal::CreatorGrant,
        Refusal::MayNotAuthorize,
        Refusal::CrossOrigin,
        Refusal::NotOfConsole,
        Refusal::ConsoleIsForAdministrators,
        Refusal::OriginNotListed,
        Refusal::NotAdministrator,
        Refusal::NotCreator,
        Refusal::NotYourself,
        Refusal::KeyMayNot { needs: Some(May::Decisions) },
        Refusal::KeyMayNot { needs: None },
        Refusal::KeyIsNoUser,
        Refusal::KeyOfKey,
        Refusal::CookieAsksAboutOthers,
        Refusal::WouldOutlive,
        Refusal::NotProvisioned { is_administrator: true },
        Refusal::NotProvisioned { is_administrator: false },
        Refusal::ByRule { rule: 3, member: "groups" },
        Refusal::ByRule { rule: 3, member: "deny" },
    ]
}

variants! {
    Refusal {
        UserRefused, UserDisabled, UserDeleted, UnknownUser, IdConflict, NameConflict,
        InsufficientScope, NoPermission, CreatorGrant, MayNotAuthorize, CrossOrigin,
        OriginNotListed, NotAdministrator, NotCreator, NotYourself, KeyMayNot, KeyIsNoUser,
        KeyOfKey, CookieAsksAboutOthers, NotOfConsole, ConsoleIsForAdministrators, WouldOutlive,
        NotProvisioned, ByRule,
    }
}

/// The rows of one status. All sentences of one reason are in one row.
fn rows<R: Display>(
    of: impl IntoIterator<Item = R>,
    reason: impl Fn(&R) -> &'static str,
) -> String {
    let ways: BTreeMap<_, _> = WAYS_OUT.iter().copied().collect();
    let way = |word: &str| {
        ways.get(word).unwrap_or_else(|| {
            panic!(
                "WAYS_OUT in tests/host/reasons.rs lacks {word}: what can somebody do who gets it?"
            )
        })
    };
    let mut sentences: Vec<(&str, Vec<String>)> = Vec::new();
    for one in of {
        let (word, sentence) = (reason(&one), one.to_string());
        match sentences.iter_mut().find(|(known, _)| *known == word) {
            Some((_, list)) => list.push(sentence),
            None => sentences.push((word, vec![sentence])),
        }
    }
    let row = |(word, list): (&str, Vec<String>)| {
        format!("| `{word}` | {} | {} |\n", list.join("; "), way(word))
    };
    sentences.into_iter().map(row).collect()
}

fn page() -> String {
    let table = "| reason | what it means | the way out |\n|---|---|---|\n";
    let denied = rows(Denied::one_of_each(), Denied::reason);
    let refused = rows(refusals(), Refusal::reason);
    let limited = rows(Limit::one_of_each(), Limit::reason);
    format!(
        "# Reasons

<!-- Generated from src/error.rs and tests/host/reasons.rs by: {COMMAND} -->

A refusal has its reason in the member `reason` and in the header `x-postern-reason`.
[Why is my token refused?](../operate/refused.md) says how to ask Postern for more. Examples stand
for claims, scopes, services and rules.

## 401: the credential is not accepted

{table}{denied}
## 403: the caller is known, and may not

{table}{refused}
## 429: too many sign-ins

{table}{limited}"
    )
}

#[test]
fn the_page_of_reasons_is_the_committed_one() {
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &page).expect(PAGE);
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(committed == page, "{PAGE} is out of date: run {COMMAND}");
}

#[test]
fn every_reason_has_a_way_out_and_a_row() {
    let refusals = refusals();
    for name in VARIANTS {
        assert!(
            refusals.iter().any(|refusal| variant(refusal) == *name),
            "add a Refusal::{name} to refusals() in tests/host/reasons.rs"
        );
    }
    assert_eq!(
        refusals.iter().map(Refusal::reason).collect::<BTreeSet<_>>(),
        Refusal::REASONS.iter().copied().collect(),
        "Refusal::REASONS in src/error.rs must have the words of Refusal::reason"
    );
    let all: BTreeSet<_> = Denied::REASONS
        .into_iter()
        .chain(Refusal::REASONS.iter().copied())
        .chain(Limit::REASONS)
        .collect();
    let mut with_a_way = BTreeSet::new();
    for (word, _) in WAYS_OUT {
        assert!(all.contains(word), "WAYS_OUT has {word}, which is no reason");
        assert!(with_a_way.insert(*word), "WAYS_OUT has {word} twice");
    }
    // The page asks for the way out of each reason.
    let page = page();
    for word in all {
        assert!(page.contains(&format!("| `{word}` | ")), "{word} has no row");
    }
}
