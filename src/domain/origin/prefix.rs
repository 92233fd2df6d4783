//! Path prefixes, and the ways in which an origin may read a path.

use crate::domain::path_readings;

/// A prefix of whole path segments: `/a` matches `/a` and `/a/b`, but not `/ab`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// A suffix that some server cuts off a segment begins with one of these characters.
const SUFFIXES: [char; 6] = ['.', ' ', ':', ';', '?', '#'];

impl Prefix {
    /// The error is a phrase to put after the variable's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "must list path prefixes like /static, without a query and without . or .. in \
                 them, not {text:?}"
            )
        };
        if !text.starts_with('/')
            || text.contains(['?', '#', '\\', ';', '%'])
            || text.contains("//")
        {
            return Err(wrong());
        }
        if text.split('/').any(|segment| segment == "." || segment == "..")
            || text.chars().any(char::is_control)
        {
            return Err(wrong());
        }
        let has_outer_space = |segment: &str| segment.trim() != segment;
        if text.contains(['*', '{', '}']) || text.split('/').any(has_outer_space) {
            return Err(format!(
                "must list paths as they are, without patterns and spaces around a name: each \
                 takes all that is below it. It has {text:?}"
            ));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// Whether a reading begins with the prefix, compared case-sensitively.
    #[must_use]
    pub fn begins(&self, reading: &[u8]) -> bool {
        let mut segments = path_readings::segments(reading);
        self.segments().all(|segment| segments.next() == Some(segment.as_bytes()))
    }

    /// The same, compared in lower case. Some origins treat `/Admin` and `/admin` as equal.
    #[must_use]
    pub fn begins_in_any_case(&self, reading: &[u8]) -> bool {
        let lower = |text: &[u8]| String::from_utf8_lossy(text).to_lowercase();
        let mut segments = path_readings::segments(reading);
        self.segments().all(|of_rule| {
            segments.next().is_some_and(|segment| lower(segment) == of_rule.to_lowercase())
        })
    }

    /// Whether some server may treat a reading as one that begins with the prefix.
    #[must_use]
    pub fn binds(&self, reading: &[u8]) -> bool {
        let mut segments = path_readings::segments(reading);
        self.segments()
            .all(|of_rule| segments.next().is_some_and(|segment| is_read_as(segment, of_rule)))
    }

    /// As text: `/` for the prefix of all paths.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// Of two prefixes that match a path, the longer one is more specific.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this is the prefix of all paths.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the prefixes are equal for an origin that ignores case.
    #[must_use]
    pub fn is_same_in_any_case(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

/// All readings of a path, after the changes that the runtime makes when it sends the path. The
/// path must not climb above the root, neither before nor after these changes. The error is a
/// phrase to put after "url".
pub fn readings(path: &str) -> Result<Vec<Vec<u8>>, String> {
    path_readings::all(&path_readings::as_sent(path)?)
}

/// Whether some server may read a segment as the segment of a rule. It may ignore case, cut off a
/// suffix, or accept a short name (`REPORT~1`).
#[must_use]
pub fn is_read_as(segment: &[u8], of_rule: &str) -> bool {
    let text = String::from_utf8_lossy(segment).to_lowercase();
    let text = text.trim_start_matches(' ');
    let of_rule = of_rule.to_lowercase();
    let rest = text.strip_prefix(of_rule.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(SUFFIXES))
        || is_short_name(text, &of_rule)
}

/// Whether a segment may be the 8.3 short name that Windows gives a file: the first letters of its
/// name, a tilde and a number.
fn is_short_name(segment: &str, name: &str) -> bool {
    let Some((begin, rest)) = segment.split_once('~') else { return false };
    let letters = name.chars().filter(|c| !matches!(c, '.' | ' ')).take(2);
    // In a short name Windows replaces characters that old names cannot have, so any letter matches
    // those.
    let same = |(a, b): (char, char)| a == b || !b.is_ascii_alphanumeric();
    rest.starts_with(|c: char| c.is_ascii_digit())
        && begin.chars().count() <= 6
        && begin.chars().zip(letters).all(same)
}
