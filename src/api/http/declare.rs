//! Declares a body once: the type that reads or writes it, and its shape in the `OpenAPI` document.
//!
//! ```text
//! answer! {
//!     pub(super) struct Group as "Group" {
//!         "id" id: i64 => "the group's id",
//!         "name" name: Option<String> => "a name for people",
//!         "type" user_type: &'static str as USER_TYPE => "what the user is",
//!     } example r#"{"id":3,"name":"Testers"}"#
//! }
//! ```
//!
//! A member has its JSON name, its field, its type and a description. After `as` comes its kind in
//! the document, if the type alone does not determine it. `includes item: Item,` before the
//! members, or `then item: Item,` after them, adds the members of another answer. `request!` has
//! the same form; the types of its members implement [`Member`].

use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::http::body::Fields;
use crate::api::http::patterns;
use crate::api::http::shape::{Kind, Shape};
use crate::domain::secret::Secret;
use crate::domain::text;
use crate::domain::time::Millis;
use crate::error::Result;

pub trait Declared {
    const SHAPE: Shape;
}

/// A type that a member of an answer may have.
pub trait Written: Serialize {
    const KIND: Kind;
    /// Whether every answer has the member.
    const REQUIRED: bool = true;

    /// Whether this answer omits the member.
    fn is_left_out(&self) -> bool {
        false
    }
}

/// A member of an answer that is omitted if it is `None`.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Sometimes<T>(pub Option<T>);

impl<T: Written> Written for Sometimes<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;

    fn is_left_out(&self) -> bool {
        self.0.is_none()
    }
}

impl<T: Written> Written for Option<T> {
    const KIND: Kind = Kind::Nullable(&T::KIND);
}

impl<T: Written> Written for Vec<T> {
    const KIND: Kind = Kind::list(&T::KIND);
}

impl<T: Written> Written for &[T] {
    const KIND: Kind = Kind::list(&T::KIND);
}

/// Types of members of answers, with their kinds in the document.
macro_rules! written {
    ($($type:ty => $kind:expr),* $(,)?) => {
        $(impl Written for $type { const KIND: Kind = $kind; })*
    };
}
written! {
    i64 => Kind::INT64,
    u16 => Kind::Int64 { min: 0, max: 65_535 },
    usize => Kind::Int64 { min: 0, max: i64::MAX },
    bool => Kind::Boolean,
    &str => Kind::TEXT,
    String => Kind::TEXT,
    &Value => Kind::Any,
    Map<String, Value> => Kind::AnyObject,
    () => Kind::Null,
}

macro_rules! answer {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(<$life:lifetime>)? as $shape:literal {
        $(includes $first:ident : $first_of:ty,)?
        $($json:literal $field:ident : $type:ty $(as $kind:expr)? => $about:expr,)*
        $(then $last:ident : $last_of:ty $(,)?)?
    } $(example $example:expr)?) => {
        $(#[$meta])*
        #[derive(serde::Serialize)]
        $vis struct $name $(<$life>)? {
            $(
                #[serde(flatten)]
                $vis $first: $first_of,
            )?
            $(
                #[serde(
                    rename = $json,
                    skip_serializing_if = "crate::api::http::declare::Written::is_left_out"
                )]
                $vis $field: $type,
            )*
            $(
                #[serde(flatten)]
                $vis $last: $last_of,
            )?
        }

        impl $(<$life>)? $crate::api::http::declare::Declared for $name $(<$life>)? {
            const SHAPE: $crate::api::http::shape::Shape = $crate::api::http::shape::Shape {
                name: $shape,
                fields: &[$(
                    $crate::api::http::shape::Field {
                        name: $json,
                        kind: $crate::api::http::declare::kind!(Written, $type $(, $kind)?),
                        required: <$type as $crate::api::http::declare::Written>::REQUIRED,
                        about: $about,
                    },
                )*],
                includes: &[
                    $(&<$first_of as $crate::api::http::declare::Declared>::SHAPE,)?
                    $(&<$last_of as $crate::api::http::declare::Declared>::SHAPE,)?
                ],
                example: concat!("" $(, $example)?),
            };
        }

        impl $(<$life>)? $crate::api::http::declare::Written for $name $(<$life>)? {
            const KIND: $crate::api::http::shape::Kind = $crate::api::http::shape::Kind::Object(
                &<Self as $crate::api::http::declare::Declared>::SHAPE,
            );
        }
    };
}
pub(crate) use answer;

