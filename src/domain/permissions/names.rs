//! The names that callers use for services and permissions: type `record` with id `record-1` for a
//! service, and `read` for VIEW.

use std::rc::Rc;

use crate::domain::permissions::permission::Permission;
use crate::domain::text;

/// The longest type, in characters.
pub const MAX_TYPE: usize = 64;
/// The longest id of a resource, in characters.
pub const MAX_ID: usize = 256;
/// The longest name of an action, in characters.
pub const MAX_ACTION: usize = 64;
/// The greatest number of action names per type.
pub const MAX_ACTIONS: usize = 64;

/// Types that Postern gives a meaning. Nobody can define them.
pub const BUILT_IN: [&str; 8] =
    ["user", "identity", "user_id", "application", "organization", "service", "route", "tool"];

/// A type of resource that an administrator defined: 1 to 64 of `A–Z a–z 0–9 - _ .`,
/// case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceType(Rc<str>);

/// A resource of a defined type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName {
    pub of: ResourceType,
    /// The id within the type.
    pub id: Rc<str>,
}

/// The action names of a type in ascending order, each with its permission.
pub type Actions = Rc<[(String, Permission)]>;

impl ResourceType {
    /// The error is a phrase to put after the field's name.
    pub fn parse(name: &str) -> Result<Self, String> {
        text::plain(name, MAX_TYPE, "-_.")?;
        text::can_be_in_a_path(name)?;
        if BUILT_IN.contains(&name) {
            return Err(format!(
                "must not be one of {}, which have a meaning already",
                BUILT_IN.join(", ")
            ));
        }
        Ok(Self(name.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ResourceName {
    /// The error is a phrase to put after the field's name.
    pub fn new(of: &ResourceType, id: &str) -> Result<Self, String> {
        text::printable(id, MAX_ID)?;
        text::can_be_in_a_path(id)?;
        Ok(Self { of: of.clone(), id: id.into() })
    }

    /// Parses a type, a colon and an id, for example `record:record-1`.
    pub fn parse(name: &str) -> Result<Self, String> {
        let (of, id) =
            name.split_once(':').ok_or("must be a type, a colon and an id, as record:record-1")?;
        Self::new(&ResourceType::parse(of)?, id)
    }
}

/// Checks the name of an action. The error is a phrase to put after the field's name.
pub fn action(name: &str) -> Result<(), String> {
    text::printable(name, MAX_ACTION)?;
    match Permission::ALL.into_iter().find(|permission| permission.name() == name) {
        Some(_) => Err("must not be the name of a permission, which stands for itself".to_owned()),
        None => Ok(()),
    }
}

/// The permission that an action stands for, by the action names of its type. The name of a
/// permission always stands for that permission.
#[must_use]
pub fn meaning(actions: &[(String, Permission)], name: &str) -> Option<Permission> {
    let own = actions.iter().find(|(own, _)| own == name).map(|(_, permission)| *permission);
    own.or_else(|| Permission::ALL.into_iter().find(|permission| permission.name() == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_type_a_colon_and_an_id_that_may_have_colons() {
        let name = ResourceName::parse("record:urn:7").unwrap();
        assert_eq!((name.of.as_str(), &*name.id), ("record", "urn:7"));
        for wrong in
            ["record", "record:", ":1", "user:1", "re cord:1", "record: 1", "record:..", "a/b:1"]
        {
            assert!(ResourceName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn permissions_stand_for_themselves_in_capitals_only() {
        let own = [("read".to_owned(), Permission::View)];
        let meanings = ["read", "VIEW", "view", "Read", "READ"].map(|name| meaning(&own, name));
        assert_eq!(meanings, [Some(Permission::View), Some(Permission::View), None, None, None]);
        assert!(action("VIEW").is_err() && action("view").is_ok());
    }
}
