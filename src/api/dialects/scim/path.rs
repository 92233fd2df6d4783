//! Paths of attributes (RFC 7644, 3.5.2): `name.givenName`, `emails[type eq "work"].value`, with or
//! without the URN of the schema.

use super::filter::{Attribute, Reader};
use super::names::{shown, without_urn};
use super::wire::broken;
use crate::error::{Error, Result};

#[derive(Debug, PartialEq, Eq)]
pub enum Path {
    Attribute(Attribute),
    /// The whole resource, named by the URN of its schema.
    Whole,
    /// An attribute of a schema that is not stored.
    Foreign,
}

impl Path {
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let invalid = || broken("invalidPath", "path", format!("cannot be read: {}", shown(text)));
        let Some(rest) = without_urn(text) else {
            // A path of a schema that is not stored is not parsed. But white space outside of a
            // filter is an error.
            return if text.contains(char::is_whitespace) && !text.contains('[') {
                Err(invalid())
            } else {
                Ok(Self::Foreign)
            };
        };
        if rest.is_empty() {
            return if text.is_empty() { Err(invalid()) } else { Ok(Self::Whole) };
        }
        let mut reader = Reader::new(rest);
        let attribute = reader.attribute().map_err(|_| invalid())?;
        if reader.is_at_end() { Ok(Self::Attribute(attribute)) } else { Err(invalid()) }
    }
}

/// A valid path that cannot be used in this way.
pub(super) fn unusable(text: &str, why: &str) -> Error {
    broken("invalidPath", text, why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::filter::{Term, Test};
    use super::*;

    fn equals(name: &str, value: &str) -> Term {
        Term { name: name.to_owned(), which: None, test: Test::Equals(value.to_owned()) }
    }

    #[test]
    fn paths_as_clients_send_them() {
        let attribute = |name: &str, which, part: Option<&str>| {
            Ok(Path::Attribute(Attribute {
                name: name.to_owned(),
                which,
                part: part.map(str::to_owned),
            }))
        };
        let of_user = |rest: &str| format!("urn:ietf:params:scim:schemas:core:2.0:User{rest}");
        for (text, expected) in [
            ("displayName", attribute("displayname", None, None)),
            ("name.givenName", attribute("name", None, Some("givenname"))),
            (
                "emails[type eq \"work\"].value",
                attribute("emails", Some(vec![equals("type", "work")]), Some("value")),
            ),
            (
                "members[value eq \"7\"]",
                attribute("members", Some(vec![equals("value", "7")]), None),
            ),
            (&of_user(":active"), attribute("active", None, None)),
            (&of_user(":name.familyName"), attribute("name", None, Some("familyname"))),
            (&of_user(""), Ok(Path::Whole)),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                Ok(Path::Foreign),
            ),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", Ok(Path::Foreign)),
        ] {
            assert_eq!(Path::parse(text), expected, "{text}");
        }
        for text in [
            "",
            " ",
            "a b",
            "emails[",
            "emails[type eq \"work\"]x",
            ".a",
            "a.",
            "a.b.c",
            "members[value gt \"7\"]",
            "é",
        ] {
            assert!(Path::parse(text).is_err(), "{text:?}");
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
            let _ = Path::parse(&text);
        }
    }
}
