//! Requests by which a browser goes to a page, in a window or a frame. They are answered by pages
//! and redirects; what scripts, style sheets and clients of an API ask for is not.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::http::message::Inbound;
use crate::domain::browsers;

/// Whether the request is one that can be made again elsewhere.
#[must_use]
pub fn is_one(request: &dyn Inbound) -> bool {
    matches!(request.method(), "GET" | "HEAD") && is_answered_by_a_page(request)
}

/// Whether a person sees the answer, also to a form that they sent. Browsers say so by
/// `Sec-Fetch-Mode`; those that do not are known by the two types of pages that they accept.
/// Clients in Java accept `text/html` alone.
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

/// Whether a page of another site shows the answer within it, where browsers keep no `SameSite=Lax`
/// cookie.
#[must_use]
pub fn is_in_foreign_frame(request: &dyn Inbound) -> bool {
    let is = |name: &'static str, values: &[&str]| {
        request.header(name).is_some_and(|value| values.contains(&value.as_str()))
    };
    is("sec-fetch-site", &["cross-site"])
        && is("sec-fetch-dest", &["iframe", "frame", "embed", "object", "fencedframe"])
}

/// A path and a query as `Location` has them. A path that begins with two slashes would name a
/// host, so that a dot comes between. Browsers leave out tabs and line ends, and nothing else than
/// a path begins with a slash: what is not plain goes to `/`.
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

/// The URL of a page that is told where to return to.
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
