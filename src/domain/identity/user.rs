//! Users: one identity store for all dialects.

use serde_json::{Value, json};

use unicode_general_category::{GeneralCategory, get_general_category};

use crate::domain::identity::look_alikes;
use crate::domain::text;
use crate::domain::time::Millis;

/// A user's id, an int64 that is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

/// A user's name: 1 to 128 printable characters, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

/// Bytes that the roles of one user may have together where an origin receives them in a header.
/// nginx reads 8 KiB for one header by default.
pub const MAX_ROLES_BYTES: usize = 4096;

/// The kind of account. Finer distinctions are roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserType {
    /// May read.
    Reader,
    /// May create.
    Creator,
    /// Full access.
    Administrator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub profile: Profile,
    /// The name for signing in.
    pub username: Username,
    pub has_password: bool,
    /// When the token was issued from which name, email and roles were last copied, in seconds
    /// since the epoch. 0 if no token was used.
    pub followed_at_s: i64,
    /// The groups that the latest tokens gave the user: a JSON object from token apps to lists of
    /// ids.
    pub synced_groups: Option<String>,
    /// Everything issued to the user before this time is invalid. A whole second.
    pub valid_from: Millis,
    /// When the password was last set. Not known for passwords older than this column.
    pub password_set_at: Millis,
    pub created_at: Millis,
    pub modified_at: Millis,
}

/// The attributes of a user that can be changed, without the user name and the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// A display name.
    pub name: Option<String>,
    /// Not verified.
    pub email: Option<String>,
    /// Not verified.
    pub phone: Option<String>,
    pub user_type: UserType,
    pub roles: Vec<String>,
    /// A disabled user may do nothing.
    pub enabled: bool,
    /// The token app that the user belongs to: the one that created the user, or the one that an
    /// administrator named.
    pub token_app: Option<String>,
}

impl Username {
    /// In characters.
    pub const MAX: usize = 128;

    /// The error is a phrase to put after the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::printable(text, Self::MAX)?;
        Ok(Self(text.to_owned()))
    }

    /// The stricter rule for a new user. The name must not look like another name, or like `[…]`,
    /// which the audit trail uses for Postern itself. A name that breaks the rule is refused and
    /// never rewritten. Existing users keep such names.
    pub fn new_name(text: &str) -> Result<Self, String> {
        let name = Self::parse(text)?;
        if text.starts_with('[') {
            return Err("must not begin with [, which marks what Postern itself does".to_owned());
        }
        if let Some(c) = text.chars().find(|&c| is_invisible(c)) {
            return Err(format!(
                "must not have the invisible or unassigned character U+{:04X}",
                u32::from(c)
            ));
        }
        if let Some(c) = text.chars().find(|&c| is_full_width(c)) {
            return Err(format!("must not have the full-width character U+{:04X}", u32::from(c)));
        }
        if text.chars().all(look_alikes::is_mark) {
            return Err("must not consist of combining marks only".to_owned());
        }
        if !text::is_nfc(text) {
            return Err("must be in Unicode's normal form C".to_owned());
        }
        Ok(name)
    }

    /// The folded names of users whom an application may take for a user of this name: those that
    /// differ in case only, and the ASCII names that this one looks like or is sorted with.
    ///
    /// Some letters have two lower cases (`Σ`), or an upper case of two letters (`ß`).
    #[must_use]
    pub fn look_alikes(&self) -> Vec<String> {
        let folded = text::folded(&self.0);
        let other_cases = (!self.0.is_ascii())
            .then(|| [text::folded(&self.0.to_uppercase()), folded.replace('ς', "σ")]);
        let mut all: Vec<_> = std::iter::once(folded)
            .chain(other_cases.into_iter().flatten())
            .chain(look_alikes::as_ascii(&self.0))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The rule for a user who signs in with a password. HTTP Basic ends the user name at the first
    /// colon, so the name must not have one. Names that come from tokens may.
    pub fn can_be_in_basic(&self) -> Result<(), String> {
        if self.0.contains(':') {
            return Err("must not have a colon beside a password, since HTTP Basic ends the user \
                        name there"
                .to_owned());
        }
        Ok(())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control and format characters (such as zero-width and direction marks), line and paragraph
/// separators, and private-use and unassigned characters, which look different on each system.
///
/// Characters that Unicode calls default-ignorable, and the empty Braille pattern, are invisible
/// although they are letters, marks or symbols.
fn is_invisible(c: char) -> bool {
    let is_ignorable = matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    );
    let is_of_kind = matches!(
        get_general_category(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    is_ignorable || is_of_kind
}

/// Full-width ASCII letters and digits.
fn is_full_width(c: char) -> bool {
    matches!(c, '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}')
}

impl UserType {
    /// In ascending order of rights.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Creator, Self::Administrator];

    /// The name that all dialects use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "SYS_Reader",
            Self::Creator => "SYS_Creator",
            Self::Administrator => "Administrator",
        }
    }

    /// Case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|user_type| user_type.name() == name)
    }

    /// The highest type among the role names, or `Reader` if no role is a type.
    #[must_use]
    pub fn among(roles: &[String]) -> Self {
        roles.iter().filter_map(|role| Self::from_name(role)).max().unwrap_or(Self::Reader)
    }
}

