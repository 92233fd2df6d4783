//! The checks of a token after its signature, as one ordered list. Verification stops at the first
//! check that fails. An explanation runs all of them.
//!
//! Sources: RFC 7519 (JWT), RFC 8725 (best current practice), RFC 9068 (access tokens).

use crate::domain::identity::user::Username;
use crate::domain::tokens::jwt::{Clock, Lifetime, VerifiedClaims, media_type};
use crate::domain::tokens::policy::BoundTokens;
use crate::domain::tokens::token_app::TokenAppTerms;
use crate::error::{Denied, Error, Refusal};

/// The claims that RFC 9068, section 2.2 requires of an access token. They are checked if an app
/// accepts no other type of token.
const OF_ACCESS_TOKENS: [&str; 7] = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];

/// The claims that can name the authorized party. The first one present decides.
const PARTIES: [&str; 4] = ["azp", "client_id", "appid", "cid"];

#[derive(Debug)]
pub struct Check {
    /// The name in explanations.
    pub name: &'static str,
    /// Fails if the check fails. It stores in [`Reading`] what later steps need.
    pub holds: fn(&VerifiedClaims<'_>, &TokenAppTerms, Clock, &mut Reading) -> Result<(), Error>,
}

/// Values that the checks have read, so that no claim is read twice.
#[derive(Debug, Default)]
pub struct Reading {
    lifetime: Option<Lifetime>,
    username: Option<Username>,
}

/// The result for a token that passed all checks.
#[derive(Debug)]
pub struct Admission {
    pub lifetime: Lifetime,
    /// The user that the token names.
    pub username: Username,
}

/// In the order in which they run.
pub const CHECKS: [Check; 8] = [
    Check {
        name: "type",
        holds: |claims, terms, _, _| is_credential(claims, terms).map_err(Error::from),
    },
    Check {
        name: "lifetime",
        holds: |claims, terms, clock, reading| {
            reading.lifetime = Some(claims.lifetime(terms.expire_s, clock)?);
            Ok(())
        },
    },
    Check {
        name: "issuer",
        holds: |claims, terms, _, _| is_of_issuer(claims, terms).map_err(Error::from),
    },
    Check {
        name: "audience",
        holds: |claims, terms, _, _| is_for_audience(claims, terms).map_err(Error::from),
    },
    Check {
        name: "party",
        holds: |claims, terms, _, _| is_of_party(claims, terms).map_err(Error::from),
    },
    Check {
        name: "binding",
        holds: |claims, terms, _, _| is_unbound(claims, terms).map_err(Error::from),
    },
    Check { name: "scopes", holds: |claims, terms, _, _| has_scopes(claims, terms) },
    Check {
        name: "username",
        holds: |claims, terms, _, reading| {
            reading.username = Some(claims.username(&terms.claims.username)?);
            Ok(())
        },
    },
];

/// The name of the check that follows these: neither the token nor its `jti` is revoked. It is not
/// in the list, because it needs the isolate's memory.
pub const REVOCATION: &str = "revocation";

#[derive(Debug)]
pub struct Failed {
    /// The number of checks that passed before. If several apps have the same key, the error of the
    /// app with the greatest number is reported.
    pub held: usize,
    pub why: Error,
}

/// Runs all checks, and stops at the first that fails.
pub fn admit(
    claims: &VerifiedClaims<'_>,
    terms: &TokenAppTerms,
    clock: Clock,
) -> Result<Admission, Failed> {
    let mut reading = Reading::default();
    for (held, check) in CHECKS.iter().enumerate() {
        (check.holds)(claims, terms, clock, &mut reading).map_err(|why| Failed { held, why })?;
    }
    let Reading { lifetime: Some(lifetime), username: Some(username) } = reading else {
        return Err(Failed { held: 0, why: Denied::NoLifetime.into() });
    };
    Ok(Admission { lifetime, username })
}

/// Refuses logout tokens, security events and similar tokens. Issuers sign them with the same keys,
/// but they are no credentials (RFC 8725, section 3.11).
fn is_credential(claims: &VerifiedClaims<'_>, terms: &TokenAppTerms) -> Result<(), Denied> {
    let types = &terms.policy.types;
    if !types.iter().any(|of_list| claims.kind().is(of_list)) || claims.get("events").is_some() {
        return Err(Denied::TypeRefused);
    }
    if types.iter().any(|of_list| !media_type(of_list).eq_ignore_ascii_case("at+jwt")) {
        return Ok(());
    }
    match OF_ACCESS_TOKENS.into_iter().find(|name| claims.get(name).is_none()) {
        Some(name) => Err(Denied::ClaimMissing(name.into())),
        None => Ok(()),
    }
}

fn is_of_issuer(claims: &VerifiedClaims<'_>, terms: &TokenAppTerms) -> Result<(), Denied> {
    if terms.policy.issuer.is_none() {
        return Ok(());
    }
    let issuer = text(claims, "iss")?.ok_or_else(|| Denied::ClaimMissing("iss".into()))?;
    if terms.policy.is_issuer(issuer, text(claims, "tid")?) {
        Ok(())
    } else {
        Err(Denied::IssuerMismatch)
    }
}

fn is_for_audience(claims: &VerifiedClaims<'_>, terms: &TokenAppTerms) -> Result<(), Denied> {
    let wanted = &terms.policy.audiences;
    if wanted.is_empty() {
        return Ok(());
    }
    let audiences = claims.texts("aud")?.ok_or_else(|| Denied::ClaimMissing("aud".into()))?;
    let is_wanted = |audience: &&str| wanted.iter().any(|of_list| of_list == audience);
    if audiences.iter().any(is_wanted) { Ok(()) } else { Err(Denied::AudienceMismatch) }
}

fn is_of_party(claims: &VerifiedClaims<'_>, terms: &TokenAppTerms) -> Result<(), Denied> {
    let wanted = &terms.policy.authorized_parties;
    if wanted.is_empty() {
        return Ok(());
    }
    for name in PARTIES {
        if let Some(party) = text(claims, name)? {
            return if wanted.iter().any(|of_list| of_list == party) {
                Ok(())
            } else {
                Err(Denied::PartyRefused)
            };
        }
    }
    Err(Denied::ClaimMissing(PARTIES[0].into()))
}

/// Refuses tokens that are bound to a key (RFC 7800, RFC 8705, RFC 9449). Whoever presents one must
/// also prove possession of the key, which Postern does not check.
fn is_unbound(claims: &VerifiedClaims<'_>, terms: &TokenAppTerms) -> Result<(), Denied> {
    let is_bound = claims.get("cnf").is_some() && terms.policy.bound_tokens == BoundTokens::Refuse;
    if is_bound { Err(Denied::BoundToken) } else { Ok(()) }
}

fn has_scopes(claims: &VerifiedClaims<'_>, terms: &TokenAppTerms) -> Result<(), Error> {
    let needed = &terms.policy.required_scopes;
    if needed.is_empty() {
        return Ok(());
    }
    let texts = [claims.texts("scope")?, claims.texts("scp")?];
    let scopes: Vec<&str> =
        texts.iter().flatten().flatten().flat_map(|text| text.split_ascii_whitespace()).collect();
    if needed.iter().all(|scope| scopes.contains(&scope.as_str())) {
        return Ok(());
    }
    Err(Refusal::InsufficientScope { scopes: needed.join(" ") }.into())
}

/// A claim that must be a text if it is present.
fn text<'c>(claims: &'c VerifiedClaims<'_>, name: &str) -> Result<Option<&'c str>, Denied> {
    let text =
        |value: &'c serde_json::Value| value.as_str().ok_or_else(|| Denied::ClaimType(name.into()));
    claims.get(name).map(text).transpose()
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding};
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::secret::{Secret, hmac_sha256};
    use crate::domain::time::Millis;
    use crate::domain::tokens::algorithm::Algorithm;
    use crate::domain::tokens::jwt::UnverifiedToken;
    use crate::domain::tokens::token_app::{ClaimNames, TokenName};

