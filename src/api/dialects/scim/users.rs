//! Users of an identity provider.

use serde_json::{Map, Value, json};

use super::filter::{self, Expression, Term, Test};
use super::lists::{self, Wanted};
use super::wire::{self, Selection};
use super::{names, patch};
use crate::actions::provisioned_users::{self, Condition, Groups};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Body, Field, Kind, required};
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::identity::provisioned::{KnownPerson, Person};
use crate::domain::identity::user::UserId;
use crate::error::Result;
use crate::ports::LocalFuture;

const USER: &str = r#"{
    "schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u1",
    "userName":"ada@example.com","active":true
}"#;
const SENT: &[(&str, &str)] = &[(wire::MEDIA_TYPE, USER)];
const LISTED: &[(&str, &str)] = &[(
    wire::MEDIA_TYPE,
    r#"{
        "schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
        "startIndex":1,"itemsPerPage":0,"Resources":[]
    }"#,
)];
const SEARCHED: &[(&str, &str)] = &[(
    wire::MEDIA_TYPE,
    r#"{
        "schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter":"userName eq \"ada@example.com\"","count":10
    }"#,
)];
const PATCHED: &[(&str, &str)] = &[(
    wire::MEDIA_TYPE,
    r#"{
        "schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations":[{"op":"replace","path":"active","value":false}]
    }"#,
)];
const ANSWERED: Answer = Answer::texts(200, SENT);

const ID: Field = required("id", Kind::TEXT, "the user's id");
const SELECTION: &[Field] = &[wire::ATTRIBUTES, wire::EXCLUDED];

const fn route(
    method: &'static str,
    operation: &'static str,
    paths: &'static [&'static str],
    handler: crate::api::http::route::Handler,
) -> Route {
    Route::of(method, operation, paths, handler)
        .access(Access::Administrator)
        .keys(Keys::With(May::Provisioning))
}

pub(super) const GROUP: Group = Group {
    parameters: &[ID],
    routes: &[
        route("GET", "list_scim_users", &["/scim/v2/Users"], handler!(list))
            .summary("Lists the provisioned users; with a filter, all users that it finds")
            .query(lists::QUERY)
            .refuses(&[409])
            .answers(Answer::texts(200, LISTED)),
        route("POST", "search_scim_users", &["/scim/v2/Users/.search"], handler!(search))
            .summary("Lists users by a search in the body")
            .writes(false)
            .takes(Body::Texts(SEARCHED))
            .refuses(&[409, 415])
            .answers(Answer::texts(200, LISTED)),
        route("POST", "create_scim_user", &["/scim/v2/Users"], handler!(create))
            .summary("Creates a user, or enables one again that the provider had disabled")
            .query(SELECTION)
            .takes(Body::Texts(SENT))
            .refuses(&[409, 415])
            .answers(Answer::texts(201, SENT)),
        route("GET", "get_scim_user", &["/scim/v2/Users/{id}"], handler!(get))
            .summary("Shows a user")
            .query(SELECTION)
            .answers(ANSWERED),
        route("PUT", "replace_scim_user", &["/scim/v2/Users/{id}"], handler!(replace))
            .summary(
                "Replaces the attributes of a user that the provider manages; without `active` it \
                 is kept",
            )
            .query(SELECTION)
            .takes(Body::Texts(SENT))
            .refuses(&[409, 415])
            .answers(ANSWERED),
        route("PATCH", "patch_scim_user", &["/scim/v2/Users/{id}"], handler!(change))
            .summary("Changes a user by operations, all of them or none")
            .about("A user who is disabled by `active` loses their tokens at once.")
            .query(SELECTION)
            .takes(Body::Texts(PATCHED))
            .refuses(&[409, 415])
            .answers(ANSWERED),
        route("DELETE", "delete_scim_user", &["/scim/v2/Users/{id}"], handler!(delete))
            .summary("Deletes a user with their tokens, memberships and grants"),
    ],
};

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    page(cx, call, Wanted::of_query(call)?).await
}

async fn search(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    page(cx, call, Wanted::of_search(&wire::body(call).await?)?).await
}

/// Boxed, so that the wasm contains this code once.
fn page<'a>(cx: &'a Cx, call: &'a Call<'_>, wanted: Wanted) -> LocalFuture<'a, Result<Response>> {
    Box::pin(page_of(cx, call, wanted))
}

