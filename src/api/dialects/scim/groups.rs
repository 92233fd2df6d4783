//! Users and groups of an identity provider: groups with their members.

use serde_json::{Map, Value, json};

use super::filter::{self, Term, Test};
use super::lists::{self, Wanted};
use super::names;
use super::patch::{self, GroupChange};
use super::wire::{self, Selection};
use crate::actions::provisioned_groups::{self, Condition, Draft};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Body, Field, Kind, required};
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::identity::provisioned::{KnownGroup, MemberChange};
use crate::error::{Error, Result};
use crate::ports::LocalFuture;

const SENT: &[(&str, &str)] = &[(
    wire::MEDIA_TYPE,
    r#"{
        "schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Sales",
        "members":[{"value":"7"}]
    }"#,
)];
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
        "filter":"displayName eq \"Sales\"","count":10
    }"#,
)];
const PATCHED: &[(&str, &str)] = &[(
    wire::MEDIA_TYPE,
    r#"{
        "schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations":[{"op":"add","path":"members","value":[{"value":"7"}]}]
    }"#,
)];

const ID: Field = required("id", Kind::TEXT, "the group's id");
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
        route("GET", "list_scim_groups", &["/scim/v2/Groups"], handler!(list))
            .summary("Lists the provisioned groups; with a filter, all groups that it finds")
            .about(
                "A page with members has fewer groups than requested if they have too many members \
                 for one answer.",
            )
            .query(lists::QUERY)
            .answers(Answer::texts(200, LISTED)),
        route("POST", "search_scim_groups", &["/scim/v2/Groups/.search"], handler!(search))
            .summary("Lists groups by a search in the body")
            .writes(false)
            .takes(Body::Texts(SEARCHED))
            .refuses(&[415])
            .answers(Answer::texts(200, LISTED)),
        route("POST", "create_scim_group", &["/scim/v2/Groups"], handler!(create))
            .summary("Creates a group with its members")
            .query(SELECTION)
            .takes(Body::Texts(SENT))
            .refuses(&[409, 415])
            .answers(Answer::texts(201, SENT)),
        route("GET", "get_scim_group", &["/scim/v2/Groups/{id}"], handler!(get))
            .summary("Shows a group with its members")
            .query(SELECTION)
            .answers(Answer::texts(200, SENT)),
        route("PUT", "replace_scim_group", &["/scim/v2/Groups/{id}"], handler!(replace))
            .summary(
                "Replaces the attributes of a group that the provider manages; without `members` \
                 they are kept",
            )
            .query(SELECTION)
            .takes(Body::Texts(SENT))
            .refuses(&[409, 415])
            .answers(Answer::texts(200, SENT)),
        route("PATCH", "patch_scim_group", &["/scim/v2/Groups/{id}"], handler!(change))
            .summary("Changes a group and its members by operations, all of them or none")
            .about(
                "With `attributes` the answer is 200 with the group, otherwise 204. Two \
                 simultaneous changes lose no member.",
            )
            .query(SELECTION)
            .takes(Body::Texts(PATCHED))
            .refuses(&[204, 409, 415])
            .answers(Answer::texts(200, SENT)),
        route("DELETE", "delete_scim_group", &["/scim/v2/Groups/{id}"], handler!(delete))
            .summary("Deletes a group and the grants to it; its users stay"),
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
    let with_members = wanted.selection.wants("members");
    let page = match conditions(&wanted.filter)? {
        Some(conditions) => {
            provisioned_groups::list(cx, &conditions, wanted.skipped(), wanted.count, with_members)
                .await?
        }
        None => provisioned_groups::Page { groups: Vec::new(), total: 0 },
    };
    let base = wire::base(cx, call);
    let groups: Vec<_> = page
        .groups
        .iter()
        .map(|(group, members)| shown(&base, group, members, &wanted.selection))
        .collect();
    let total = usize::try_from(page.total).unwrap_or(0);
    Ok(wire::answer(200, &lists::response(total, wanted.start_index, &groups)))
}

