//! Names that applications or people may take for one another.
//!
//! An application that stands behind Postern gets a user's name in a header. Some databases ignore
//! case, accents and compatibility forms when they look for a name, so that `Ádmin` finds `admin`.
//! Some letters of other scripts look like Latin ones (Unicode Technical Standard 39, section 4).
//! Others do not look like them, but the default order of Unicode (Technical Standard 10) has them
//! at the same place, and databases such as `MySQL` compare by it: `१` equals `1`.

use std::collections::HashMap;

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::char::decompose_canonical;

/// The lines have an ASCII text, and the code points that may be taken for it.
const LOOKS: &str = include_str!("look_alikes.txt");
/// The lines have an ASCII text, and the code points that are sorted with it.
const SORTS: &str = include_str!("sort_alikes.txt");

/// The ASCII texts in lower case that a text may be taken for: by people, and by databases. Empty
/// if it is like no ASCII text.
#[must_use]
pub fn as_ascii(text: &str) -> Vec<String> {
    if text.is_ascii() {
        return vec![text.to_ascii_lowercase()];
    }
    let (looks, sorts) = (table(LOOKS), table(SORTS));
    let of = |table: &Table, c: char| table.get(&u32::from(c)).map(|ascii| (*ascii).to_owned());
    let by_looks = |c| of(&looks, c).or_else(|| of(&sorts, c)).or_else(|| digit(c));
    let by_order = |c| {
        let ignored = || is_ignored(c).then(String::new);
        digit(c).or_else(ignored).or_else(|| of(&sorts, c)).or_else(|| of(&looks, c))
    };
    let mut texts: Vec<_> = read(text, by_looks).into_iter().collect();
    texts.extend(read(text, by_order).filter(|ascii| !texts.contains(ascii)));
    texts
}

fn read(text: &str, like: impl Fn(char) -> Option<String>) -> Option<String> {
    let mut ascii = String::new();
    let mut is_alike = true;
    let mut add = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii() {
            ascii.push(c);
        } else if is_alike && !is_mark(c) {
            match like(c).or_else(|| of_lower_case(c, &like)) {
                Some(alike) => ascii.push_str(&alike),
                None => is_alike = false,
            }
        }
    };
    text.chars().for_each(|c| decompose_canonical(c, &mut add));
    is_alike.then_some(ascii)
}

/// The ASCII texts by the code points.
type Table = HashMap<u32, &'static str>;

/// Reads a table. It is read for each new name beyond ASCII, and not once for each character.
fn table(text: &'static str) -> Table {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.filter_map(|line| line.split_once(' ')).flat_map(|(ascii, codes)| {
        let ascii = if ascii == "_SPACE_" { " " } else { ascii };
        let codes = codes.split(' ').filter_map(|code| u32::from_str_radix(code, 16).ok());
        codes.map(move |code| (code, ascii))
    });
    rows.collect()
}

/// The ASCII digit of a decimal digit. Unicode has the ten digits of a script in a row.
fn digit(c: char) -> Option<String> {
    let is_digit = |c: &char| get_general_category(*c) == GeneralCategory::DecimalNumber;
    let row = ('\u{80}'..=c).rev().take_while(is_digit).count();
    (row > 0).then(|| ((row - 1) % 10).to_string())
}

fn of_lower_case(c: char, like: impl Fn(char) -> Option<String>) -> Option<String> {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) if one != c => like(one),
        _ => None,
    }
}

/// Whether the character is a combining mark, which databases may ignore.
#[must_use]
pub fn is_mark(c: char) -> bool {
    matches!(
        get_general_category(c),
        GeneralCategory::NonspacingMark
            | GeneralCategory::EnclosingMark
            | GeneralCategory::SpacingMark
    )
}

/// The characters besides marks that have no place of their own in Unicode's order.
const fn is_ignored(c: char) -> bool {
    matches!(
        c,
        '\u{640}'
            | '\u{7fa}'
            | '\u{824}'
            | '\u{828}'
            | '\u{180a}'
            | '\u{1cd3}'
            | '\u{1cf2}'..='\u{1cf3}'
            | '\u{fc5e}'..='\u{fc63}'
            | '\u{fcf2}'..='\u{fcf4}'
            | '\u{fe70}'..='\u{fe74}'
            | '\u{fe76}'..='\u{fe7f}'
            | '\u{ff9e}'..='\u{ff9f}'
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
            "admi\u{640}n",
            "aðmin",
            "🅰dmin",
            "ꞛdmin",
            "ꞚDMIN",
        ] {
            assert!(as_ascii(alike).contains(&"admin".to_owned()), "{alike}");
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
            ("user१", "user1"),
            ("user٠", "user0"),
            ("user٠", "user."),
            ("user𑜹", "user9"),
            ("user𝟙", "user1"),
            ("user➉", "user10"),
            ("ꜹ", "av"),
            ("Ηelen", "helen"),
            ("ſam", "sam"),
        ] {
            assert!(as_ascii(alike).contains(&ascii.to_owned()), "{alike}");
        }
        for other in ["山田太郎", "Дмитрий", "हिन्दी", "한글", "😀", "admin山"]
        {
            assert_eq!(as_ascii(other), Vec::<String>::new(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn marks_and_case_change_nothing(name in "[a-z0-9._@-]{1,20}", at in 0_usize..20) {
            let alike = |name: &str| as_ascii(name).concat();
            prop_assert_eq!(alike(&name), name.as_str());
            prop_assert_eq!(alike(&name.to_ascii_uppercase()), name.as_str());
            let mut marked = name.clone();
            marked.insert(at.min(name.len()), '\u{301}');
            prop_assert_eq!(alike(&marked), name.as_str());
        }
    }
}
