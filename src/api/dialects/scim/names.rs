//! Names of attributes, with the URN of their schema in front or without.

/// The schemas whose attributes are kept.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// What stands behind the URN of a schema that is kept; empty where nothing does. A text without a
/// URN is as it is; of another schema it is `None`.
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

/// The name of an attribute as it is compared.
pub(super) fn normal(text: &str) -> String {
    let text = text.trim();
    without_urn(text).unwrap_or(text).to_ascii_lowercase()
}

/// The beginning of a text, for a failure.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
