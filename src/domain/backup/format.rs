//! Records as lines of NDJSON or CSV, with the same members in both. In CSV an empty cell is an
//! absent member, permissions are joined by `|`, and other lists and objects are JSON.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::domain::backup::kinds::{Is, KINDS, Kind, Wrong};
use crate::domain::backup::record::Record;
use crate::domain::json;
use crate::domain::spelling;

/// The members of all records, which are the columns of CSV.
#[must_use]
pub fn columns() -> Vec<&'static str> {
    let mut columns = vec!["record"];
    for field in KINDS.iter().flat_map(|kind| kind.fields) {
        if !columns.contains(&field.member) {
            columns.push(field.member);
        }
    }
    columns
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// RFC 4180, with a header line of column names.
    Csv,
}

/// An error in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// Counted from 1.
    pub line: usize,
    /// The member. Empty if the whole line is unreadable.
    pub field: String,
    /// A phrase to put after the member's name.
    pub why: String,
}

impl Format {
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ndjson" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// Reads records with their line numbers. The error lists all problems, not only the first.
    pub fn read(self, text: &str) -> Result<Vec<(usize, Record)>, Vec<LineError>> {
        // Spreadsheets and Windows editors begin a file with a byte-order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Lines are read one by one. The parsed members of all lines together would take about
        // thirty times the memory of the text.
        let lines = match self {
            Self::Ndjson => {
                refuse_csv(text)?;
                ndjson(text)
            }
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

    /// The header line of CSV. Empty for NDJSON.
    #[must_use]
    pub fn head(self) -> String {
        match self {
            Self::Ndjson => String::new(),
            Self::Csv => format!("{}\n", columns().join(",")),
        }
    }

    /// One record as a line, with its line end.
    #[must_use]
    pub fn line(self, record: &Record) -> String {
        match self {
            Self::Ndjson => format!("{}\n", Value::Object(record.members())),
            Self::Csv => csv_line(record),
        }
    }

    /// Reads the position of a line's record in an export. Members that do not identify the record
    /// may be absent.
    #[must_use]
    pub fn read_place(self, line: &str) -> Option<Record> {
        let text = format!("{}{line}", self.head());
        let mut lines = match self {
            Self::Ndjson => ndjson(&text),
            Self::Csv => csv(&text).ok()?,
        };
        let (_, members) = lines.next()?;
        Record::read_place(&members.ok()?).ok()
    }
}

/// Errors for records about the same thing as an earlier line. Only one of them could take effect.
fn doubled(records: &[(usize, Record)]) -> Vec<LineError> {
    let mut first = HashMap::new();
    let mut errors = Vec::new();
    for (line, record) in records {
        for key in [Some(record.key()), record.identity(), record.own_id()].into_iter().flatten() {
            if let Some(earlier) = first.insert(key, *line).filter(|earlier| earlier != line) {
                let why = format!("is about the same as line {earlier}: leave out one of them");
                errors.push(LineError { line: *line, field: "record".to_owned(), why });
                break;
            }
        }
    }
    errors
}

type Line = (usize, Result<Map<String, Value>, Wrong>);
type Lines<'t> = Box<dyn Iterator<Item = Line> + 't>;

fn ndjson(text: &str) -> Lines<'_> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |line: &str| {
        json::parse_object(line.as_bytes())
            .map_err(|why| (String::new(), format!("is no JSON object: {why}")))
    };
    Box::new(lines.map(move |(index, line)| (index + 1, read(line))))
}

/// Without this check, CSV that is read as NDJSON would give an error per line, and none would name
/// the remedy.
fn refuse_csv(text: &str) -> Result<(), Vec<LineError>> {
    let Some((index, first)) = text.lines().enumerate().find(|(_, line)| !line.trim().is_empty())
    else {
        return Ok(());
    };
    let mut cells = first.split(SEPARATORS).map(|cell| cell.trim().trim_matches('"'));
    if !first.trim_start().starts_with('{') && cells.any(|cell| cell == "record") {
        return Err(wrong(index + 1, "", "looks like CSV: add ?format=csv"));
    }
    Ok(())
}

/// The separators of cells: a comma, and what other programs use instead.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

fn wrong(line: usize, field: &str, why: impl Into<String>) -> Vec<LineError> {
    vec![LineError { line, field: field.to_owned(), why: why.into() }]
}

fn refuse_ndjson(names: &csv::StringRecord) -> Result<(), Vec<LineError>> {
    if names.get(0).unwrap_or_default().trim_start().starts_with('{') {
        return Err(wrong(1, "", "looks like NDJSON: leave out ?format=csv"));
    }
    Ok(())
}

