//! Changes users and groups: by the operations of a PATCH (RFC 7644, 3.5.2) as Entra and Okta send
//! them, and by whole resources, which are handled like operations that replace.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::filter::{Attribute, Expression, Term, Test};
use super::names;
use super::path::{self, Path};
use super::wire::{broken, member};
use crate::domain::identity::provisioned::{Email, Emails, MAX_EMAILS, MemberChange, Person};
use crate::error::{Error, Result};

const MAX_OPERATIONS: usize = 1000;
const MAX_MEMBERS: usize = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Adds to the existing values.
    Add,
    Replace,
    Remove,
}

struct Operation<'v> {
    verb: Verb,
    /// The path as it was sent, for error messages.
    place: &'v str,
    path: Path,
    value: &'v Value,
    /// Whether the client named the attribute in `path`. A read-only attribute is then refused; in
    /// a whole resource it is ignored.
    is_named: bool,
}

/// A resource that operations can change.
trait Target {
    fn apply(&mut self, operation: &Operation<'_>, attribute: &Attribute) -> Result<()>;
}

pub(super) fn person(person: &mut Person, body: &Map<String, Value>) -> Result<()> {
    each(person, body)
}

/// The user that a whole resource describes. Attributes that it omits are as in `person`.
pub(super) fn whole_person(mut person: Person, body: &Map<String, Value>) -> Result<Person> {
    whole(&mut person, Verb::Replace, body)?;
    if person.username.is_empty() { Err(Error::missing("userName")) } else { Ok(person) }
}

/// A group, and the change of its members.
#[derive(Debug)]
pub(super) struct GroupChange {
    pub(super) external_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) members: MemberChange,
}

pub(super) fn group(group: &mut GroupChange, body: &Map<String, Value>) -> Result<()> {
    each(group, body)
}

pub(super) fn whole_group(body: &Map<String, Value>) -> Result<GroupChange> {
    let mut group = GroupChange { external_id: None, name: None, members: MemberChange::none() };
    whole(&mut group, Verb::Replace, body)?;
    Ok(group)
}

fn each(target: &mut dyn Target, body: &Map<String, Value>) -> Result<()> {
    let operations = member(body, "Operations").and_then(Value::as_array);
    let operations =
        operations.filter(|operations| (1..=MAX_OPERATIONS).contains(&operations.len()));
    let wrong = || {
        broken(
            "invalidSyntax",
            "Operations",
            format!("must be a list of 1 to {MAX_OPERATIONS} operations"),
        )
    };
    for operation in operations.ok_or_else(wrong)? {
        let operation = operation.as_object().ok_or_else(wrong)?;
        let verb = match member(operation, "op")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "add" => Verb::Add,
            "replace" => Verb::Replace,
            "remove" => Verb::Remove,
            _ => return Err(broken("invalidSyntax", "op", "must be add, replace or remove")),
        };
        let value = member(operation, "value").unwrap_or(&Value::Null);
        match member(operation, "path") {
            Some(Value::String(place)) => {
                at(
                    target,
                    &Operation { verb, place, path: Path::parse(place)?, value, is_named: true },
                )?;
            }
            Some(_) => return Err(broken("invalidPath", "path", "must be a string")),
            None if verb == Verb::Remove => {
                return Err(broken("noTarget", "path", "is required to remove something"));
            }
            None => match value {
                Value::Object(members) => whole(target, verb, members)?,
                _ => {
                    return Err(Error::invalid(
                        "value",
                        "must be an object where there is no path",
                    ));
                }
            },
        }
    }
    Ok(())
}

/// Applies each member of an object as an operation: its name is the path.
fn whole(target: &mut dyn Target, verb: Verb, members: &Map<String, Value>) -> Result<()> {
    for (place, value) in members {
        at(target, &Operation { verb, place, path: Path::parse(place)?, value, is_named: false })?;
    }
    Ok(())
}

