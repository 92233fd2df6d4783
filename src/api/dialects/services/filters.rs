//! Parses a query for grants: plain parameters, and up to 20 filters `filters[i].key|op|value`, all
//! of which must hold.

use std::collections::BTreeMap;

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::api::http::members;
use crate::api::http::query::Query;
use crate::api::http::shape::{Field, Kind, optional, required};
use crate::domain::json;
use crate::domain::permissions::grant::{Condition, GrantField, GrantQuery, OrderBy, Test};
use crate::domain::permissions::permission::ObjectType;
use crate::error::{Error, Result, Rule};

const MAX_FILTERS: usize = 20;
const MAX_VALUES: usize = 1000;
const MAX_SERVICES: usize = 100;
const OPERATORS: Kind = Kind::AnyCase(&[
    "GREATER_THAN",
    "LESS_THAN",
    "GREATER_THAN_EQUAL",
    "LESS_THAN_EQUAL",
    "EQUAL",
    "NOT_EQUAL",
    "MATCH",
    "MATCH_END",
    "NOT_MATCH",
    "NOT_MATCH_END",
    "IN",
    "NOT_IN",
    "IS_NULL",
    "IS_NOT_NULL",
]);

/// Only certain fields can be filtered.
const FILTER_FIELD: Rule = Rule::OfDialect("unsupported_filter_field");
/// Only fields with an order can be compared.
const FILTER_RANGE: Rule = Rule::OfDialect("unsupported_range_filter");
/// Only certain fields can be filtered by negation or by a list.
const FILTER_NOT: Rule = Rule::OfDialect("unsupported_not_filter");
/// A list can be ordered by certain fields only.
const ORDER_BY: Rule = Rule::OfDialect("unsupported_order_by");

/// The name of the refused part in messages, by the key of its rule.
pub(super) fn unsupported_part(key: &str) -> &'static str {
    match key {
        "unsupported_range_filter" => "range filter",
        "unsupported_not_filter" => "not filter",
        "unsupported_order_by" => "order by",
        _ => "filter",
    }
}

const SERVICE_ID: Field =
    optional("serviceId", Kind::INT64, "required here, or as a filter with EQUAL or IN");
const OBJECT_ID: Field = optional("authObjectId", Kind::INT64, "the object's id");
const PAGE_NUMBER: Field = optional("pageNo", Kind::Int64 { min: 1, max: 100_000 }, "default 1");
const PAGE_SIZE: Field = optional("pageSize", Kind::Int64 { min: 1, max: 2000 }, "default 10");

pub(super) const QUERY: &[Field] = &[
    SERVICE_ID,
    required("authObjectType", members::ASKED_OBJECT_TYPE, "the object's type"),
    OBJECT_ID,
    optional("createdDate", Kind::TEXT, "yyyy-MM-dd HH:mm:ss, UTC, or RFC 3339"),
    PAGE_NUMBER,
    PAGE_SIZE,
    optional("orderBy", Kind::OneOf(&["id", "serviceId", "createdDate"]), "default id"),
    optional("orderSort", Kind::AnyCase(&["ASC", "DESC"]), "default DESC"),
    optional(
        "infoScope",
        Kind::AnyCase(&["BASIC", "DETAIL"]),
        "DETAIL adds the objects' names; default BASIC",
    ),
    optional(
        "filters[0].key",
        Kind::OneOf(&["id", "serviceId", "authObjectType", "authObjectId", "createdDate"]),
        "a field",
    ),
    optional("filters[0].op", OPERATORS, "MATCH contains, MATCH_END begins with"),
    optional(
        "filters[0].value",
        Kind::TEXT,
        "a value; for IN a list: a,b or [a,b] or [\"a\",\"b\"]",
    ),
];

