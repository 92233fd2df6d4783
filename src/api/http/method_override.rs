//! How a client may tell some origins another method than the one of its request.

use crate::api::http::query;

/// Headers by which some origins let a POST be another method.
const HEADERS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Whether it is the name of such a header.
#[must_use]
pub fn is_header(name: &str) -> bool {
    HEADERS.contains(&plain_name(name).as_str())
}

/// Whether a query has the parameter of that meaning, in a spelling that some origin takes for it:
/// PHP also reads `.method`, ` _method` and `_method[]` so.
#[must_use]
pub fn is_in_query(query: &str) -> bool {
    let is_it = |pair: &str| {
        let mut name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        while let Some(decoded) = query::decode(&name, "").ok().filter(|decoded| *decoded != name) {
            name = decoded;
        }
        let name = name.trim_start_matches(' ');
        let end = name.char_indices().find(|(at, c)| *at > 0 && matches!(c, '[' | '\0')).map_or(name.len(), |(at, _)| at);
        plain_name(name.get(..end).unwrap_or_default()) == "-method"
    };
    query.split(['&', ';']).any(is_it)
}

/// A name as origins may read it that turn names into variables: `X_Auth.User` is to them what
/// `x-auth-user` is.
#[must_use]
pub fn plain_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}
