//! Rules for short texts. Each rule answers with the phrase that follows the field's name in an error.

/// Between 1 and `max` characters, none of them a control character, no white space at either end.
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

/// Between 1 and `max` characters, each an ASCII letter, an ASCII digit or one of `others`; no space at either end.
pub fn plain(text: &str, max: usize, others: &str) -> Result<(), String> {
    printable(text, max)?;
    match text.chars().find(|&c| !c.is_ascii_alphanumeric() && !others.contains(c)) {
        Some(c) => Err(format!("must not have the character {c:?}")),
        None => Ok(()),
    }
}