pub(super) fn grant_query(query: &Query) -> Result<GrantQuery> {
    let mut conditions = Vec::new();
    let mut services = integer(query, &SERVICE_ID)?.map(|id| vec![id]);
    for filter in filters(query)? {
        match filter.condition()? {
            // Several lists of services restrict the result to the services that are in all of
            // them.
            Condition {
                field: GrantField::ServiceId,
                test: Test::Among { values, not: false },
            } => {
                let ids: Vec<i64> = values.iter().filter_map(|value| value.parse().ok()).collect();
                services = Some(services.map_or(ids.clone(), |known| {
                    known.into_iter().filter(|id| ids.contains(id)).collect()
                }));
            }
            condition => conditions.push(condition),
        }
    }
    let object_type = ObjectType::parse(query.required("authObjectType")?)
        .map_err(|why| Error::invalid("authObjectType", why))?;
    if let Some(id) = integer(query, &OBJECT_ID)? {
        conditions.push(Condition {
            field: GrantField::ObjectId,
            test: Test::Among { values: vec![id.to_string()], not: false },
        });
    }
    if let Some(text) = query.one("createdDate")?.filter(|text| !text.is_empty()) {
        let (first, last) = second("createdDate", text)?;
        conditions.push(Condition {
            field: GrantField::CreatedAt,
            test: Test::Within(Some(first), Some(last)),
        });
    }
    let page_no = integer(query, &PAGE_NUMBER)?.unwrap_or(1);
    let page_size = integer(query, &PAGE_SIZE)?.unwrap_or(10);
    let mut service_ids = services.ok_or_else(|| Error::missing("serviceId"))?;
    service_ids.sort_unstable();
    service_ids.dedup();
    if service_ids.len() > MAX_SERVICES {
        return Err(Error::invalid("serviceId", format!("must have 1 to {MAX_SERVICES} values")));
    }
    Ok(GrantQuery {
        service_ids,
        object_type,
        conditions,
        order_by: order_by(query)?,
        descending: word(query, "orderSort", ["DESC", "ASC"])? == 0,
        offset: (page_no - 1) * page_size,
        limit: page_size,
        with_names: word(query, "infoScope", ["BASIC", "DETAIL"])? == 1,
    })
}

/// A whole number. Forms also send their empty fields, which are treated as absent.
fn integer(query: &Query, parameter: &Field) -> Result<Option<i64>> {
    if query.one(parameter.name)? == Some("") {
        Ok(None)
    } else {
        query.declared_integer(parameter)
    }
}

fn order_by(query: &Query) -> Result<OrderBy> {
    match query.one("orderBy")? {
        None | Some("" | "id") => Ok(OrderBy::Id),
        Some("serviceId") => Ok(OrderBy::ServiceId),
        Some("createdDate") => Ok(OrderBy::CreatedAt),
        Some(other) => Err(Error::Invalid {
            field: other.to_owned(),
            why: "(id, serviceId, createdDate)".to_owned(),
            rule: ORDER_BY,
        }),
    }
}

/// The index of a word, ignoring case; 0 if the parameter is absent.
fn word(query: &Query, name: &str, words: [&str; 2]) -> Result<usize> {
    let Some(text) = query.one(name)?.filter(|text| !text.is_empty()) else { return Ok(0) };
    let index = words.iter().position(|word| word.eq_ignore_ascii_case(text));
    index.ok_or_else(|| Error::invalid(name, format!("must be one of {}", words.join(", "))))
}

#[derive(Default)]
struct Filter<'a> {
    key: Option<&'a str>,
    operator: Option<&'a str>,
    value: Option<&'a str>,
}

