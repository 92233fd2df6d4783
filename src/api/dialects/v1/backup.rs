//! Export and import of the whole state.

use std::cell::RefCell;
use std::rc::Rc;

use super::problem::{self, WrongLine};
use crate::actions::backup::{self, Export, Imported, Secrets};
use crate::api::http::declare::{Declared, Sometimes, answer};
use crate::api::http::message::{Pages, Response};
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Body, Field, Kind, optional};
use crate::context::Cx;
use crate::domain::backup::format::{Format, LineError};
use crate::domain::backup::record::Record;
use crate::domain::identity::machine_key::May;
use crate::error::{Error, Result};

/// An import reports at most this many wrong lines.
const MAX_LINE_ERRORS: usize = 100;

const FORMAT: Field = optional("format", Kind::OneOf(&["ndjson", "csv"]), "default ndjson");
const SECRETS: [&str; 2] = ["left-out", "sealed"];
const EXPORTED_SECRETS: Field = optional(
    "secrets",
    Kind::OneOf(&SECRETS),
    "sealed: with passwords and secrets, encrypted with MASTER_KEY; default left-out",
);
const IMPORTED_SECRETS: Field = optional(
    "secrets",
    Kind::OneOf(&SECRETS),
    "left-out: passwords and secrets of the records are ignored; default sealed",
);
const EXPORT_QUERY: &[Field] = &[
    FORMAT,
    EXPORTED_SECRETS,
    optional(
        "after",
        Kind::TEXT,
        "the last line of an interrupted export: this export continues after it",
    ),
];

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

const RECORDS: &[(&str, &str)] = &[
    (
        NDJSON,
        "{\"record\":\"grant\",\"serviceId\":1,\"authObjectType\":\"USER\",\"authObjectId\":2,\
         \"permissions\":[\"VIEW\"]}\n",
    ),
    (CSV, "record,serviceId,authObjectType,authObjectId,permissions\ngrant,1,USER,2,VIEW\n"),
];

pub(super) const GROUP: Group = Group {
    parameters: &[],
    routes: &[
        Route::of("POST", "import", &["/v1/import"], handler!(import))
            .summary(
                "Writes up to 1 MiB of records, all of them or none; records that exist are \
                 replaced",
            )
            .about(
                "One record is one line, and its member `record` names its kind; the page \
                 \"Records\" of the documents lists all members. A record that contradicts \
                 existing ones (a user name that exists under another id) is refused. `format` \
                 decides how the body is read, whatever its content type. The answer lists at most \
                 100 wrong lines.",
            )
            .access(Access::Administrator)
            .keys(Keys::With(May::Provisioning))
            .query(&[FORMAT, IMPORTED_SECRETS])
            .takes(Body::Texts(RECORDS))
            .refuses(&[409])
            .answers(Answer::json(200, &Written::SHAPE)),
        Route::get("export", &["/v1/export"], handler!(export))
            .summary(
                "Streams the whole state as records; imported into an empty Postern they restore \
                 the same state",
            )
            .about("The header x-postern-total says how many records there are.")
            .access(Access::Administrator)
            .keys(Keys::With(May::Administration))
            .query(EXPORT_QUERY)
            .answers(Answer::texts(200, RECORDS)),
    ],
};

answer! {
    struct Written as "Imported" {
        "imported" imported: i64 => "how many records",
        "withoutSecret" without_secret: Sometimes<Vec<String>> =>
            "imported apps and applications that have no secret here: give them one; 100 at most",
    } example r#"{"imported":1}"#
}

async fn import(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let format = format(call)?;
    let secrets = secrets(call, &IMPORTED_SECRETS)?.unwrap_or(Secrets::Sealed);
    let body = call.request.body().await?;
    let text =
        std::str::from_utf8(&body).map_err(|_| Error::unreadable("body", "must be UTF-8"))?;
    let imported = match format.read(text) {
        Ok(records) => backup::import(cx, call.caller()?, records, secrets).await?,
        Err(errors) => Err(errors),
    };
    Ok(match imported {
        Ok(Imported { records, without_secret }) => {
            let without_secret = Sometimes(Some(without_secret).filter(|names| !names.is_empty()));
            Response::json(200, &Written { imported: number(records), without_secret })
        }
        Err(errors) => refused(&errors),
    })
}

/// The answer to an import that wrote nothing: which lines are wrong, and why.
fn refused(errors: &[LineError]) -> Response {
    let detail = match errors.len() {
        1 => "1 line is wrong, nothing was written".to_owned(),
        count => format!("{count} lines are wrong, nothing was written"),
    };
    let lines = errors.iter().take(MAX_LINE_ERRORS);
    let lines =
        lines.map(|LineError { line, field, why }| WrongLine { line: number(*line), field, why });
    problem::of_lines(400, &detail, lines.collect())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn export(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let format = format(call)?;
    let secrets = secrets(call, &EXPORTED_SECRETS)?.unwrap_or(Secrets::LeftOut);
    let last = call.query.one("after")?.map(|line| last(format, line)).transpose()?;
    if secrets == Secrets::Sealed {
        backup::note_secrets(cx, call.caller()?).await?;
    }
    let head = if last.is_some() { String::new() } else { format.head() };
    let total = backup::count(cx, secrets).await?;
    let content_type = match format {
        Format::Ndjson => NDJSON,
        Format::Csv => "text/csv; charset=utf-8",
    };
    Ok(Response::text(200, content_type, head)
        .with("x-postern-total", total.to_string())
        .followed_by(pages(cx.clone(), format, Export::behind(last, secrets))))
}

fn pages(cx: Cx, format: Format, export: Export) -> Pages {
    let export = Rc::new(RefCell::new(Some(export)));
    Box::new(move || {
        let (cx, export) = (cx.clone(), Rc::clone(&export));
        Box::pin(async move {
            // Taken out during the await: a borrow of the `RefCell` must not be held across it.
            let mut current = export.borrow_mut().take()?;
            let page = current.next(&cx).await.transpose()?;
            *export.borrow_mut() = Some(current);
            Some(page.map(|records| records.iter().map(|record| format.line(record)).collect()))
        })
    })
}

/// Parses the last line of an earlier export.
fn last(format: Format, line: &str) -> Result<Record> {
    format
        .read_place(line)
        .ok_or_else(|| Error::invalid("after", "must be a line of an export in the same format"))
}

fn secrets(call: &Call<'_>, field: &Field) -> Result<Option<Secrets>> {
    let word = call.query.declared_word(field)?;
    Ok(word.map(|word| if word == "sealed" { Secrets::Sealed } else { Secrets::LeftOut }))
}

fn format(call: &Call<'_>) -> Result<Format> {
    let name = call.query.declared_word(&FORMAT)?.unwrap_or("ndjson");
    Format::from_name(name).ok_or_else(|| Error::internal("a declared format is unknown"))
}
