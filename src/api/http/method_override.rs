//! The ways in which a client can override its request's method for some origins.

use crate::api::http::query;

/// Headers with which some origins let a POST become another method.
const HEADERS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Whether this is the name of such a header.
#[must_use]
pub fn is_header(name: &str) -> bool {
    HEADERS.contains(&plain_name(name).as_str())
}

/// A name that is encoded more often can only be meant to hide the parameter.
const MAX_DECODINGS: usize = 8;

/// Whether a query has the parameter `_method`, in a spelling that some origin accepts: PHP also
/// reads `.method`, ` _method` and `_method[]` as such.
#[must_use]
pub fn is_in_query(query: &str) -> bool {
    let is_it = |pair: &str| {
        let mut name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let mut times = 0;
        while let Some(decoded) = query::decode(&name, "").ok().filter(|decoded| *decoded != name) {
            // Each round costs time proportional to the name's length.
            if times == MAX_DECODINGS {
                return true;
            }
            name = decoded;
            times += 1;
        }
        let name = name.trim_start_matches(' ');
        let end = name
            .char_indices()
            .find(|(at, c)| *at > 0 && matches!(c, '[' | '\0'))
            .map_or(name.len(), |(at, _)| at);
        plain_name(name.get(..end).unwrap_or_default()) == "-method"
    };
    query.split(['&', ';']).any(is_it)
}

/// Normalizes a name as origins do that turn header names into variables: to them `X_Auth.User` is
/// the same as `x-auth-user`.
#[must_use]
pub fn plain_name(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_found_however_often_it_is_escaped() {
        for query in [
            "_method=PUT",
            "a=1&%5Fmethod=x",
            "%255fmethod",
            ".method",
            "+_method[]=x",
            "a;_METHOD=1",
        ] {
            assert!(is_in_query(query), "{query}");
        }
        for query in ["", "method=PUT", "x_method=1", "a=_method", "%25", "100%=1", "%25252541=1"] {
            assert!(!is_in_query(query), "{query}");
        }
        let deep = |times: usize| format!("%{}41=1", "25".repeat(times));
        assert!(!is_in_query(&deep(MAX_DECODINGS - 1)) && is_in_query(&deep(MAX_DECODINGS)));
        assert!(is_in_query(&deep(8_000)), "at once");
    }
}
