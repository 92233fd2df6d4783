//! The members of a token app that say whose tokens it accepts, for which users, and with which
//! roles. Each is declared once, with its name in `/v1` (camelCase) and in the dialect of the BI
//! suite (`snake_case`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::api::http::body::Fields;
use crate::api::http::declare::{Declared, Integer, Line, Member, Written};
use crate::api::http::members::ROLE;
use crate::api::http::patterns;
use crate::api::http::shape::{Field, Kind, Shape};
use crate::domain::spelling;
use crate::domain::text;
use crate::domain::tokens::policy::{
    BoundTokens, GroupsMode, MAX_ROLE, Policy, ProfileMode, SpeaksFor,
};
use crate::domain::tokens::token_app::TokenApp;
use crate::error::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    Camel,
    Snake,
}

/// Declares the members: both names, the type that reads the value, the field, the conversion, and
/// the description.
macro_rules! policy_members {
    ($($camel:literal $snake:literal : $type:ty => $field:ident by $into:expr, $about:expr;)*) => {
        const CAMEL_FIELDS: &[Field] = &[$(Field {
            name: $camel,
            kind: Kind::Nullable(&<$type as Member>::KIND),
            required: false,
            about: $about,
        },)*];
        const SNAKE_FIELDS: &[Field] = &[$(Field {
            name: $snake,
            kind: Kind::Nullable(&<$type as Member>::KIND),
            required: false,
            about: $about,
        },)*];
        /// The names, in both dialects.
        const NAMES: &[(&str, &str)] = &[$(($camel, $snake),)*];

        /// Changes a policy as a body says: an absent member keeps its value, null restores the
        /// default.
        pub fn read(fields: &Fields, naming: Naming, mut policy: Policy) -> Result<Policy> {
            $(
                let name = match naming { Naming::Camel => $camel, Naming::Snake => $snake };
                if fields.is_given(name) {
                    policy.$field = $into(<$type>::read_member(fields, name)?);
                } else if fields.has(name) {
                    policy.$field = Policy::default().$field;
                }
            )*
            Ok(policy)
        }
    };
}

policy_members! {
    "issuer" "issuer": Line<2048> => issuer by |Line(text)| Some(text),
        "the exact value of iss; {tenantid} in it stands for one of the tenants";
    "discover" "discover": bool => discover by |flag| flag,
        "whether the keys are found by the issuer's metadata; then there is no secret";
    "tenants" "tenants": Texts<1, 200> => tenants by texts,
        "the values of tid that may replace {tenantid} in the issuer";
    "audiences" "audiences": Texts<1, 20> => audiences by texts,
        "aud must contain one of them; required if the keys come from a URL or an issuer";
    "anyAudience" "any_audience": bool => any_audience by |flag| flag,
        "whether tokens for any audience are accepted, although the keys sign for many";
    "types" "types": Texts<0, 20> => types by texts,
        "the accepted values of typ; an empty one accepts tokens without typ; at+jwt alone \
         requires what RFC 9068 does";
    "authorizedParties" "authorized_parties": Texts<1, 100> => authorized_parties by texts,
        "azp, otherwise client_id, appid or cid, must be one of them";
    "requiredScopes" "required_scopes": Texts<1, 50> => required_scopes by texts,
        "scopes that a token must have in scope or scp, all of them";
    "speaksFor" "speaks_for": SpeaksFor => speaks_for by Some,
        "which users its tokens may name: those that belong to the app, all but administrators, or \
         everybody";
    "boundTokens" "bound_tokens": BoundTokens => bound_tokens by |word| word,
        "how tokens that are bound to a key (cnf) are treated";
    "roleMap" "role_map": RoleMap => role_map by |RoleMap(map)| map,
        "values of the claim with roles, and the roles or user types that they give; empty: the \
         values are the roles";
    "groupMap" "group_map": GroupMap => group_map by |GroupMap(map)| map,
        "values of the claim with groups, and the ids of the groups";
    "groupsMode" "groups_mode": GroupsMode => groups_mode by |word| word,
        "whether the token's groups are valid for the request only, or replace the user's \
         memberships of mapped groups";
    "profile" "profile": ProfileMode => profile by |word| word,
        "whether each token updates name, email and roles, or only the first one sets them";
    "passClaims" "pass_claims": Texts<1, 20> => pass_claims by texts,
        "claims that answers and the origin receive, by name or JSON Pointer";
    "introspectionEndpoint" "introspection_endpoint": Line<2048> =>
        introspection_endpoint by |Line(text)| Some(text),
        "with the algorithm introspection: the https:// URL where the issuer introspects tokens; \
         the secret is the client secret";
    "introspectionClientId" "introspection_client_id": Line<256> =>
        introspection_client_id by |Line(text)| Some(text),
        "the client id for that endpoint";
    "introspectionCacheS" "introspection_cache_s": Integer<0, MAX_INTROSPECTION_CACHE_S> =>
        introspection_cache_s by |Integer(seconds)| seconds,
        "for how many seconds an answer of that endpoint is cached, 60 at most; default 10";
}

fn texts<const MIN: usize, const MAX: usize>(Texts(texts): Texts<MIN, MAX>) -> Vec<String> {
    texts
}

/// The members in a body of `/v1`.
pub const CAMEL: Shape =
    Shape { name: "TokenAppPolicy", fields: CAMEL_FIELDS, includes: &[], example: "" };
