//! What bodies look like, declared once beside the wire types: the `OpenAPI` document derives from it.

/// An object.
#[derive(Debug)]
pub struct Shape {
    /// Its name in the document.
    pub name: &'static str,
    /// Its members, in order.
    pub fields: &'static [Field],
    /// A JSON text.
    pub example: &'static str,
}

/// A member of an object, or a parameter in a query.
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
#[derive(Debug)]
pub enum Kind {
    /// A string.
    Text,
    /// An int64.
    Int64,
    /// A boolean.
    Boolean,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// An object.
    Object(&'static Shape),
    /// A list of objects.
    List(&'static Shape),
    /// Anything.
    Any,
}

/// A required member.
#[must_use]
pub const fn required(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: true, about }
}

/// An optional member.
#[must_use]
pub const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about }
}

/// What an operation answers when it succeeds.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The content type; empty where there is no body.
    pub content_type: &'static str,
    /// The body's shape; `None` where it is text.
    pub shape: Option<&'static Shape>,
    /// The body, where it is text.
    pub example: &'static str,
}

impl Answer {
    /// A JSON object.
    #[must_use]
    pub const fn json(status: u16, shape: &'static Shape) -> Self {
        Self { status, content_type: "application/json", shape: Some(shape), example: "" }
    }

    /// Plain text.
    #[must_use]
    pub const fn text(status: u16, example: &'static str) -> Self {
        Self { status, content_type: "text/plain", shape: None, example }
    }

    /// Nothing.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, content_type: "", shape: None, example: "" }
    }
}