    const NOW_S: i64 = 1_000;

    fn terms(policy: &Value) -> TokenAppTerms {
        TokenAppTerms {
            token_name: TokenName::default(),
            algorithm: Algorithm::Hs256,
            expire_s: 100,
            claims: ClaimNames {
                username: "sub".to_owned(),
                name: "name".to_owned(),
                email: "email".to_owned(),
            },
            enabled: true,
            creates_users: false,
            initial_roles: Vec::new(),
            policy: serde_json::from_value(policy.clone()).unwrap(),
        }
    }

    /// The user whom a token names, or the check that fails, with its error.
    fn admitted(
        header: &Value,
        claims: &Value,
        policy: &Value,
    ) -> Result<String, (&'static str, Error)> {
        let text = [header, claims]
            .map(|part| Base64UrlUnpadded::encode_string(part.to_string().as_bytes()))
            .join(".");
        let signature = Base64UrlUnpadded::encode_string(&hmac_sha256(b"secret", text.as_bytes()));
        let token = format!("{text}.{signature}");
        let token = UnverifiedToken::parse(&token).unwrap();
        let claims = token.verify(Algorithm::Hs256, &Secret::new("secret")).unwrap();
        let clock = Clock { now: Millis::from_seconds(NOW_S), leeway_s: 0 };
        match admit(&claims, &terms(policy), clock) {
            Ok(Admission { lifetime, username }) => {
                assert_eq!(lifetime.end_s, NOW_S + 50);
                Ok(username.as_str().to_owned())
            }
            Err(Failed { held, why }) => Err((CHECKS[held].name, why)),
        }
    }

    /// A policy that asks for everything.
    fn strict() -> Value {
        json!({
            "issuer": "https://idp.example/{tenantid}", "tenants": ["t1", "t2"],
            "audiences": ["bi", "reports"], "authorizedParties": ["portal", "app"],
            "requiredScopes": ["read", "write"], "types": ["at+jwt"],
        })
    }

    /// What [`strict`] asks for.
    fn right() -> Value {
        json!({
            "iss": "https://idp.example/t1", "tid": "t1", "aud": ["other", "bi"],
            "client_id": "portal", "scope": "write x read", "jti": "1", "sub": "alice",
            "iat": NOW_S, "exp": NOW_S + 50,
        })
    }

