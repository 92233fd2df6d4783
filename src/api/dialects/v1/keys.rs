//! Keys with which machines authenticate.

use super::paging::{self, page};
use crate::actions::caller::Credential;
use crate::actions::machine_keys::{self, Filter, Listed, Made, Wish};
use crate::api::http::body::Fields;
use crate::api::http::declare::{Declared, Member, Moment, Request, answer, request};
use crate::api::http::message::Response;
use crate::api::http::patterns;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, optional, required};
use crate::context::Cx;
use crate::domain::identity::machine_key::{self, KeyName, KeySecret, MachineKey, May, Rights};
use crate::domain::identity::user::UserId;
use crate::domain::secret::PlainToken;
use crate::domain::time::Day;
use crate::error::Result;

const ID: Field = required("id", Kind::INT64, "the key's id");
const USER_ID: Field = optional("userId", Kind::INT64, "only keys that act for this user");
const PREFIX: Field =
    required("prefix", Kind::text(1, usize::MAX), "the beginning of the secret, as lists show it");
const LIST_QUERY: &[Field] = &[USER_ID, paging::LIMIT, paging::CURSOR];

/// The end of the year 9999, in epoch milliseconds.
const MAX_END: i64 = 253_402_300_799_999;

/// The rights of a key. A key that acts for a user is also limited to what that user may do.
const MAY: Kind = Kind::List { item: &Kind::OneOf(&May::NAMES), min: 1, max: 3 };

const OWN: Keys = Keys::With(May::Administration);

pub(super) const GROUP: Group = Group {
    parameters: &[ID],
    routes: &[
        Route::get("list_keys", &["/v1/keys"], handler!(list))
            .summary(
                "Lists keys for machines by ascending id; administrators see all, others their own",
            )
            .about("An expired key is listed for 30 days.")
            .access(Access::SignedIn)
            .keys(OWN)
            .query(LIST_QUERY)
            .answers(Answer::json(200, &KEYS)),
        Route::of("POST", "create_key", &["/v1/keys"], handler!(create))
            .summary("Creates a key for a machine, and shows it once")
            .about(
                "A key is sent as a bearer token, or by Basic with its name as user name. \
                 `decisions` lets it verify and check, about everybody; `provisioning` lets it \
                 import the directory and its grants; `administration` lets it do all that an \
                 administrator may. With `userId` the key acts for that user, and may do no more \
                 than they may. Other users than administrators create keys for themselves only; \
                 `userId` then defaults to their own. Such a key ends with the session or token \
                 that created it, unless the request has the password; if a token created it, it \
                 also ends when the token's app is changed. A key that another key created ends \
                 with that key. A user has at most 20 keys.",
            )
            .access(Access::SignedIn)
            .keys(OWN)
            .body(&NewKey::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(201, &NewKeyAnswer::SHAPE)),
        Route::get("get_key", &["/v1/keys/{id}"], handler!(get))
            .summary("Shows a key, to administrators and to the user it acts for")
            .access(Access::SignedIn)
            .keys(OWN)
            .answers(Answer::json(200, &Key::SHAPE)),
        Route::of("DELETE", "delete_key", &["/v1/keys/{id}"], handler!(delete))
            .summary("Deletes a key and the keys that it created")
            .access(Access::SignedIn)
            .keys(OWN),
        Route::of("POST", "add_key_secret", &["/v1/keys/{id}/secret"], handler!(add_secret))
            .summary("Gives a key a second secret, valid beside the first one, and shows it once")
            .about(
                "A key has two secrets at most. Remove the old one when the machine has the new \
                 one. Other users than administrators must send their password, or the session \
                 that the key ends with.",
            )
            .access(Access::SignedIn)
            .keys(OWN)
            .refuses(&[409])
            .answers(Answer::json(201, &NewKeyAnswer::SHAPE)),
        Route::of(
            "DELETE",
            "remove_key_secret",
            &["/v1/keys/{id}/secret"],
            handler!(remove_secret),
        )
        .summary("Removes one of a key's two secrets, at once")
        .access(Access::SignedIn)
        .keys(OWN)
        .query(&[PREFIX])
        .refuses(&[409]),
    ],
};

answer! {
    struct Secret<'a> as "KeySecret" {
        "prefix" prefix: &'a str => "the beginning of the secret",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "lastUsedOn" last_used_on: Option<String> => "the last day (UTC) on which it was used",
    } example r#"{"prefix":"pst_8FzqLk","createdAt":1737599864898,"lastUsedOn":"2026-11-27"}"#
}

answer! {
    struct Key<'a> as "Key" {
        "id" id: i64 => "the key's id",
        "name" name: &'a str => "the key's name",
        "may" may: Vec<&'static str> as MAY => "its rights",
        "userId" user_id: Option<i64> =>
            "the user it acts for, whose rights limit it; null: no user",
        "createdBy" created_by: i64 =>
            "the user who created it, or who created the key that created it",
        "prefix" prefix: &'a str => "the beginning of its newest secret",
        "secrets" secrets: Vec<Secret<'a>> => "the newest first; two while one is being replaced",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "expiresAt" expires_at: Option<i64> as Kind::Nullable(&Kind::TIME) =>
            "epoch milliseconds; null: it does not expire",
        "lastUsedOn" last_used_on: Option<String> =>
            "the last day (UTC) on which one of its secrets was used",
    } example r#"{
        "id":7,"name":"billing","may":["decisions"],"userId":null,"createdBy":1,
        "prefix":"pst_8FzqLk",
        "secrets":[{"prefix":"pst_8FzqLk","createdAt":1737599864898,"lastUsedOn":"2026-11-27"}],
        "createdAt":1737599864898,"expiresAt":null,"lastUsedOn":"2026-11-27"
    }"#
}

