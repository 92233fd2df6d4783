//! The kinds of records, with their members and tables.

use serde_json::Value;

use crate::domain::applications::application::{self, AccessKey, OrganizationId};
use crate::domain::identity::machine_key::KeyName;
use crate::domain::identity::provisioned::{Emails, MAX_EXTERNAL_ID};
use crate::domain::identity::user::{Profile, Username};
use crate::domain::node_order;
use crate::domain::permissions::directory;
use crate::domain::permissions::names;
use crate::domain::permissions::period::Period;
use crate::domain::secret::HashedToken;
use crate::domain::text;
use crate::domain::time::{MAX_MILLIS, Millis};
use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::policy::{MAX_ROLE, Policy};
use crate::domain::tokens::token_app::{AppName, MAX_EXPIRE_S, TokenName};

/// A kind of record: the rows of a table, or those of its rows that have a certain value in a
/// column.
#[derive(Debug)]
pub struct Kind {
    /// The value of the member `record`.
    pub word: &'static str,
    /// A description for the documents.
    pub about: &'static str,
    pub table: &'static str,
    /// The column that selects the rows of this kind, and its value.
    pub only: Option<(&'static str, &'static str)>,
    /// The rows that are exported.
    pub rows: Which,
    /// What an import does if there is a row with the same key.
    pub meets: Meets,
    pub part: Part,
    /// The key's members come first, in the order of an index.
    pub fields: &'static [Field],
    /// The members that name the owner of the record's secrets, to which sealing binds them.
    pub owner: &'static [&'static str],
    /// A rule about several members together.
    pub check: Option<fn(Values<'_>) -> Result<(), Wrong>>,
}

/// Finds the value of a member by its name.
pub type Values<'a> = &'a dyn Fn(&str) -> Value;

/// The name of a member, and an error phrase to put after it.
pub type Wrong = (String, String);

#[derive(Debug, Clone, Copy)]
pub enum Which {
    All,
    /// Rows that have one of these words in the column.
    OfWords(&'static str, &'static [&'static str]),
    /// Rows of machine keys that do not end with an opaque token. The column has the key's id.
    OfLastingKeys(&'static str),
}

/// What an import does if there is a row with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meets {
    /// The record replaces the row.
    Replaces,
    /// The row stays as it is.
    Stays,
}

/// The kind of data that an import changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Permissions. Isolates evict all standings.
    Directory,
    /// Identities. Isolates evict everything.
    Identity,
}

/// A member of a record, stored in a column.
#[derive(Debug)]
pub struct Field {
    /// The name in a record.
    pub member: &'static str,
    pub column: &'static str,
    pub is: Is,
    pub presence: Presence,
    /// Whether it is exported with `secrets=sealed` only.
    pub is_secret: bool,
}

/// The type of a member.
#[derive(Debug, Clone, Copy)]
pub enum Is {
    /// An int64 up to this number.
    Id(i64),
    /// A number from 0 to this one.
    Number(i64),
    /// The time of an event, in epoch milliseconds.
    Time,
    /// The start or end of a period of validity, in epoch milliseconds. Seconds are refused.
    Moment,
    Flag,
    /// A text that follows a rule. The rule's error is a phrase to put after the member's name.
    Text(fn(&str) -> Result<(), String>),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A set of permissions, stored as bits. In CSV they are joined by `|`.
    Permissions,
    /// A set of an application's authorizations, stored and written like permissions.
    Authorizations,
    /// A set of a machine key's rights, stored and written like permissions.
    Rights,
    /// A list of texts that follow a rule. In CSV it is JSON.
    Texts(fn(&str) -> Result<(), String>),
    /// A JSON object. The rule checks it and returns the form that is stored. In CSV it is JSON,
    /// too.
    Json(fn(&Value) -> Result<Value, String>),
    /// A secret that the database stores sealed by the master key. The text is its kind of owner.
    Sealed(&'static str),
    /// A hash that exports seal by the master key. The text is its kind of owner.
    Hash(&'static str),
}

/// How an import treats a member that is absent, or whose column already has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Required. It is part of the record's key.
    Key,
    /// Required. It also identifies the record, so one that a row with another key has is refused.
    Identity,
    /// Required. It must equal the value of a row with the same key.
    Same,
    /// Required.
    Needed,
    /// If it is absent, the column becomes NULL.
    Optional,
    /// If it is absent, this JSON value is stored.
    Default(&'static str),
    /// If it is absent, the stored value stays. Without a stored value, this JSON value is stored.
    Kept(&'static str),
    /// The greater of the stored and the imported value is kept.
    Grows,
    /// The row's own id. If it is absent, or if another row has it, Postern chooses one.
    IdWhereFree,
    /// If it is absent and there is no stored value, the time of the import is stored.
    Created,
    /// If it is absent, the time of the import is stored.
    Modified,
}

/// A member whose column has the same name. [`Field::in_column`] sets another one.
const fn field(member: &'static str, is: Is, presence: Presence) -> Field {
    let is_secret = matches!(is, Is::Sealed(_) | Is::Hash(_));
    Field { member, column: member, is, presence, is_secret }
}

impl Field {
    const fn in_column(self, column: &'static str) -> Self {
        Self { column, ..self }
    }

    /// Whether the member is the hash of a machine key's secret.
    #[must_use]
    pub fn is_key_secret(&self) -> bool {
        matches!(self.is, Is::Hash(KEY_SECRET))
    }

    /// Exports the member only together with its secret.
    const fn with_secret(self) -> Self {
        Self { is_secret: true, ..self }
    }
}

impl Kind {
    #[must_use]
    pub fn of_word(word: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.word == word)
    }

    /// The members of the key.
    pub fn keys(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(|field| field.presence == Presence::Key)
    }

    /// The member that identifies the record in addition to its key.
    #[must_use]
    pub fn identity(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.presence == Presence::Identity)
    }

    /// Whether the whole record is a secret. It is then exported with `secrets=sealed` only.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.fields.iter().any(|field| field.is_secret && field.presence == Presence::Needed)
    }

