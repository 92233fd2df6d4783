//! Handlers of the AuthZEN endpoints.

use serde::Serialize;

use super::pages::Place;
use super::wire::{
    self, AllDecided, AskedPage, Decided, Entity, FoundAction, FoundPage, ItemError, Members,
    Metadata, Named, Semantic, Via, Why, Wrong, needed,
};
use crate::actions::decisions::{self, Asked, Decision, Resource, Subject};
use crate::actions::searches::{self, Found, Page, ResourceKind, SubjectKind};
use crate::api::http::declare::Sometimes;
use crate::api::http::matched_rules::{match_rules, match_rules_as_written, parts};
use crate::api::http::message::{self, Response};
use crate::api::http::route::Call;
use crate::api::http::session_cookie;
use crate::context::Cx;
use crate::domain::method;
use crate::domain::permissions::grant::Grant;
use crate::domain::permissions::names::ResourceType;
use crate::error::{Error, Result};

async fn members(call: &Call<'_>) -> Result<Members> {
    wire::members(call.request, &call.body().await?)
}

/// A question, and whether the caller wants an explanation.
struct Question<'r> {
    asked: Asked<'r>,
    explains: bool,
}

/// The question of a request or of an item. `defaults` is the request, whose members replace those
/// that the item lacks.
fn question<'c>(
    cx: &'c Cx,
    item: &Members,
    defaults: Option<&Members>,
) -> std::result::Result<Question<'c>, Wrong> {
    let default = |name: &str| defaults.filter(|_| !item.contains_key(name)).unwrap_or(item);
    // A member of the wrong type is reported before one that is missing.
    let subject = wire::named(default("subject"), "subject");
    let action = wire::action_name(default("action"));
    let resource = wire::named(default("resource"), "resource");
    let explains = wire::explains(default("context"));
    let mut missing = None;
    let mut part = |wrong: Wrong| match wrong {
        Wrong::Missing(place) => {
            missing.get_or_insert(place);
            Ok(())
        }
        Wrong::Type(error) => Err(Wrong::Type(error)),
    };
    let subject = subject.map_or_else(|wrong| part(wrong).map(|()| None), Ok)?;
    let action = action.map_or_else(|wrong| part(wrong).map(|()| None), Ok)?;
    let resource = resource.map_or_else(|wrong| part(wrong).map(|()| None), Ok)?;
    let explains = explains.map_or_else(|wrong| part(wrong).map(|()| None), Ok)?.unwrap_or(false);
    if let Some(place) = missing {
        return Err(Wrong::Missing(place));
    }
    let (subject, action) = (needed(subject, "subject")?, needed(action, "action")?);
    let resource = needed(resource, "resource")?;
    let subject_id = subject.id("subject")?;
    let id = resource.id("resource")?;
    let asked = Asked {
        subject: Subject::parse(&subject.of, subject_id),
        resource: resource_of(cx, &resource, id, &action).map_err(Wrong::Type)?,
        action,
        about: id.to_owned(),
    };
    Ok(Question { asked, explains })
}

/// The resource that a question names. For a route, finds the rules that apply to its method.
fn resource_of<'c>(cx: &'c Cx, resource: &Named, id: &str, action: &str) -> Result<Resource<'c>> {
    if resource.of != ROUTE {
        return Ok(Resource::parse(&resource.of, id));
    }
    if !method::passes(action) {
        return Ok(Resource::Route(None));
    }
    let rules = &cx.config.rules;
    let Ok((authority, path, query)) = parts(id, "") else { return Ok(Resource::Nothing) };
    let authority = if authority.is_empty() {
        resource.hostname.as_deref().unwrap_or_default()
    } else {
        authority
    };
    if authority.is_empty() && rules.looks_at_hosts() {
        let why =
            "must be a URL, or resource.properties.hostname be there, since rules look at hosts";
        return Err(Error::invalid("resource.id", why));
    }
    let named = |error: Error| error.with_field_named("url", "resource.id");
    // The gateway may forward the path as the client wrote it, so the rules must hold for every way
    // of reading it.
    match_rules(rules, action, authority, path, query).map_err(named)?;
    match_rules_as_written(rules, action, authority, path, "resource.id")
        .map(|matched| Resource::Route(Some(matched)))
}

/// The resource type that the gateway's rules decide about.
const ROUTE: &str = "route";

pub(super) async fn evaluation(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(Response::json(200, &evaluated(cx, call, &members(call).await?).await?))
}

async fn evaluated(cx: &Cx, call: &Call<'_>, members: &Members) -> Result<Decided> {
    let question = question(cx, members, None)?;
    let answers = answered(cx, call, vec![Ok(question)]).await?;
    match answers.into_iter().next() {
        Some(Ok(decided)) => {
            cx.noted.answered(decided.decision);
            Ok(decided)
        }
        Some(Err(error)) => Err(error),
        None => Err(Error::internal("a question has no answer")),
    }
}

