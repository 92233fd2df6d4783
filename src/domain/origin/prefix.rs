//! The beginnings of paths, and the ways in which an origin may read a path.

use crate::domain::path_readings;

/// The beginning of a path, at the end of a segment: `/a` is one of `/a` and `/a/b`, not of `/ab`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// With these begins what some server cuts off at the end of a segment.
const SUFFIXES: [char; 6] = ['.', ' ', ':', ';', '?', '#'];

impl Prefix {
    /// Checks the form; the error is the phrase that follows the variable's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "must list path prefixes like /static, without a query and without . or .. in them, not {text:?}"
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
                "must list paths as they are, without patterns and spaces around a name: each takes all that is below it. It has {text:?}"
            ));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// Whether a reading begins with it, letter for letter.
    #[must_use]
    pub fn begins(&self, reading: &[u8]) -> bool {
        let mut segments = path_readings::segments(reading);
        self.segments().all(|segment| segments.next() == Some(segment.as_bytes()))
    }

    /// Some origins do not tell `/Admin` from `/admin`.
    #[must_use]
    pub fn begins_in_any_case(&self, reading: &[u8]) -> bool {
        let lower = |text: &[u8]| String::from_utf8_lossy(text).to_lowercase();
        let mut segments = path_readings::segments(reading);
        self.segments().all(|of_rule| {
            segments.next().is_some_and(|segment| lower(segment) == of_rule.to_lowercase())
        })
    }

    /// Whether some server may take a reading for one that begins with it.
    #[must_use]
    pub fn binds(&self, reading: &[u8]) -> bool {
        let mut segments = path_readings::segments(reading);
        self.segments()
            .all(|of_rule| segments.next().is_some_and(|segment| is_read_as(segment, of_rule)))
    }

    /// The prefix as it is written, `/` for the one of all paths.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// The longer of two prefixes of one path is the more specific one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is the prefix of all paths.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an origin that does not tell `/Admin` from `/admin` takes both for the same.
    #[must_use]
    pub fn is_same_in_any_case(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

/// The readings of what is sent for a path. The path itself must not climb either. The error is the
/// phrase that follows "url".
pub fn readings(path: &str) -> Result<Vec<Vec<u8>>, String> {
    path_readings::all(&path_readings::as_sent(path)?)
}

/// Whether a segment may be read as this one of a rule: in any case, also with a suffix that some
/// server cuts off, and by its short name (`REPORT~1`).
#[must_use]
pub fn is_read_as(segment: &[u8], of_rule: &str) -> bool {
    let text = String::from_utf8_lossy(segment).to_lowercase();
    let text = text.trim_start_matches(' ');
    let of_rule = of_rule.to_lowercase();
    let rest = text.strip_prefix(of_rule.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(SUFFIXES))
        || is_short_name(text, &of_rule)
}

/// Whether a segment may be the name with at most eight letters that Windows gives a file: the
/// first letters of its name, a tilde and a number.
fn is_short_name(segment: &str, name: &str) -> bool {
    let Some((begin, rest)) = segment.split_once('~') else { return false };
    let letters = name.chars().filter(|c| !matches!(c, '.' | ' ')).take(2);
    // What Windows cannot write in its old names may be any letter there.
    let same = |(a, b): (char, char)| a == b || !b.is_ascii_alphanumeric();
    rest.starts_with(|c: char| c.is_ascii_digit())
        && begin.chars().count() <= 6
        && begin.chars().zip(letters).all(same)
}
