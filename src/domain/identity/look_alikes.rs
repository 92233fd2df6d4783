//! Names that applications or people may take for one another.
//!
//! An application that stands behind Postern gets a user's name in a header. Some databases ignore
//! case, accents and compatibility forms when they look for a name, so that `Ádmin` finds `admin`.
//! Some letters of other scripts look like Latin ones (Unicode Technical Standard 39, section 4).

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::char::decompose_canonical;

/// The lines have an ASCII text, and the code points that may be taken for it.
const TABLE: &str = include_str!("look_alikes.txt");

/// The ASCII text in lower case that a text may be taken for. `None` if it looks like no ASCII
/// text.
#[must_use]
pub fn as_ascii(text: &str) -> Option<String> {
    let mut ascii = String::new();
    let mut is_alike = true;
    let mut add = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii() {
            ascii.push(c);
        } else if let Some(alike) = of_table(c).or_else(|| of_lower_case(c)) {
            ascii.push_str(&alike);
        } else if !is_mark(c) {
            is_alike = false;
        }
    };
    text.chars().for_each(|c| decompose_canonical(c, &mut add));
    is_alike.then_some(ascii)
}

fn of_table(c: char) -> Option<String> {
    let code = format!("{:x}", u32::from(c));
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ')).find_map(|mut words| {
        let ascii = words.next()?;
        words.any(|word| word == code).then(|| ascii.replace("_SPACE_", " "))
    })
}

fn of_lower_case(c: char) -> Option<String> {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) if one != c => of_table(one),
        _ => None,
    }
}

fn is_mark(c: char) -> bool {
    matches!(
        get_general_category(c),
        GeneralCategory::NonspacingMark
            | GeneralCategory::EnclosingMark
            | GeneralCategory::SpacingMark
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_may_be_taken_for_an_ascii_name_gives_that_name() {
        for alike in [
            "admin",
            "ADMIN",
            "Admin",
            "ádmin",
            "ÀDMIN",
            "аdmin",
            "АDMIN",
            "аԁmіn",
            "admın",
            "ADMİN",
            "αdmin",
            "𝐚𝐝𝐦𝐢𝐧",
            "𝓐𝓓𝓜𝓘𝓝",
            "ａｄｍｉｎ",
            "ⓐdmin",
            "adⅿin",
            "a\u{301}\u{323}dmin",
        ] {
            assert_eq!(as_ascii(alike).as_deref(), Some("admin"), "{alike}");
        }
        for (alike, ascii) in [
            ("groß", "gross"),
            ("STRAẞE", "strasse"),
            ("Æsop", "aesop"),
            ("ﬁsh", "fish"),
            ("løve", "love"),
            ("a\u{a0}b", "a b"),
            ("a‐b", "a-b"),
            ("user１", "user1"),
            ("Ηelen", "helen"),
            ("ſam", "sam"),
        ] {
            assert_eq!(as_ascii(alike).as_deref(), Some(ascii), "{alike}");
        }
        for other in ["山田太郎", "Дмитрий", "हिन्दी", "한글", "😀", "admin山"]
        {
            assert_eq!(as_ascii(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn marks_and_case_change_nothing(name in "[a-z0-9._@-]{1,20}", at in 0_usize..20) {
            let alike = |name: &str| as_ascii(name).unwrap_or_default();
            prop_assert_eq!(alike(&name), name.as_str());
            prop_assert_eq!(alike(&name.to_ascii_uppercase()), name.as_str());
            let mut marked = name.clone();
            marked.insert(at.min(name.len()), '\u{301}');
            prop_assert_eq!(alike(&marked), name.as_str());
        }
    }
}
