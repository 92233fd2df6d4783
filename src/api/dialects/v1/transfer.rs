//! Import and export of the directory and its grants.

use std::cell::RefCell;
use std::rc::Rc;

use super::problem::{self, WrongLine};
use crate::actions::transfer::{self, Export};
use crate::api::http::declare::{Declared, answer};
use crate::api::http::message::{Pages, Response};
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Body, Field, Kind, optional};
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::permissions::record::Record;
use crate::domain::permissions::transfer::{Format, LineError};
use crate::error::{Error, Result};

/// How many wrong lines an import tells.
const MAX_LINE_ERRORS: usize = 100;

const FORMAT: Field = optional("format", Kind::OneOf(&["ndjson", "csv"]), "default ndjson");
const EXPORT_QUERY: &[Field] =
    &[FORMAT, optional("after", Kind::TEXT, "the last line that an interrupted export brought: this one goes on behind it")];

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

const RECORDS: &[(&str, &str)] = &[
    (NDJSON, "{\"record\":\"grant\",\"serviceId\":1,\"authObjectType\":\"USER\",\"authObjectId\":2,\"permissions\":[\"VIEW\"]}\n"),
    (CSV, "record,serviceId,authObjectType,authObjectId,permissions\ngrant,1,USER,2,VIEW\n"),
];

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[
        Route::of("POST", "import_grants", &["/v1/grants/import"], handler!(import))
            .summary("Writes up to 1 MiB of records (services, APIs, departments, groups, members, grants), all of them or none; twice is once")
            .about(
                "One record is one line. Its member `record` is service, api, department, group, member or grant. The others are serviceId, id, \
                 name, parentId, authEnabled, creatorId, authObjectType, authObjectId, userId, permissions (in CSV joined by |), creator, \
                 createdAt, startsAt and expiresAt. `format` says how the body is read, whatever its content type. Where lines are wrong, the answer lists at most 100.",
            )
            .access(Access::Administrator)
            .keys(Keys::With(May::Provisioning))
            .query(&[FORMAT])
            .takes(Body::Texts(RECORDS))
            .refuses(&[409])
            .answers(Answer::json(200, &Imported::SHAPE)),
        Route::get("export_grants", &["/v1/grants/export"], handler!(export))
            .summary("Streams all records, so that they import into an empty Postern as the same state")
            .about("The header x-postern-total says how many records there are.")
            .access(Access::Administrator)
            .keys(Keys::With(May::Provisioning))
            .query(EXPORT_QUERY)
            .answers(Answer::texts(200, RECORDS)),
    ],
};

answer! {
    struct Imported as "Imported" {
        "imported" imported: i64 => "how many records",
    } example r#"{"imported":1}"#
}

async fn import(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let format = format(call)?;
    let body = call.request.body().await?;
    let text = std::str::from_utf8(&body).map_err(|_| Error::unreadable("body", "must be UTF-8"))?;
    let imported = match format.read(text) {
        Ok(records) => transfer::import(cx, call.caller()?, &records).await?,
        Err(errors) => Err(errors),
    };
    Ok(match imported {
        Ok(count) => Response::json(200, &Imported { imported: number(count) }),
        Err(errors) => refused(&errors),
    })
}

/// What an import answers that wrote nothing: what is wrong with which line.
fn refused(errors: &[LineError]) -> Response {
    let detail = match errors.len() {
        1 => "1 line is wrong, nothing was written".to_owned(),
        count => format!("{count} lines are wrong, nothing was written"),
    };
    let lines = errors.iter().take(MAX_LINE_ERRORS);
    let lines = lines.map(|LineError { line, field, why }| WrongLine { line: number(*line), field, why });
    problem::of_lines(400, &detail, lines.collect())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn export(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let format = format(call)?;
    let last = call.query.one("after")?.map(|line| last(format, line)).transpose()?;
    let head = if last.is_some() { String::new() } else { format.head() };
    let total = transfer::count(cx).await?;
    let content_type = match format {
        Format::Ndjson => NDJSON,
        Format::Csv => "text/csv; charset=utf-8",
    };
    Ok(Response::text(200, content_type, head).with("x-postern-total", total.to_string()).followed_by(pages(
        cx.clone(),
        format,
        Export::behind(last),
    )))
}

fn pages(cx: Cx, format: Format, export: Export) -> Pages {
    let export = Rc::new(RefCell::new(Some(export)));
    Box::new(move || {
        let (cx, export) = (cx.clone(), Rc::clone(&export));
        Box::pin(async move {
            // Taken out while it is used, so that no borrow outlives an await.
            let mut current = export.borrow_mut().take()?;
            let page = current.next(&cx).await.transpose()?;
            *export.borrow_mut() = Some(current);
            Some(page.map(|records| records.iter().map(|record| format.line(record)).collect()))
        })
    })
}

/// The last line that an earlier export brought, as it was.
fn last(format: Format, line: &str) -> Result<Record> {
    let records = format.read(&format!("{}{line}", format.head()));
    let record = records.ok().and_then(|mut records| records.pop()).map(|(_, record)| record);
    record.ok_or_else(|| Error::invalid("after", "must be a line of an export in the same format"))
}

fn format(call: &Call<'_>) -> Result<Format> {
    let name = call.query.declared_word(&FORMAT)?.unwrap_or("ndjson");
    Format::from_name(name).ok_or_else(|| Error::internal("a declared format is unknown"))
}
