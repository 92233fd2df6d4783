//! One record of an import or export, and its members.

use std::cell::RefCell;

use serde_json::{Map, Value, json};

use crate::domain::permissions::directory::{MAX_NAME, UnitKind};
use crate::domain::permissions::period::{MAX_MILLIS, Period};
use crate::domain::permissions::permission::{ObjectType, Permission, Permissions};
use crate::domain::spelling;
use crate::domain::text;
use crate::domain::time::Millis;

/// The words of the kinds of records.
pub const KINDS: [&str; 6] = ["service", "api", "department", "group", "member", "grant"];

/// A field, and what is wrong with it.
pub type Wrong = (String, String);

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A service and its switch.
    Service {
        /// Its id.
        id: i64,
        /// Its name.
        name: Option<String>,
        /// Its switch.
        auth_enabled: bool,
        /// The user who created it.
        creator_id: Option<i64>,
        /// When it was registered.
        created_at: Option<Millis>,
    },
    /// An API of a service.
    Api {
        /// The service's id.
        service_id: i64,
        /// Its id.
        id: i64,
        /// Its name.
        name: Option<String>,
        /// Its switch.
        auth_enabled: bool,
        /// When it was registered.
        created_at: Option<Millis>,
    },
    /// A department or group.
    Unit {
        /// Which of the two.
        kind: UnitKind,
        /// Its id.
        id: i64,
        /// Its name.
        name: Option<String>,
        /// The department above.
        parent_id: Option<i64>,
        /// When it was registered.
        created_at: Option<Millis>,
    },
    /// Somebody who is in a department or group.
    Member {
        /// Which of the two.
        kind: UnitKind,
        /// Its id.
        id: i64,
        /// The user's id.
        user_id: i64,
    },
    /// A grant.
    Grant {
        /// On which service.
        service_id: i64,
        /// To a user, a department or a group.
        object_type: ObjectType,
        /// To which.
        object_id: i64,
        /// What may be done.
        permissions: Permissions,
        /// Whether it is the creator's.
        creator: bool,
        /// When it was given.
        created_at: Option<Millis>,
        /// When it counts.
        period: Period,
    },
}

impl Record {
    /// Reads a record; numbers and flags may be text, as they are in CSV. A member that a record of
    /// its kind does not have is refused.
    pub fn read(members: &Map<String, Value>) -> Result<Self, Wrong> {
        let members = Members { members, asked: RefCell::default() };
        let record = members.record()?;
        members.refuse_unasked()?;
        Ok(record)
    }

    /// What a record is about; of two records about the same thing only one can be meant.
    #[must_use]
    pub fn key(&self) -> (&'static str, &'static str, i64, i64) {
        match self {
            Self::Service { id, .. } => ("service", "", *id, 0),
            Self::Api { service_id, id, .. } => ("api", "", *service_id, *id),
            Self::Unit { kind, id, .. } => ("unit", kind.noun(), *id, 0),
            Self::Member { kind, id, user_id } => ("member", kind.noun(), *id, *user_id),
            Self::Grant { service_id, object_type, object_id, .. } => ("grant", object_type.name(), *service_id, *object_id),
        }
    }

    /// Its members, those that are not absent.
    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        let millis = |time: &Option<Millis>| time.map(|time| time.0);
        let value = match self {
            Self::Service { id, name, auth_enabled, creator_id, created_at } => json!({
                "record": "service", "id": id, "name": name, "authEnabled": auth_enabled, "creatorId": creator_id,
                "createdAt": millis(created_at),
            }),
            Self::Api { service_id, id, name, auth_enabled, created_at } => json!({
                "record": "api", "serviceId": service_id, "id": id, "name": name, "authEnabled": auth_enabled, "createdAt": millis(created_at),
            }),
            Self::Unit { kind, id, name, parent_id, created_at } => {
                json!({ "record": kind.noun(), "id": id, "name": name, "parentId": parent_id, "createdAt": millis(created_at) })
            }
            Self::Member { kind, id, user_id } => {
                json!({ "record": "member", "authObjectType": kind.object_type().name(), "authObjectId": id, "userId": user_id })
            }
            Self::Grant { service_id, object_type, object_id, permissions, creator, created_at, period } => json!({
                "record": "grant", "serviceId": service_id, "authObjectType": object_type.name(), "authObjectId": object_id,
                "permissions": permissions.names(), "creator": creator.then_some(true), "createdAt": millis(created_at),
                "startsAt": millis(&period.starts_at), "expiresAt": millis(&period.expires_at),
            }),
        };
        match value {
            Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            _ => Map::new(),
        }
    }
}

/// The members of a line, whose values may be typed (JSON) or text (CSV).
struct Members<'a> {
    members: &'a Map<String, Value>,
    /// The names that were asked for: those that a record of this kind has.
    asked: RefCell<Vec<&'static str>>,
}