/// Refuses a first line that does not name the columns.
fn check_head(names: &csv::StringRecord) -> Result<(), Vec<LineError>> {
    let first = names.get(0).unwrap_or_default();
    if names.len() == 1 && first.contains(SEPARATORS) {
        return Err(wrong(
            1,
            "",
            "has no commas: columns are separated by commas, and by nothing else",
        ));
    }
    if Kind::of_word(first).is_some() && !names.iter().any(|name| name == "record") {
        let why = "is no column: the first line must name the columns, \
                   as in record,serviceId,authObjectType,authObjectId,permissions";
        return Err(wrong(1, first, why));
    }
    let columns = columns();
    if let Some(name) = names.iter().find(|name| !columns.contains(name)) {
        // There are about sixty columns, too many to list.
        let hint = match spelling::nearest(name, columns.iter().copied()) {
            Some(nearest) => format!("did you mean {nearest:?}?"),
            None => {
                "the page \"Records\" of the documents lists the columns of each kind of record"
                    .to_owned()
            }
        };
        return Err(wrong(1, &spelling::shown(name), format!("is an unknown column: {hint}")));
    }
    if let Some((_, name)) = names
        .iter()
        .enumerate()
        .find(|(index, name)| names.iter().skip(index + 1).any(|next| next == *name))
    {
        return Err(wrong(1, name, "is a column that must not be there twice"));
    }
    if !names.iter().any(|name| name == "record") {
        return Err(wrong(1, "record", "is a column that must be there"));
    }
    Ok(())
}

fn csv(text: &str) -> Result<Lines<'_>, Vec<LineError>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let names =
        reader.headers().map_err(|error| wrong(1, "", format!("is no CSV: {error}")))?.clone();
    refuse_ndjson(&names)?;
    let begins = record_lines(text).map_err(|line| {
        wrong(line, "", "has a quote that is never closed: the file may have been cut off")
    })?;
    check_head(&names)?;
    let row = move |(index, row): (usize, csv::Result<csv::StringRecord>)| {
        // The first record is the names of the columns.
        let line = begins.get(index + 1).copied().unwrap_or(0);
        let members = row.map(|row| {
            let cells = names.iter().zip(row.iter()).filter(|(_, cell)| !cell.is_empty());
            cells.map(|(name, cell)| (name.to_owned(), json!(cell))).collect()
        });
        (line, members.map_err(|error| (String::new(), unreadable_row(&error))))
    };
    Ok(Box::new(reader.into_records().enumerate().map(row)))
}

fn unreadable_row(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} cells, and the first line has {expected_len}")
        }
        _ => format!("is no CSV: {error}"),
    }
}

/// The number of the line at which each record of CSV begins. The error is that number for a record
/// whose quote is never closed.
///
/// The crate `csv` reads a cell that was cut off as a whole one, and counts line feeds only. This
/// finds the same records as it does, and so does `cut_records.mjs` of the console. A line ends
/// with a line feed, a carriage return or both. A quote opens a cell only where the cell begins.
fn record_lines(text: &str) -> Result<Vec<usize>, usize> {
    enum At {
        Begin,
        Unquoted,
        Quoted,
        /// Behind a quote that closes the cell, unless another quote follows.
        Closed,
    }
    let (mut begins, mut line, mut at) = (Vec::new(), 1, At::Begin);
    let (mut is_within, mut before) = (false, 0);
    for byte in text.bytes() {
        let ends_line = matches!(byte, b'\n' | b'\r');
        if !is_within && !ends_line {
            begins.push(line);
            is_within = true;
        }
        at = match (at, byte) {
            (At::Quoted, b'"') => At::Closed,
            (At::Begin | At::Closed, b'"') | (At::Quoted, _) => At::Quoted,
            (_, b',' | b'\n' | b'\r') => At::Begin,
            _ => At::Unquoted,
        };
        if ends_line {
            is_within = is_within && matches!(at, At::Quoted);
            line += usize::from((before, byte) != (b'\r', b'\n'));
        }
        before = byte;
    }
    if matches!(at, At::Quoted) { Err(begins.last().copied().unwrap_or(1)) } else { Ok(begins) }
}

