//! Shapes of bodies and parameters, from which the `OpenAPI` document is derived. `declare` makes
//! them from the types that read and write the bodies, so that each member is declared once.

#[derive(Debug)]
pub struct Shape {
    /// The unique name in the document.
    pub name: &'static str,
    pub fields: &'static [Field],
    /// Shapes whose members this one has, too.
    pub includes: &'static [&'static Shape],
    /// A JSON text. If it is empty, the document builds an example from the members.
    pub example: &'static str,
}

impl Shape {
    /// Whether the value is a string and no object, as AuthZEN's failures are. The example tells.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.fields.is_empty() && self.example.starts_with('"')
    }

    /// The members, with those of the included shapes.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> + Clone + use<> {
        self.fields.iter().chain(self.includes.iter().flat_map(|included| included.fields))
    }
}

/// An operation for other Workers, by a service binding.
#[derive(Debug)]
pub struct Operation {
    /// The name of the method.
    pub name: &'static str,
    /// A sentence without a full stop.
    pub summary: &'static str,
    pub question: &'static Shape,
    /// The answer to a successful call.
    pub answer: &'static Shape,
}

/// A member of an object, or a parameter in a path or query.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
    /// A description, with units.
    pub about: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text(Text),
    Int64 {
        min: i64,
        max: i64,
    },
    /// An int64 within limits, or its decimal digits in a string. `min` must be 1 or the least
    /// int64.
    Digits {
        min: i64,
        max: i64,
    },
    Boolean,
    OneOf(&'static [&'static str]),
    /// One of these words, ignoring case.
    AnyCase(&'static [&'static str]),
    AnyOf(&'static [Kind]),
    List {
        item: &'static Kind,
        /// The least number of items.
        min: usize,
        /// The greatest number of items.
        max: usize,
    },
    Object(&'static Shape),
    /// An object with these members and any others.
    OpenObject(&'static Shape),
    Nullable(&'static Kind),
    /// An object whose members have names of the caller's choice and values of this kind.
    MapOf(&'static Kind),
    AnyObject,
    Null,
    Any,
}

#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// The least number of characters.
    pub min: usize,
    /// The greatest number of characters.
    pub max: usize,
    /// A regular expression (ECMA-262) that the text matches; empty for none.
    pub pattern: &'static str,
}

impl Kind {
    pub const TEXT: Self = Self::Text(Text { min: 0, max: usize::MAX, pattern: "" });
    pub const INT64: Self = Self::Int64 { min: i64::MIN, max: i64::MAX };
    /// Epoch milliseconds or seconds, not negative.
    pub const TIME: Self = Self::Int64 { min: 0, max: i64::MAX };

    #[must_use]
    pub const fn matching(min: usize, max: usize, pattern: &'static str) -> Self {
        Self::Text(Text { min, max, pattern })
    }

    #[must_use]
    pub const fn text(min: usize, max: usize) -> Self {
        Self::Text(Text { min, max, pattern: "" })
    }

    #[must_use]
    pub const fn list(item: &'static Self) -> Self {
        Self::List { item, min: 0, max: usize::MAX }
    }
}

#[must_use]
pub const fn required(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: true, about }
}

#[must_use]
pub const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about }
}

#[derive(Debug)]
pub enum Body {
    /// Members, as JSON or as a form.
    Members(&'static Shape),
    /// Members, or no body at all, which has a meaning of its own.
    OptionalMembers(&'static Shape),
    Array {
        kind: Kind,
        example: &'static str,
    },
    /// Text in one of these media types, each with an example.
    Texts(&'static [(&'static str, &'static str)]),
}

impl Body {
    /// The members, if the body has any.
    #[must_use]
    pub const fn shape(&self) -> Option<&'static Shape> {
        match self {
            Self::Members(shape) | Self::OptionalMembers(shape) => Some(shape),
            Self::Array { .. } | Self::Texts(_) => None,
        }
    }
}

/// The answer to a successful call.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content: Content,
}

#[derive(Debug)]
pub enum Content {
    Empty,
    Json(&'static Shape),
    /// Text in one of these media types, each with an example.
    Texts(&'static [(&'static str, &'static str)]),
}

impl Answer {
    #[must_use]
    pub const fn json(status: u16, shape: &'static Shape) -> Self {
        Self { status, content: Content::Json(shape) }
    }

    #[must_use]
    pub const fn texts(status: u16, texts: &'static [(&'static str, &'static str)]) -> Self {
        Self { status, content: Content::Texts(texts) }
    }

    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, content: Content::Empty }
    }
}