fn at(target: &mut dyn Target, operation: &Operation<'_>) -> Result<()> {
    match (&operation.path, operation.value) {
        (Path::Foreign, _) => Ok(()),
        // Nested only once: below a schema's URN there are attributes, and no further URNs.
        (Path::Whole, Value::Object(members)) if operation.verb != Verb::Remove => {
            members.iter().try_for_each(|(place, value)| {
                let inner = Operation {
                    verb: operation.verb,
                    place,
                    path: Path::parse(place)?,
                    value,
                    is_named: false,
                };
                match &inner.path {
                    Path::Attribute(attribute) => target.apply(&inner, attribute),
                    Path::Whole | Path::Foreign => Ok(()),
                }
            })
        }
        (Path::Whole, _) => Err(path::unusable(operation.place, "needs an object as its value")),
        (Path::Attribute(attribute), _) => target.apply(operation, attribute),
    }
}

impl Operation<'_> {
    /// An optional text; an empty one is `None`.
    fn text(&self) -> Result<Option<String>> {
        match self.value {
            _ if self.verb == Verb::Remove => Ok(None),
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(Error::invalid(names::shown(self.place), "must be a string")),
        }
    }

    fn required_text(&self) -> Result<String> {
        if self.verb == Verb::Remove {
            return Err(broken(
                "mutability",
                names::shown(self.place),
                "is required and cannot be removed",
            ));
        }
        self.text()?.ok_or_else(|| Error::missing(names::shown(self.place)))
    }

    /// Handles a change of a read-only attribute.
    fn read_only(&self) -> Result<()> {
        if self.is_named {
            Err(broken("mutability", names::shown(self.place), "is read-only"))
        } else {
            Ok(())
        }
    }

    /// Refuses a filter or a sub-attribute on an attribute with a single, simple value.
    fn refuse_parts(&self, attribute: &Attribute) -> Result<()> {
        if attribute.which.is_some() || attribute.part.is_some() {
            return Err(path::unusable(&names::shown(self.place), "has no parts"));
        }
        Ok(())
    }
}

/// A boolean, or its word in any case, as Entra sends it.
fn boolean(name: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::String(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Error::invalid(names::shown(name), "must be true or false")),
    }
}

impl Target for Person {
    fn apply(&mut self, operation: &Operation<'_>, attribute: &Attribute) -> Result<()> {
        match attribute.name.as_str() {
            "username" => {
                operation.refuse_parts(attribute)?;
                self.username = operation.required_text()?;
            }
            "displayname" => {
                operation.refuse_parts(attribute)?;
                self.display_name = operation.text()?;
            }
            "externalid" => {
                operation.refuse_parts(attribute)?;
                self.external_id = operation.text()?;
            }
            "active" => {
                operation.refuse_parts(attribute)?;
                // Without a value the user is neither enabled nor disabled.
                self.tells_active = operation.verb != Verb::Remove && !operation.value.is_null();
                if self.tells_active {
                    self.active = boolean(operation.place, operation.value)?;
                }
            }
            "name" => self.apply_name(operation, attribute)?,
            "emails" => self.apply_emails(operation, attribute)?,
            "id" | "meta" | "groups" | "schemas" => operation.read_only()?,
            _ => {}
        }
        Ok(())
    }
}

impl Person {
    fn apply_name(&mut self, operation: &Operation<'_>, attribute: &Attribute) -> Result<()> {
        if attribute.which.is_some() {
            return Err(path::unusable(&names::shown(operation.place), "has one value"));
        }
        match (&attribute.part, operation.value) {
            (Some(part), _) => self.set_name(part, operation.text()?),
            (None, Value::Object(members)) if operation.verb != Verb::Remove => {
                for (part, value) in members {
                    let inner = Operation {
                        verb: operation.verb,
                        place: part,
                        path: Path::Foreign,
                        value,
                        is_named: false,
                    };
                    self.set_name(&part.to_ascii_lowercase(), inner.text()?);
                }
            }
            (None, _) if operation.verb == Verb::Remove || operation.value.is_null() => {
                (self.given_name, self.family_name, self.formatted_name) = (None, None, None);
            }
            (None, _) => return Err(Error::invalid("name", "must be an object")),
        }
        Ok(())
    }

