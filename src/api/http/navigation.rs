//! Requests with which a browser navigates to a page, in a window or a frame. Only these are
//! answered by pages and redirects, not those of scripts, style sheets or API clients.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::http::message::Inbound;
use crate::domain::browsers;

/// Whether the request is a navigation that can be repeated elsewhere: GET or HEAD.
#[must_use]
pub fn is_one(request: &dyn Inbound) -> bool {
    matches!(request.method(), "GET" | "HEAD") && is_answered_by_a_page(request)
}

/// Whether a person sees the answer, also to a form they sent. Browsers say so in `Sec-Fetch-Mode`.
/// Older ones are recognized by the two page types that they accept; Java clients accept only
/// `text/html`.
#[must_use]
pub fn is_answered_by_a_page(request: &dyn Inbound) -> bool {
    if let Some(mode) = request.header("sec-fetch-mode") {
        return mode == "navigate";
    }
    let says_more =
        ["sec-fetch-site", "sec-fetch-dest"].into_iter().any(|name| request.header(name).is_some());
    let accepted = request.header("accept").unwrap_or_default();
    !says_more && accepted.contains("text/html") && accepted.contains("application/xhtml+xml")
}

/// Whether a page of another site shows the answer in a frame. There browsers keep no
/// `SameSite=Lax` cookie.
#[must_use]
pub fn is_in_foreign_frame(request: &dyn Inbound) -> bool {
    let is = |name: &'static str, values: &[&str]| {
        request.header(name).is_some_and(|value| values.contains(&value.as_str()))
    };
    is("sec-fetch-site", &["cross-site"])
        && is("sec-fetch-dest", &["iframe", "frame", "embed", "object", "fencedframe"])
}

/// A path and a query for `Location`. A path that begins with two slashes would name a host, so
/// `/.` is put in front. Browsers ignore tabs and line ends, so anything that is not plain ASCII,
/// or is no path, becomes `/`.
#[must_use]
pub fn location(path: &str, query: &str) -> String {
    if !path.starts_with('/')
        || !path.bytes().chain(query.bytes()).all(|byte| byte.is_ascii_graphic())
    {
        return "/".to_owned();
    }
    let begin = if path.starts_with("//") || path.starts_with("/\\") { "/." } else { "" };
    let question_mark = if query.is_empty() { "" } else { "?" };
    format!("{begin}{path}{question_mark}{query}")
}

#[must_use]
pub fn with_return_to(page: &str, path_and_query: &str) -> String {
    let joint = if page.contains('?') { '&' } else { '?' };
    let return_to = utf8_percent_encode(browsers::return_to(path_and_query), NON_ALPHANUMERIC);
    format!("{page}{joint}return_to={return_to}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_location_names_another_host() {
        assert_eq!(location("/a", ""), "/a");
        assert_eq!(location("/a", "b=c"), "/a?b=c");
        assert_eq!(location("//evil.example/x", ""), "/.//evil.example/x");
        assert_eq!(location("/\\evil.example", ""), "/./\\evil.example");
        for other in [
            "",
            "evil.example",
            "/\t/evil.example",
            "\t//evil.example",
            "/\n/evil.example",
            "/ /evil.example",
            "/ä",
            "https:/evil",
        ] {
            assert_eq!(location(other, "b=c"), "/", "{other:?}");
        }
        assert_eq!(location("/a", "b=\t"), "/");
        assert_eq!(
            with_return_to("https://p.example/l", "//evil.example"),
            "https://p.example/l?return_to=%2F"
        );
        assert_eq!(
            with_return_to("/v1/sign-in?x=1", "/a?b=c"),
            "/v1/sign-in?x=1&return_to=%2Fa%3Fb%3Dc"
        );
    }
}