async fn page_of(cx: &Cx, call: &Call<'_>, wanted: Wanted) -> Result<Response> {
    let addresses = addresses(&wanted.filter);
    // All terms of one pair of brackets must hold for the same address.
    let has_address = |terms: &Expression, person: &Person| {
        person.emails.list.iter().any(|email| terms.iter().all(|term| patch::is_of(email, term)))
    };
    let also = |person: &Person| addresses.iter().all(|terms| has_address(terms, person));
    let page = match conditions(&wanted.filter)? {
        Some(conditions) => {
            provisioned_users::list(cx, &conditions, &also, wanted.skipped(), wanted.count).await?
        }
        None => provisioned_users::Page { users: Vec::new(), total: 0 },
    };
    let groups = groups_of(cx, &wanted.selection, &page.users).await?;
    let users: Vec<_> = page
        .users
        .iter()
        .map(|user| shown(&wire::base(cx, call), user, &groups, &wanted.selection))
        .collect();
    let total = usize::try_from(page.total).unwrap_or(0);
    Ok(wire::answer(200, &lists::response(total, wanted.start_index, &users)))
}

/// For each filter in brackets, the terms that one address must satisfy.
fn addresses(filter: &[Term]) -> Vec<Expression> {
    let of_term = |Term { which, test, .. }: &Term| {
        let value = matches!(test, Test::Equals(_)).then(|| Term {
            name: "value".to_owned(),
            which: None,
            test: test.clone(),
        });
        which.clone().map(|terms| terms.into_iter().chain(value).collect())
    };
    filter.iter().filter_map(of_term).collect()
}

/// The conditions of a filter; `None` if no user can satisfy it.
fn conditions(filter: &[Term]) -> Result<Option<Vec<Condition>>> {
    let mut conditions = Vec::new();
    for Term { name, which, test } in filter {
        let inner = which
            .as_ref()
            .and_then(|which| which.iter().find(|term| term.name == "value"))
            .map(|term| &term.test);
        let is_email = matches!(name.as_str(), "emails" | "emails.value");
        if which.is_some() && !is_email {
            return Err(filter::invalid("may select values of emails only"));
        }
        let is_of_address =
            |term: &Term| matches!(term.name.as_str(), "value" | "type" | "primary");
        if !which.iter().flatten().all(is_of_address) {
            return Err(filter::invalid("may select emails by value, type and primary only"));
        }
        match (name.as_str(), inner.unwrap_or(test)) {
            ("username", Test::Equals(name)) => conditions.push(Condition::Username(name.clone())),
            ("externalid", Test::Equals(id)) => conditions.push(Condition::ExternalId(id.clone())),
            ("id", Test::Equals(id)) => {
                match id.parse().ok().filter(|number: &i64| number.to_string() == *id) {
                    Some(id) => conditions.push(Condition::Id(id)),
                    None => return Ok(None),
                }
            }
            ("emails" | "emails.value", Test::Equals(email)) => {
                conditions.push(Condition::Email(email.clone()))
            }
            ("active", Test::Equals(word)) if word.eq_ignore_ascii_case("true") => {
                conditions.push(Condition::Active(true))
            }
            ("active", Test::Equals(word)) if word.eq_ignore_ascii_case("false") => {
                conditions.push(Condition::Active(false))
            }
            ("username" | "id" | "active", Test::Present) => {}
            ("externalid", Test::Present) => conditions.push(Condition::HasExternalId),
            ("emails" | "emails.value", Test::Present) if which.is_none() => {
                conditions.push(Condition::HasEmail)
            }
            _ => {
                return Err(filter::invalid(
                    "may be about userName, externalId, id and emails.value; active only together \
                     with one of them",
                ));
            }
        }
    }
    let has_active = conditions.iter().any(|condition| matches!(condition, Condition::Active(_)));
    if has_active && !conditions.iter().any(Condition::is_selective) {
        return Err(filter::invalid(
            "may be about active only beside userName, externalId, id or emails.value",
        ));
    }
    Ok(Some(conditions))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let selection = Selection::of_query(call)?;
    let user = provisioned_users::find(cx, UserId(wire::id(call, "user")?)).await?;
    answer(cx, call, 200, &user, &selection).await
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let selection = Selection::of_query(call)?;
    let person = patch::whole_person(
        Person { active: true, tells_active: true, ..Person::default() },
        &wire::body(call).await?,
    )?;
    let user = provisioned_users::create(cx, call.caller()?, person).await?;
    let location = format!("{}/Users/{}", wire::base(cx, call), user.id.0);
    Ok(answer(cx, call, 201, &user, &selection).await?.with("location", location))
}