/// The filters in the order of their numbers. A filter without key, operator or required value is
/// dropped.
fn filters(query: &Query) -> Result<Vec<Filter<'_>>> {
    let mut found: BTreeMap<u32, Filter<'_>> = BTreeMap::new();
    for (name, value) in query.pairs() {
        let Some((number, part)) =
            name.strip_prefix("filters[").and_then(|rest| rest.split_once("]."))
        else {
            continue;
        };
        let number = number
            .parse()
            .map_err(|_| Error::invalid(name, "must have a whole number in its brackets"))?;
        let filter = found.entry(number).or_default();
        let slot = match part {
            "key" => &mut filter.key,
            "op" => &mut filter.operator,
            "value" => &mut filter.value,
            _ => return Err(Error::invalid(name, "must end in key, op or value")),
        };
        if slot.replace(value).is_some() {
            return Err(Error::invalid(name, "must not be there twice"));
        }
    }
    if found.len() > MAX_FILTERS {
        return Err(Error::invalid("filters", format!("must be at most {MAX_FILTERS}")));
    }
    Ok(found.into_values().filter(Filter::is_whole).collect())
}

impl Filter<'_> {
    fn is_whole(&self) -> bool {
        let is_there = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        let needs_value = !self.operator().starts_with("IS_");
        is_there(self.key) && is_there(self.operator) && (is_there(self.value) || !needs_value)
    }

    fn operator(&self) -> String {
        self.operator.unwrap_or_default().to_ascii_uppercase()
    }

    fn condition(&self) -> Result<Condition> {
        let (key, value) = (self.key.unwrap_or_default(), self.value.unwrap_or_default());
        let field = match key {
            "id" => GrantField::Id,
            "serviceId" => GrantField::ServiceId,
            "authObjectType" => GrantField::ObjectType,
            "authObjectId" => GrantField::ObjectId,
            "createdDate" => GrantField::CreatedAt,
            _ => return Err(unsupported(key, FILTER_FIELD)),
        };
        let has_order = matches!(field, GrantField::Id | GrantField::CreatedAt);
        let test = match self.operator().as_str() {
            "GREATER_THAN" | "LESS_THAN" | "GREATER_THAN_EQUAL" | "LESS_THAN_EQUAL"
                if !has_order =>
            {
                return Err(unsupported(key, FILTER_RANGE));
            }
            "IN" | "NOT_IN" | "NOT_EQUAL" if field == GrantField::CreatedAt => {
                return Err(unsupported(key, FILTER_NOT));
            }
            "GREATER_THAN" => {
                Test::Within(Some(bounds(field, key, value)?.1.saturating_add(1)), None)
            }
            "LESS_THAN" => Test::Within(None, Some(bounds(field, key, value)?.0.saturating_sub(1))),
            "GREATER_THAN_EQUAL" => Test::Within(Some(bounds(field, key, value)?.0), None),
            "LESS_THAN_EQUAL" => Test::Within(None, Some(bounds(field, key, value)?.1)),
            "EQUAL" if field == GrantField::CreatedAt => {
                let (first, last) = second(key, value)?;
                Test::Within(Some(first), Some(last))
            }
            "EQUAL" => Test::Among { values: vec![checked(field, key, value)?], not: false },
            "NOT_EQUAL" => Test::Among { values: vec![checked(field, key, value)?], not: true },
            "IN" => Test::Among { values: values(field, key, value)?, not: false },
            "NOT_IN" => Test::Among { values: values(field, key, value)?, not: true },
            "MATCH" => like(value, false, false),
            "MATCH_END" => like(value, true, false),
            "NOT_MATCH" => like(value, false, true),
            "NOT_MATCH_END" => like(value, true, true),
            "IS_NULL" => Test::Present(false),
            "IS_NOT_NULL" => Test::Present(true),
            other => {
                return Err(Error::invalid(key, format!("has an unknown filter operator {other}")));
            }
        };
        Ok(Condition { field, test })
    }
}

fn unsupported(key: &str, rule: Rule) -> Error {
    let why = match rule {
        FILTER_RANGE => "(id, createdDate)",
        FILTER_NOT => "(id, serviceId, authObjectId, authObjectType)",
        _ => "(id, serviceId, authObjectType, authObjectId, createdDate)",
    };
    Error::Invalid { field: key.to_owned(), why: why.to_owned(), rule }
}

