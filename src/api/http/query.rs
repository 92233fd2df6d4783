//! Parses queries and forms (`application/x-www-form-urlencoded`) strictly: invalid UTF-8 is
//! refused, and repeated names are all kept.

use percent_encoding::percent_decode_str;

use crate::api::http::shape::{Field, Kind};
use crate::domain::spelling;
use crate::domain::time::MAX_MILLIS;
use crate::error::{Error, Result};

/// Decoded names and values, in order.
#[derive(Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Parses a query without its question mark, or a form.
    pub fn parse(text: &str) -> Result<Self> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode_form(name, "a parameter's name")?;
            let value = decode_form(value, &name)?;
            Ok((name, value))
        });
        Ok(Self { pairs: pairs.collect::<Result<_>>()? })
    }

    /// Parses a query that was written for another system and may have broken escapes. A broken
    /// value is kept unchanged; a parameter with a broken name is dropped.
    #[must_use]
    pub fn of_others(text: &str) -> Self {
        let pairs = text.split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode_form(name, "").ok().filter(|name| !name.is_empty())?;
            Some((name, decode_form(value, "").unwrap_or_else(|_| value.to_owned())))
        });
        Self { pairs: pairs.collect() }
    }

    /// The pairs for which `is_wanted` is true.
    #[must_use]
    pub fn filtered(&self, is_wanted: impl Fn(&str, &str) -> bool) -> Self {
        Self {
            pairs: self
                .pairs
                .iter()
                .filter(|(name, value)| is_wanted(name, value))
                .cloned()
                .collect(),
        }
    }

    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The value of a parameter. It is an error if the parameter is present twice.
    pub fn one(&self, name: &str) -> Result<Option<&str>> {
        let mut values =
            self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Error::invalid(name, "must not be there twice")),
            (value, None) => Ok(value),
        }
    }

    /// The value of a required parameter.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.one(name)?.filter(|value| !value.is_empty()).ok_or_else(|| Error::missing(name))
    }

    /// A whole number within the limits that the parameter declares.
    pub fn declared_integer(&self, parameter: &Field) -> Result<Option<i64>> {
        match parameter.kind {
            Kind::Int64 { min, max } => self.integer(parameter.name, min, max),
            _ => Err(Error::internal(format!("{} is declared as no number", parameter.name))),
        }
    }

    /// One of the words that the parameter declares.
    pub fn declared_word(&self, parameter: &Field) -> Result<Option<&str>> {
        let Kind::OneOf(words) = parameter.kind else {
            return Err(Error::internal(format!("{} is declared as no word", parameter.name)));
        };
        match self.one(parameter.name)? {
            Some(word) if !words.contains(&word) => {
                Err(Error::invalid(parameter.name, spelling::one_of(word, words)))
            }
            word => Ok(word),
        }
    }

    pub fn integer(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = int64(text).filter(|number| (min..=max).contains(number));
        let wrong = || Error::invalid(name, limits(min, max));
        number.map(Some).ok_or_else(wrong)
    }
}

/// The last millisecond of the year 9999.
const END_OF_9999: i64 = 253_402_300_799_999;

/// The rule for a whole number. For the limits of moments it says "epoch milliseconds".
#[must_use]
pub fn limits(min: i64, max: i64) -> String {
    if min >= 0 && (END_OF_9999..=MAX_MILLIS).contains(&max) {
        return "must be epoch milliseconds, a whole number such as 1767225600000".to_owned();
    }
    format!("must be a whole number from {min} to {max}")
}

/// An int64 in its only accepted decimal form. `+1` and `01` are refused: another system might read
/// them as another id.
#[must_use]
pub fn int64(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

/// Percent-decodes a text. The error names `field`; it occurs if an escape is broken or the result
/// is not UTF-8.
pub fn decode(text: &str, field: &str) -> Result<String> {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if !is_hex(rest.first()) || !is_hex(rest.get(1)) {
            return Err(Error::unreadable(field, "has a broken percent escape"));
        }
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| Error::unreadable(field, "must be UTF-8"))
}

/// Decodes a value of a form, in which `+` is a space.
pub fn decode_form(text: &str, field: &str) -> Result<String> {
    if text.contains('+') { decode(&text.replace('+', " "), field) } else { decode(text, field) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubled_parameters_are_refused_where_one_is_read() {
        let query = Query::parse("a=1&b=2&a=3").unwrap();
        assert_eq!(query.one("b"), Ok(Some("2")));
        assert!(query.one("a").is_err());
        assert!(Query::parse("a=%ff").is_err());
    }

    #[test]
    fn a_query_of_others_never_fails_and_still_shows_doubles() {
        let query = Query::of_others("q=100%&token=a&%zz=x&token=%zz");
        let names: Vec<_> = query.pairs().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["q", "token", "token"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = Query::parse(&text);
        }

        #[test]
        fn what_was_encoded_comes_back(name in ".{1,10}", value in ".{0,10}") {
            use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let query = Query::parse(&format!("{}={}", encode(&name), encode(&value))).unwrap();
            prop_assert_eq!(query.pairs(), &[(name, value)]);
        }
    }
}
