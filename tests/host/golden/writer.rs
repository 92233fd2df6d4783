//! Writes a transcript in the one format that all files have: two spaces a level, and what fits
//! into 140 columns stands on one line.

use serde_json::Value;

const COLUMNS: usize = 140;

pub fn write(transcript: &Value) -> String {
    let mut text = String::new();
    block(&mut text, transcript, 0, 0);
    text.push('\n');
    text
}

/// Writes a value that begins at a column, on one line if the line has room for it.
fn block(text: &mut String, value: &Value, level: usize, column: usize) {
    let short = line(value);
    let (open, close, items): (_, _, Vec<(String, &Value)>) = match value {
        Value::Object(members) => (
            '{',
            '}',
            members.iter().map(|(name, item)| (format!("{}: ", quoted(name)), item)).collect(),
        ),
        Value::Array(items) => ('[', ']', items.iter().map(|item| (String::new(), item)).collect()),
        _ => return text.push_str(&short),
    };
    if items.is_empty() || column + short.chars().count() <= COLUMNS {
        return text.push_str(&short);
    }
    text.push(open);
    let indent = "  ".repeat(level + 1);
    let last = items.len() - 1;
    for (index, (name, item)) in items.into_iter().enumerate() {
        let comma = if index == last { "" } else { "," };
        text.push_str(&format!("\n{indent}{name}"));
        block(text, item, level + 1, indent.len() + name.chars().count() + comma.len());
        text.push_str(comma);
    }
    text.push_str(&format!("\n{}{close}", "  ".repeat(level)));
}

fn line(value: &Value) -> String {
    match value {
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, item)| format!("{}: {}", quoted(name), line(item)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(line).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}
