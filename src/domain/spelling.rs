//! How near two names are, to tell somebody which one they may have meant.

use std::collections::HashSet;

/// How many letters have to be added, removed or replaced to make one text of the other
/// (Levenshtein). Two letters that changed places are two edits.
#[must_use]
pub fn distance(one: &str, other: &str) -> usize {
    // Each row compares a beginning of `one` with all beginnings of `other`, the shortest first.
    let mut above: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut last = index + 1;
        let mut row = vec![last];
        for ((opposite, diagonal), up) in other.chars().zip(&above).zip(above.iter().skip(1)) {
            let replaced = diagonal + usize::from(letter != opposite);
            last = replaced.min(up + 1).min(last + 1);
            row.push(last);
        }
        above = row;
    }
    above.last().copied().unwrap_or_default()
}

/// Longer names are nobody's slip of the pen, and would cost much to compare.
const MAX_COMPARED: usize = 64;

/// The known name that somebody may have meant by another one; `None` where none of them is near.
/// The case of letters, `-` and `_` make no difference. Letters that changed places, or up to two
/// letters more or less at the end, are near. Else one edit is near in a name of three letters, and
/// two are in one of five, so that a short word is not taken for any other short word.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let name = plain(name);
    let near = known.filter_map(|known| Some((slips(&name, &plain(known))?, known)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, known)| known)
}

/// The phrase that leads from a name that is none to one of those that are known.
pub fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(nearest) = nearest(name, known.clone()) {
        return format!("did you mean {nearest:?}?");
    }
    let mut names: Vec<_> = known.collect();
    if names.is_empty() {
        return "this call takes none".to_owned();
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(*name));
    format!("those taken here are {}", names.join(", "))
}

/// The rule that a word breaks which is none of those that are known, with the one that is near.
#[must_use]
pub fn one_of(word: &str, known: &[&str]) -> String {
    format!("must be one of {}{}", known.join(", "), suggestion(word, known))
}

/// What a rule is followed by where a known word is near the one that breaks it; else nothing.
#[must_use]
pub fn suggestion(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied())
        .map_or_else(String::new, |nearest| format!(": did you mean {nearest:?}?"))
}

/// The beginning of a name, as an error shows it: whoever sent it may have sent a megabyte.
#[must_use]
pub fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_COMPARED) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// A name without what people spell differently.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// How many edits make one name of the other, where they are few enough for a slip of the pen.
fn slips(one: &str, other: &str) -> Option<usize> {
    let edits = distance(one, other);
    let shorter = one.chars().count().min(other.chars().count());
    let begins_alike = one.starts_with(other) || other.starts_with(one);
    let is_near = match edits {
        0 => true,
        1 => shorter >= 3,
        2 => shorter >= 5 || (shorter >= 3 && (begins_alike || sorted(one) == sorted(other))),
        _ => false,
    };
    is_near.then_some(edits)
}

fn sorted(text: &str) -> Vec<char> {
    let mut letters: Vec<_> = text.chars().collect();
    letters.sort_unstable();
    letters
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edits_are_counted() {
        for (one, other, edits) in [
            ("", "", 0),
            ("same", "same", 0),
            ("", "abc", 3),
            ("PUBLIK", "PUBLIC", 1),
            ("RULE", "RULES", 1),
            ("ORIGN", "ORIGIN", 1),
            ("PUBILC", "PUBLIC", 2),
            ("kitten", "sitting", 3),
            ("Ä", "A", 1),
        ] {
            assert_eq!(
                (distance(one, other), distance(other, one)),
                (edits, edits),
                "{one} {other}"
            );
        }
    }

    const KNOWN: [&str; 9] =
        ["enabled", "user", "token_name", "id", "name", "app", "service", "limit", "permissions"];

    #[test]
    fn the_name_that_was_meant_is_found() {
        for (name, meant) in [
            ("enable", "enabled"),
            ("Enabled", "enabled"),
            ("userId", "user"),
            ("user_id", "user"),
            ("suer", "user"),
            ("tokenName", "token_name"),
            ("token-nmae", "token_name"),
            ("ID", "id"),
            ("nme", "name"),
            ("ap", "app"),
            ("servise", "service"),
            ("permision", "permissions"),
        ] {
            let found = nearest(name, KNOWN.into_iter());
            // Of two letters, one more is half a word.
            assert_eq!(found, Some(meant).filter(|_| name != "ap"), "{name}");
        }
    }

    #[test]
    fn no_other_word_is_suggested() {
        for name in [
            "",
            "x",
            "i",
            "is",
            "page",
            "kid",
            "secret",
            "application",
            "password",
            "lists",
            "ä",
            "\0",
        ] {
            assert_eq!(nearest(name, KNOWN.into_iter()), None, "{name}");
        }
        assert_eq!(nearest(&"enabled".repeat(1000), KNOWN.into_iter()), None);
    }

    #[test]
    fn a_rule_is_followed_by_the_word_that_is_near() {
        let known = ["decisions", "provisioning"];
        assert_eq!(
            one_of("decision", &known),
            "must be one of decisions, provisioning: did you mean \"decisions\"?"
        );
        assert_eq!(one_of("all", &known), "must be one of decisions, provisioning");
    }

    proptest! {
        /// A hint is a known name, at most two edits away, and never half a word or more.
        #[test]
        fn a_hint_is_never_nonsense(name in "[a-zA-Z_]{0,12}") {
            if let Some(hint) = nearest(&name, KNOWN.into_iter()) {
                prop_assert!(KNOWN.contains(&hint));
                let edits = distance(&plain(&name), &plain(hint));
                prop_assert!(edits <= 2);
                prop_assert!(edits == 0 || 2 * edits < plain(hint).len() + plain(&name).len());
                let is_nearer = |known: &str| distance(&plain(&name), &plain(known)) < edits;
                prop_assert!(!KNOWN.into_iter().any(|known| is_nearer(known) && slips(&plain(&name), &plain(known)).is_some()));
            }
        }

        /// One letter more, less or other in a word of four letters is always found again.
        #[test]
        fn one_slip_is_found(known in proptest::sample::select(&["enabled", "service", "permissions"]), at in 0..7_usize, letter in "[qx]") {
            let with = |replaced: usize| format!("{}{letter}{}", &known[..at], &known[at + replaced..]);
            let without = format!("{}{}", &known[..at], &known[at + 1..]);
            for name in [with(0), with(1), without] {
                prop_assert_eq!(nearest(&name, KNOWN.into_iter()), Some(known), "{}", name);
            }
        }

        #[test]
        fn one_edit_is_one_edit_more_at_most(one in "[ab]{0,8}", other in "[ab]{0,8}", letter in "[abc]") {
            let before = distance(&one, &other);
            let edited = one.clone() + &letter;
            prop_assert!(distance(&edited, &other).abs_diff(before) <= 1);
            prop_assert!(before >= one.len().abs_diff(other.len()) && before <= one.len().max(other.len()));
            prop_assert_eq!(before == 0, one == other);
        }
    }
}
