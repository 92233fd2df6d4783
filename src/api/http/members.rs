//! Reads members of requests as domain types, with the rule of each type.

use crate::api::http::body::Fields;
use crate::api::http::declare::Member;
use crate::api::http::patterns;
use crate::api::http::shape::Kind;
use crate::domain::applications::application::{AccessKey, AuthorizationType, OrganizationId};
use crate::domain::identity::password;
use crate::domain::identity::user::{UserType, Username};
use crate::domain::permissions::permission::{ObjectType, Permission, Permissions};
use crate::domain::secret::Secret;
use crate::domain::spelling;
use crate::domain::text;
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::policy::MAX_ROLE;
use crate::domain::tokens::token_app::{AppName, TokenName};
use crate::error::Result;

pub const USER_TYPE: Kind = Kind::OneOf(&["Administrator", "SYS_Creator", "SYS_Reader"]);
const PERMISSION_NAMES: &[&str] =
    &["ADD", "VIEW", "MODIFY", "DELETE", "TEST", "GRANT", "SHARE", "RELEASE", "EXPORT"];
/// The permissions, as answers write them.
pub const PERMISSION: Kind = Kind::OneOf(PERMISSION_NAMES);
/// The permissions, as requests may write them.
pub const ASKED_PERMISSION: Kind = Kind::AnyCase(PERMISSION_NAMES);
pub const PERMISSIONS: Kind = Kind::list(&PERMISSION);
const OBJECT_TYPE_NAMES: &[&str] = &["USER", "DEPT", "GROUP"];
/// The types of objects of a grant, as answers write them.
pub const OBJECT_TYPE: Kind = Kind::OneOf(OBJECT_TYPE_NAMES);
/// The types of objects of a grant, as requests may write them.
pub const ASKED_OBJECT_TYPE: Kind = Kind::AnyCase(OBJECT_TYPE_NAMES);
/// The types of data that an application may be authorized to.
pub const AUTHORIZATION_TYPE: Kind = Kind::OneOf(&[
    "USER",
    "ASSET",
    "ROLE",
    "USER_OP",
    "USER_PERMISSION",
    "USER_ALL_PERMISSION",
    "ROLE_OP",
    "MENU_GROUP_OP",
]);
/// The id of an organization, or the access key of an application.
pub const PLAIN_ID: Kind = Kind::matching(1, 128, patterns::PLAIN_ID);
pub const ROLE: Kind = Kind::matching(1, MAX_ROLE, patterns::LINE);

/// The name of a new user. It must follow stricter rules than names of existing users.
impl Member for Username {
    const KIND: Kind = Kind::matching(1, Self::MAX, patterns::LINE);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, Self::new_name)
    }
}

impl Member for UserType {
    const KIND: Kind = USER_TYPE;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, |word| {
            Self::from_name(word)
                .ok_or_else(|| "must be Administrator, SYS_Creator or SYS_Reader".to_owned())
        })
    }
}

impl Member for Permission {
    const KIND: Kind = ASKED_PERMISSION;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, Self::parse)
    }
}

/// The permissions of a grant. VIEW is always added.
#[derive(Debug)]
pub struct Granted(pub Permissions);

impl Member for Granted {
    const KIND: Kind = Kind::list(&ASKED_PERMISSION);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let parse =
            |word: &String| Permission::parse(word).map_err(|why| fields.invalid(name, why));
        fields
            .required_texts(name)?
            .iter()
            .map(parse)
            .collect::<Result<Vec<_>>>()
            .map(|list| Self(Permissions::of_grant(list)))
    }
}

impl Member for ObjectType {
    const KIND: Kind = ASKED_OBJECT_TYPE;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, Self::parse)
    }
}

impl Member for AuthorizationType {
    const KIND: Kind = AUTHORIZATION_TYPE;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, Self::parse)
    }
}

impl Member for OrganizationId {
    const KIND: Kind = PLAIN_ID;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, Self::parse)
    }
}

impl Member for AccessKey {
    const KIND: Kind = PLAIN_ID;

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, Self::parse)
    }
}

#[derive(Debug)]
pub struct Roles(pub Vec<String>);

impl Member for Roles {
    const KIND: Kind = Kind::list(&ROLE);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let roles = fields.required_texts(name)?;
        for role in &roles {
            text::printable(role, MAX_ROLE)
                .map_err(|why| fields.invalid(name, format!("has an item that {why}")))?;
        }
        Ok(Self(roles))
    }
}

/// A password that a user chooses here.
#[derive(Debug)]
pub struct NewPassword(pub Secret);

impl Member for NewPassword {
    const KIND: Kind = Kind::text(password::MIN_CHARACTERS, password::MAX_BYTES);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, |text| password::rule(text).map(|()| Self(Secret::new(text))))
    }
}

impl Member for AppName {
    const KIND: Kind = Kind::matching(1, 64, patterns::APP_NAME);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, Self::parse)
    }
}

/// An empty name selects the default name.
impl Member for TokenName {
    const KIND: Kind = Kind::matching(0, 64, patterns::TOKEN_NAME);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(
            name,
            |text| if text.is_empty() { Ok(Self::default()) } else { Self::parse(text) },
        )
    }
}

impl Member for Algorithm {
    const KIND: Kind = Kind::OneOf(&Self::NAMES);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        fields.parsed(name, |text| {
            Self::from_name(text).ok_or_else(|| spelling::one_of(text, &Self::NAMES))
        })
    }
}

#[derive(Debug)]
pub struct InitialRoles(pub Vec<String>);

const MAX_INITIAL_ROLES: usize = 100;

impl Member for InitialRoles {
    const KIND: Kind = Kind::List { item: &ROLE, min: 0, max: MAX_INITIAL_ROLES };

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        if fields.required_texts(name)?.len() > MAX_INITIAL_ROLES {
            return Err(
                fields.invalid(name, format!("must have at most {MAX_INITIAL_ROLES} items"))
            );
        }
        Roles::read_member(fields, name).map(|Roles(roles)| Self(roles))
    }
}

/// A password from another system, with weaker rules. An empty one means none.
#[derive(Debug)]
pub struct InitialPassword(pub Option<Secret>);

impl Member for InitialPassword {
    const KIND: Kind = Kind::text(0, password::MAX_BYTES);

    fn read_member(fields: &Fields, name: &str) -> Result<Self> {
        let rule = |text: &str| if text.is_empty() { Ok(()) } else { password::length_rule(text) };
        fields.parsed(name, rule)?;
        Ok(Self(fields.secret(name)?.filter(|password| !password.is_empty())))
    }
}