    /// The members that must equal those of a row with the same key. Error messages name the first
    /// of them.
    pub fn same(&self) -> impl Iterator<Item = &'static Field> + Clone {
        self.fields
            .iter()
            .filter(|field| matches!(field.presence, Presence::Identity | Presence::Same))
    }
}

/// The times at which a record was made and last changed.
const CREATED_AT: Field = field("createdAt", Is::Time, Presence::Created).in_column("created_at");
const MODIFIED_AT: Field =
    field("modifiedAt", Is::Time, Presence::Modified).in_column("modified_at");

const NAME: Field =
    field("name", Is::Text(|text| text::printable(text, directory::MAX_NAME)), Presence::Optional);
/// An id that a caller may choose.
pub const ID: Is = Is::Id(i64::MAX);
/// An id that only Postern chooses. The next one is one more, so an import of the greatest int64
/// would make further ids impossible.
const GIVEN_ID: Is = Is::Id((1 << 53) - 1);
const PROFILE_TEXT: Is = Is::Text(|text| text::printable(text, Profile::MAX_TEXT));
const EXTERNAL_ID: Is = Is::Text(|text| text::printable(text, MAX_EXTERNAL_ID));
const CLAIM: Is = Is::Text(|text| text::printable(text, 128));
const ROLES: Is = Is::Texts(|role| text::printable(role, MAX_ROLE));
const WORDS: Is = Is::Text(|_| Ok(()));
const LAST_IDS_OF: &[&str] = &["grants", "node_orders", "machine_keys"];
const ID_KINDS: &[&str] = &["user", "group", "department", "service"];
/// The kind of owner for sealed hashes of machine keys' secrets.
const KEY_SECRET: &str = "machine_key";
const MAX_DAYS: i64 = MAX_MILLIS / 86_400_000;
const EMPTY: &str = "[]";
const RESOURCE_TYPE: Is = Is::Text(|text| names::ResourceType::parse(text).map(drop));
const PERMISSIONS: &[&str] =
    &["ADD", "VIEW", "MODIFY", "DELETE", "TEST", "GRANT", "SHARE", "RELEASE", "EXPORT"];
const UNIT_TYPES: &[&str] = &["DEPT", "GROUP"];
const OBJECT_TYPES: &[&str] = &["USER", "DEPT", "GROUP"];

