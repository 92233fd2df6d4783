//! Rewrites an origin's own URLs, in `Location` and in cookies, to the URLs that clients use.
//! Clients can neither reach the origin's URL nor know its path.

use crate::api::http::navigation;

/// Rewrites a `Location` of the origin to a path of Postern. `None` if it needs no change.
///
/// Only exactly the scheme, host and port of `ORIGIN_URL` belong to the origin. Otherwise an origin
/// behind plain http that redirects to https on its host would redirect to the same page forever.
#[must_use]
pub fn public_location(location: &str, origin: &str) -> Option<String> {
    let (scheme, authority, base) = parts(origin)?;
    // Browsers drop tabs and line ends, so the checks below would see another URL than the browser.
    if location.chars().any(|c| c.is_control() || c == ' ') {
        return None;
    }
    let path = match location.split_once("//") {
        Some((before, rest)) if is_scheme(before, scheme) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (named, path) = rest.split_at_checked(end)?;
            if normal(named, scheme) != normal(authority, scheme) {
                return None;
            }
            path
        }
        _ if location.starts_with('/') && !base.is_empty() => location,
        _ => return None,
    };
    let below = below(path, base)?;
    Some(if below.starts_with('/') { navigation::location(below, "") } else { format!("/{below}") })
}

/// Rewrites a cookie of the origin whose `Path` is below the path of `ORIGIN_URL`. `None` if it
/// needs no change.
#[must_use]
pub fn public_cookie(set_cookie: &str, origin: &str) -> Option<String> {
    let (.., base) = parts(origin)?;
    let mut parts: Vec<_> = set_cookie.split(';').map(str::to_owned).collect();
    let mut is_other = false;
    for part in parts.iter_mut().skip(1) {
        let Some((name, path)) = part.split_once('=') else { continue };
        let Some(below) = below(path.trim(), base)
            .filter(|_| !base.is_empty() && name.trim().eq_ignore_ascii_case("path"))
        else {
            continue;
        };
        *part = format!(" Path={}", if below.is_empty() { "/" } else { below });
        is_other = true;
    }
    is_other.then(|| parts.join(";"))
}

/// Scheme, authority and path of `ORIGIN_URL`.
fn parts(origin: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = origin.split_once("://")?;
    let (authority, base) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
    Some((scheme, authority, base))
}

/// Whether the text before `//` is this scheme, or empty.
fn is_scheme(before: &str, scheme: &str) -> bool {
    before.is_empty()
        || before.strip_suffix(':').is_some_and(|name| name.eq_ignore_ascii_case(scheme))
}

/// Host and port in a form that can be compared.
fn normal(authority: &str, scheme: &str) -> String {
    let lower = authority.to_ascii_lowercase();
    let default = if scheme == "https" { ":443" } else { ":80" };
    lower.strip_suffix(default).map(str::to_owned).unwrap_or(lower)
}

/// The rest of a path after the path of `ORIGIN_URL`; `None` if it is not below it.
fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}
