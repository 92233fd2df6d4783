//! Decides whether an origin could read a path as one of Postern's own: as a path below a prefix,
//! or as a route.
//!
//! The readings come from `origin::readings`. Letter case and suffixes that some server cuts off
//! are ignored, as for the rules of an origin.

use crate::domain::origin::is_read_as;
use crate::domain::path_readings;

/// Whether some server may read one of the readings as a path below the prefix.
#[must_use]
pub fn may_begin_with(readings: &[Vec<u8>], prefix: &str) -> bool {
    readings.iter().any(|reading| {
        let mut segments = path_readings::segments(reading);
        segments_of(prefix)
            .all(|own| segments.next().is_some_and(|segment| is_read_as(segment, own)))
    })
}

/// Whether some server may read one of the readings as the path of a route. The route may have
/// `{parameters}`.
#[must_use]
pub fn may_be_route(readings: &[Vec<u8>], route: &str) -> bool {
    readings.iter().any(|reading| {
        let mut segments = path_readings::segments(reading);
        let begins =
            segments_of(route).all(|own| segments.next().is_some_and(|segment| fits(segment, own)));
        begins && segments.next().is_none()
    })
}

fn segments_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Whether a segment may match this segment of a route. A parameter matches any text to the end of
/// the segment.
fn fits(segment: &[u8], of_route: &str) -> bool {
    let Some((literal, _)) = of_route.split_once('{') else { return is_read_as(segment, of_route) };
    let text = String::from_utf8_lossy(segment).to_lowercase();
    literal.is_empty()
        || text.trim_start_matches(' ').starts_with(&literal.to_lowercase())
        || is_read_as(segment, literal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::origin::readings;

    fn is_route(path: &str, route: &str) -> bool {
        may_be_route(&readings(path).unwrap(), route)
    }

    #[test]
    fn a_route_is_found_in_every_reading_and_nothing_below_or_above_it() {
        let route = "/api/v1/services/{id}/auth";
        for path in [
            "/api/v1/services/5/auth",
            "/API/v1/services/5/AUTH",
            "//api/./v1/services/5/auth/",
            "/api/v1/services/5/auth.json",
            "/api/v1/services/5%2fauth",
            "/api/v1/services/5/auth;v=1",
            "/api/v1/services/5/auth%3fx",
            "/api/v1/services/x/../5/auth",
            "/api/v1/services/5/%61uth",
            "/x/..%2fapi/v1/services/5/auth",
        ] {
            assert!(is_route(path, route), "{path}");
        }
        for path in [
            "/api/v1/services/5",
            "/api/v1/services/5/auth/x",
            "/api/v1/services/5/author",
            "/api/v1/services/auth",
        ] {
            assert!(!is_route(path, route), "{path}");
        }
    }

    #[test]
    fn a_parameter_may_stand_behind_a_part_of_a_segment() {
        for path in [
            "/a/tokens.xml",
            "/a/TOKENS.xml",
            "/a/tokens.x.y",
            "/a/tokens%2exml",
            "/a/%20tokens.xml",
        ] {
            assert!(is_route(path, "/a/tokens.{format}"), "{path}");
        }
        for path in ["/a/tokensx", "/a/token.xml", "/a/tokens.xml/b"] {
            assert!(!is_route(path, "/a/tokens.{format}"), "{path}");
        }
    }

    #[test]
    fn a_prefix_takes_all_that_is_below_it() {
        let begins = |path: &str| may_begin_with(&readings(path).unwrap(), "/scim/v2");
        for path in
            ["/scim/v2", "/scim/v2/Users", "/SCIM/v2.json", "/scim%2fv2", "/x/..%2fscim/v2/a"]
        {
            assert!(begins(path), "{path}");
        }
        for path in ["/scim", "/scim/v3", "/scim/v2x", "/x/scim/v2"] {
            assert!(!begins(path), "{path}");
        }
    }
}
