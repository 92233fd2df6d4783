//! Rules for texts as regular expressions (ECMA-262, with the flag `u`), for the `OpenAPI`
//! document. Tests compare them with the code that enforces the rules.

/// Control characters, for a character class.
macro_rules! controls {
    () => {
        r"\u0000-\u001f\u007f-\u009f"
    };
}

/// Control characters and white space, for a character class.
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

/// A text that `text::printable` accepts.
pub const LINE: &str = concat!("^", line!(), "$");
pub const LINE_OR_EMPTY: &str = concat!("^(", line!(), ")?$");
/// A printable text that is not only white space.
pub const NOT_BLANK: &str =
    concat!("^[^", controls!(), "]*[^", blanks!(), "][^", controls!(), "]*$");
pub const NOT_BLANK_OR_EMPTY: &str =
    concat!("^([^", controls!(), "]*[^", blanks!(), "][^", controls!(), "]*)?$");
/// Text that may have several lines.
pub const LINES: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
/// Ids of organizations and access keys of applications.
pub const PLAIN_ID: &str = "^[A-Za-z0-9_.:-]+$";
/// At most a hundred ids with commas between them.
pub const IDS: &str = "^(0|-?[1-9][0-9]{0,18})(,(0|-?[1-9][0-9]{0,18})){0,99}$";
pub const PLAIN_TYPE: &str = "^[A-Za-z0-9_.-]+$";
pub const APP_NAME: &str = "^[A-Za-z0-9_.-]([A-Za-z0-9 _.-]*[A-Za-z0-9_.-])?$";
/// Names of the URL parameters that carry tokens. An empty one is the default name.
pub const TOKEN_NAME: &str = "^[A-Za-z0-9_.-]*$";
/// Epoch milliseconds in decimal, without leading zeros.
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
        /// Otherwise the patterns would forbid texts that the rules accept.
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