fn like(text: &str, at_start: bool, not: bool) -> Test {
    Test::Like { text: text.to_owned(), at_start, not }
}

/// The first and the last value that equal the text: the id twice, or the first and last
/// millisecond of a second.
fn bounds(field: GrantField, key: &str, text: &str) -> Result<(i64, i64)> {
    match field {
        GrantField::CreatedAt => second(key, text),
        _ => text
            .trim()
            .parse()
            .map(|id| (id, id))
            .map_err(|_| Error::invalid(key, "must be an int64")),
    }
}

/// The first and last millisecond of a second, written as `yyyy-MM-dd HH:mm:ss` in UTC or as RFC
/// 3339.
fn second(key: &str, text: &str) -> Result<(i64, i64)> {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let plain = PrimitiveDateTime::parse(text, format).map(PrimitiveDateTime::assume_utc);
    let time = plain
        .or_else(|_| OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339));
    let wrong = |_| {
        Error::invalid(key, "must be a time like 2025-01-23 02:37:44 (UTC) or 2025-01-23T02:37:44Z")
    };
    let first = time.map_err(wrong)?.unix_timestamp().saturating_mul(1000);
    Ok((first, first.saturating_add(999)))
}

/// A value as the store compares it: decimal digits, or the name of an object type.
fn checked(field: GrantField, key: &str, text: &str) -> Result<String> {
    match field {
        GrantField::ObjectType => ObjectType::parse(text.trim())
            .map(|object_type| object_type.name().to_owned())
            .map_err(|why| Error::invalid(key, why)),
        _ => text
            .trim()
            .parse::<i64>()
            .map(|id| id.to_string())
            .map_err(|_| Error::invalid(key, "must be an int64")),
    }
}

/// Parses a list: `a,b`, `[a,b]` or `["a","b"]`.
fn values(field: GrantField, key: &str, text: &str) -> Result<Vec<String>> {
    let texts: Vec<String> =
        if let Ok(serde_json::Value::Array(items)) = json::parse(text.trim().as_bytes()) {
            items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect()
        } else {
            let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
            inner
                .split(',')
                .map(|item| item.trim().trim_matches('"').to_owned())
                .filter(|item| !item.is_empty())
                .collect()
        };
    if texts.is_empty() || texts.len() > MAX_VALUES {
        return Err(Error::invalid(key, format!("must have 1 to {MAX_VALUES} values")));
    }
    texts.iter().map(|text| checked(field, key, text)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> Result<GrantQuery> {
        grant_query(&Query::parse(query)?)
    }

    #[test]
    fn lists_of_values_have_three_spellings() {
        for list in ["1,2", "[1,2]", "[\"1\",\"2\"]", "%5B1%2C%202%5D"] {
            let list = format!("filters[0].key=serviceId&filters[0].op=IN&filters[0].value={list}");
            let query = read(&format!("authObjectType=USER&{list}")).unwrap();
            assert_eq!(query.service_ids, [1, 2], "{list}");
        }
    }

    #[test]
    fn filters_are_numbered_and_the_unfinished_are_dropped() {
        let query = read(
            "serviceId=1&authObjectType=user&filters%5B7%5D.key=id\
             &filters%5B7%5D.op=GREATER_THAN&filters%5B7%5D.value=5\
             &filters[1].key=id&filters[2].op=IS_NULL",
        )
        .unwrap();
        assert_eq!(
            query.conditions,
            [Condition { field: GrantField::Id, test: Test::Within(Some(6), None) }]
        );
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(
            key in "[a-zA-Z]{0,8}",
            operator in "[A-Z_]{0,12}",
            value in ".{0,20}",
        ) {
            use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
            let value = utf8_percent_encode(&value, NON_ALPHANUMERIC);
            let filter = format!(
                "filters[0].key={key}&filters[0].op={operator}&filters[0].value={value}"
            );
            let query = format!("serviceId=1&authObjectType=USER&{filter}");
            let _ = read(&query);
        }
    }
}