/// The kind of a member in the document: the one after `as`, otherwise that of its type.
macro_rules! kind {
    ($of:ident, $type:ty) => {
        <$type as $crate::api::http::declare::$of>::KIND
    };
    ($of:ident, $type:ty, $kind:expr) => {
        $kind
    };
}
pub(crate) use kind;

/// A type that a member of a request may have. An error while reading names the member.
pub trait Member: Sized {
    const KIND: Kind;
    /// Whether the request must have the member.
    const REQUIRED: bool = true;

    fn read_member(fields: &Fields, name: &str) -> Result<Self>;
}

pub trait Request: Declared + Sized {
    fn read(fields: &Fields) -> Result<Self>;
}

macro_rules! request {
    ($(#[$meta:meta])* $vis:vis struct $name:ident as $shape:literal {
        $($json:literal $field:ident : $type:ty $(as $kind:expr)? => $about:expr),* $(,)?
    } $(example $example:expr)?) => {
        $(#[$meta])*
        $vis struct $name {
            $($vis $field: $type,)*
        }

        impl $crate::api::http::declare::Declared for $name {
            const SHAPE: $crate::api::http::shape::Shape = $crate::api::http::shape::Shape {
                name: $shape,
                fields: &[$(
                    $crate::api::http::shape::Field {
                        name: $json,
                        kind: $crate::api::http::declare::kind!(Member, $type $(, $kind)?),
                        required: <$type as $crate::api::http::declare::Member>::REQUIRED,
                        about: $about,
                    },
                )*],
                includes: &[],
                example: concat!("" $(, $example)?),
            };
        }

        impl $crate::api::http::declare::Request for $name {
            fn read(fields: &$crate::api::http::body::Fields) -> $crate::error::Result<Self> {
                Ok(Self {
                    $($field: <$type as $crate::api::http::declare::Member>::read_member(
                        fields,
                        $json,
                    )?,)*
                })
            }
        }

        impl $crate::api::http::declare::Member for $name {
            const KIND: $crate::api::http::shape::Kind = $crate::api::http::shape::Kind::Object(
                &<Self as $crate::api::http::declare::Declared>::SHAPE,
            );

            fn read_member(
                fields: &$crate::api::http::body::Fields,
                name: &str,
            ) -> $crate::error::Result<Self> {
                $crate::api::http::declare::Request::read(&fields.required_object(name)?)
            }
        }
    };
}
pub(crate) use request;

/// A member that may be absent or null.
impl<T: Member> Member for Option<T> {
    const KIND: Kind = Kind::Nullable(&T::KIND);
    const REQUIRED: bool = false;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        if fields.is_given(name) { T::read_member(fields, name).map(Some) } else { Ok(None) }
    }
}

/// A member that may be absent, but not null. Its absence has a meaning, such as the caller or the
/// stored value. A caller who sends null means something else, or has lost a value.
#[derive(Debug)]
pub struct Given<T>(pub Option<T>);

impl<T: Member> Member for Given<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        if fields.has(name) && !fields.is_given(name) {
            return Err(fields.invalid(name, "must not be null: give it a value, or leave it out"));
        }
        Option::read_member(fields, name).map(Self)
    }
}

/// How a request changes a stored member: an absent member keeps it, null removes it.
#[derive(Debug)]
pub enum Change<T> {
    Stays,
    Becomes(T),
    Goes,
}

