//! Makes texts from outside safe for the log: it limits their length and hides everything that is
//! or looks like a token.

use std::borrow::Cow;
use std::fmt::Write;

use percent_encoding::percent_decode_str;

use crate::domain::identity::machine_key;

/// Replaces a text that looks like a token.
pub const HIDDEN: &str = "{hidden}";
/// Marks where a text was cut.
const CUT: char = '…';

/// A run of this many characters that has digits and letters looks like a random value.
const LONGEST_WORD: usize = 20;
/// A run with digits, or with letters of both cases, looks like a random value from this length on.
/// Names in programs can be nearly as long.
const LONGEST_NAME: usize = 40;
/// How often a segment is decoded. Some clients encode twice.
const DECODINGS: usize = 3;

/// In characters.
pub const MAX_PATH: usize = 256;
/// In characters. No known method is longer than 16.
pub const MAX_METHOD: usize = 20;

/// The path of a URL with [`HIDDEN`] in place of each segment that looks like a token. It is cut to
/// [`MAX_PATH`] characters.
#[must_use]
pub fn path(path: &str) -> String {
    path_of(path, MAX_PATH)
}

/// A method, which a client may have made up.
#[must_use]
pub fn method(method: &str) -> String {
    text(method, MAX_METHOD)
}

fn path_of(path: &str, max: usize) -> String {
    // Long paths are cut first, so that a long URL costs no more than a short one.
    let (begin, is_cut) = whole_parts(path, max.saturating_mul(2), |c| c == '/');
    let segments =
        begin.split('/').map(|segment| if looks_like_token(segment) { HIDDEN } else { segment });
    let hidden = segments.collect::<Vec<_>>().join("/");
    bounded(&hidden, max, is_cut)
}

/// A text with [`HIDDEN`] in place of each word that looks like a token. It is cut to `max`
/// characters.
#[must_use]
pub fn text(text: &str, max: usize) -> String {
    let (begin, is_cut) = whole_parts(text, max.saturating_mul(2), parts_words);
    let mut hidden = String::with_capacity(begin.len());
    for part in begin.split_inclusive(parts_words) {
        let word = part.trim_end_matches(parts_words);
        let rest = part.get(word.len()..).unwrap_or_default();
        hidden.push_str(if looks_like_token(word) { HIDDEN } else { word });
        hidden.push_str(rest);
    }
    bounded(&hidden, max, is_cut)
}

/// Whether a text is or looks like a token, a key, a session cookie or a hash.
#[must_use]
pub fn looks_like_token(text: &str) -> bool {
    let mut decoded = Cow::Borrowed(text);
    for _ in 0..DECODINGS {
        if has_random_run(&decoded) || machine_key::looks_like_one(&decoded) {
            return true;
        }
        if !decoded.contains('%') {
            return false;
        }
        decoded = Cow::Owned(percent_decode_str(&decoded).decode_utf8_lossy().into_owned());
    }
    has_random_run(&decoded)
}

/// Whether there is a run that people do not write. A run consists of characters of base64,
/// base64url and hex.
fn has_random_run(text: &str) -> bool {
    let is_of_token =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '=' | '~');
    text.split(|c| !is_of_token(c)).any(|run| {
        let has = |is: fn(&u8) -> bool| run.bytes().any(|byte| is(&byte));
        let (digit, lower, upper) =
            (has(u8::is_ascii_digit), has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
        let is_mixed = digit && (lower || upper);
        (run.len() >= LONGEST_WORD && is_mixed)
            || (run.len() >= LONGEST_NAME && (digit || (lower && upper)))
            // The header of a JSON Web Token begins with `{"`, which is `eyJ` in base64.
            || (run.len() >= 8 && run.starts_with("eyJ"))
    })
}

fn parts_words(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '(' | ')')
}