/// The members in a body of the BI suite's dialect.
pub const SNAKE: Shape =
    Shape { name: "TokenAppPolicySnake", fields: SNAKE_FIELDS, includes: &[], example: "" };

/// A list of at most `MAX` texts, each of at least `MIN` characters.
struct Texts<const MIN: usize, const MAX: usize>(Vec<String>);

impl<const MIN: usize, const MAX: usize> Member for Texts<MIN, MAX> {
    const KIND: Kind = Kind::List {
        item: &Kind::matching(
            MIN,
            1024,
            if MIN == 0 { patterns::LINE_OR_EMPTY } else { patterns::LINE },
        ),
        min: 0,
        max: MAX,
    };

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let texts = fields.required_texts(name)?;
        if texts.len() > MAX {
            return Err(fields.invalid(name, format!("must have at most {MAX} items")));
        }
        for text in texts.iter().filter(|text| MIN > 0 || !text.is_empty()) {
            text::printable(text, 1024)
                .map_err(|why| fields.invalid(name, format!("has an item that {why}")))?;
        }
        Ok(Self(texts))
    }
}

/// Makes enumerations of words readable as members.
macro_rules! words {
    ($($type:ty),*) => {
        $(impl Member for $type {
            const KIND: Kind = Kind::OneOf(Self::WORDS);

            fn read_member(fields: &Fields, name: &str) -> Result<Self> {
                fields.parsed(name, |word| {
                    Self::from_word(word).ok_or_else(|| spelling::one_of(word, Self::WORDS))
                })
            }
        })*
    };
}
words!(SpeaksFor, BoundTokens, GroupsMode, ProfileMode);

/// In seconds.
const MAX_INTROSPECTION_CACHE_S: i64 = 60;

const MAX_MAPPED: usize = 500;

struct RoleMap(BTreeMap<String, String>);

impl Member for RoleMap {
    const KIND: Kind = Kind::MapOf(&Kind::Nullable(&ROLE));

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let role = |value: &Value| {
            let role = value.as_str().ok_or("must have the name of a role for each value")?;
            text::printable(role, MAX_ROLE)
                .map(|()| role.to_owned())
                .map_err(|why| format!("has a role that {why}"))
        };
        map(fields, name, role).map(Self)
    }
}

struct GroupMap(BTreeMap<String, i64>);

impl Member for GroupMap {
    const KIND: Kind = Kind::MapOf(&Kind::Nullable(&Kind::Digits { min: i64::MIN, max: i64::MAX }));

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let id = |value: &Value| {
            let digits = || value.as_str().and_then(|digits| digits.parse().ok());
            value
                .as_i64()
                .or_else(digits)
                .ok_or_else(|| "must have the id of a group for each value".to_owned())
        };
        map(fields, name, id).map(Self)
    }
}

fn map<T>(
    fields: &Fields,
    name: &str,
    value: impl Fn(&Value) -> std::result::Result<T, String>,
) -> Result<BTreeMap<String, T>> {
    let members = fields.required_object(name)?.into_members();
    if members.len() > MAX_MAPPED {
        return Err(fields.invalid(name, format!("must have at most {MAX_MAPPED} members")));
    }
    // A null value is ignored: in a change it removes the entry.
    let given = members.into_iter().filter(|(_, value)| !value.is_null());
    let pair = |(key, of): (String, Value)| {
        value(&of).map(|value| (key, value)).map_err(|why| fields.invalid(name, why))
    };
    given.map(pair).collect()
}

/// The members in an answer of `/v1`.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub struct All(Map<String, Value>);

/// The members in an answer of the BI suite's dialect: those that differ from their defaults.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub struct Chosen(Map<String, Value>);

impl Declared for All {
    const SHAPE: Shape = CAMEL;
}

impl Declared for Chosen {
    const SHAPE: Shape = SNAKE;
}

impl All {
    /// The members of an app. `speaksFor` is the value in force, even if it was not set.
    #[must_use]
    pub fn of(app: &TokenApp) -> Self {
        let policy = Policy { speaks_for: Some(app.speaks_for()), ..app.terms.policy.clone() };
        let members = policy.members();
        Self(
            members
                .into_iter()
                .filter(|(name, _)| NAMES.iter().any(|(camel, _)| camel == name))
                .collect(),
        )
    }
}

impl Chosen {
    #[must_use]
    pub fn of(app: &TokenApp) -> Self {
        let snake = |(name, value): (String, Value)| {
            let (_, snake) = NAMES.iter().find(|(camel, _)| *camel == name)?;
            Some(((*snake).to_owned(), value))
        };
        Self(app.terms.policy.chosen().into_iter().filter_map(snake).collect())
    }
}

/// The name of a member in a dialect.
#[must_use]
pub fn name_in(naming: Naming, camel: &str) -> &str {
    match naming {
        Naming::Camel => camel,
        Naming::Snake => {
            NAMES.iter().find(|(of, _)| *of == camel).map_or(camel, |(_, snake)| snake)
        }
    }
}

/// Replaces the camelCase names in a sentence by the names of a dialect.
#[must_use]
pub fn sentence_in(naming: Naming, sentence: &str) -> String {
    let mut told = String::with_capacity(sentence.len());
    for part in sentence.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let (word, rest) =
            part.split_at(part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
        told.push_str(name_in(naming, word));
        told.push_str(rest);
    }
    told
}

impl Written for All {
    const KIND: Kind = Kind::Object(&CAMEL);
}

impl Written for Chosen {
    const KIND: Kind = Kind::Object(&SNAKE);
}
