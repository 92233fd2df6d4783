//! Lists (RFC 7644, 3.4.2): the parameters of a request, and the envelope of a page.

use serde_json::{Map, Value, json};

use super::filter::{self, Expression};
use super::wire::{self, Selection, member};
use crate::api::http::route::Call;
use crate::api::http::shape::{Field, Kind, optional};
use crate::error::{Error, Result};

const DEFAULT_COUNT: i64 = 100;
const MAX_COUNT: i64 = 200;

const FILTER: Field =
    optional("filter", Kind::TEXT, "terms of `eq` and `pr` on indexed attributes, joined by `and`");
const START_INDEX: Field =
    optional("startIndex", Kind::INT64, "which item is the first of the page, from 1");
const COUNT: Field =
    optional("count", Kind::INT64, "how many items a page has: default 100, at most 200");

pub(super) const QUERY: &[Field] = &[FILTER, START_INDEX, COUNT, wire::ATTRIBUTES, wire::EXCLUDED];

/// The parameters of a list.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Terms that must all hold; empty without a filter.
    pub(super) filter: Expression,
    /// The index of the first item, from 1.
    pub(super) start_index: i64,
    pub(super) count: i64,
    pub(super) selection: Selection,
}

impl Wanted {
    pub(super) fn of_query(call: &Call<'_>) -> Result<Self> {
        let number = |name: &'static str| {
            let text = call.query.one(name)?.filter(|text| !text.is_empty());
            text.map(|text| {
                text.parse().map_err(|_| Error::invalid(name, "must be a whole number"))
            })
            .transpose()
        };
        let filter = call.query.one(FILTER.name)?;
        Self::new(
            filter,
            number(START_INDEX.name)?,
            number(COUNT.name)?,
            Selection::of_query(call)?,
        )
    }

    pub(super) fn of_search(body: &Map<String, Value>) -> Result<Self> {
        let number = |name: &'static str| {
            let value = member(body, name);
            value
                .map(|value| {
                    value.as_i64().ok_or_else(|| Error::invalid(name, "must be a whole number"))
                })
                .transpose()
        };
        let filter = member(body, FILTER.name);
        let filter = filter
            .map(|value| {
                value.as_str().ok_or_else(|| Error::invalid(FILTER.name, "must be a string"))
            })
            .transpose()?;
        Self::new(
            filter,
            number(START_INDEX.name)?,
            number(COUNT.name)?,
            Selection::of_search(body)?,
        )
    }

    fn new(
        filter: Option<&str>,
        start_index: Option<i64>,
        count: Option<i64>,
        selection: Selection,
    ) -> Result<Self> {
        Ok(Self {
            filter: filter.map_or(Ok(Vec::new()), filter::parse)?,
            start_index: start_index.unwrap_or(1).max(1),
            count: count.unwrap_or(DEFAULT_COUNT).clamp(0, MAX_COUNT),
            selection,
        })
    }

    pub(super) fn skipped(&self) -> i64 {
        // No list has more items, and D1 represents integers as doubles.
        (self.start_index - 1).min(1 << 52)
    }
}

pub(super) fn response(total: usize, start_index: i64, items: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": items.len(),
        "Resources": items,
    })
}
