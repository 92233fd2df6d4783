//! The rules of texts as regular expressions (ECMA-262, with the flag `u`), for the `OpenAPI`
//! document. The tests compare them with the rules.

/// Control characters, for use in brackets.
macro_rules! controls {
    () => {
        r"\u0000-\u001f\u007f-\u009f"
    };
}

/// Control characters and white space, for use in brackets.
macro_rules! blanks {
    () => {
        concat!(controls!(), r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000")
    };
}

/// A printable text without white space at its ends.
macro_rules! line {
    () => {
        concat!("[^", blanks!(), "]([^", controls!(), "]*[^", blanks!(), "])?")
    };
}

/// What `text::printable` allows.
pub const LINE: &str = concat!("^", line!(), "$");
/// The same, or nothing.
pub const LINE_OR_EMPTY: &str = concat!("^(", line!(), ")?$");
/// A printable text that is more than white space.
pub const NOT_BLANK: &str =
    concat!("^[^", controls!(), "]*[^", blanks!(), "][^", controls!(), "]*$");
/// The same, or nothing.
pub const NOT_BLANK_OR_EMPTY: &str =
    concat!("^([^", controls!(), "]*[^", blanks!(), "][^", controls!(), "]*)?$");
/// Text of several lines.
pub const LINES: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
/// What the ids of organizations and the access keys of applications are made of.
pub const PLAIN_ID: &str = "^[A-Za-z0-9_.:-]+$";
/// At most a hundred ids with commas between them.
pub const IDS: &str = "^-?[0-9]{1,19}(,-?[0-9]{1,19}){0,99}$";
/// What types of resources are made of.
pub const PLAIN_TYPE: &str = "^[A-Za-z0-9_.-]+$";
/// What the names of token apps are made of.
pub const APP_NAME: &str = "^[A-Za-z0-9_.-]([A-Za-z0-9 _.-]*[A-Za-z0-9_.-])?$";
/// What the names of URL parameters with tokens are made of; an empty one is the default one.
pub const TOKEN_NAME: &str = "^[A-Za-z0-9_.-]*$";
/// Epoch milliseconds in their one decimal form.
pub const EPOCH_MILLIS: &str = "^(0|[1-9][0-9]{0,17})$";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;
    use crate::domain::applications::application::{AccessKey, OrganizationId};
    use crate::domain::applications::signed_call::Timestamp;
    use crate::domain::text;
    use crate::domain::tokens::token_app::{AppName, TokenName};

    /// Texts that match a pattern, of at most `max` characters.
    fn texts(pattern: &str, max: usize) -> impl Strategy<Value = String> + use<> {
        let inner = pattern.trim_start_matches('^').trim_end_matches('$');
        string_regex(inner)
            .expect("a pattern")
            .prop_filter("is too long", move |text| text.chars().count() <= max)
    }

    proptest! {
        #[test]
        fn a_text_that_matches_is_taken(
            line in texts(LINE, 128),
            id in texts(PLAIN_ID, 128),
            app in texts(APP_NAME, 64),
            token_name in texts(TOKEN_NAME, 64),
            time in texts(EPOCH_MILLIS, 19),
        ) {
            prop_assert_eq!(text::printable(&line, 128), Ok(()));
            prop_assert!(OrganizationId::parse(&id).is_ok() && AccessKey::parse(&id).is_ok());
            prop_assert!(AppName::parse(&app).is_ok());
            prop_assert!(token_name.is_empty() || TokenName::parse(&token_name).is_ok());
            prop_assert!(Timestamp::parse(&time).is_some());
        }
    }

    proptest! {
        /// Else the patterns would forbid what is taken.
        #[test]
        fn a_character_that_they_forbid_is_refused(
            control in texts(concat!("[", controls!(), "]"), 1),
            blank in texts(concat!("[", blanks!(), "]"), 1),
        ) {
            prop_assert!(text::printable(&["a", &control, "a"].concat(), 3).is_err());
            prop_assert!(text::printable(&["a", &blank].concat(), 2).is_err());
        }
    }
}