answer! {
    struct NewKeyAnswer<'a> as "NewKeyAnswer" {
        includes listed: Key<'a>,
        "key" key: &'a str => "the key; it is shown only once",
    } example r#"{
        "id":7,"name":"billing","may":["decisions"],"userId":null,"createdBy":1,
        "prefix":"pst_8FzqLk",
        "secrets":[{"prefix":"pst_8FzqLk","createdAt":1737599864898,"lastUsedOn":null}],
        "createdAt":1737599864898,"expiresAt":null,"lastUsedOn":null,"key":"pst_8FzqLk…"
    }"#
}

const KEYS: Shape = page!("KeyPage", Key<'_>, "by ascending id");

impl<'a> Key<'a> {
    fn of(Listed { key, secrets }: &'a Listed) -> Self {
        let MachineKey { id, name, may, user_id, created_by, created_at, expires_at, .. } = key;
        Self {
            id: *id,
            name: name.as_str(),
            may: may.names(),
            user_id: user_id.map(|id| id.0),
            created_by: created_by.0,
            prefix: secrets.first().map_or("", |newest| &newest.prefix),
            secrets: secrets.iter().map(Secret::of).collect(),
            created_at: created_at.0,
            expires_at: expires_at.map(|end| end.0),
            last_used_on: secrets
                .iter()
                .filter_map(|secret| secret.last_used_on)
                .max()
                .map(Day::text),
        }
    }
}

impl<'a> Secret<'a> {
    fn of(KeySecret { prefix, created_at, last_used_on }: &'a KeySecret) -> Self {
        Self { prefix, created_at: created_at.0, last_used_on: last_used_on.map(Day::text) }
    }
}

request! {
    struct NewKey as "NewKey" {
        "name" name: KeyName =>
            "a name, unique among the keys of a user, or among those that act for no user",
        "may" may: Rights => "its rights",
        "userId" user_id: Option<i64> => "the user it acts for, whose rights limit it",
        "expiresAt" expires_at: Option<Moment<1, MAX_END>> =>
            "epoch milliseconds; default: never, or when the credential that creates it ends",
    } example r#"{"name":"billing","may":["decisions"]}"#
}

impl Member for KeyName {
    const KIND: Kind = Kind::matching(1, Self::MAX, patterns::APP_NAME);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, Self::parse)
    }
}

impl Member for Rights {
    const KIND: Kind = MAY;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let list = fields.required_texts(name)?;
        let rights =
            list.iter().map(|word| May::parse(word)).collect::<std::result::Result<Vec<_>, _>>();
        let rights = rights.map_err(|why| fields.invalid(name, why))?;
        Self::of(rights).ok_or_else(|| {
            fields
                .invalid(name, format!("must be a list of {}, at least one", May::NAMES.join(", ")))
        })
    }
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let user_id = call.query.declared_integer(&USER_ID)?.map(UserId);
    let found =
        machine_keys::list(cx, call.caller()?, Filter { user_id, after_id, limit: limit + 1 })
            .await?;
    Ok(paging::answer(&found, limit, Key::of, |listed| listed.key.id))
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let NewKey { name, may, user_id, expires_at } = NewKey::read(&call.labelled_fields().await?)?;
    let expires_at = expires_at.map(|Moment(end)| end);
    let wish = Wish { name, may, user_id: user_id.map(UserId), expires_at };
    Ok(shown(&machine_keys::create(cx, call.caller()?, shown_token(call), wish).await?))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let listed = machine_keys::visible(cx, call.caller()?, call.int64(ID.name)?).await?;
    Ok(Response::json(200, &Key::of(&listed)))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    machine_keys::delete(cx, call.caller()?, call.int64(ID.name)?).await?;
    Ok(Response::empty(204))
}

async fn add_secret(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(shown(
        &machine_keys::add_secret(cx, call.caller()?, shown_token(call), call.int64(ID.name)?)
            .await?,
    ))
}

async fn remove_secret(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let prefix = call.query.required(PREFIX.name)?;
    machine_keys::remove_secret(cx, call.caller()?, call.int64(ID.name)?, prefix).await?;
    Ok(Response::empty(204))
}

fn shown(Made { listed, secret }: &Made) -> Response {
    let prefix = machine_key::prefix(secret);
    let listed_key = Key { prefix: &prefix, ..Key::of(listed) };
    let answer = NewKeyAnswer { listed: listed_key, key: secret.expose() };
    Response::json(201, &answer).with("location", format!("/v1/keys/{}", listed.key.id))
}

/// The bearer token of the request, if that was the credential.
fn shown_token<'c>(call: &'c Call<'_>) -> Option<&'c PlainToken> {
    match &call.credential {
        Some(Credential::Token(token)) => Some(token),
        _ => None,
    }
}
