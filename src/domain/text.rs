//! Rules for short texts. Each error is a phrase to put after the field's name.

use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical};
use unicode_normalization::{IsNormalized, is_nfc_quick};

/// 1 to `max` characters, without control characters, and without white space at either end.
pub fn printable(text: &str, max: usize) -> Result<(), String> {
    let length = text.chars().count();
    if length == 0 || length > max {
        return Err(format!("must have 1 to {max} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    if text.trim() != text {
        return Err("must not begin or end with white space".to_owned());
    }
    Ok(())
}

/// 1 to `max` characters, each an ASCII letter, an ASCII digit or one of `others`, and no space at
/// either end.
pub fn plain(text: &str, max: usize, others: &str) -> Result<(), String> {
    printable(text, max)?;
    match text.chars().find(|&c| !c.is_ascii_alphanumeric() && !others.contains(c)) {
        Some(c) => Err(format!("must not have the character {c:?}")),
        None => Ok(()),
    }
}

/// Refuses `.` and `..`, because clients remove them from the path of a URL, even if they are
/// escaped. Check this for new names only.
pub fn can_be_in_a_path(text: &str) -> Result<(), String> {
    if matches!(text, "." | "..") {
        return Err(format!("must not be {text:?}, which cannot be in a path"));
    }
    Ok(())
}

/// Whether a text is in Unicode's normal form C. `unicode_normalization::is_nfc` gives the same
/// answer, but would add its tables of compatibility forms to the wasm.
#[must_use]
pub fn is_nfc(text: &str) -> bool {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => composed(text).into_iter().eq(text.chars()),
    }
}

/// The form in which names that must differ by more than case are compared: normal form C in lower
/// case.
#[must_use]
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = composed(text).into_iter().collect::<String>().to_lowercase();
    composed(&lower).into_iter().collect()
}

/// The normal form C of a text (Unicode, section 3.11). The text is decomposed, its marks are
/// sorted, and it is composed again.
fn composed(text: &str) -> Vec<char> {
    let mut parts = Vec::new();
    for c in text.chars() {
        decompose_canonical(c, |part| parts.push((canonical_combining_class(part), part)));
    }
    for marks in parts.chunk_by_mut(|(a, _), (b, _)| *a > 0 && *b > 0) {
        marks.sort_by_key(|(class, _)| *class);
    }
    let mut result: Vec<char> = Vec::new();
    // The position of the last starter, and the class of the last mark that was not composed with
    // it.
    let (mut starter_at, mut last_class) = (None, 0);
    for (class, c) in parts {
        let is_open = starter_at.is_some_and(|at| result.len() == at + 1 || last_class < class);
        let starter = starter_at.filter(|_| is_open).and_then(|at| result.get_mut(at));
        if let Some((starter, whole)) =
            starter.and_then(|starter| compose(*starter, c).map(|whole| (starter, whole)))
        {
            *starter = whole;
            continue;
        }
        if class == 0 {
            starter_at = Some(result.len());
        }
        last_class = class;
        result.push(c);
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_normal_form_is_the_one_that_the_library_makes(
            text in concat!(
                r".{0,8}|[A-Za-z\x{e0}-\x{ff}\x{300}-\x{345}\x{1100}-\x{1112}\x{1161}-\x{1175}",
                r"\x{11a8}-\x{11c2}\x{ac00}-\x{ac01}\x{915}-\x{939}\x{93c}\x{9be}\x{bbe}",
                r"\x{bd7}]{1,8}",
            )
        ) {
            prop_assert_eq!(composed(&text), text.nfc().collect::<Vec<_>>(), "{:?}", text);
            prop_assert_eq!(is_nfc(&text), unicode_normalization::is_nfc(&text), "{:?}", text);
        }
    }
}
