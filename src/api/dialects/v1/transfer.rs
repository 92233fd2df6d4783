//! Import and export of the directory and its grants. Parse, act, map.

use std::cell::RefCell;
use std::rc::Rc;

use super::wire;
use crate::actions::transfer::{self, Export};
use crate::api::http::message::{Pages, Response};
use crate::api::http::route::Call;
use crate::context::Cx;
use crate::domain::permissions::record::Record;
use crate::domain::permissions::transfer::Format;
use crate::error::{Error, Result};

pub(super) async fn import(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let format = format(call)?;
    let body = call.request.body().await?;
    let text = std::str::from_utf8(&body).map_err(|_| Error::unreadable("body", "must be UTF-8"))?;
    let imported = match format.read(text) {
        Ok(records) => transfer::import(cx, call.caller()?, &records).await?,
        Err(errors) => Err(errors),
    };
    Ok(match imported {
        Ok(count) => wire::imported(count),
        Err(errors) => wire::import_refused(&errors),
    })
}

pub(super) async fn export(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let format = format(call)?;
    let last = call.query.one("after")?.map(|line| last(format, line)).transpose()?;
    let head = if last.is_some() { String::new() } else { format.head() };
    let total = transfer::count(cx).await?;
    let content_type = match format {
        Format::Ndjson => "application/x-ndjson",
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
    let name = call.query.one("format")?.unwrap_or("ndjson");
    Format::from_name(name).ok_or_else(|| Error::invalid("format", "must be ndjson or csv"))
}