    /// The claims of [`right`], with one changed, or left out.
    fn with(name: &str, value: Option<Value>) -> Value {
        let mut claims = right();
        let members = claims.as_object_mut().unwrap();
        members.remove(name);
        members.extend(value.map(|value| (name.to_owned(), value)));
        claims
    }

    fn access_token() -> Value {
        json!({ "alg": "HS256", "typ": "at+jwt" })
    }

    #[test]
    fn each_check_refuses_a_token_that_passes_all_the_others() {
        let alice = || Ok("alice".to_owned());
        assert_eq!(admitted(&access_token(), &right(), &strict()), alice());
        for (name, value) in [
            ("iss", json!("https://idp.example/t2")),
            ("aud", json!("reports")),
            ("client_id", json!("app")),
            ("azp", json!("app")),
            ("scp", json!(["anything"])),
            ("scope", json!("read write")),
        ] {
            let mut claims = with(name, Some(value));
            if name == "iss" {
                claims["tid"] = json!("t2");
            }
            assert_eq!(admitted(&access_token(), &claims, &strict()), alice(), "{claims}");
        }
        let scope = Error::from(Refusal::InsufficientScope { scopes: "read write".to_owned() });
        for (name, value, check, why) in [
            ("events", json!({}), "type", Denied::TypeRefused.into()),
            ("iat", json!(NOW_S + 1), "lifetime", Denied::NotYetValid.into()),
            ("iss", json!("https://idp.example/t2"), "issuer", Denied::IssuerMismatch.into()),
            ("iss", json!(7), "issuer", Denied::ClaimType("iss".into()).into()),
            ("tid", json!("t3"), "issuer", Denied::IssuerMismatch.into()),
            ("aud", json!(["other"]), "audience", Denied::AudienceMismatch.into()),
            ("aud", json!([]), "audience", Denied::AudienceMismatch.into()),
            ("client_id", json!("other"), "party", Denied::PartyRefused.into()),
            ("client_id", json!(7), "party", Denied::ClaimType("client_id".into()).into()),
            ("azp", json!("other"), "party", Denied::PartyRefused.into()),
            ("cnf", json!({}), "binding", Denied::BoundToken.into()),
            ("scope", json!("read"), "scopes", scope.clone()),
            ("scope", json!("reads write"), "scopes", scope.clone()),
            ("scope", json!(7), "scopes", Denied::ClaimType("scope".into()).into()),
            ("sub", json!(true), "username", Denied::ClaimType("sub".into()).into()),
        ] {
            let claims = with(name, Some(value));
            let refused = admitted(&access_token(), &claims, &strict());
            assert_eq!(refused, Err((check, why)), "{claims}");
        }
        assert_eq!(
            admitted(&access_token(), &with("scope", None), &strict()),
            Err(("scopes", scope))
        );
    }

    #[test]
    fn only_an_app_for_access_tokens_alone_asks_for_all_of_their_claims() {
        let only = json!({ "types": ["application/AT+jwt"] });
        let also = json!({ "types": ["at+jwt", "JWT"] });
        for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
            let missing = Err(("type", Denied::ClaimMissing(name.into()).into()));
            assert_eq!(admitted(&access_token(), &with(name, None), &only), missing);
        }
        for name in ["iss", "aud", "client_id", "jti"] {
            let admitted = admitted(&access_token(), &with(name, None), &also);
            assert_eq!(admitted, Ok("alice".to_owned()), "{name}");
        }
        for kind in [json!("JWT"), json!("logout+jwt"), json!(7)] {
            let header = json!({ "alg": "HS256", "typ": kind });
            assert_eq!(
                admitted(&header, &right(), &only),
                Err(("type", Denied::TypeRefused.into())),
                "{header}"
            );
        }
    }

    #[test]
    fn an_app_that_asks_for_nothing_takes_a_token_without_it() {
        let header = json!({ "alg": "HS256" });
        let claims = json!({ "sub": "alice", "exp": NOW_S + 50 });
        assert_eq!(admitted(&header, &claims, &json!({})), Ok("alice".to_owned()));
        let asks = [
            ("issuer", json!("https://idp.example"), "issuer", "iss"),
            ("audiences", json!(["bi"]), "audience", "aud"),
            ("authorizedParties", json!(["portal"]), "party", "azp"),
        ];
        for (member, value, check, claim) in asks {
            assert_eq!(
                admitted(&header, &claims, &json!({ member: value })),
                Err((check, Denied::ClaimMissing(claim.into()).into()))
            );
        }
        let bound = json!({ "sub": "alice", "exp": NOW_S + 50, "cnf": { "jkt": "x" } });
        for (bound_tokens, expected) in [
            ("ignore", Ok("alice".to_owned())),
            ("refuse", Err(("binding", Denied::BoundToken.into()))),
        ] {
            let policy = json!({ "boundTokens": bound_tokens });
            assert_eq!(admitted(&header, &bound, &policy), expected, "{bound_tokens}");
        }
    }
}
