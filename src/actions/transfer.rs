//! Bringing the directory and its grants in and out, many records at once.

use std::collections::HashSet;

use serde_json::json;

use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::permissions::directory::UnitKind;
use crate::domain::permissions::record::Record;
use crate::domain::permissions::transfer::LineError;
use crate::error::Result;
use crate::memory::write::Write;
use crate::store::transfer::{self, Section};
use crate::store::{feed, units};

/// How many records one page of an export reads.
const PAGE: i64 = 2000;

/// Writes records, all of them or none; what is there already is replaced, so that doing it twice is doing it once. Answers what is wrong with
/// which line, where something is: in a strict directory, that a line names something that is not registered.
pub async fn import(cx: &Cx, by: &Caller, records: &[(usize, Record)]) -> Result<std::result::Result<usize, Vec<LineError>>> {
    if cx.config.strict_directory {
        let errors = unregistered(cx, records).await?;
        if !errors.is_empty() {
            return Ok(Err(errors));
        }
    }
    let records: Vec<Record> = records.iter().map(|(_, record)| record.clone()).collect();
    if records.is_empty() {
        return Ok(Ok(0));
    }
    let departments: Vec<i64> = records
        .iter()
        .filter_map(|record| match record {
            Record::Unit { kind: UnitKind::Department, id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    let mut write = Write::default();
    for statement in transfer::write(&records, cx.now) {
        write = write.and(statement);
    }
    if !departments.is_empty() {
        write = write.and(units::refuse_circle(&departments));
    }
    let deed = by.deed("directory.import", format!("{} records", records.len())).after(json!({ "records": records.len() }));
    write.and(feed::directory_changed(cx.now)).deed(deed).commit(cx).await?;
    Ok(Ok(records.len()))
}

/// The lines that name something that is registered neither here nor by another line.
async fn unregistered(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<LineError>> {
    let defined: HashSet<(&'static str, i64)> = records
        .iter()
        .filter_map(|(_, record)| match record {
            Record::Service { id, .. } => Some(("SERVICE", *id)),
            Record::Unit { kind, id, .. } => Some((kind.object_type().name(), *id)),
            Record::Api { .. } | Record::Member { .. } | Record::Grant { .. } => None,
        })
        .collect();
    let named: Vec<_> =
        records.iter().flat_map(|(line, record)| references(record).into_iter().map(|reference| (*line, reference))).collect();
    let wanted: HashSet<_> = named.iter().map(|(_, (_, kind, id))| (*kind, *id)).filter(|pair| !defined.contains(pair)).collect();
    let missing: HashSet<_> = transfer::missing(cx, &wanted.into_iter().collect::<Vec<_>>()).await?.into_iter().collect();
    let wrong = named.into_iter().filter(|(_, (_, kind, id))| missing.contains(&((*kind).to_owned(), *id)));
    Ok(wrong.map(|(line, (field, ..))| LineError { line, field: field.to_owned(), why: "is not registered".to_owned() }).collect())
}

/// What a record refers to: the field, the kind, the id.
fn references(record: &Record) -> Vec<(&'static str, &'static str, i64)> {
    match record {
        Record::Service { .. } | Record::Unit { .. } => Vec::new(),
        Record::Api { service_id, .. } => vec![("serviceId", "SERVICE", *service_id)],
        Record::Member { kind, id, user_id } => vec![("authObjectId", kind.object_type().name(), *id), ("userId", "USER", *user_id)],
        Record::Grant { service_id, object_type, object_id, .. } => {
            vec![("serviceId", "SERVICE", *service_id), ("authObjectId", object_type.name(), *object_id)]
        }
    }
}

/// How many records an export has in all.
pub async fn count(cx: &Cx) -> Result<i64> {
    transfer::count(cx).await
}

/// Where an export is.
#[derive(Debug, Clone)]
pub struct Export {
    sections: Vec<Section>,
    after: Option<Record>,
}

impl Export {
    /// From the beginning, or behind a record that an earlier export ended with.
    #[must_use]
    pub fn behind(last: Option<Record>) -> Self {
        let section = last.as_ref().map_or(Section::Services, |last| match last {
            Record::Service { .. } => Section::Services,
            Record::Api { .. } => Section::Apis,
            Record::Unit { .. } => Section::Units,
            Record::Member { .. } => Section::Members,
            Record::Grant { .. } => Section::Grants,
        });
        let sections = Section::ALL.into_iter().skip_while(|candidate| *candidate != section).collect();
        Self { sections, after: last }
    }

    /// The next records; `None` at the end.
    pub async fn next(&mut self, cx: &Cx) -> Result<Option<Vec<Record>>> {
        while let Some(section) = self.sections.first().copied() {
            let records = transfer::page(cx, section, self.after.as_ref(), PAGE).await?;
            self.after = records.last().cloned();
            let is_last = i64::try_from(records.len()).is_ok_and(|count| count < PAGE);
            if is_last {
                self.sections.remove(0);
                self.after = None;
            }
            if !records.is_empty() {
                return Ok(Some(records));
            }
        }
        Ok(None)
    }
}