pub(super) async fn evaluations(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let members = members(call).await?;
    let semantic = Semantic::of(&members)?;
    let Some(items) = wire::items(&members)? else {
        let Decided { decision, context } = evaluated(cx, call, &members).await?;
        return Ok(Response::json(
            200,
            &AllDecided {
                evaluations: Sometimes(None),
                decision: Sometimes(Some(decision)),
                context,
            },
        ));
    };
    let mut questions = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        questions.push(match question(cx, item, Some(&members)) {
            Ok(question) => Ok(question),
            Err(Wrong::Missing(place)) => Err(Error::invalid(place, "is missing")),
            Err(Wrong::Type(Error::Invalid { field, why, rule })) => {
                return Err(Error::Invalid {
                    field: format!("evaluations[{index}].{field}"),
                    why,
                    rule,
                });
            }
            Err(Wrong::Type(error)) => return Err(error),
        });
    }
    let mut decided = Vec::with_capacity(questions.len());
    for answer in answered(cx, call, questions).await? {
        let one = answer.unwrap_or_else(|error| of_error(&error));
        cx.noted.answered(one.decision);
        let is_last = semantic.ends_with(one.decision);
        decided.push(one);
        if is_last {
            break;
        }
    }
    let all = AllDecided {
        evaluations: Sometimes(Some(decided)),
        decision: Sometimes(None),
        context: Sometimes(None),
    };
    Ok(Response::json(200, &all))
}

/// Answers questions in their order. All valid ones are evaluated together.
async fn answered(
    cx: &Cx,
    call: &Call<'_>,
    questions: Vec<Result<Question<'_>>>,
) -> Result<Vec<Result<Decided>>> {
    let caller = call.caller()?;
    let asked: Vec<_> = questions.iter().flatten().map(|question| question.asked.clone()).collect();
    let mut answers = decisions::evaluate(cx, caller, &asked).await?.into_iter();
    let mut all: Vec<Result<(Decision, bool)>> = Vec::with_capacity(questions.len());
    for question in questions {
        let missing = || Error::internal("a question has no answer");
        all.push(match question {
            Ok(question) => {
                answers.next().ok_or_else(missing)?.map(|decision| (decision, question.explains))
            }
            Err(error) => Err(error),
        });
    }
    let explained = |answer: &Result<(Decision, bool)>| {
        matches!(answer, Ok((_, true))) && caller.is_administrator()
    };
    let explained_of = |answer: &Result<(Decision, bool)>| match answer {
        Ok((decision, _)) if explained(answer) => decision.of,
        _ => None,
    };
    let of: Vec<_> = all.iter().map(explained_of).collect();
    let has_one = all.iter().any(explained);
    let mut via =
        if has_one { decisions::via(cx, caller, &of).await? } else { Vec::new() }.into_iter();
    let decided = |answer: Result<(Decision, bool)>| {
        let is_explained = explained(&answer);
        let grants = via.next().filter(|_| is_explained);
        answer.map(|(decision, _)| Decided {
            decision: decision.allowed,
            context: Sometimes(Some(Why {
                reason: Sometimes(Some(decision.reason.name())),
                via: Sometimes(grants.map(|grants| grants.iter().map(via_of).collect())),
                error: Sometimes(None),
            })),
        })
    };
    Ok(all.into_iter().map(decided).collect())
}

fn via_of(grant: &Grant) -> Via {
    Via { grant: grant.id, object_type: grant.object_type.name(), object_id: grant.object_id }
}

/// The answer to an invalid item of a batch: denied, with the error.
fn of_error(error: &Error) -> Decided {
    let error =
        ItemError { status: i64::from(message::status(error)), message: message::sentence(error) };
    Decided {
        decision: false,
        context: Sometimes(Some(Why {
            reason: Sometimes(None),
            via: Sometimes(None),
            error: Sometimes(Some(error)),
        })),
    }
}

/// The answer to a search. The order of the members is part of the wire format: `page` comes first.
#[derive(Serialize)]
struct Results<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<FoundPage>,
    results: Vec<T>,
}

/// How many results this page has, and its `page` member. The search looked for one result more
/// than `limit`, which shows whether there is a next page.
fn page_of(
    cx: &Cx,
    asked: &AskedPage,
    place: &Place,
    keys: &[String],
) -> (usize, Option<FoundPage>) {
    let limit = usize::try_from(place.limit).unwrap_or(usize::MAX);
    let shown = keys.get(..limit).unwrap_or(keys);
    let last = shown.last().filter(|_| keys.len() > limit);
    let next_token = last.map(|key| place.next(cx, key));
    let is_there = asked.is_there || next_token.is_some();
    let count = i64::try_from(shown.len()).unwrap_or(i64::MAX);
    (shown.len(), is_there.then(|| FoundPage { next_token: next_token.unwrap_or_default(), count }))
}

fn entities(cx: &Cx, asked: &AskedPage, place: &Place, of: &str, found: &Found) -> Response {
    let keys: Vec<_> = found.iter().map(|(key, _)| key.to_string()).collect();
    let (count, page) = page_of(cx, asked, place, &keys);
    let results = found.iter().take(count).map(|(_, id)| Entity { of, id }).collect();
    Response::json(200, &Results { page, results })
}