impl User {
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.profile.user_type == UserType::Administrator
    }

    #[must_use]
    pub fn for_audit(&self) -> Value {
        let mut value = self.profile.for_audit();
        if let Value::Object(members) = &mut value {
            members.insert("id".to_owned(), json!(self.id.0));
        }
        value
    }
}

impl Profile {
    /// The longest name, email or phone, in characters.
    pub const MAX_TEXT: usize = 256;

    /// An enabled user of this type, without any other attribute.
    #[must_use]
    pub fn of_type(user_type: UserType) -> Self {
        Self {
            name: None,
            email: None,
            phone: None,
            user_type,
            roles: vec![user_type.name().to_owned()],
            enabled: true,
            token_app: None,
        }
    }

    #[must_use]
    pub fn for_audit(&self) -> Value {
        let mut value = json!({
            "name": self.name, "email": self.email, "phone": self.phone,
            "type": self.user_type.name(), "roles": self.roles, "enabled": self.enabled,
        });
        if let (Value::Object(members), Some(token_app)) = (&mut value, &self.token_app) {
            members.insert("tokenApp".to_owned(), json!(token_app));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    #[test]
    fn names_are_case_sensitive_and_bounded() {
        assert_ne!(Username::parse("Admin"), Username::parse("admin"));
        for wrong in ["", " admin", "admin\n", "a\u{0}b", &"x".repeat(129)] {
            assert!(Username::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_with_a_colon_cannot_be_in_basic() {
        let can = |text: &str| Username::parse(text).unwrap().can_be_in_basic().is_ok();
        assert!(can("alice") && !can("al:ice") && !can(":") && !can("alice:"));
    }

    #[test]
    fn only_the_type_administrator_makes_an_administrator() {
        for user_type in UserType::ALL {
            let mut profile = Profile::of_type(user_type);
            profile.roles = vec![UserType::Administrator.name().to_owned()];
            let user = User {
                id: UserId(1),
                profile,
                username: Username::parse("alice").unwrap(),
                has_password: false,
                followed_at_s: 0,
                synced_groups: None,
                valid_from: Millis(0),
                password_set_at: Millis(0),
                created_at: Millis(0),
                modified_at: Millis(0),
            };
            let is_one = user_type == UserType::Administrator;
            assert_eq!(user.is_administrator(), is_one, "{user_type:?}");
        }
    }

    #[test]
    fn a_new_name_looks_like_no_other_and_an_old_one_stays() {
        for right in [
            "admin",
            "Ålice",
            "Nguyễn Văn",
            "हिन्दी",
            "한글",
            "山田太郎",
            "a[b]",
            "o'neil@example.com",
            "😀",
            "أحمد",
        ] {
            assert!(
                Username::new_name(right).is_ok(),
                "{right:?}: {:?}",
                Username::new_name(right)
            );
        }
        let wrong = [
            ("[system]", "begin with ["),
            ("admin\u{200b}", "U+200B"),
            ("\u{202e}nimda", "U+202E"),
            ("ad\u{ad}min", "U+00AD"),
            ("a\u{2028}b", "U+2028"),
            ("a\u{2029}b", "U+2029"),
            ("a\u{e000}", "U+E000"),
            ("a\u{378}", "U+0378"),
            ("a\u{10ffff}", "U+10FFFF"),
            ("ａdmin", "full-width"),
            ("admin\u{3164}", "U+3164"),
            ("admin\u{2800}", "U+2800"),
            ("admin\u{fe0f}", "U+FE0F"),
            ("ad\u{34f}min", "U+034F"),
            ("ＡDMIN", "full-width"),
            ("admin１", "full-width"),
            ("\u{301}\u{323}", "marks only"),
            ("A\u{30a}lice", "normal form C"),
            ("\u{212b}lice", "normal form C"),
        ];
        for (text, why) in wrong {
            let refused = Username::new_name(text).unwrap_err();
            assert!(refused.contains(why), "{text:?}: {refused}");
            assert!(Username::parse(text).is_ok(), "{text:?}: who has it keeps it");
        }
        assert!(Username::new_name("a\u{0}b").is_err() && Username::new_name("").is_err());
    }

    /// One of these characters is enough to refuse a name.
    fn forbidden() -> impl Strategy<Value = char> {
        let ranges = [
            // Format characters.
            ('\u{200b}', '\u{200f}'),
            ('\u{202a}', '\u{202e}'),
            ('\u{2060}', '\u{2064}'),
            ('\u{2066}', '\u{206f}'),
            ('\u{e0020}', '\u{e007f}'),
            ('\u{feff}', '\u{feff}'),
            // Control characters.
            ('\u{80}', '\u{9f}'),
            // Private-use characters and permanently unassigned ones.
            ('\u{e000}', '\u{f8ff}'),
            ('\u{f0000}', '\u{ffffd}'),
            ('\u{fdd0}', '\u{fdef}'),
            // Separators of lines and paragraphs.
            ('\u{2028}', '\u{2029}'),
            // Letters, marks and symbols that are not seen.
            ('\u{115f}', '\u{1160}'),
            ('\u{180b}', '\u{180f}'),
            ('\u{3164}', '\u{3164}'),
            ('\u{fe00}', '\u{fe0f}'),
            ('\u{e0100}', '\u{e01ef}'),
            // Full-width characters.
            ('\u{ff10}', '\u{ff19}'),
            ('\u{ff21}', '\u{ff3a}'),
            ('\u{ff41}', '\u{ff5a}'),
        ];
        (0..ranges.len()).prop_flat_map(move |at| proptest::char::range(ranges[at].0, ranges[at].1))
    }

    proptest! {
        #[test]
        fn a_name_of_letters_is_taken_and_one_forbidden_character_refuses_it(
            letters in "[A-Za-z0-9à-öα-ωа-яא-תक-ह가-각一-十ぁ-ん_.@'-]{2,20}",
            at in 1_usize..20,
            c in forbidden(),
        ) {
            let name: String = letters.nfc().collect();
            let read = Username::new_name(&name);
            prop_assert!(read.is_ok(), "{:?}: {:?}", name, read);
            let mut characters: Vec<char> = name.chars().collect();
            characters.insert(at.min(characters.len() - 1), c);
            let hidden: String = characters.into_iter().collect();
            prop_assert!(Username::new_name(&hidden).is_err(), "{:?}", hidden);
            let bracketed = format!("[{name}");
            prop_assert!(Username::new_name(&bracketed).is_err());
        }

        #[test]
        fn whatever_is_taken_is_in_its_normal_form(
            text in r".{1,8}|[A-Za-z\x{300}-\x{36f}\x{1100}-\x{11ff}]{1,8}",
        ) {
            let is_normal = text.nfc().eq(text.chars());
            if let Ok(name) = Username::new_name(&text) {
                prop_assert!(is_normal && name.as_str() == text, "{:?}", text);
            }
        }
    }

    #[test]
    fn the_highest_type_among_roles_is_used() {
        let roles = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            UserType::among(&roles(&["SYS_Reader", "SYS_Creator", "sales"])),
            UserType::Creator
        );
        assert_eq!(UserType::among(&roles(&["administrator"])), UserType::Reader);
    }
}