    fn set_name(&mut self, part: &str, text: Option<String>) {
        match part {
            "givenname" => self.given_name = text,
            "familyname" => self.family_name = text,
            "formatted" => self.formatted_name = text,
            _ => {}
        }
    }

    fn apply_emails(&mut self, operation: &Operation<'_>, attribute: &Attribute) -> Result<()> {
        let Attribute { which, part, .. } = attribute;
        let list = &mut self.emails.list;
        let holds = |email: &Email| {
            which.as_ref().is_none_or(|which| which.iter().all(|term| is_of(email, term)))
        };
        if operation.verb == Verb::Remove {
            let named = if part.is_none() { emails(operation.value)?.list } else { Vec::new() };
            let is_named =
                |email: &Email| named.is_empty() || named.iter().any(|other| is_same(other, email));
            match part.as_deref() {
                // An address cannot exist without its value.
                None | Some("value") => list.retain(|email| !(holds(email) && is_named(email))),
                Some("type") => {
                    list.iter_mut()
                        .filter(|email| holds(email))
                        .for_each(|email| email.kind = None);
                }
                Some("primary") => list
                    .iter_mut()
                    .filter(|email| holds(email))
                    .for_each(|email| email.primary = None),
                Some(_) => {}
            }
            return Ok(());
        }
        if which.is_none() && part.is_none() {
            let sent = emails(operation.value)?.list;
            if operation.verb == Verb::Replace {
                *list = sent;
                return Ok(());
            }
            for email in sent {
                if list.len() > MAX_EMAILS {
                    return Err(too_many_emails());
                }
                if email.primary == Some(true) {
                    for other in list.iter_mut() {
                        other.primary = other.primary.map(|_| false);
                    }
                }
                list.retain(|other| !is_same(other, &email));
                list.push(email);
            }
            return Ok(());
        }
        if list.len() > MAX_EMAILS {
            return Err(too_many_emails());
        }
        if !list.iter().any(holds) {
            // A provider changes the address of a type even if there is none yet.
            list.push(Email { value: String::new(), ..described(which.as_ref()) });
        }
        for email in list.iter_mut().filter(|email| holds(email) || email.value.is_empty()) {
            if let Some(part) = part {
                set_part(email, part, operation)?;
                continue;
            }
            let members = operation
                .value
                .as_object()
                .ok_or_else(|| Error::invalid("value", "must be an object"))?;
            for (part, value) in members {
                let inner = Operation {
                    verb: operation.verb,
                    place: part,
                    path: Path::Foreign,
                    value,
                    is_named: false,
                };
                set_part(email, &part.to_ascii_lowercase(), &inner)?;
            }
        }
        list.retain(|email| !email.value.is_empty());
        Ok(())
    }
}

/// A new address with the values that the filter compares.
fn described(which: Option<&Expression>) -> Email {
    let mut email = Email::default();
    for Term { name, test, .. } in which.into_iter().flatten() {
        match (name.as_str(), test) {
            ("type", Test::Equals(kind)) => email.kind = Some(kind.clone()),
            ("value", Test::Equals(value)) => email.value.clone_from(value),
            ("primary", Test::Equals(word)) => {
                email.primary = Some(word.eq_ignore_ascii_case("true"));
            }
            _ => {}
        }
    }
    email
}

fn set_part(email: &mut Email, part: &str, operation: &Operation<'_>) -> Result<()> {
    match part {
        "value" => email.value = operation.text()?.unwrap_or_default(),
        "type" => email.kind = operation.text()?,
        "primary" if operation.value.is_null() => email.primary = None,
        "primary" => email.primary = Some(boolean("emails.primary", operation.value)?),
        _ => {}
    }
    Ok(())
}

/// Whether an address satisfies a term.
pub(super) fn is_of(email: &Email, Term { name, test, .. }: &Term) -> bool {
    let text = match name.as_str() {
        "value" => Some(email.value.as_str()),
        "type" => email.kind.as_deref(),
        "primary" => email.primary.map(|primary| if primary { "true" } else { "false" }),
        _ => None,
    };
    match test {
        Test::Equals(value) => text.is_some_and(|text| text.eq_ignore_ascii_case(value)),
        Test::Present => text.is_some(),
    }
}

