//! The directory and its grants as records, one a line: NDJSON or CSV. What is exported imports into an empty Postern as the same state.
//!
//! Ids of grants are not among it: they are given anew. Both formats have the same members; in CSV an empty cell is an absent one, and
//! permissions are joined by `|`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::domain::json;
use crate::domain::permissions::record::{Record, Wrong};
use crate::domain::spelling;

/// The members of all records, which are the columns of CSV.
pub const COLUMNS: [&str; 15] = [
    "record",
    "serviceId",
    "id",
    "name",
    "parentId",
    "authEnabled",
    "creatorId",
    "authObjectType",
    "authObjectId",
    "userId",
    "permissions",
    "creator",
    "createdAt",
    "startsAt",
    "expiresAt",
];

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180, with a line of column names.
    Csv,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// Which, from 1 on.
    pub line: usize,
    /// Which member; empty where the line as a whole is unreadable.
    pub field: String,
    /// The phrase that follows it.
    pub why: String,
}

impl Format {
    /// By its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ndjson" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// Reads records with the numbers of their lines; all that is wrong is told, not only the first.
    pub fn read(self, text: &str) -> Result<Vec<(usize, Record)>, Vec<LineError>> {
        // Spreadsheets and Windows editors begin a file with a byte-order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = match self {
            Self::Ndjson => ndjson(text),
            Self::Csv => csv(text)?,
        };
        let (mut records, mut errors) = (Vec::new(), Vec::new());
        for (line, members) in lines {
            match members.and_then(|members| Record::read(&members)) {
                Ok(record) => records.push((line, record)),
                Err((field, why)) => errors.push(LineError { line, field, why }),
            }
        }
        errors.extend(doubled(&records));
        errors.sort_by_key(|error| error.line);
        if errors.is_empty() { Ok(records) } else { Err(errors) }
    }

    /// The line of column names, where the format has one.
    #[must_use]
    pub fn head(self) -> String {
        match self {
            Self::Ndjson => String::new(),
            Self::Csv => format!("{}\n", COLUMNS.join(",")),
        }
    }

    /// One record as a line with its end.
    #[must_use]
    pub fn line(self, record: &Record) -> String {
        let members = record.members();
        match self {
            Self::Ndjson => format!("{}\n", Value::Object(members)),
            Self::Csv => csv_line(&members),
        }
    }
}

/// The records about something that an earlier line is about, too: only one of them would count.
fn doubled(records: &[(usize, Record)]) -> Vec<LineError> {
    let mut first = HashMap::new();
    let mut errors = Vec::new();
    for (line, record) in records {
        if let Some(earlier) = first.insert(record.key(), *line) {
            let why = format!("is about the same as line {earlier}: leave out one of them");
            errors.push(LineError { line: *line, field: "record".to_owned(), why });
        }
    }
    errors
}

type Line = (usize, Result<Map<String, Value>, Wrong>);

fn ndjson(text: &str) -> Vec<Line> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |line: &str| json::parse_object(line.as_bytes()).map_err(|why| (String::new(), format!("is no JSON object: {why}")));
    lines.map(|(index, line)| (index + 1, read(line))).collect()
}

fn csv(text: &str) -> Result<Vec<Line>, Vec<LineError>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let wrong = |line, field: &str, why: String| vec![LineError { line, field: field.to_owned(), why }];
    let names = reader.headers().map_err(|error| wrong(1, "", format!("is no CSV: {error}")))?.clone();
    if let Some(name) = names.iter().find(|name| !COLUMNS.contains(name)) {
        let hint = spelling::hint(name, COLUMNS.into_iter());
        return Err(wrong(1, &spelling::shown(name), format!("is an unknown column: {hint}")));
    }
    if let Some((_, name)) = names.iter().enumerate().find(|(index, name)| names.iter().skip(index + 1).any(|next| next == *name)) {
        return Err(wrong(1, name, "is a column that must not be there twice".to_owned()));
    }
    if !names.iter().any(|name| name == "record") {
        return Err(wrong(1, "record", "is a column that must be there".to_owned()));
    }
    let row = |row: csv::Result<csv::StringRecord>| match row {
        Ok(row) => {
            let line = row.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
            let cells = names.iter().zip(row.iter()).filter(|(_, cell)| !cell.is_empty());
            (line, Ok(cells.map(|(name, cell)| (name.to_owned(), json!(cell))).collect()))
        }
        Err(error) => {
            let line = error.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
            (line, Err((String::new(), format!("is no CSV: {error}"))))
        }
    };
    Ok(reader.records().map(row).collect())
}