fn csv_line(record: &Record) -> String {
    let members = record.members();
    let joins = |name: &str| {
        record.fields().any(|(field, _)| {
            field.member == name
                && matches!(field.is, Is::Permissions | Is::Authorizations | Is::Rights)
        })
    };
    let cell = |name: &&str| match members.get(*name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if joins(name) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|")
        }
        Some(other) => other.to_string(),
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory cannot fail.
    let _ = writer.write_record(columns().iter().map(cell));
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::backup::kinds::{Field, Presence};

    /// A value of a member as a JSON record may have it. NULL if it is absent.
    fn some_value(field: &'static Field) -> BoxedStrategy<Value> {
        let max = |max: i64| (0..=max).prop_map(Value::from);
        let subset = |names: &'static [&'static str]| {
            proptest::sample::subsequence(names, 0..=names.len()).prop_map(|names| json!(names))
        };
        let value = match field.is {
            // A user's id is 1 or more.
            Is::Id(most) => {
                prop_oneof![4 => 1..=most, 1 => i64::MIN..=0].prop_map(Value::from).boxed()
            }
            Is::Number(most) => max(most).boxed(),
            Is::Time => max(1 << 53).boxed(),
            Is::Moment => (100_000_000_000..=1_i64 << 53).prop_map(Value::from).boxed(),
            Is::Flag => any::<bool>().prop_map(Value::from).boxed(),
            Is::Word(words) => proptest::sample::select(words).prop_map(|word| json!(word)).boxed(),
            Is::Permissions => subset(&["ADD", "VIEW", "TEST", "EXPORT"]).boxed(),
            Is::Authorizations => subset(&["USER", "ASSET", "MENU_GROUP_OP"]).boxed(),
            Is::Rights => subset(&["decisions", "provisioning"]).boxed(),
            Is::Texts(_) => proptest::collection::vec("[a-z|,\"]{0,6}[a-z]", 0..3)
                .prop_map(|items| json!(items))
                .boxed(),
            Is::Json(_) => prop_oneof![
                Just(json!({})),
                Just(json!({ "audiences": ["a,b", "\"c\""], "anyAudience": false }))
            ]
            .boxed(),
            Is::Text(rule) => {
                "[A-Za-z0-9]([A-Za-z0-9 ._-]{0,5}[a-z])?|[a-z]\"[,;|']é[a-z]|[0-9a-f]{64}"
                    .prop_filter("the rule", move |text| rule(text).is_ok())
                    .prop_map(|text| json!(text))
                    .boxed()
            }
            Is::Sealed(_) | Is::Hash(_) => {
                "v1\\.[0-9a-f]{8}\\.[A-Za-z0-9_-]{20}".prop_map(|text| json!(text)).boxed()
            }
        };
        match field.presence {
            Presence::Key | Presence::Identity | Presence::Same | Presence::Needed => value,
            _ => prop_oneof![Just(Value::Null), value].boxed(),
        }
    }

    fn some_record() -> impl Strategy<Value = Record> {
        let of_kind = |kind: &'static Kind| {
            let values: Vec<_> = kind.fields.iter().map(some_value).collect();
            values.prop_filter_map("the rules about several members", move |values| {
                let members = kind
                    .fields
                    .iter()
                    .zip(values)
                    .map(|(field, value)| (field.member.to_owned(), value));
                Record::read(
                    &[("record".to_owned(), json!(kind.word))].into_iter().chain(members).collect(),
                )
                .ok()
            })
        };
        proptest::strategy::Union::new(KINDS.iter().map(|kind| of_kind(kind).boxed()))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(
            mut records in proptest::collection::vec(some_record(), 0..5),
        ) {
            let mut seen = std::collections::HashSet::new();
            records.retain(|record| {
                let others = [record.identity(), record.own_id()];
                seen.insert(record.key())
                    && others.into_iter().flatten().all(|other| seen.insert(other))
            });
            for format in [Format::Ndjson, Format::Csv] {
                let lines: String = records.iter().map(|record| format.line(record)).collect();
                let text = format!("{}{lines}", format.head());
                // As it was written, and as editors and spreadsheets save it.
                for text in [text.clone(), format!("\u{feff}{}", text.replace('\n', "\r\n"))] {
                    let fail = |errors| TestCaseError::fail(format!("{errors:?}"));
                    let read = format.read(&text).map_err(fail)?;
                    let written = |records: &[Record]| {
                        records.iter().map(Record::members).collect::<Vec<_>>()
                    };
                    let read: Vec<_> = read.into_iter().map(|(_, record)| record).collect();
                    prop_assert_eq!(written(&read), written(&records), "{}", text);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = (Format::Ndjson.read(&text), Format::Csv.read(&text));
            let _ = Format::Csv.read(&format!("record,id\n{text}"));
        }
    }

    #[test]
    fn what_is_not_of_the_format_is_one_error() {
        for (format, text, field, why) in [
            (Format::Ndjson, "record,id\ngroup,1\ngroup,2\n", "", "?format=csv"),
            (Format::Ndjson, "\n\u{feff}record\n", "", "no JSON"),
            (Format::Ndjson, "\u{feff}\"id\";\"record\"\n1;group\n", "", "?format=csv"),
            (Format::Ndjson, "records,id\n", "", "no JSON"),
            (Format::Csv, "{\"record\":\"group\",\"id\":1}\n", "", "NDJSON"),
            (Format::Csv, "record;id\ngroup;1\n", "", "commas"),
            (Format::Csv, "record\tid\ngroup\t1\n", "", "commas"),
            (Format::Csv, "grant,1,USER,2,VIEW", "grant", "the first line must name the columns"),
            (
                Format::Csv,
                "grant,1,USER,2,VIEW\ngrant,1,USER,3,VIEW\n",
                "grant",
                "the first line must name the columns",
            ),
            (Format::Csv, "record,wings\ngroup,2\n", "wings", "the page \"Records\""),
            (Format::Csv, "record,permisions\n", "permisions", "did you mean \"permissions\"?"),
            (Format::Csv, "id,name\n1,a\n", "record", "must be there"),
            (Format::Csv, "", "record", "must be there"),
        ] {
            let errors = format.read(text).unwrap_err();
            assert_eq!(errors.len(), 1, "{text:?}: {errors:?}");
            assert!(
                errors[0].field == field && errors[0].why.contains(why),
                "{text:?}: {errors:?}"
            );
            assert!(errors[0].why.len() < 120, "{errors:?}");
        }
        assert_eq!(Format::Csv.read("record,id\n").map(|records| records.len()), Ok(0));
        assert_eq!(Format::Ndjson.read("").map(|records| records.len()), Ok(0));
    }

    /// What `cut_records.mjs` makes of texts of CSV. `tests/edge/console_parts.test.mjs` writes it.
    #[test]
    fn the_console_cuts_csv_into_what_is_read_of_the_whole() {
        let cases: Value =
            serde_json::from_str(include_str!("../../../tests/edge/cuts_of_csv.json")).unwrap();
        let rows = |text: &str| csv(text).map(Iterator::collect::<Vec<_>>);
        let mut compared = 0;
        for case in cases.as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            let whole = rows(text);
            if let Some(line) = case["unclosed"].as_u64() {
                let line = usize::try_from(line).unwrap();
                let errors = whole.unwrap_err();
                assert_eq!(errors.len(), 1, "{text:?}");
                assert_eq!(errors[0].line, line, "{text:?}: {errors:?}");
                assert!(errors[0].why.contains("never closed"), "{text:?}: {errors:?}");
                continue;
            }
            let Ok(whole) = whole else {
                // Cut off within the names of the columns.
                assert!(!text.contains("record,id") && !text.contains("\"record\",id"), "{text:?}");
                continue;
            };
            let mut pieces = Vec::new();
            for body in case["bodies"].as_array().unwrap() {
                let lines = body[1].as_array().unwrap();
                for (line, members) in rows(body[0].as_str().unwrap()).unwrap() {
                    let line = usize::try_from(lines[line - 1].as_u64().unwrap()).unwrap();
                    pieces.push((line, members));
                }
            }
            assert_eq!(pieces, whole, "{text:?}");
            compared += whole.len();
        }
        assert!(compared > 500, "{compared}");
    }

    #[test]
    fn a_line_of_csv_ends_with_a_line_feed_a_carriage_return_or_both() {
        for end in ["\n", "\r", "\r\n"] {
            let text = ["record,id,name", "group,1,\"a\"", "", "group,2,b", ""].join(end);
            let records = Format::Csv.read(&text).unwrap();
            let lines: Vec<_> = records.iter().map(|(line, _)| *line).collect();
            assert_eq!(lines, [2, 4], "{text:?}");
        }
    }

    #[test]
    fn csv_that_is_cut_off_within_a_cell_is_refused() {
        let whole = "record,id,name\ngroup,1,a\ngroup,2,\"b\"\"c\"\"\"\n";
        assert_eq!(Format::Csv.read(whole).map(|records| records.len()), Ok(2));
        let opened = whole.rfind("\"b").unwrap();
        for end in opened + 1..whole.len() - 1 {
            let read = Format::Csv.read(&whole[..end]);
            // A quote at the end may be the one that closes the cell.
            let quotes = whole[opened..end].matches('"').count();
            assert_eq!(read.is_ok(), quotes.is_multiple_of(2), "{}", &whole[..end]);
            if let Err(errors) = read {
                assert_eq!((errors.len(), errors[0].line), (1, 3), "{errors:?}");
                assert!(errors[0].why.contains("cut off"), "{errors:?}");
            }
        }
    }

    #[test]
    fn every_wrong_line_is_named_with_its_field() {
        let text = "{\"record\":\"group\",\"id\":1}\nnonsense\n\n\
                    {\"record\":\"grant\",\"serviceId\":1,\
                    \"authObjectType\":\"USER\",\"authObjectId\":\"x\"}\n\
                    {\"record\":\"bird\"}";
        let errors = Format::Ndjson.read(text).unwrap_err();
        let places: Vec<_> =
            errors.iter().map(|error| (error.line, error.field.as_str())).collect();
        assert_eq!(places, [(2, ""), (4, "authObjectId"), (5, "record")]);
    }
}