fn page_behind(place: &Place) -> Result<Page> {
    Ok(Page { after: place.after_id()?, limit: place.limit.saturating_add(1) })
}

fn cannot_be_searched(place: &str, of: &str) -> Error {
    Error::invalid(place, format!("{of} can be evaluated, and not be searched"))
}

pub(super) async fn subjects(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let members = members(call).await?;
    let (asked, page) = subject_search(cx, &members)?;
    let Asking { of, kind, asked } = asked;
    let place = Place::of(cx, &page, &["subject", &of, &asked.action, &asked.about])?;
    let found = searches::subjects(cx, call.caller()?, kind, &asked, page_behind(&place)?).await?;
    Ok(entities(cx, &page, &place, &of, &found))
}

struct Asking<'c> {
    of: String,
    kind: Option<SubjectKind>,
    asked: Asked<'c>,
}

fn subject_search<'c>(cx: &'c Cx, members: &Members) -> Result<(Asking<'c>, AskedPage)> {
    let subject = needed(wire::named(members, "subject")?, "subject")?;
    let action = needed(wire::action_name(members)?, "action")?;
    let resource = needed(wire::named(members, "resource")?, "resource")?;
    let id = resource.id("resource")?;
    wire::explains(members)?;
    let page = AskedPage::of(members)?;
    if matches!(resource.of.as_str(), ROUTE | "organization") {
        return Err(cannot_be_searched("resource.type", &resource.of));
    }
    let kind = match subject.of.as_str() {
        "user" | "identity" => Some(SubjectKind::Usernames),
        "user_id" => Some(SubjectKind::UserIds),
        "application" => return Err(cannot_be_searched("subject.type", &subject.of)),
        _ => None,
    };
    let about = format!("{}:{id}", resource.of);
    let asked = Asked {
        subject: Subject::Nobody,
        resource: resource_of(cx, &resource, id, &action)?,
        action,
        about,
    };
    Ok((Asking { of: subject.of, kind, asked }, page))
}

pub(super) async fn resources(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let members = members(call).await?;
    let subject = needed(wire::named(&members, "subject")?, "subject")?;
    let subject_id = subject.id("subject")?;
    let action = needed(wire::action_name(&members)?, "action")?;
    let resource = needed(wire::named(&members, "resource")?, "resource")?;
    wire::explains(&members)?;
    let page = AskedPage::of(&members)?;
    if subject.of == "application" {
        return Err(cannot_be_searched("subject.type", &subject.of));
    }
    let kind = match resource.of.as_str() {
        ROUTE | "organization" => return Err(cannot_be_searched("resource.type", &resource.of)),
        "service" => Some(ResourceKind::Services),
        other => ResourceType::parse(other).ok().map(ResourceKind::Named),
    };
    let place =
        Place::of(cx, &page, &["resource", &subject.of, subject_id, &action, &resource.of])?;
    let subject = Subject::parse(&subject.of, subject_id);
    let found = searches::resources(
        cx,
        call.caller()?,
        &subject,
        &action,
        kind.as_ref(),
        page_behind(&place)?,
    )
    .await?;
    Ok(entities(cx, &page, &place, &resource.of, &found))
}

pub(super) async fn actions(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let members = members(call).await?;
    let subject = needed(wire::named(&members, "subject")?, "subject")?;
    let subject_id = subject.id("subject")?;
    let resource = needed(wire::named(&members, "resource")?, "resource")?;
    let id = resource.id("resource")?;
    wire::explains(&members)?;
    let page = AskedPage::of(&members)?;
    let place = Place::of(cx, &page, &["action", &subject.of, subject_id, &resource.of, id])?;
    let subject = Subject::parse(&subject.of, subject_id);
    let of = |action: &str| resource_of(cx, &resource, id, action);
    let mut found = searches::actions(cx, call.caller()?, &subject, id, of).await?;
    if let Some(after) = &place.after {
        found.retain(|name| name > after);
    }
    let (count, page) = page_of(cx, &page, &place, &found);
    let results = found.iter().take(count).map(|name| FoundAction { name }).collect();
    Ok(Response::json(200, &Results { page, results }))
}

/// The `Cache-Control` of the metadata if they do not depend on the Host header.
const METADATA_KEPT: &str = "public, max-age=3600";

pub(super) async fn metadata(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    // With `PUBLIC_ORIGIN` set, a forged Host header cannot choose the endpoints that clients will
    // trust.
    let origin = session_cookie::origin(cx, call.request).trim_end_matches('/');
    let at = |path: &str| format!("{origin}{path}");
    let metadata = Metadata {
        policy_decision_point: origin.to_owned(),
        access_evaluation_endpoint: at(wire::EVALUATION),
        access_evaluations_endpoint: at(wire::EVALUATIONS),
        search_subject_endpoint: at(wire::SEARCH_SUBJECT),
        search_resource_endpoint: at(wire::SEARCH_RESOURCE),
        search_action_endpoint: at(wire::SEARCH_ACTION),
    };
    let kept = if cx.config.browsers.public_origin.is_some() { METADATA_KEPT } else { "no-store" };
    Ok(Response::json(200, &metadata).with("cache-control", kept))
}