/// In the order of an export. Each record comes after those that it refers to.
pub static KINDS: [Kind; 24] = [
    Kind {
        word: "user",
        about: "A user.",
        table: "users",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("id", ID, Presence::Key),
            field("username", Is::Text(|text| Username::parse(text).map(drop)), Presence::Identity),
            field("name", PROFILE_TEXT, Presence::Optional),
            field("email", PROFILE_TEXT, Presence::Optional),
            field("phone", PROFILE_TEXT, Presence::Optional),
            field(
                "type",
                Is::Word(&["Administrator", "SYS_Creator", "SYS_Reader"]),
                Presence::Needed,
            ),
            field("roles", ROLES, Presence::Default(EMPTY)),
            field("enabled", Is::Flag, Presence::Needed),
            field("tokenApp", Is::Text(|text| AppName::parse(text).map(drop)), Presence::Optional)
                .in_column("token_app"),
            field("followedAt", Is::Number(MAX_MILLIS), Presence::Grows).in_column("followed_at"),
            field("validFrom", Is::Moment, Presence::Grows).in_column("valid_from"),
            field("password", Is::Hash("user_password"), Presence::Kept("null")),
            field("passwordSetAt", Is::Moment, Presence::Grows).in_column("password_set_at"),
            CREATED_AT,
            MODIFIED_AT,
        ],
        owner: &["username"],
        check: Some(own_id),
    },
    Kind {
        word: "tokenApp",
        about: "A token app. `policy` holds its further terms, with the names of POST \
                /v1/token-apps.",
        table: "token_apps",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("name", Is::Text(|text| AppName::parse(text).map(drop)), Presence::Key),
            field("enabled", Is::Flag, Presence::Needed),
            field(
                "tokenName",
                Is::Text(|text| TokenName::parse(text).map(drop)),
                Presence::Default("\"token\""),
            )
            .in_column("token_name"),
            field("algorithm", Is::Word(&Algorithm::NAMES), Presence::Needed),
            field("secret", Is::Sealed("token_app"), Presence::Kept("\"\"")),
            field("expire", Is::Number(MAX_EXPIRE_S), Presence::Needed).in_column("expire_s"),
            field("usernameClaim", CLAIM, Presence::Needed).in_column("claim_username"),
            field("nameClaim", CLAIM, Presence::Default("\"name\"")).in_column("claim_name"),
            field("emailClaim", CLAIM, Presence::Default("\"email\"")).in_column("claim_email"),
            field("createsUsers", Is::Flag, Presence::Needed).in_column("creates_users"),
            field("initialRoles", ROLES, Presence::Default(EMPTY)).in_column("initial_roles"),
            field("initialPassword", Is::Hash("initial_password"), Presence::Kept("null"))
                .in_column("initial_password"),
            field("policy", Is::Json(policy), Presence::Default("{}")),
            field("creatorId", ID, Presence::Kept("0")).in_column("creator_id"),
            CREATED_AT,
            MODIFIED_AT,
        ],
        owner: &["name"],
        check: None,
    },
    Kind {
        word: "organization",
        about: "An organization.",
        table: "organizations",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("id", Is::Text(|text| OrganizationId::parse(text).map(drop)), Presence::Key),
            NAME,
            CREATED_AT,
            MODIFIED_AT,
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "application",
        about: "An application of an organization.",
        table: "applications",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("accessKey", Is::Text(|text| AccessKey::parse(text).map(drop)), Presence::Key)
                .in_column("access_key"),
            field(
                "organizationId",
                Is::Text(|text| OrganizationId::parse(text).map(drop)),
                Presence::Needed,
            )
            .in_column("organization_id"),
            field(
                "name",
                Is::Text(|text| text::printable(text, application::MAX_NAME)),
                Presence::Optional,
            ),
            field("shortcut", Is::Flag, Presence::Default("false")),
            field("authorizes", Is::Flag, Presence::Default("false")),
            field("enabled", Is::Flag, Presence::Needed),
            field("authorizations", Is::Authorizations, Presence::Default(EMPTY)),
            field("secret", Is::Sealed("application"), Presence::Kept("null")),
            field("token", Is::Sealed("access_token"), Presence::Kept("null")),
            field("tokenHash", Is::Hash("access_token_hash"), Presence::Kept("null"))
                .in_column("token_hash"),
            field("tokenExpiresAt", Is::Moment, Presence::Kept("null"))
                .in_column("token_expires_at")
                .with_secret(),
            CREATED_AT,
            MODIFIED_AT,
        ],
        owner: &["accessKey"],
        check: None,
    },
    Kind {
        word: "service",
        about: "A service, and whether permissions on it are checked.",
        table: "services",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Directory,
        fields: &[
            field("id", ID, Presence::Key),
            NAME,
            field("authEnabled", Is::Flag, Presence::Default("true")).in_column("auth_enabled"),
            field("creatorId", ID, Presence::Kept("null")).in_column("creator_id"),
            CREATED_AT,
            MODIFIED_AT,
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "api",
        about: "An API of a service.",
        table: "service_apis",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Directory,
        fields: &[
            field("serviceId", ID, Presence::Key).in_column("service_id"),
            field("id", ID, Presence::Key),
            NAME,
            field("authEnabled", Is::Flag, Presence::Default("true")).in_column("auth_enabled"),
            CREATED_AT,
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "resourceName",
        about: "A name of a service: its type, and its id within the type. A service has one name \
                of each type.",
        table: "resource_names",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Directory,
        fields: &[
            field("type", RESOURCE_TYPE, Presence::Key),
            field("id", Is::Text(|text| text::printable(text, names::MAX_ID)), Presence::Key),
            field("serviceId", ID, Presence::Needed).in_column("service_id"),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "actionName",
        about: "The name of an action on resources of a type, and the permission that it stands \
                for.",
        table: "action_names",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Directory,
        fields: &[
            field("type", RESOURCE_TYPE, Presence::Key),
            field("name", Is::Text(names::action), Presence::Key),
            field("permission", Is::Word(PERMISSIONS), Presence::Needed),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "department",
        about: "A department, and the department above it.",
        table: "units",
        only: Some(("object_type", "DEPT")),
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Directory,
        fields: &[
            field("id", ID, Presence::Key),
            NAME,
            field("parentId", ID, Presence::Optional).in_column("parent_id"),
            CREATED_AT,
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "group",
        about: "A group.",
        table: "units",
        only: Some(("object_type", "GROUP")),
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Directory,
        fields: &[field("id", ID, Presence::Key), NAME, CREATED_AT],
        owner: &[],
        check: None,
    },
    Kind {
        word: "provisionedUser",
        about: "The data of provisioning by SCIM about a user that it made or adopted.",
        table: "provisioned_users",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("userId", ID, Presence::Key).in_column("user_id"),
            field("externalId", EXTERNAL_ID, Presence::Optional).in_column("external_id"),
            field("givenName", PROFILE_TEXT, Presence::Optional).in_column("given_name"),
            field("familyName", PROFILE_TEXT, Presence::Optional).in_column("family_name"),
            field("formattedName", PROFILE_TEXT, Presence::Optional).in_column("formatted_name"),
            field("emails", Is::Json(emails), Presence::Optional),
            field("tellsActive", Is::Flag, Presence::Default("true")).in_column("tells_active"),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "provisionedGroup",
        about: "The data of provisioning by SCIM about a group that it made or adopted.",
        table: "provisioned_groups",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("groupId", ID, Presence::Key).in_column("group_id"),
            field("externalId", EXTERNAL_ID, Presence::Optional).in_column("external_id"),
            MODIFIED_AT,
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "member",
        about: "A user in a department or group.",
        table: "memberships",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Directory,
        fields: &[
            field("userId", ID, Presence::Key).in_column("user_id"),
            field("authObjectType", Is::Word(UNIT_TYPES), Presence::Key).in_column("object_type"),
            field("authObjectId", ID, Presence::Key).in_column("object_id"),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "grant",
        about: "A grant to a user, department or group. VIEW is always among its permissions. \
                `creator` marks the grant of the user who created the service. `id` is used only \
                if an administrator imports.",
        table: "grants",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Directory,
        fields: &[
            field("serviceId", ID, Presence::Key).in_column("service_id"),
            field("authObjectType", Is::Word(OBJECT_TYPES), Presence::Key).in_column("object_type"),
            field("authObjectId", ID, Presence::Key).in_column("object_id"),
            field("id", GIVEN_ID, Presence::IdWhereFree),
            field("permissions", Is::Permissions, Presence::Needed),
            field("creator", Is::Flag, Presence::Grows),
            CREATED_AT,
            field("startsAt", Is::Moment, Presence::Optional).in_column("starts_at"),
            field("expiresAt", Is::Moment, Presence::Optional).in_column("expires_at"),
        ],
        owner: &[],
        check: Some(period),
    },
    Kind {
        word: "nodeOrder",
        about: "An order of GIS servers.",
        table: "node_orders",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("id", GIVEN_ID, Presence::Key),
            field("spec", WORDS, Presence::Needed),
            field("count", Is::Number(node_order::MAX_COUNT), Presence::Needed),
            field("name", WORDS, Presence::Needed),
            field("password", Is::Sealed("node_password"), Presence::Kept("null")),
            field("description", WORDS, Presence::Default("\"\"")),
            field("physicalMachineName", WORDS, Presence::Default("\"\""))
                .in_column("physical_machine_name"),
            field("creatorId", ID, Presence::Needed).in_column("creator_id"),
            CREATED_AT,
        ],
        owner: &["name"],
        check: None,
    },
    Kind {
        word: "key",
        about: "A machine key. Keys that end with an opaque token are left out, like the token \
                itself. A key that is already there stays as it is.",
        table: "machine_keys",
        only: None,
        rows: Which::OfLastingKeys("id"),
        meets: Meets::Stays,
        part: Part::Identity,
        fields: &[
            field("id", GIVEN_ID, Presence::Key),
            field("name", Is::Text(|text| KeyName::parse(text).map(drop)), Presence::Same),
            field("may", Is::Rights, Presence::Needed),
            field("userId", ID, Presence::Optional).in_column("user_id"),
            field("createdBy", ID, Presence::Needed).in_column("created_by"),
            field("parentId", ID, Presence::Optional).in_column("parent_id"),
            field("tokenHash", Is::Text(hex), Presence::Optional).in_column("token_hash"),
            field("jtiHash", Is::Text(hex), Presence::Optional).in_column("jti_hash"),
            field("app", Is::Text(|text| AppName::parse(text).map(drop)), Presence::Optional),
            Field { presence: Presence::Same, ..CREATED_AT },
            field("expiresAt", Is::Moment, Presence::Optional).in_column("expires_at"),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "keySecret",
        about: "One of the secrets of a machine key. It is exported with `secrets=sealed` only. \
                If the key has a secret here, it is added only beside the line of that key. A \
                secret that was removed here is refused.",
        table: "machine_key_secrets",
        only: None,
        rows: Which::OfLastingKeys("key_id"),
        meets: Meets::Stays,
        part: Part::Identity,
        fields: &[
            field("keyId", ID, Presence::Key).in_column("key_id"),
            field("prefix", Is::Text(|text| text::plain(text, 64, "_")), Presence::Key),
            field("hash", Is::Hash(KEY_SECRET), Presence::Needed),
            CREATED_AT,
            field("lastUsedOn", Is::Number(MAX_DAYS), Presence::Optional).in_column("last_used_on"),
        ],
        owner: &["keyId", "prefix"],
        check: None,
    },
    Kind {
        word: "pastKeySecret",
        about: "The SHA-256 of a machine key's secret that was removed and is never valid again. \
                If that secret is there, it is removed.",
        table: "past_key_secrets",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[field("digest", Is::Text(hex), Presence::Key).in_column("hash")],
        owner: &[],
        check: None,
    },
    Kind {
        word: "revocation",
        about: "A revoked token, by the digest of its signed text, or of its app's name, a slash \
                and its jti.",
        table: "revocations",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("kind", Is::Word(&["token", "jti"]), Presence::Key),
            field("digest", Is::Text(hex), Presence::Key).in_column("key"),
            field("id", GIVEN_ID, Presence::IdWhereFree),
            field("until", Is::Moment, Presence::Grows),
            field("app", Is::Text(|text| AppName::parse(text).map(drop)), Presence::Needed),
            field("username", WORDS, Presence::Optional),
            field("jti", WORDS, Presence::Optional),
            CREATED_AT,
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "lastId",
        about: "The last id that was given to a row of a table, so that no id is given twice.",
        table: SEQUENCES,
        only: None,
        rows: Which::OfWords("name", LAST_IDS_OF),
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("table", Is::Word(LAST_IDS_OF), Presence::Key).in_column("name"),
            field("id", GIVEN_ID, Presence::Grows).in_column("seq"),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "chosenId",
        about: "The last id that Postern chose for a kind.",
        table: "id_counters",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("kind", Is::Word(ID_KINDS), Presence::Key),
            field("last", GIVEN_ID, Presence::Grows),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "pastId",
        about: "The id of something that was deleted. Postern does not choose it again. `freed` \
                means that an administrator may give it.",
        table: "past_ids",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("kind", Is::Word(ID_KINDS), Presence::Key),
            field("id", ID, Presence::Key),
            field("freed", Is::Flag, Presence::Default("false")),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "tombstone",
        about: "The name of a deleted user. No token creates this user again. A user with this id \
                and name is deleted by the import.",
        table: "tombstones",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("username", Is::Text(|text| Username::parse(text).map(drop)), Presence::Key),
            field("id", ID, Presence::Needed),
            field("deletedAt", Is::Time, Presence::Created).in_column("deleted_at"),
            field("deletedBy", WORDS, Presence::Default("\"\"")).in_column("deleted_by"),
        ],
        owner: &[],
        check: None,
    },
    Kind {
        word: "freedName",
        about: "The name of a deleted user that was freed for new users. Tokens that were issued \
                before the deletion are not valid for a later user of the name. `id` is the \
                deleted user's: a token gives it only to a user of this name.",
        table: "freed_names",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("username", Is::Text(|text| Username::parse(text).map(drop)), Presence::Key),
            field("deletedAt", Is::Time, Presence::Grows).in_column("deleted_at"),
            field("id", ID, Presence::Optional),
        ],
        owner: &[],
        check: None,
    },
];

/// The table in which SQLite stores the last id of each table with AUTOINCREMENT.
pub const SEQUENCES: &str = "sqlite_sequence";

/// The tables and columns that an export leaves out, each with the reason.
pub const LEFT_OUT: &[(&str, &str)] = &[
    (
        "sessions",
        "opaque tokens end with the Postern that issued them: whoever has one signs in again",
    ),
    ("changes", "the feed tells the isolates of one Postern what changed there"),
    (
        "audit_events",
        "the audit trail is what happened in one Postern; GET /v1/audit brings it out",
    ),
    ("sign_in_failures", "it is of an older release, and counted for ten minutes"),
    ("failed_sign_ins", "they count for ten minutes"),
    ("sign_in_networks", "they are noted again at the next sign-in"),
    ("used_signatures", "they count for minutes"),
    ("refusals", "it is always empty"),
    ("grant_counts", "a trigger counts the grants as they are imported"),
    ("token_apps.issuer", "it is computed from the policy"),
    ("provisioned_counts", "triggers count the users and groups as they are imported"),
    ("users.username_folded", "it is computed from the name"),
    ("tombstones.username_folded", "it is computed from the name"),
    ("units.name_folded", "it is computed from the name"),
    ("mapped_groups", "triggers take them from the policies of the token apps"),
    ("machine_keys.session_id", "a key that ends with an opaque token is left out with it"),
    ("users.synced_groups", "the next token of the user sets it again"),
];

fn hex(text: &str) -> Result<(), String> {
    // The database is searched for the exact text.
    let hash = HashedToken::from_hex(text).filter(|hash| hash.to_hex() == text);
    hash.map(drop).ok_or_else(|| "must be a SHA-256 in lower-case hex".to_owned())
}

fn policy(value: &Value) -> Result<Value, String> {
    let policy: Policy =
        serde_json::from_value(value.clone()).map_err(|error| format!("is none: {error}"))?;
    Ok(Value::Object(policy.chosen()))
}

fn emails(value: &Value) -> Result<Value, String> {
    let emails: Emails =
        serde_json::from_str(&value.to_string()).map_err(|error| format!("are none: {error}"))?;
    emails.check()?;
    Ok(emails.stored())
}

fn own_id(user: Values<'_>) -> Result<(), Wrong> {
    let is_one = user("id").as_i64().is_some_and(|id| id > 0);
    if is_one { Ok(()) } else { Err(("id".to_owned(), "must be 1 or more".to_owned())) }
}

/// The end may be in the past, because the record may come from a backup.
fn period(grant: Values<'_>) -> Result<(), Wrong> {
    let time = |member| grant(member).as_i64().map(Millis);
    let (starts_at, expires_at) = (time("startsAt"), time("expiresAt"));
    if grant("creator") == Value::Bool(true) {
        let bound = [("startsAt", starts_at), ("expiresAt", expires_at)]
            .into_iter()
            .find(|(_, bound)| bound.is_some());
        let why = "must not be there: the grant of who created a service counts always";
        return bound.map_or(Ok(()), |(member, _)| Err((member.to_owned(), why.to_owned())));
    }
    Period::new(starts_at, expires_at).map(drop).map_err(|why| ("expiresAt".to_owned(), why))
}
