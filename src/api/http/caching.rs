//! What caches between the client and Postern may store of an origin's answer.
//!
//! The headers that identify the caller are not in a cache's key, and the credential may be in the
//! URL. So only an answer that is the same for everybody may be stored for others.

/// Headers with which an origin instructs shared caches in place of `Cache-Control`. Those named
/// after RFC 9213 (`CDN-Cache-Control`, and one for each vendor) are matched by their ending; these
/// are older ones.
const OTHERS: [&str; 3] = ["surrogate-control", "edge-control", "x-accel-expires"];

/// Whether a header, in lower case, instructs shared caches besides `Cache-Control`.
#[must_use]
pub fn is_for_shared_caches(name: &str) -> bool {
    name.ends_with("-cache-control") || OTHERS.contains(&name)
}

/// The `Cache-Control` of an answer for one user: the origin's directives, restricted to the user's
/// own cache. A value that cannot be parsed becomes `no-store`.
#[must_use]
pub fn private(of_origin: &str) -> String {
    let Some(directives) = directives(of_origin) else { return "private, no-store".to_owned() };
    // A `private` with a list of headers would allow the rest of the answer to be stored, so it is
    // replaced by a plain `private`.
    let stays =
        |directive: &&str| !["public", "s-maxage", "private"].contains(&name(directive).as_str());
    let kept = directives.into_iter().filter(stays);
    ["private"].into_iter().chain(kept).collect::<Vec<_>>().join(", ")
}

fn name(directive: &str) -> String {
    directive.split('=').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Splits a value into its directives, each as it was written. `None` if a quoted string is not
/// closed.
fn directives(text: &str) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text.split(|c: char| {
        let is_end = c == ',' && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        is_end
    });
    let parts: Vec<_> = parts.map(str::trim).filter(|part| !part.is_empty()).collect();
    (!is_quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_for_one_user_is_private_and_keeps_what_else_is_said() {
        for (said, passed) in [
            ("", "private"),
            ("public, max-age=600", "private, max-age=600"),
            ("PUBLIC,S-MaxAge=600 ,Max-Age=5", "private, Max-Age=5"),
            ("max-age=600, public, s-maxage = 9", "private, max-age=600"),
            ("private", "private"),
            ("private=\"set-cookie, x-a\", max-age=1", "private, max-age=1"),
            ("no-cache=\"Set-Cookie, X-B\", public", "private, no-cache=\"Set-Cookie, X-B\""),
            ("ext=\"a\\\", public\", public", "private, ext=\"a\\\", public\""),
            ("s-maxage=\"600\", no-store", "private, no-store"),
            (" , ,max-age=1,, max-age=2", "private, max-age=1, max-age=2"),
            ("publicity, s-maxage-x=1", "private, publicity, s-maxage-x=1"),
            ("ext=\"public, max-age=1", "private, no-store"),
        ] {
            assert_eq!(private(said), passed, "{said}");
        }
    }

    #[test]
    fn what_speaks_to_shared_caches_only_is_known() {
        for name in [
            "cdn-cache-control",
            "cloudflare-cdn-cache-control",
            "surrogate-control",
            "x-accel-expires",
            "edge-control",
        ] {
            assert!(is_for_shared_caches(name), "{name}");
        }
        for name in ["cache-control", "expires", "etag", "vary", "surrogate-key"] {
            assert!(!is_for_shared_caches(name), "{name}");
        }
    }
}
