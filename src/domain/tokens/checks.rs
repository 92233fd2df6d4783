//! What is looked at in a token after its signature: one list, in order. Verification stops at the
//! first check that does not hold; an explanation goes through all of them.
//! Sources: RFC 7519 (JWT), RFC 8725 (best current practice), RFC 9068 (access tokens).

use crate::domain::identity::user::Username;
use crate::domain::tokens::jwt::{Clock, Lifetime, VerifiedClaims, media_type};
use crate::domain::tokens::policy::BoundTokens;
use crate::domain::tokens::token_app::TokenAppTerms;
use crate::error::{Denied, Error, Refusal};

/// The claims that an access token must have (RFC 9068, 2.2), where an app takes nothing else.
const OF_ACCESS_TOKENS: [&str; 7] = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];

/// The claims that tell the authorized party, the first of them that is there.
const PARTIES: [&str; 4] = ["azp", "client_id", "appid", "cid"];

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Its name in explanations.
    pub name: &'static str,
    /// Whether it holds, and what it reads on the way.
    pub holds: fn(&VerifiedClaims<'_>, &TokenAppTerms, Clock, &mut Reading) -> Result<(), Error>,
}

/// What checks read and others need, so that nothing is read twice.
#[derive(Debug, Default)]
pub struct Reading {
    lifetime: Option<Lifetime>,
    username: Option<Username>,
}

/// What a token is good for whose checks all hold.
#[derive(Debug)]
pub struct Admission {
    /// From when until when it counts.
    pub lifetime: Lifetime,
    /// Whom it names.
    pub username: Username,
}

/// All of them, in order.
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

/// The name of the check after these. It looks into memory, so that it is not in the list: neither
/// the token nor its `jti` was revoked.
pub const REVOCATION: &str = "revocation";

/// A check that did not hold.
#[derive(Debug)]
pub struct Failed {
    /// How many held before it: of several apps with one key, the one whose checks held longest
    /// says why.
    pub held: usize,
    /// Why.
    pub why: Error,
}

/// Whether all checks hold.
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

/// Logout tokens, security events and the like are signed by the same keys, and are no credentials
/// (RFC 8725, 3.11).
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

/// RFC 7800, RFC 8705 and RFC 9449: who shows such a token must also show that they have the key.
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

/// A claim that is a text where it is there.
fn text<'c>(claims: &'c VerifiedClaims<'_>, name: &str) -> Result<Option<&'c str>, Denied> {
    let text =
        |value: &'c serde_json::Value| value.as_str().ok_or_else(|| Denied::ClaimType(name.into()));
    claims.get(name).map(text).transpose()
}
