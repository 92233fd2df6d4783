//! What bodies and parameters look like: the values that the `OpenAPI` document derives from.
//! `declare` makes them from the types that read and write the bodies, so that a member is declared
//! once.

/// An object.
#[derive(Debug)]
pub struct Shape {
    /// Its name in the document, unique.
    pub name: &'static str,
    /// Its members, in order.
    pub fields: &'static [Field],
    /// Shapes whose members it has, too.
    pub includes: &'static [&'static Shape],
    /// A JSON text; empty where the document makes one of the members' own.
    pub example: &'static str,
}

impl Shape {
    /// Whether it is no object but a string, as the failures of AuthZEN are: its example tells.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.fields.is_empty() && self.example.starts_with('"')
    }

    /// Its members, and those of the shapes that it includes.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> + Clone + use<> {
        self.fields.iter().chain(self.includes.iter().flat_map(|included| included.fields))
    }
}

/// What other Workers ask by a service binding.
#[derive(Debug)]
pub struct Operation {
    /// The name of the method.
    pub name: &'static str,
    /// What it does, in a sentence without a full stop.
    pub summary: &'static str,
    /// The question.
    pub question: &'static Shape,
    /// The answer, where it is no failure.
    pub answer: &'static Shape,
}

/// A member of an object, or a parameter in a path or query.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it is, with units.
    pub about: &'static str,
}

/// A type.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A string.
    Text(Text),
    /// An int64 within limits.
    Int64 {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// An int64 within limits, or its decimal digits in a string. The least is 1 or that of all
    /// int64.
    Digits {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A boolean.
    Boolean,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// One of these words, whatever the case of its letters.
    AnyCase(&'static [&'static str]),
    /// What one of these is.
    AnyOf(&'static [Kind]),
    /// A list.
    List {
        /// What each item is.
        item: &'static Kind,
        /// The least number of items.
        min: usize,
        /// The greatest.
        max: usize,
    },
    /// An object.
    Object(&'static Shape),
    /// An object with these members, and any others.
    OpenObject(&'static Shape),
    /// This, or null.
    Nullable(&'static Kind),
    /// An object whose members are all of this type, by names of the caller's own.
    MapOf(&'static Kind),
    /// An object of any members.
    AnyObject,
    /// Null, and nothing else.
    Null,
    /// Anything.
    Any,
}

/// What a string may be.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// The least number of characters.
    pub min: usize,
    /// The greatest.
    pub max: usize,
    /// A regular expression (ECMA-262) that it matches; empty for none.
    pub pattern: &'static str,
}

impl Kind {
    /// Any string.
    pub const TEXT: Self = Self::Text(Text { min: 0, max: usize::MAX, pattern: "" });
    /// Any int64.
    pub const INT64: Self = Self::Int64 { min: i64::MIN, max: i64::MAX };
    /// An epoch time, in milliseconds or seconds.
    pub const TIME: Self = Self::Int64 { min: 0, max: i64::MAX };

    /// A string that matches a regular expression.
    #[must_use]
    pub const fn matching(min: usize, max: usize, pattern: &'static str) -> Self {
        Self::Text(Text { min, max, pattern })
    }

    /// A string of that many characters.
    #[must_use]
    pub const fn text(min: usize, max: usize) -> Self {
        Self::Text(Text { min, max, pattern: "" })
    }

    /// A list of any length.
    #[must_use]
    pub const fn list(item: &'static Self) -> Self {
        Self::List { item, min: 0, max: usize::MAX }
    }
}

/// A required parameter.
#[must_use]
pub const fn required(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: true, about }
}

/// An optional parameter.
#[must_use]
pub const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about }
}

/// What an operation takes as its body.
#[derive(Debug)]
pub enum Body {
    /// Members, as JSON or as a form.
    Members(&'static Shape),
    /// The same, where the body may be left out: without it the request says something too.
    OptionalMembers(&'static Shape),
    /// A JSON array.
    Array {
        /// What it is a list of.
        kind: Kind,
        /// A JSON text.
        example: &'static str,
    },
    /// Text in one of these media types, each with an example.
    Texts(&'static [(&'static str, &'static str)]),
}

impl Body {
    /// Its members, where it has any.
    #[must_use]
    pub const fn shape(&self) -> Option<&'static Shape> {
        match self {
            Self::Members(shape) | Self::OptionalMembers(shape) => Some(shape),
            Self::Array { .. } | Self::Texts(_) => None,
        }
    }
}

/// What an operation answers when it succeeds.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// What the body holds.
    pub content: Content,
}

/// What the body of an answer holds.
#[derive(Debug)]
pub enum Content {
    /// Nothing.
    Empty,
    /// A JSON object.
    Json(&'static Shape),
    /// Text in one of these media types, each with an example.
    Texts(&'static [(&'static str, &'static str)]),
}

impl Answer {
    /// A JSON object.
    #[must_use]
    pub const fn json(status: u16, shape: &'static Shape) -> Self {
        Self { status, content: Content::Json(shape) }
    }

    /// Text in one of these media types, each with an example.
    #[must_use]
    pub const fn texts(status: u16, texts: &'static [(&'static str, &'static str)]) -> Self {
        Self { status, content: Content::Texts(texts) }
    }

    /// Nothing.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, content: Content::Empty }
    }
}