fn csv_line(members: &Map<String, Value>) -> String {
    let cell = |name: &&str| match members.get(*name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        Some(other) => other.to_string(),
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory cannot fail.
    let _ = writer.write_record(COLUMNS.iter().map(cell));
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::permissions::directory::UnitKind;
    use crate::domain::permissions::period::Period;
    use crate::domain::permissions::permission::{ObjectType, Permissions};
    use crate::domain::time::Millis;

    fn some_record() -> impl Strategy<Value = Record> {
        let name = || proptest::option::of("[a-z\",;| ]{0,6}[a-z]");
        let time = || proptest::option::of((0..1_i64 << 53).prop_map(Millis));
        let name = move || name().prop_map(|name| name.map(|name| name.trim().to_owned()));
        let kind = prop_oneof![Just(UnitKind::Department), Just(UnitKind::Group)];
        prop_oneof![
            (any::<i64>(), name(), any::<bool>(), any::<Option<i64>>(), time()).prop_map(
                |(id, name, auth_enabled, creator_id, created_at)| { Record::Service { id, name, auth_enabled, creator_id, created_at } }
            ),
            (any::<i64>(), any::<i64>(), name(), any::<bool>(), time()).prop_map(|(service_id, id, name, auth_enabled, created_at)| {
                Record::Api { service_id, id, name, auth_enabled, created_at }
            }),
            (any::<i64>(), name(), any::<Option<i64>>(), time()).prop_map(|(id, name, parent_id, created_at)| Record::Unit {
                kind: UnitKind::Department,
                id,
                name,
                parent_id,
                created_at
            }),
            (kind, any::<i64>(), any::<i64>()).prop_map(|(kind, id, user_id)| Record::Member { kind, id, user_id }),
            (any::<i64>(), any::<i64>(), 0..512_i64, any::<bool>(), time(), time(), time()).prop_map(
                |(service_id, object_id, bits, creator, created_at, starts_at, expires_at)| {
                    let permissions = Permissions::of_grant(Permissions::from_bits(bits).iter());
                    let period = Period::new(starts_at, expires_at).ok().filter(|_| !creator).unwrap_or_default();
                    Record::Grant { service_id, object_type: ObjectType::Group, object_id, permissions, creator, created_at, period }
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(records in proptest::collection::vec(some_record(), 0..5)) {
            for format in [Format::Ndjson, Format::Csv] {
                let lines: String = records.iter().map(|record| format.line(record)).collect();
                let text = format!("{}{lines}", format.head());
                // As it was written, and as editors and spreadsheets save it.
                for text in [text.clone(), format!("\u{feff}{}", text.replace('\n', "\r\n"))] {
                    let read = format.read(&text).map_err(|errors| TestCaseError::fail(format!("{errors:?}")))?;
                    prop_assert_eq!(read.into_iter().map(|(_, record)| record).collect::<Vec<_>>(), records.clone());
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = (Format::Ndjson.read(&text), Format::Csv.read(&text), Format::Csv.read(&format!("record,id\n{text}")));
        }
    }

    #[test]
    fn every_wrong_line_is_named_with_its_field() {
        let text = "{\"record\":\"group\",\"id\":1}\nnonsense\n\n{\"record\":\"grant\",\"serviceId\":1,\"authObjectType\":\"USER\",\"authObjectId\":\"x\"}\n{\"record\":\"bird\"}";
        let errors = Format::Ndjson.read(text).unwrap_err();
        let places: Vec<_> = errors.iter().map(|error| (error.line, error.field.as_str())).collect();
        assert_eq!(places, [(2, ""), (4, "authObjectId"), (5, "record")]);
    }
}
