//! Filters (RFC 7644, 3.4.2.2). Supported are terms of `eq` and `pr`, joined by `and`.

use super::names;
use super::wire::broken;
use crate::error::{Error, Result};

pub type Expression = Vec<Term>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The attribute in lower case, with its sub-attribute after a dot.
    pub name: String,
    /// The filter in brackets, which selects values of the attribute.
    pub which: Option<Expression>,
    pub test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The value equals this text. Booleans and numbers are compared as text.
    Equals(String),
    /// The attribute has a value.
    Present,
}

const MAX_TERMS: usize = 10;

pub fn parse(text: &str) -> Result<Expression> {
    let mut reader = Reader::new(text);
    let expression = reader.expression(false).map_err(|why| invalid(why.0))?;
    if reader.is_at_end() { Ok(expression) } else { Err(invalid("has something behind its end")) }
}

pub(super) fn invalid(why: &str) -> Error {
    broken("invalidFilter", "filter", why)
}

/// Why a text is not a filter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable(&'static str);

type Read<T> = std::result::Result<T, Unreadable>;

/// An attribute; all names are in lower case.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute {
    pub name: String,
    /// The filter that selects values; `None` for all of them.
    pub which: Option<Expression>,
    pub part: Option<String>,
}

pub(super) struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { rest: text.trim() }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// An attribute with its filter and its sub-attribute.
    pub(super) fn attribute(&mut self) -> Read<Attribute> {
        self.attribute_in(false)
    }

    /// Nested brackets are refused before they are parsed, so the recursion is never deeper than
    /// one level.
    fn attribute_in(&mut self, is_inner: bool) -> Read<Attribute> {
        let name = self.name().to_ascii_lowercase();
        if name.is_empty() {
            return Err(Unreadable("needs the name of an attribute"));
        }
        if is_inner && self.rest.starts_with('[') {
            return Err(Unreadable("has brackets within brackets"));
        }
        let which = self.bracketed()?;
        let part = if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            let part = self.name().to_ascii_lowercase();
            if part.is_empty() {
                return Err(Unreadable("needs a name behind the dot"));
            }
            Some(part)
        } else {
            None
        };
        Ok(Attribute { name, which, part })
    }

    fn name(&mut self) -> &'t str {
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '_' | '-');
        let end = self.rest.find(|c| !is_of_names(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        name
    }

    fn bracketed(&mut self) -> Read<Option<Expression>> {
        let Some(rest) = self.rest.strip_prefix('[') else { return Ok(None) };
        self.rest = rest.trim_start();
        let expression = self.expression(true)?;
        self.rest = self.rest.strip_prefix(']').ok_or(Unreadable("needs a bracket at the end"))?;
        Ok(Some(expression))
    }

    fn expression(&mut self, is_inner: bool) -> Read<Expression> {
        let mut terms = vec![self.term(is_inner)?];
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() || (is_inner && self.rest.starts_with(']')) {
                return Ok(terms);
            }
            if !self.word().eq_ignore_ascii_case("and") || terms.len() == MAX_TERMS {
                return Err(Unreadable("may have terms of eq and pr, joined by and; ten at most"));
            }
            terms.push(self.term(is_inner)?);
        }
    }

    fn term(&mut self, is_inner: bool) -> Read<Term> {
        self.rest = self.rest.trim_start();
        self.skip_urn()?;
        let Attribute { name, which, part } = self.attribute_in(is_inner)?;
        let name = part.map_or_else(|| name.clone(), |part| format!("{name}.{part}"));
        self.rest = self.rest.trim_start();
        let is_over = self.rest.is_empty()
            || self.rest.get(..4).is_some_and(|next| next.eq_ignore_ascii_case("and "));
        if which.is_some() && is_over {
            return Ok(Term { name, which, test: Test::Present });
        }
        let test = match self.word().to_ascii_lowercase().as_str() {
            "eq" => Test::Equals(self.value()?),
            "pr" => Test::Present,
            _ => return Err(Unreadable("may have the operators eq and pr")),
        };
        Ok(Term { name, which, test })
    }

    /// Skips a URN, whose dots and colons do not belong to the path.
    fn skip_urn(&mut self) -> Read<()> {
        let end =
            self.rest.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(self.rest.len());
        let head = self.rest.get(..end).unwrap_or_default();
        let without = names::without_urn(head)
            .ok_or(Unreadable("names a schema of which nothing is kept"))?;
        self.rest = self.rest.get(head.len() - without.len()..).unwrap_or_default();
        Ok(())
    }

    fn word(&mut self) -> &'t str {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || matches!(c, ']' | '[' | '(' | ')'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        word
    }

    /// A JSON string, or a bare word, as in the documentation of Entra.
    fn value(&mut self) -> Read<String> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
            let text = values
                .next()
                .and_then(std::result::Result::ok)
                .ok_or(Unreadable("has a string that does not end"))?;
            self.rest = self.rest.get(values.byte_offset()..).unwrap_or_default();
            return Ok(text);
        }
        let word = self.word();
        if word.is_empty() || word.contains('"') {
            return Err(Unreadable("needs a value behind eq"));
        }
        Ok(word.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn equals(name: &str, value: &str) -> Term {
        Term { name: name.to_owned(), which: None, test: Test::Equals(value.to_owned()) }
    }

    #[test]
    fn filters_as_clients_send_them() {
        let work = || Some(vec![equals("type", "work")]);
        let user = "urn:ietf:params:scim:schemas:core:2.0:User";
        for (text, expected) in [
            ("userName eq \"bjensen\"", vec![equals("username", "bjensen")]),
            ("USERNAME Eq \"a b \\\"c\\\" \\u00e9\"", vec![equals("username", "a b \"c\" é")]),
            ("externalId eq jyoung", vec![equals("externalid", "jyoung")]),
            (
                "active eq true and userName eq \"x\"",
                vec![equals("active", "true"), equals("username", "x")],
            ),
            (&format!("{user}:userName eq \"x\""), vec![equals("username", "x")]),
            (
                "name.givenName pr",
                vec![Term { name: "name.givenname".to_owned(), which: None, test: Test::Present }],
            ),
            (
                "emails[type eq \"work\"]",
                vec![Term { name: "emails".to_owned(), which: work(), test: Test::Present }],
            ),
            (
                "emails[type eq \"work\"].value eq \"a@b\" and active eq false",
                vec![
                    Term {
                        name: "emails.value".to_owned(),
                        which: work(),
                        test: Test::Equals("a@b".to_owned()),
                    },
                    equals("active", "false"),
                ],
            ),
            (
                "id eq \"1\" AND members[ value eq \"7\" ]",
                vec![
                    equals("id", "1"),
                    Term {
                        name: "members".to_owned(),
                        which: Some(vec![equals("value", "7")]),
                        test: Test::Present,
                    },
                ],
            ),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    /// A stack overflow would end the isolate.
    #[test]
    fn brackets_do_not_nest_however_many_there_are() {
        for text in ["a[", "a[b[", "emails[type eq \"x\" and a["] {
            assert!(parse(&text.repeat(300_000)).is_err());
            assert!(super::super::path::Path::parse(&text.repeat(300_000)).is_err());
        }
    }

    #[test]
    fn other_filters_are_refused() {
        for text in [
            "",
            "userName",
            "userName eq",
            "userName eq \"x",
            "userName co \"x\"",
            "userName eq \"x\" or id eq \"1\"",
            "not (userName eq \"x\")",
            "(userName eq \"x\")",
            "userName eq \"x\" and",
            "userName eq \"x\" userName",
            "emails[type eq \"work\"",
            "emails[emails[type eq \"x\"]]",
            "emails[]",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"x\"",
            "a..b eq 1",
            &["id eq 1"; 12].join(" and "),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in concat!(
                r#"[a-c .\[\]"\\é:]{0,30}|"#,
                r#"(eq|pr|and|urn:ietf:params:scim:schemas:core:2.0:User|[a-z]|[ \[\].:"])*"#,
            ),
        ) {
            let _ = parse(&text);
        }
    }
}
