//! Lists, page by page.

use serde::Serialize;

use crate::api::http::message::Response;
use crate::api::http::patterns;
use crate::api::http::route::Call;
use crate::api::http::shape::{Field, Kind, optional, required};
use crate::error::{Error, Result};

const DEFAULT_LIMIT: i64 = 50;

/// How many are asked for by id at most: as many as a page that somebody reads has names.
const MAX_IDS: usize = 100;

/// No name is longer.
const MAX_SEARCH: usize = 128;

/// How many items a page has at most.
pub(super) const LIMIT: Field =
    optional("limit", Kind::Int64 { min: 1, max: 500 }, "how many items at most; default 50");
/// Where a page of things with an int64 as their id begins.
pub(super) const CURSOR: Field = optional("cursor", Kind::INT64, "the `next` of the page before");
/// Where a page of things with text as their id begins.
pub(super) const TEXT_CURSOR: Field =
    optional("cursor", Kind::TEXT, "the `next` of the page before");
/// What names must begin with.
pub(super) const SEARCH: Field = optional(
    "search",
    Kind::text(1, MAX_SEARCH),
    "only those whose name begins with this, in whatever case; in order of name",
);
/// Which ones, in place of a page.
pub(super) const IDS: Field = optional(
    "ids",
    Kind::matching(1, MAX_IDS * 21, patterns::IDS),
    "only these, whether they are there or not: at most 100 ids with commas between them, in place of search, limit and cursor",
);
/// The query of a list that has no filters but the beginning of a name, and ids.
pub(super) const NAMED_QUERY: &[Field] = &[SEARCH, IDS, LIMIT, CURSOR];
/// The same, where ids are text.
pub(super) const NAMED_TEXT_QUERY: &[Field] = &[SEARCH, LIMIT, TEXT_CURSOR];
/// The query of a list that has no filters.
pub(super) const QUERY: &[Field] = &[LIMIT, CURSOR];
/// The same, where ids are text.
pub(super) const TEXT_QUERY: &[Field] = &[LIMIT, TEXT_CURSOR];

/// The member of a page that leads to the next one.
pub(super) const NEXT: Field = required(
    "next",
    Kind::Nullable(&Kind::TEXT),
    "the cursor of the next page; null on the last one",
);

/// The shape of a page of items.
macro_rules! page {
    ($name:literal, $item:ty, $about:literal) => {
        $crate::api::http::shape::Shape {
            name: $name,
            fields: &[
                $crate::api::http::shape::required(
                    "items",
                    $crate::api::http::shape::Kind::list(
                        &<$item as $crate::api::http::declare::Written>::KIND,
                    ),
                    $about,
                ),
                $crate::api::dialects::v1::paging::NEXT,
            ],
            includes: &[],
            example: "",
        }
    };
}
pub(super) use page;

/// How many items are asked for, and from which id on.
pub(super) fn asked(call: &Call<'_>) -> Result<(i64, Option<i64>)> {
    Ok((limit(call)?, call.query.declared_integer(&CURSOR)?))
}

/// How many items are asked for, and behind which id.
pub(super) fn asked_by_text<'a>(call: &'a Call<'_>) -> Result<(i64, &'a str)> {
    Ok((limit(call)?, call.query.one(TEXT_CURSOR.name)?.unwrap_or_default()))
}

/// What the names that are asked for begin with.
pub(super) fn search<'a>(call: &'a Call<'_>) -> Result<Option<&'a str>> {
    let search = call.query.one(SEARCH.name)?;
    if search.is_some_and(|text| !(1..=MAX_SEARCH).contains(&text.chars().count())) {
        return Err(Error::invalid(
            SEARCH.name,
            format!("must have 1 to {MAX_SEARCH} characters: leave it out to list all"),
        ));
    }
    Ok(search)
}

/// The ids that are asked for, in place of a page.
pub(super) fn ids(call: &Call<'_>) -> Result<Option<Vec<i64>>> {
    let Some(text) = call.query.one(IDS.name)? else { return Ok(None) };
    for other in [SEARCH.name, LIMIT.name, CURSOR.name] {
        if call.query.one(other)?.is_some() {
            return Err(Error::invalid(other, "must not be there beside ids"));
        }
    }
    let ids: Option<Vec<i64>> = text.split(',').map(|id| id.parse().ok()).collect();
    let is_few = |ids: &Vec<i64>| ids.len() <= MAX_IDS;
    let wrong =
        || Error::invalid(IDS.name, format!("must be 1 to {MAX_IDS} ids with commas between them"));
    ids.filter(is_few).ok_or_else(wrong).map(Some)
}

/// How many items are asked for.
fn limit(call: &Call<'_>) -> Result<i64> {
    Ok(call.query.declared_integer(&LIMIT)?.unwrap_or(DEFAULT_LIMIT))
}

#[derive(Serialize)]
struct Page<A> {
    items: Vec<A>,
    next: Option<String>,
}

/// All items that were asked for by their ids, as the only page.
pub(super) fn answer_all<'f, T, A: Serialize>(
    found: &'f [T],
    item: impl Fn(&'f T) -> A,
) -> Response {
    Response::json(200, &Page { items: found.iter().map(item).collect(), next: None })
}

/// A page of at most `limit` items, of which one more was read to see whether there is a next page.
pub(super) fn answer<'f, T, A: Serialize, Id: ToString>(
    found: &'f [T],
    limit: i64,
    item: impl Fn(&'f T) -> A,
    id: impl Fn(&T) -> Id,
) -> Response {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let items = found.get(..limit).unwrap_or(found);
    let next =
        (found.len() > limit).then(|| items.last().map(|last| id(last).to_string())).flatten();
    Response::json(200, &Page { items: items.iter().map(item).collect(), next })
}