impl<T> Change<T> {
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Self::Stays => Change::Stays,
            Self::Becomes(new) => Change::Becomes(make(new)),
            Self::Goes => Change::Goes,
        }
    }

    pub fn apply(self, value: &mut Option<T>) {
        match self {
            Self::Stays => {}
            Self::Becomes(new) => *value = Some(new),
            Self::Goes => *value = None,
        }
    }
}

impl<const MAX: usize> Change<Line<MAX>> {
    /// The text for a new object.
    #[must_use]
    pub fn given(self) -> Option<String> {
        match self {
            Self::Becomes(Line(text)) => Some(text),
            Self::Stays | Self::Goes => None,
        }
    }
}

/// A printable text for people, of 1 to `MAX` characters. An empty text removes the member.
impl<const MAX: usize> Member for Change<Line<MAX>> {
    const KIND: Kind = Kind::Nullable(&Kind::matching(0, MAX, patterns::LINE_OR_EMPTY));
    const REQUIRED: bool = false;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        match fields.text(name)? {
            Some("") => Ok(Self::Goes),
            Some(_) => Line::read_member(fields, name).map(Self::Becomes),
            None if fields.has(name) => Ok(Self::Goes),
            None => Ok(Self::Stays),
        }
    }
}

impl Member for Change<i64> {
    const KIND: Kind = Kind::Nullable(&<i64 as Member>::KIND);
    const REQUIRED: bool = false;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        match fields.integer(name, i64::MIN, i64::MAX)? {
            Some(number) => Ok(Self::Becomes(number)),
            None if fields.has(name) => Ok(Self::Goes),
            None => Ok(Self::Stays),
        }
    }
}

#[derive(Debug)]
pub struct Line<const MAX: usize>(pub String);

impl<const MAX: usize> Member for Line<MAX> {
    const KIND: Kind = Kind::matching(1, MAX, patterns::LINE);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, |line| text::printable(line, MAX).map(|()| Self(line.to_owned())))
    }
}

/// A whole number within limits. Its decimal digits in a string are accepted, too.
#[derive(Debug, Clone, Copy)]
pub struct Integer<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> Member for Integer<MIN, MAX> {
    const KIND: Kind = Kind::Digits { min: MIN, max: MAX };

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.required_integer(name, MIN, MAX).map(Self)
    }
}

/// A moment within limits, in epoch milliseconds. A value that looks like seconds is refused.
#[derive(Debug, Clone, Copy)]
pub struct Moment<const MIN: i64, const MAX: i64>(pub Millis);

impl<const MIN: i64, const MAX: i64> Member for Moment<MIN, MAX> {
    const KIND: Kind = Kind::Digits { min: MIN, max: MAX };

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let number = fields.required_integer(name, MIN, MAX)?;
        Millis::named(number).map(Self).map_err(|why| fields.invalid(name, why))
    }
}

impl Member for i64 {
    const KIND: Kind = Kind::Digits { min: Self::MIN, max: Self::MAX };

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.required_integer(name, Self::MIN, Self::MAX)
    }
}

impl Member for bool {
    const KIND: Kind = Kind::Boolean;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.required(name, fields.boolean(name)?)
    }
}

impl Member for String {
    const KIND: Kind = Kind::TEXT;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.required_text(name).map(str::to_owned)
    }
}

impl Member for Secret {
    const KIND: Kind = Kind::TEXT;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.required_text(name).map(Self::new)
    }
}

impl Member for Vec<String> {
    const KIND: Kind = Kind::list(&Kind::TEXT);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.required_texts(name)
    }
}

impl Member for Map<String, Value> {
    const KIND: Kind = Kind::AnyObject;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.required_object(name).map(Fields::into_members)
    }
}

#[derive(Debug)]
pub struct Objects<T, const MAX: usize>(pub Vec<T>);

impl<T: Request, const MAX: usize> Member for Objects<T, MAX> {
    const KIND: Kind = Kind::List { item: &Kind::Object(&T::SHAPE), min: 1, max: MAX };

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let objects = fields.required_objects(name, MAX)?;
        Ok(Self(objects.iter().map(T::read).collect::<Result<_>>()?))
    }
}
