//! What caches between the client and Postern may keep of an origin's answer.
//!
//! Who calls is in headers that no cache looks at, and the credential may be in the URL. So only
//! an answer that is the same for everybody may be kept for others.

/// Headers by which an origin speaks to shared caches past `Cache-Control`: RFC 9213
/// (`CDN-Cache-Control` and those that are named after a vendor), and older ones.
const OTHERS: [&str; 3] = ["surrogate-control", "edge-control", "x-accel-expires"];

/// Whether a header, in lower case, tells shared caches more than `Cache-Control` does.
#[must_use]
pub fn is_for_shared_caches(name: &str) -> bool {
    name.ends_with("-cache-control") || OTHERS.contains(&name)
}

/// `Cache-Control` of an answer that is for one user only, from what the origin says: the same, for
/// the user's own cache. What cannot be read is kept by nobody.
#[must_use]
pub fn private(of_origin: &str) -> String {
    let Some(directives) = directives(of_origin) else { return "private, no-store".to_owned() };
    // A `private` that names headers allows the rest to be kept, so it gives way to the plain one.
    let stays =
        |directive: &&str| !["public", "s-maxage", "private"].contains(&name(directive).as_str());
    let kept = directives.into_iter().filter(stays);
    ["private"].into_iter().chain(kept).collect::<Vec<_>>().join(", ")
}

fn name(directive: &str) -> String {
    directive.split('=').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The directives, each as it was written; `None` where a quote has no end.
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