async fn replace(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (id, selection, body) =
        (UserId(wire::id(call, "user")?), Selection::of_query(call)?, wire::body(call).await?);
    let change = |person: &mut Person| {
        let before = Person {
            active: person.active,
            tells_active: person.tells_active,
            ..Person::default()
        };
        *person = patch::whole_person(before, &body)?;
        Ok(())
    };
    let user = provisioned_users::update(cx, call.caller()?, id, &change).await?;
    answer(cx, call, 200, &user, &selection).await
}

async fn change(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (id, selection, body) =
        (UserId(wire::id(call, "user")?), Selection::of_query(call)?, wire::body(call).await?);
    let user =
        provisioned_users::update(cx, call.caller()?, id, &|person| patch::person(person, &body))
            .await?;
    answer(cx, call, 200, &user, &selection).await
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    provisioned_users::delete(cx, call.caller()?, UserId(wire::id(call, "user")?)).await?;
    Ok(Response::empty(204))
}

async fn groups_of(cx: &Cx, selection: &Selection, users: &[KnownPerson]) -> Result<Groups> {
    if !selection.wants("groups") {
        return Ok(Vec::new());
    }
    provisioned_users::groups_of(cx, &users.iter().map(|user| user.id).collect::<Vec<_>>()).await
}

/// Boxed, so that the wasm contains this code once.
fn answer<'a>(
    cx: &'a Cx,
    call: &'a Call<'_>,
    status: u16,
    user: &'a KnownPerson,
    selection: &'a Selection,
) -> LocalFuture<'a, Result<Response>> {
    Box::pin(answer_with(cx, call, status, user, selection))
}

async fn answer_with(
    cx: &Cx,
    call: &Call<'_>,
    status: u16,
    user: &KnownPerson,
    selection: &Selection,
) -> Result<Response> {
    let groups = groups_of(cx, selection, std::slice::from_ref(user)).await?;
    Ok(wire::answer(status, &shown(&wire::base(cx, call), user, &groups, selection)))
}

fn shown(base: &str, known: &KnownPerson, groups: &Groups, selection: &Selection) -> Value {
    let KnownPerson { id, person, created_at, modified_at, .. } = known;
    let id = id.0.to_string();
    let location = format!("{base}/Users/{id}");
    let name = texts([
        ("formatted", &person.formatted_name),
        ("familyName", &person.family_name),
        ("givenName", &person.given_name),
    ]);
    let mut user = Map::new();
    user.insert("schemas".to_owned(), json!([names::USER]));
    user.insert("id".to_owned(), json!(id));
    user.extend(texts([("externalId", &person.external_id)]));
    user.insert("userName".to_owned(), json!(person.username));
    user.extend(texts([("displayName", &person.display_name)]));
    if !name.is_empty() {
        user.insert("name".to_owned(), Value::Object(name));
    }
    if person.tells_active {
        user.insert("active".to_owned(), json!(person.active));
    }
    if !person.emails.list.is_empty() {
        user.insert("emails".to_owned(), json!(person.emails.list));
    }
    let of_user = groups.iter().filter(|(of, ..)| of.0.to_string() == id);
    let groups: Vec<_> =
        of_user.map(|(_, group, name)| group_of(base, *group, name.as_deref())).collect();
    if !groups.is_empty() {
        user.insert("groups".to_owned(), json!(groups));
    }
    user.insert("meta".to_owned(), wire::meta("User", *created_at, *modified_at, &location));
    selection.of(user)
}

fn group_of(base: &str, group: i64, name: Option<&str>) -> Value {
    let mut shown = json!({ "value": group.to_string(), "$ref": format!("{base}/Groups/{group}") });
    if let (Some(members), Some(name)) = (shown.as_object_mut(), name) {
        members.insert("display".to_owned(), json!(name));
    }
    shown
}

/// The texts that are present, by name.
fn texts<const N: usize>(texts: [(&str, &Option<String>); N]) -> Map<String, Value> {
    texts
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))))
        .collect()
}