fn is_same(one: &Email, other: &Email) -> bool {
    one.value.eq_ignore_ascii_case(&other.value)
        && (one.kind.is_none() || other.kind.is_none() || one.kind == other.kind)
}

fn too_many_emails() -> Error {
    Error::invalid("emails", format!("may have {MAX_EMAILS} addresses at most"))
}

/// Reads one address or a list. Addresses without a value are ignored.
fn emails(value: &Value) -> Result<Emails> {
    let wrong = || Error::invalid("emails", "must be a list of objects");
    let items = match value {
        Value::Null => return Ok(Emails::default()),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    if items.len() > MAX_EMAILS {
        return Err(too_many_emails());
    }
    let mut list = Vec::new();
    for item in items {
        let members = item.as_object().ok_or_else(wrong)?;
        let text = |name: &'static str| match member(members, name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(Error::invalid(format!("emails.{name}"), "must be a string")),
        };
        let Some(value) = text("value")? else { continue };
        let primary =
            member(members, "primary").map(|value| boolean("emails.primary", value)).transpose()?;
        list.push(Email { value, kind: text("type")?, primary });
    }
    Ok(Emails { list })
}

impl Target for GroupChange {
    fn apply(&mut self, operation: &Operation<'_>, attribute: &Attribute) -> Result<()> {
        match attribute.name.as_str() {
            "displayname" => {
                operation.refuse_parts(attribute)?;
                self.name = Some(operation.required_text()?);
            }
            "externalid" => {
                operation.refuse_parts(attribute)?;
                self.external_id = operation.text()?;
            }
            "members" => self.apply_members(operation, attribute)?,
            "id" | "meta" | "schemas" => operation.read_only()?,
            _ => {}
        }
        Ok(())
    }
}

impl GroupChange {
    fn apply_members(&mut self, operation: &Operation<'_>, attribute: &Attribute) -> Result<()> {
        if attribute.part.is_some() {
            return Err(broken(
                "mutability",
                names::shown(operation.place),
                "is immutable: add and remove members",
            ));
        }
        match (&attribute.which, operation.verb) {
            (Some(which), Verb::Remove) => {
                let id = match which.as_slice() {
                    [Term { name, test: Test::Equals(id), .. }] if name == "value" => id,
                    _ => {
                        return Err(path::unusable(
                            &names::shown(operation.place),
                            "may select members by value eq only",
                        ));
                    }
                };
                // An id that no user can have is not a member.
                self.members.remove(int64(id).into_iter().collect());
            }
            (Some(_), _) => {
                return Err(broken(
                    "mutability",
                    names::shown(operation.place),
                    "is immutable: add and remove members",
                ));
            }
            (None, Verb::Remove) if operation.value.is_null() => {
                self.members = MemberChange::All(BTreeSet::new());
            }
            (None, Verb::Remove) => self.members.remove(members(operation.value)?),
            (None, Verb::Add) => self.members.add(members(operation.value)?),
            (None, Verb::Replace) => self.members = MemberChange::All(members(operation.value)?),
        }
        Ok(())
    }
}

/// The ids of members: one object with `value`, or a list of them.
fn members(value: &Value) -> Result<BTreeSet<i64>> {
    let items = match value {
        Value::Null => return Ok(BTreeSet::new()),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let wrong =
        || Error::invalid("members", "must be a list of objects with the id of a user as value");
    let id = |item: &Value| match item {
        Value::Object(object) => member(object, "value").and_then(text_of_id),
        other => text_of_id(other),
    };
    if items.len() > MAX_MEMBERS {
        return Err(Error::invalid(
            "members",
            format!("may have {MAX_MEMBERS} at most in one request"),
        ));
    }
    let number = |item: &Value| id(item).as_deref().and_then(int64).ok_or_else(wrong);
    items.into_iter().map(number).collect()
}

fn text_of_id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An int64 in its only accepted decimal form.
fn int64(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| id.to_string() == text)
}