/// The first `max` characters, without a word that the cut would divide. The remaining part of a
/// divided token might be too short to look like one.
fn whole_parts(text: &str, max: usize, parts: impl Fn(char) -> bool) -> (&str, bool) {
    let (begin, is_cut) = begin_of(text, max);
    let end = if is_cut { begin.rfind(parts).map_or(0, |at| at + 1) } else { begin.len() };
    (begin.get(..end).unwrap_or_default(), is_cut)
}

fn begin_of(text: &str, max: usize) -> (&str, bool) {
    match text.char_indices().nth(max) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), true),
        None => (text, false),
    }
}

fn bounded(text: &str, max: usize, is_cut: bool) -> String {
    let (begin, is_longer) = begin_of(text, max);
    let mut bounded = begin.to_owned();
    if is_longer || is_cut {
        bounded.push(CUT);
    }
    bounded
}

/// Escapes everything in a JSON text but letters, digits and visible ASCII. The result is one line
/// in every program, and cannot change how a terminal shows the rest.
#[must_use]
pub fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric()) {
            escaped.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a `String` cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_look_like_tokens_are_hidden_and_words_are_not() {
        for (text, expected) in [
            ("/v1/users/7", "/v1/users/7"),
            ("/", "/"),
            ("", ""),
            ("/a//b", "/a//b"),
            ("/reports/2026-11-28/summary.html", "/reports/2026-11-28/summary.html"),
            ("/assets/jquery-3.7.1.min.js", "/assets/jquery-3.7.1.min.js"),
            (
                "/app-portal-service/v2.3/app/authorization/info",
                "/app-portal-service/v2.3/app/authorization/info",
            ),
            ("/api/getUserPermissionConfiguration", "/api/getUserPermissionConfiguration"),
            ("/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "/t/{hidden}"),
            ("/t/%65yJhbGciOiJIUzI1NiJ9.e30.c2ln/x", "/t/{hidden}/x"),
            ("/t/%2565yJhbGciOi", "/t/{hidden}"),
            ("/t/7ac687f1-51c3-46ad-8617-89d737d1ba0d", "/t/{hidden}"),
            ("/t;jsessionid=0123456789ABCDEF0123456789ABCDEF.postern", "/{hidden}"),
            ("/t/pst_x", "/t/{hidden}"),
            ("/t/abcdefghijABCDEFGHIJabcdefghijABCDEFGHIJabc", "/t/{hidden}"),
            ("/login%3Ftoken=7ac687f1-51c3-46ad-8617-89d737d1ba0d", "/{hidden}"),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(path_of("/abcdef", 4), "/abc…");
        assert_eq!(text("ünï cödé words", 5), "ünï c…");
        assert_eq!(text("four", 4), "four");
        let token = "7ac687f1-51c3-46ad-8617-89d737d1ba0d";
        for at in 1..100 {
            let cut = path_of(&format!("/{}{token}/{token}/{token}", "a/".repeat(at)), 40);
            assert!(!cut.contains("7ac6"), "{cut}");
            let cut = text(&format!("{}{token} {token},\"{token}\"", "a ".repeat(at)), 40);
            assert!(!cut.contains("7ac6"), "{cut}");
        }
        assert_eq!(path_of(&"x".repeat(100), 10), "…");
    }

    #[test]
    fn words_of_a_sentence_are_hidden_alike() {
        assert_eq!(
            text(
                "invalid value \"7ac687f1-51c3-46ad-8617-89d737d1ba0d\", expected i64 at line 1",
                200
            ),
            "invalid value \"{hidden}\", expected i64 at line 1"
        );
        assert_eq!(
            text("D1_ERROR: Network connection lost.", 200),
            "D1_ERROR: Network connection lost."
        );
    }

    #[test]
    fn what_is_neither_ascii_nor_a_letter_is_escaped() {
        assert_eq!(escaped("{\"a\":\"Zoë 日本\"}"), "{\"a\":\"Zoë 日本\"}");
        assert_eq!(
            escaped("\u{2028}\u{85}\u{202e}\u{7f}🙂"),
            "\\u2028\\u0085\\u202e\\u007f\\ud83d\\ude42"
        );
    }
}
