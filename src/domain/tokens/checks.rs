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
