//! The variables for users with a browser: where they sign in and out, and which headers and
//! cookies carry their credentials.

use crate::domain::method;
use crate::domain::path_readings::as_sent;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Browsers {
    /// `LOGIN_URL`: where users who are not signed in are sent.
    pub login: Option<Login>,
    /// `LOGOUT_URL`: where users are sent after they sign out.
    pub logout_url: Option<String>,
    /// `PUBLIC_ORIGIN`: the origin at which browsers reach Postern, if requests arrive with another
    /// one.
    pub public_origin: Option<String>,
    /// `SESSION_SAMESITE = none`: the session is also valid in frames of other sites.
    pub in_frames: bool,
    /// `TOKEN_HEADERS`, in lower case: headers that carry a token.
    pub token_headers: Vec<String>,
    /// `TOKEN_COOKIES`: cookies that carry a token.
    pub token_cookies: Vec<String>,
}

/// The cookie in which a browser presents a session of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionCookie {
    /// The cookie for plain http.
    Plain,
    /// The cookie for https.
    Secure,
    /// Two cookies of that name over https. Other hosts cannot set this cookie, so the browser has
    /// one partitioned and one unpartitioned cookie: one of them is older than a change of
    /// `SESSION_SAMESITE`.
    SecureTwice,
}

/// An ended session for which a browser still has a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedSession {
    OfGateway(SessionCookie),
    OfConsole,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Postern's own page, with a user name and a password.
    Password,
    /// An external page at this URL. It gets the address to return to.
    At(String),
}

impl Login {
    /// Reads `password` or the URL of a page. The error is a phrase to put after the variable's
    /// name.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "password" {
            Ok(Self::Password)
        } else {
            page(text).map(Self::At).map_err(|why| format!("{why}, or the word password"))
        }
    }
}

/// Checks the URL of a page, which is sent in a header. The error is a phrase to put after the
/// variable's name.
pub fn page(text: &str) -> Result<String, String> {
    let rest =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let is_wrong = |c: char| !c.is_ascii_graphic() || c == '#' || c == '\\';
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if host.is_empty() || host.contains('@') || rest.contains(is_wrong) {
        return Err("must be the URL of a page, like https://portal.example.com/login".to_owned());
    }
    Ok(text.to_owned())
}

/// Checks the name of a cookie (RFC 6265, section 4.1.1). The error is a phrase to put after the
/// variable's name.
pub fn cookie_name(text: &str) -> Result<String, String> {
    if text.len() > 64 || !method::is_token(text) {
        return Err("must list names of cookies, of 64 characters at most, \
                    without spaces, semicolons and commas"
            .to_owned());
    }
    Ok(text.to_owned())
}

/// The path and query on this host to which a browser returns. The result is `/` for everything
/// that a browser could read as another host. That includes texts that become one when a portal
/// resolves their dot segments, because the portal adds a token and redirects the browser there.
#[must_use]
pub fn return_to(text: &str) -> &str {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let is_path =
        text.starts_with('/') && as_sent(path).is_ok_and(|resolved| !resolved.starts_with("//"));
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && is_plain && text.len() <= MAX_RETURN_TO { text } else { "/" }
}

/// The longest path and query to which a browser returns, in bytes.
const MAX_RETURN_TO: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_host() {
        for path in ["/", "/a?b=c%20d", "/a//b", "/?x=//evil.example", "/a#b"] {
            assert_eq!(return_to(path), path);
        }
        let long = format!("/{}", "x".repeat(MAX_RETURN_TO));
        for resolved in [
            "/.//evil.example",
            "/a/..//evil.example?x",
            "/%2e//evil.example",
            "/a/%2E%2e//evil.example",
            "/../a",
        ] {
            assert_eq!(return_to(resolved), "/", "{resolved}");
        }
        for other in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/\tx",
            "/a b",
            "/a\\b",
            "/ä",
            &long,
        ] {
            assert_eq!(return_to(other), "/", "{other:?}");
        }
    }

    #[test]
    fn a_login_is_the_word_or_a_url() {
        assert_eq!(Login::parse("password"), Ok(Login::Password));
        assert_eq!(
            Login::parse("https://portal.example.com/login?x=1"),
            Ok(Login::At("https://portal.example.com/login?x=1".to_owned()))
        );
        for wrong in [
            "Password",
            "/login",
            "portal.example.com",
            "https://",
            "https:///x",
            "javascript:alert(1)",
            "https://a/\nx",
            "https://a/#x",
        ] {
            assert!(Login::parse(wrong).is_err(), "{wrong}");
        }
    }
}
