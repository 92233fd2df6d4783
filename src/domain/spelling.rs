//! How near two names are, to tell somebody which one they may have meant.

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
            assert_eq!((distance(one, other), distance(other, one)), (edits, edits), "{one} {other}");
        }
    }

    proptest! {
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
