//! Pages of lists.

use serde::Serialize;

use crate::api::http::message::Response;
use crate::api::http::patterns;
use crate::api::http::query::int64;
use crate::api::http::route::Call;
use crate::api::http::shape::{Field, Kind, optional, required};
use crate::error::{Error, Result};

const DEFAULT_LIMIT: i64 = 50;

/// A page of the console shows no more names than that.
const MAX_IDS: usize = 100;

/// In characters. No stored name is longer.
const MAX_SEARCH: usize = 128;

pub(super) const LIMIT: Field =
    optional("limit", Kind::Int64 { min: 1, max: 500 }, "how many items at most; default 50");
pub(super) const CURSOR: Field = optional("cursor", Kind::INT64, "the `next` of the page before");
pub(super) const TEXT_CURSOR: Field =
    optional("cursor", Kind::TEXT, "the `next` of the page before");
pub(super) const SEARCH: Field = optional(
    "search",
    Kind::text(1, MAX_SEARCH),
    "only those whose name begins with this, ignoring case; ordered by name",
);
pub(super) const IDS: Field = optional(
    "ids",
    Kind::matching(1, MAX_IDS * 21, patterns::IDS),
    "only those with one of these ids: at most 100, with commas between them; in place of search, \
     limit and cursor",
);
pub(super) const NAMED_QUERY: &[Field] = &[SEARCH, IDS, LIMIT, CURSOR];
pub(super) const NAMED_TEXT_QUERY: &[Field] = &[SEARCH, LIMIT, TEXT_CURSOR];
pub(super) const QUERY: &[Field] = &[LIMIT, CURSOR];
pub(super) const TEXT_QUERY: &[Field] = &[LIMIT, TEXT_CURSOR];

pub(super) const NEXT: Field = required(
    "next",
    Kind::Nullable(&Kind::TEXT),
    "the cursor of the next page; null on the last one",
);

/// Declares the shape of a page of items.
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

/// The limit and the cursor, for ids that are integers.
pub(super) fn asked(call: &Call<'_>) -> Result<(i64, Option<i64>)> {
    Ok((limit(call)?, call.query.declared_integer(&CURSOR)?))
}

/// The limit and the cursor, for ids that are text.
pub(super) fn asked_by_text<'a>(call: &'a Call<'_>) -> Result<(i64, &'a str)> {
    Ok((limit(call)?, call.query.one(TEXT_CURSOR.name)?.unwrap_or_default()))
}

/// The prefix of names that the request searches for.
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

/// The ids of the query; `None` if it asks for a page. Fails if both are asked for.
pub(super) fn ids(call: &Call<'_>) -> Result<Option<Vec<i64>>> {
    let Some(text) = call.query.one(IDS.name)? else { return Ok(None) };
    for other in [SEARCH.name, LIMIT.name, CURSOR.name] {
        if call.query.one(other)?.is_some() {
            return Err(Error::invalid(other, "must not be there beside ids"));
        }
    }
    let ids: Option<Vec<i64>> = text.split(',').map(int64).collect();
    let is_few = |ids: &Vec<i64>| ids.len() <= MAX_IDS;
    let wrong =
        || Error::invalid(IDS.name, format!("must be 1 to {MAX_IDS} ids with commas between them"));
    ids.filter(is_few).ok_or_else(wrong).map(Some)
}

fn limit(call: &Call<'_>) -> Result<i64> {
    Ok(call.query.declared_integer(&LIMIT)?.unwrap_or(DEFAULT_LIMIT))
}

#[derive(Serialize)]
struct Page<A> {
    items: Vec<A>,
    next: Option<String>,
}

/// A page of all items that were asked for by their ids. There is no next page.
pub(super) fn answer_all<'f, T, A: Serialize>(
    found: &'f [T],
    item: impl Fn(&'f T) -> A,
) -> Response {
    Response::json(200, &Page { items: found.iter().map(item).collect(), next: None })
}

/// A page of at most `limit` items. The caller reads one more than `limit`: it shows whether there
/// is a next page.
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
