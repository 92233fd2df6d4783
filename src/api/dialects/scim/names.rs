//! Names of attributes, with or without the URN of their schema.

/// The schemas whose attributes are stored.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The text after the URN of a supported schema; empty if nothing follows. A text without a URN is
/// returned unchanged. `None` for another schema.
pub(super) fn without_urn(text: &str) -> Option<&str> {
    let starts = |text: &str, with: &str| {
        text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    if !starts(text, "urn:") {
        return Some(text);
    }
    let urn = [USER, GROUP].into_iter().find(|urn| starts(text, urn))?;
    let rest = text.get(urn.len()..)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':') }
}

/// The name of an attribute in a form that can be compared.
pub(super) fn normal(text: &str) -> String {
    let text = text.trim();
    without_urn(text).unwrap_or(text).to_ascii_lowercase()
}

/// The beginning of a text, for an error message.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