impl Members<'_> {
    fn record(&self) -> Result<Record, Wrong> {
        match self.text("record")?.as_deref() {
            Some("service") => Ok(Record::Service {
                id: self.required_id("id")?,
                name: self.name()?,
                auth_enabled: self.flag("authEnabled", true)?,
                creator_id: self.id("creatorId")?,
                created_at: self.time("createdAt")?,
            }),
            Some("api") => Ok(Record::Api {
                service_id: self.required_id("serviceId")?,
                id: self.required_id("id")?,
                name: self.name()?,
                auth_enabled: self.flag("authEnabled", true)?,
                created_at: self.time("createdAt")?,
            }),
            Some("department") => self.unit(UnitKind::Department, self.id("parentId")?),
            Some("group") => self.unit(UnitKind::Group, None),
            Some("member") => {
                let object_type = self.object_type()?;
                let kind = UnitKind::ALL.into_iter().find(|kind| kind.object_type() == object_type);
                let kind = kind.ok_or_else(|| wrong("authObjectType", "must be DEPT or GROUP"))?;
                Ok(Record::Member { kind, id: self.required_id("authObjectId")?, user_id: self.required_id("userId")? })
            }
            Some("grant") => Ok(Record::Grant {
                service_id: self.required_id("serviceId")?,
                object_type: self.object_type()?,
                object_id: self.required_id("authObjectId")?,
                permissions: self.permissions()?,
                creator: self.flag("creator", false)?,
                created_at: self.time("createdAt")?,
                period: self.period()?,
            }),
            _ => Err(wrong("record", &format!("must be one of {}", KINDS.join(", ")))),
        }
    }

    fn unit(&self, kind: UnitKind, parent_id: Option<i64>) -> Result<Record, Wrong> {
        Ok(Record::Unit { kind, id: self.required_id("id")?, name: self.name()?, parent_id, created_at: self.time("createdAt")? })
    }

    fn get(&self, name: &'static str) -> Option<&Value> {
        self.asked.borrow_mut().push(name);
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Refuses a member that nobody has asked for.
    fn refuse_unasked(&self) -> Result<(), Wrong> {
        let asked = self.asked.borrow();
        let Some(name) = self.members.keys().find(|name| !asked.contains(&name.as_str())) else { return Ok(()) };
        Err((spelling::shown(name), format!("is unknown here: {}", spelling::hint(name, asked.iter().copied()))))
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(name, "must be a string")),
        }
    }

    fn name(&self) -> Result<Option<String>, Wrong> {
        let name = self.text("name")?;
        name.as_deref().map_or(Ok(()), |name| text::printable(name, MAX_NAME)).map_err(|why| wrong("name", &why))?;
        Ok(name)
    }

    fn id(&self, name: &'static str) -> Result<Option<i64>, Wrong> {
        let id = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(value) => value.as_i64(),
        };
        id.map(Some).ok_or_else(|| wrong(name, "must be an int64"))
    }

    fn required_id(&self, name: &'static str) -> Result<i64, Wrong> {
        self.id(name)?.ok_or_else(|| wrong(name, "is required"))
    }

    fn time(&self, name: &'static str) -> Result<Option<Millis>, Wrong> {
        let time = self.id(name)?;
        if time.is_some_and(|time| !(0..=MAX_MILLIS).contains(&time)) {
            return Err(wrong(name, "must be epoch milliseconds"));
        }
        Ok(time.map(Millis))
    }

    /// A period that is over is taken too: it may come from a backup.
    fn period(&self) -> Result<Period, Wrong> {
        let (starts_at, expires_at) = (self.time("startsAt")?, self.time("expiresAt")?);
        if self.flag("creator", false)? {
            let bound = [("startsAt", starts_at), ("expiresAt", expires_at)].into_iter().find(|(_, bound)| bound.is_some());
            let why = "must not be there: the grant of who created a service counts always";
            return bound.map_or(Ok(Period::ALWAYS), |(name, _)| Err(wrong(name, why)));
        }
        Period::new(starts_at, expires_at).map_err(|why| wrong("expiresAt", &why))
    }

    fn flag(&self, name: &'static str, default: bool) -> Result<bool, Wrong> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::String(word)) if word == "true" => Ok(true),
            Some(Value::String(word)) if word == "false" => Ok(false),
            Some(_) => Err(wrong(name, "must be true or false")),
        }
    }

    fn object_type(&self) -> Result<ObjectType, Wrong> {
        let name = self.text("authObjectType")?.ok_or_else(|| wrong("authObjectType", "is required"))?;
        ObjectType::parse(&name).map_err(|why| wrong("authObjectType", &why))
    }

    fn permissions(&self) -> Result<Permissions, Wrong> {
        let names: Vec<String> = match self.get("permissions") {
            None => return Err(wrong("permissions", "is required")),
            Some(Value::String(joined)) => joined.split('|').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            Some(Value::Array(items)) => {
                let name = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(|| wrong("permissions", "must be a list of strings"));
                items.iter().map(name).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong("permissions", "must be a list of strings")),
        };
        let parse = |name: &String| Permission::parse(name).map_err(|why| wrong("permissions", &why));
        names.iter().map(parse).collect::<Result<Vec<_>, _>>().map(Permissions::of_grant)
    }
}

fn wrong(field: &str, why: &str) -> Wrong {
    (field.to_owned(), why.to_owned())
}