/// The conditions of a filter; `None` if no group can satisfy it.
fn conditions(filter: &[Term]) -> Result<Option<Vec<Condition>>> {
    let number =
        |text: &String| text.parse().ok().filter(|number: &i64| number.to_string() == *text);
    let mut conditions = Vec::new();
    for Term { name, which, test } in filter {
        let inner = which
            .as_ref()
            .and_then(|which| which.iter().find(|term| term.name == "value"))
            .map(|term| &term.test);
        let is_doubled = inner.is_some() && *test != Test::Present;
        if which.as_ref().is_some_and(|which| which.len() != 1) || is_doubled {
            return Err(filter::invalid(
                "may select values of members by one value, and compare nothing else",
            ));
        }
        if which.is_some() && (name != "members" || inner.is_none()) {
            return Err(filter::invalid("may select values of members by value only"));
        }
        match (name.as_str(), inner.unwrap_or(test)) {
            ("displayname", Test::Equals(name)) => conditions.push(Condition::Name(name.clone())),
            ("externalid", Test::Equals(id)) => conditions.push(Condition::ExternalId(id.clone())),
            ("id", Test::Equals(id)) => match number(id) {
                Some(id) => conditions.push(Condition::Id(id)),
                None => return Ok(None),
            },
            ("members" | "members.value", Test::Equals(id)) => match number(id) {
                Some(id) => conditions.push(Condition::Member(id)),
                None => return Ok(None),
            },
            ("displayname" | "id", Test::Present) => {}
            ("externalid", Test::Present) => conditions.push(Condition::HasExternalId),
            ("members" | "members.value", Test::Present) => conditions.push(Condition::HasMembers),
            _ => {
                return Err(filter::invalid(
                    "may be about displayName, externalId, id and members",
                ));
            }
        }
    }
    Ok(Some(conditions))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let selection = Selection::of_query(call)?;
    let group = provisioned_groups::find(cx, wire::id(call, "group")?).await?;
    answer(cx, call, 200, &group, &selection).await
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let selection = Selection::of_query(call)?;
    let group = provisioned_groups::create(
        cx,
        call.caller()?,
        draft(patch::whole_group(&wire::body(call).await?)?)?,
    )
    .await?;
    let location = format!("{}/Groups/{}", wire::base(cx, call), group.id);
    Ok(answer(cx, call, 201, &group, &selection).await?.with("location", location))
}

async fn replace(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (id, selection, body) =
        (wire::id(call, "group")?, Selection::of_query(call)?, wire::body(call).await?);
    let group =
        provisioned_groups::update(cx, call.caller()?, id, &|_| draft(patch::whole_group(&body)?))
            .await?;
    answer(cx, call, 200, &group, &selection).await
}

async fn change(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (id, selection, body) =
        (wire::id(call, "group")?, Selection::of_query(call)?, wire::body(call).await?);
    let change = |known: &KnownGroup| {
        let mut changed = GroupChange {
            external_id: known.external_id.clone(),
            name: known.name.clone(),
            members: MemberChange::none(),
        };
        patch::group(&mut changed, &body)?;
        draft(changed)
    };
    let group = provisioned_groups::update(cx, call.caller()?, id, &change).await?;
    if selection.names_some() {
        answer(cx, call, 200, &group, &selection).await
    } else {
        Ok(Response::empty(204))
    }
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    provisioned_groups::delete(cx, call.caller()?, wire::id(call, "group")?).await?;
    Ok(Response::empty(204))
}

fn draft(change: GroupChange) -> Result<Draft> {
    let GroupChange { external_id, name, members } = change;
    Ok(Draft { external_id, name: name.ok_or_else(|| Error::missing("displayName"))?, members })
}

/// Boxed, so that the wasm contains this code once.
fn answer<'a>(
    cx: &'a Cx,
    call: &'a Call<'_>,
    status: u16,
    group: &'a KnownGroup,
    selection: &'a Selection,
) -> LocalFuture<'a, Result<Response>> {
    Box::pin(answer_with(cx, call, status, group, selection))
}

async fn answer_with(
    cx: &Cx,
    call: &Call<'_>,
    status: u16,
    group: &KnownGroup,
    selection: &Selection,
) -> Result<Response> {
    let members = if selection.wants("members") {
        provisioned_groups::members(cx, group.id).await?
    } else {
        Vec::new()
    };
    Ok(wire::answer(status, &shown(&wire::base(cx, call), group, &members, selection)))
}

/// Members are shown by id only, as clients sent them, because clients compare the two.
fn shown(base: &str, known: &KnownGroup, members: &[i64], selection: &Selection) -> Value {
    let KnownGroup { id, external_id, name, created_at, modified_at, .. } = known;
    let location = format!("{base}/Groups/{id}");
    let mut group = Map::new();
    group.insert("schemas".to_owned(), json!([names::GROUP]));
    group.insert("id".to_owned(), json!(id.to_string()));
    if let Some(external_id) = external_id {
        group.insert("externalId".to_owned(), json!(external_id));
    }
    if let Some(name) = name {
        group.insert("displayName".to_owned(), json!(name));
    }
    if !members.is_empty() {
        let member = |id: &i64| {
            let url = format!("{base}/Users/{id}");
            json!({ "value": id.to_string(), "$ref": url, "type": "User" })
        };
        group.insert("members".to_owned(), members.iter().map(member).collect());
    }
    group.insert("meta".to_owned(), wire::meta("Group", *created_at, *modified_at, &location));
    selection.of(group)
}
