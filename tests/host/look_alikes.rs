//! The table of characters that look like ASCII ones, against the data of Unicode.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use unicode_general_category::{GeneralCategory as Category, get_general_category};
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

const TABLE: &str = "src/domain/identity/look_alikes.txt";

fn is_mark(c: char) -> bool {
    matches!(
        get_general_category(c),
        Category::NonspacingMark | Category::EnclosingMark | Category::SpacingMark
    )
}

/// Without marks, and with compatibility characters replaced.
fn plain(text: &str) -> String {
    text.nfkd().filter(|&c| !is_mark(c)).collect()
}

fn of_confusables(text: &str) -> String {
    let first: String = skeleton(text).collect();
    skeleton(&plain(&first)).collect()
}

/// Whether a name is likely to have the character: letters, numbers, hyphens and underscores.
/// Unicode's data of look-alikes also compares symbols and other punctuation.
fn is_of_names(c: char) -> bool {
    use Category::{
        ConnectorPunctuation, DashPunctuation, DecimalNumber, LetterNumber, LowercaseLetter,
        ModifierLetter, OtherLetter, OtherNumber, TitlecaseLetter, UppercaseLetter,
    };
    matches!(
        get_general_category(c),
        ConnectorPunctuation
            | DashPunctuation
            | DecimalNumber
            | LetterNumber
            | LowercaseLetter
            | ModifierLetter
            | OtherLetter
            | OtherNumber
            | TitlecaseLetter
            | UppercaseLetter
    )
}

fn is_usual(ascii: char) -> bool {
    ascii.is_ascii_alphanumeric() || "._@-".contains(ascii)
}

/// The usual ASCII characters of names by what Unicode's data says they look like.
type Classes = BTreeMap<String, Vec<char>>;

fn classes() -> Classes {
    let mut classes = Classes::new();
    for ascii in ('!'..='~').filter(|&c| is_usual(c)) {
        classes.entry(of_confusables(&ascii.to_string())).or_default().push(ascii);
    }
    classes
}

/// The ASCII text in lower case that the character may be taken for.
///
/// Unicode's data compares ASCII characters among themselves, such as `1` and `l`. Of those, a
/// number stands for a number, and a capital letter for a capital letter.
fn ascii_of(c: char, classes: &Classes) -> Option<String> {
    let text = c.to_string();
    if is_mark(c) || text.nfd().ne(text.chars()) {
        return None;
    }
    let plain = plain(&text).to_ascii_lowercase();
    if plain.is_ascii() {
        let is_space = get_general_category(c) == Category::SpaceSeparator;
        let is_name = !plain.is_empty() && plain.chars().all(is_usual);
        return (is_space || is_name).then_some(plain);
    }
    match c {
        'ß' => return Some("ss".to_owned()),
        'æ' => return Some("ae".to_owned()),
        'œ' => return Some("oe".to_owned()),
        _ => {}
    }
    if !is_of_names(c) {
        return None;
    }
    let same = classes.get(&of_confusables(&text))?;
    let wanted: fn(&char) -> bool = match get_general_category(c) {
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber => {
            char::is_ascii_digit
        }
        Category::UppercaseLetter => char::is_ascii_uppercase,
        _ => char::is_ascii_lowercase,
    };
    let first = |wanted: fn(&char) -> bool| same.iter().copied().find(wanted);
    let found = first(wanted)
        .or_else(|| first(char::is_ascii_alphabetic))
        .or_else(|| same.first().copied())?;
    Some(found.to_ascii_lowercase().to_string())
}

fn expected() -> String {
    let mut rows: BTreeMap<String, Vec<char>> = BTreeMap::new();
    let classes = classes();
    for c in '\u{80}'..=char::MAX {
        if let Some(ascii) = ascii_of(c, &classes) {
            rows.entry(ascii).or_default().push(c);
        }
    }
    let mut table =
        "# An ASCII text in lower case, and the code points in hexadecimal that may be \
                     taken for it.\n# A space is written as _SPACE_. From Unicode's \
                     confusables.txt and UnicodeData.txt, by\n# tests/host/look_alikes.rs.\n"
            .to_owned();
    for (ascii, characters) in rows {
        let ascii = if ascii == " " { "_SPACE_" } else { &ascii };
        let mut line = ascii.to_owned();
        for c in characters {
            if line.len() > 92 {
                table.push_str(&line);
                table.push('\n');
                ascii.clone_into(&mut line);
            }
            write!(line, " {:x}", u32::from(c)).expect("a text takes all that is written");
        }
        table.push_str(&line);
        table.push('\n');
    }
    table
}

#[test]
fn the_table_of_look_alikes_is_that_of_unicode() {
    let expected = expected();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(TABLE, &expected).expect("the table can be written");
    }
    let stored = std::fs::read_to_string(TABLE).expect("the table can be read");
    assert!(stored == expected, "run UPDATE=1 cargo test --test host look_alikes");
}

/// The second table adds to the first one. Both are read for each character of a name, after the
/// characters that decompose and the marks.
#[test]
fn the_table_of_characters_that_are_sorted_alike_has_what_can_be_read() {
    let text = include_str!("../../src/domain/identity/sort_alikes.txt");
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let ascii = words.next().expect("an ASCII text").replace("_SPACE_", " ");
        assert!(
            ascii.chars().all(|c| " .".contains(c) || c.is_ascii_lowercase() || c.is_ascii_digit()),
            "{line}"
        );
        for word in words {
            let c =
                u32::from_str_radix(word, 16).ok().and_then(char::from_u32).expect("a character");
            assert_eq!(format!("{:x}", u32::from(c)), word, "the Worker compares in this form");
            assert!(!c.is_ascii() && !is_mark(c) && seen.insert(c), "{word}");
            assert!(c.to_string().nfd().eq([c]), "{word} is decomposed before");
            assert_ne!(get_general_category(c), Category::DecimalNumber, "{word} has a value");
        }
    }
    assert!(seen.len() > 400, "{}", seen.len());
}
