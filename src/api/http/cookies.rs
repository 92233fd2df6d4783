//! Reads the cookies of a request.

/// The values of a cookie in a `Cookie` header.
///
/// Semicolons separate cookies; a comma belongs to a value. A page of another host of the same site
/// can set a cookie `a` with the value `b,__Host-postern=c` for this host. The browser sends that
/// value unchanged, so the text after the comma is not a cookie of Postern. A header that was sent
/// twice also arrives joined by a comma; if the name is on both sides of it, both values are
/// returned.
pub fn values<'h>(header: &'h str, name: &'h str) -> impl Iterator<Item = &'h str> {
    let value = move |text: &'h str| {
        text.split_once('=').filter(|(of, _)| of.trim() == name).map(|(_, value)| value.trim())
    };
    let of_name = header.split(';').filter(move |part| value(part).is_some());
    of_name.flat_map(move |part| part.split(',').filter_map(value))
}

/// Whether a `Set-Cookie` header sets one of these cookies. A browser sends a cookie without a name
/// as its value alone, so `=a=b` arrives as a cookie `a`.
#[must_use]
pub fn sets(set_cookie: &str, is_one: impl Fn(&str) -> bool) -> bool {
    let begin = set_cookie.trim_start_matches(|c: char| c == '=' || c.is_whitespace());
    is_one(begin.split(['=', ';']).next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_begins_behind_a_semicolon_only() {
        for (header, expected) in [
            ("ours=1", &["1"][..]),
            ("a=b; ours=1;c=d", &["1"]),
            ("a=b;ours = 1 ;c", &["1"]),
            ("ours=1; ours=2", &["1", "2"]),
            ("ours=1, ours=2", &["1", "2"]),
            ("ours=1, a=b", &["1"]),
            ("ours=", &[""]),
            ("a=b,ours=1", &[]),
            ("a=b, ours=1", &[]),
            ("a=b,ours=1; ours=2", &["2"]),
            ("a=\"b,ours=1\"", &[]),
            ("Ours=1; xours=1; oursx=1; ours; =ours=1", &[]),
            ("", &[]),
        ] {
            assert_eq!(values(header, "ours").collect::<Vec<_>>(), expected, "{header}");
        }
    }

    #[test]
    fn what_sets_a_cookie_is_known_by_the_name_under_which_it_arrives() {
        let is_ours = |text: &str| sets(text, |name| name == "ours");
        for text in [
            "ours=1",
            " ours = 1; Path=/",
            "ours",
            "ours; Path=/",
            "=ours=1",
            " =\tours=1",
            "==ours=1",
        ] {
            assert!(is_ours(text), "{text}");
        }
        for text in ["oursx=1", "a=ours=1", "a=1,ours=1", "", "=", "a; ours=1"] {
            assert!(!is_ours(text), "{text}");
        }
    }
}
