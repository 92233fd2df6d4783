//! The page of records, generated from the table of kinds.

use postern::domain::backup::kinds::{Field, Is, KINDS, LEFT_OUT, Presence};

const PAGE: &str = "docs/reference/records.md";
const COMMAND: &str = "UPDATE=1 cargo test --test host records_document";

fn what(field: &Field) -> String {
    match field.is {
        Is::Id(i64::MAX) => "int64".to_owned(),
        Is::Id(max) => format!("int64, at most {max}"),
        Is::Number(max) => format!("0 to {max}"),
        Is::Time | Is::Moment => "epoch milliseconds".to_owned(),
        Is::Flag => "true or false".to_owned(),
        Is::Text(_) => "text".to_owned(),
        Is::Word(words) => format!("`{}`", words.join("`, `")),
        Is::Permissions | Is::Authorizations | Is::Rights => {
            "list of names; in CSV joined by `\\|`".to_owned()
        }
        Is::Texts(_) => "list of texts; in CSV as JSON".to_owned(),
        Is::Json(_) => "object; in CSV as JSON".to_owned(),
        Is::Sealed(_) | Is::Hash(_) => "sealed".to_owned(),
    }
}

fn if_left_out(field: &Field) -> String {
    match field.presence {
        Presence::Key | Presence::Identity | Presence::Same | Presence::Needed => {
            "refused".to_owned()
        }
        Presence::Optional => "none".to_owned(),
        Presence::Default(json) => format!("`{json}`"),
        Presence::Kept("null" | "\"\"") => "what is there stays".to_owned(),
        Presence::Kept(json) => format!("what is there stays, or `{json}`"),
        Presence::Grows => "what is there stays; it never gets less".to_owned(),
        Presence::IdWhereFree => "chosen, as where another row has it".to_owned(),
        Presence::Created => "what is there stays, or the time of the import".to_owned(),
        Presence::Modified => "the time of the import".to_owned(),
    }
}

fn page() -> String {
    let mut page = format!(
        "# Records

<!-- Generated from src/domain/backup/kinds.rs by: {COMMAND} -->

`GET /v1/export` brings these records out and `POST /v1/import` takes them in, one a line, as
NDJSON or CSV. [Backup and restore](../operate/backup.md) is the guide. The member `record` says
which kind a line is. Members in bold identify the record. An import replaces the record that is
there. A member that a kind does not have is refused, and so is a second record about the same
thing.

Numbers and flags may be texts. Sealed members travel only with `secrets=sealed`.

CSV is as in RFC 4180. An empty cell is a member that is left out. A line ends with a line feed, a
carriage return or both. A quote opens a cell only where the cell begins, and elsewhere it is a
character.
"
    );
    for kind in &KINDS {
        page.push_str(&format!(
            "\n## {}\n\n{}\n\n| member | value | if it is left out |\n|---|---|---|\n",
            kind.word, kind.about
        ));
        for field in kind.fields {
            let identifies = matches!(field.presence, Presence::Key | Presence::Identity);
            let name = if identifies {
                format!("**`{}`**", field.member)
            } else {
                format!("`{}`", field.member)
            };
            page.push_str(&format!("| {name} | {} | {} |\n", what(field), if_left_out(field)));
        }
    }
    page.push_str("\n## What an export leaves out\n\n| table or column | because |\n|---|---|\n");
    for (name, reason) in LEFT_OUT {
        page.push_str(&format!("| `{name}` | {reason} |\n"));
    }
    page
}

#[test]
fn the_page_of_records_is_the_committed_one() {
    let page = page();
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(PAGE, &page).expect("the page is written");
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert_eq!(committed, page, "{PAGE} is out of date: run {COMMAND}");
}
