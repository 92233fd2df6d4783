//! What an application says of its own URLs, told as clients know them. It is at a URL that clients
//! cannot reach, and clients do not know that URL's path.

use crate::api::http::navigation;

/// A `Location` of the origin as a path of Postern; `None` where it is right as it is.
///
/// Only the very scheme, host and port of `ORIGIN_URL` are the origin's own. An origin behind plain
/// http that redirects to https at its host would else redirect to the same page for ever.
#[must_use]
pub fn public_location(location: &str, origin: &str) -> Option<String> {
    let (scheme, authority, base) = parts(origin)?;
    // Browsers drop tabs and line ends, so that what follows would not be what is looked at here.
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

/// A cookie of the origin whose `Path` is one of Postern; `None` where it is right as it is.
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

/// Whether what stands before two slashes is this scheme, or none.
fn is_scheme(before: &str, scheme: &str) -> bool {
    before.is_empty()
        || before.strip_suffix(':').is_some_and(|name| name.eq_ignore_ascii_case(scheme))
}

/// A host and a port that can be compared.
fn normal(authority: &str, scheme: &str) -> String {
    let lower = authority.to_ascii_lowercase();
    let default = if scheme == "https" { ":443" } else { ":80" };
    lower.strip_suffix(default).map(str::to_owned).unwrap_or(lower)
}

/// What follows the path of `ORIGIN_URL`; `None` for what is not below it.
fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}
