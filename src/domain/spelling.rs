//! Finds the known name that a misspelled one is nearest to.

use std::collections::HashSet;

/// The Levenshtein distance: how many letters must be added, removed or replaced. Two swapped
/// letters are two edits.
#[must_use]
pub fn distance(one: &str, other: &str) -> usize {
    // Each row compares a prefix of `one` with all prefixes of `other`, the shortest first.
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

/// Longer names are no typing errors, and would be expensive to compare.
const MAX_COMPARED: usize = 64;

/// The known name that is nearest to the given one. `None` if none is near.
///
/// Case, `-` and `_` are ignored. Names are near if letters are swapped, or if up to two letters
/// are missing or added at the end. Otherwise, one edit is near from three letters on, and two
/// edits from five letters on, so that a short word is not mistaken for another.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let name = plain(name);
    let near = known.filter_map(|known| Some((slips(&name, &plain(known))?, known)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, known)| known)
}

/// A phrase that leads from an unknown name to the known ones.
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

/// The rule for a word that is not in the list, with a suggestion if a known word is near.
#[must_use]
pub fn one_of(word: &str, known: &[&str]) -> String {
    format!("must be one of {}{}", known.join(", "), suggestion(word, known))
}

/// A suffix for such a rule with the known word that is near. Empty if none is.
#[must_use]
pub fn suggestion(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied())
        .map_or_else(String::new, |nearest| format!(": did you mean {nearest:?}?"))
}

/// The first characters of a name for an error message. The sender may have sent a megabyte.
#[must_use]
pub fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_COMPARED) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// A name in lower case, without `-` and `_`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The number of edits between two names, if it is small enough for a typing error.
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
            // For a name of two letters, one added letter is too much.
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
        /// A suggestion is a known name, at most two edits away.
        #[test]
        fn a_hint_is_never_nonsense(name in "[a-zA-Z_]{0,12}") {
            if let Some(hint) = nearest(&name, KNOWN.into_iter()) {
                prop_assert!(KNOWN.contains(&hint));
                let edits = distance(&plain(&name), &plain(hint));
                prop_assert!(edits <= 2);
                prop_assert!(edits == 0 || 2 * edits < plain(hint).len() + plain(&name).len());
                let is_nearer = |known: &str| {
                    let (name, known) = (plain(&name), plain(known));
                    distance(&name, &known) < edits && slips(&name, &known).is_some()
                };
                prop_assert!(!KNOWN.into_iter().any(is_nearer));
            }
        }

        /// A word with one letter added, removed or replaced is always found.
        #[test]
        fn one_slip_is_found(
            known in proptest::sample::select(&["enabled", "service", "permissions"]),
            at in 0..7_usize,
            letter in "[qx]",
        ) {
            let with = |replaced: usize| {
                format!("{}{letter}{}", &known[..at], &known[at + replaced..])
            };
            let without = format!("{}{}", &known[..at], &known[at + 1..]);
            for name in [with(0), with(1), without] {
                prop_assert_eq!(nearest(&name, KNOWN.into_iter()), Some(known), "{}", name);
            }
        }

        #[test]
        fn one_edit_changes_the_distance_by_one_at_most(
            one in "[ab]{0,8}",
            other in "[ab]{0,8}",
            letter in "[abc]",
        ) {
            let before = distance(&one, &other);
            let edited = one.clone() + &letter;
            prop_assert!(distance(&edited, &other).abs_diff(before) <= 1);
            let (one_length, other_length) = (one.len(), other.len());
            prop_assert!(before >= one_length.abs_diff(other_length));
            prop_assert!(before <= one_length.max(other_length));
            prop_assert_eq!(before == 0, one == other);
        }
    }
}
