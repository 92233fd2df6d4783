//! The kinds of records, their members, and where each is stored.

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

/// A kind of record: a table, or the rows of a table that have one value in one column.
#[derive(Debug)]
pub struct Kind {
    /// The value of the member `record`.
    pub word: &'static str,
    /// What one of them is, for the documents.
    pub about: &'static str,
    /// Where it is stored.
    pub table: &'static str,
    /// A column and the value that it has in rows of this kind.
    pub only: Option<(&'static str, &'static str)>,
    /// Which rows are exported.
    pub rows: Which,
    /// How a record meets a row with the same key.
    pub meets: Meets,
    /// What an import of it changes.
    pub part: Part,
    /// Its members: those of the key first, in the order of an index.
    pub fields: &'static [Field],
    /// The members that a secret of the record belongs to.
    pub owner: &'static [&'static str],
    /// Rules about several members.
    pub check: Option<fn(Values<'_>) -> Result<(), Wrong>>,
}

/// The values of a record, by the names of its members.
pub type Values<'a> = &'a dyn Fn(&str) -> Value;

/// A member, and what is wrong with it.
pub type Wrong = (String, String);

/// Which rows of a table are exported.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// All of them.
    All,
    /// Those with one of these words in a column.
    OfWords(&'static str, &'static [&'static str]),
    /// Those of keys that end with no opaque token, by the column with the key's id.
    OfLastingKeys(&'static str),
}

/// How a record meets a row with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meets {
    /// It replaces the row.
    Replaces,
    /// The row stays as it is.
    Stays,
}

/// What an import of a record changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Who may do what: memory forgets how everybody stands.
    Directory,
    /// Who somebody is: memory forgets everything.
    Identity,
}

/// A member of a record, which is a column.
#[derive(Debug)]
pub struct Field {
    /// The name in a record.
    pub member: &'static str,
    /// The column.
    pub column: &'static str,
    /// What it holds.
    pub is: Is,
    /// What becomes of it where it is left out, and where it is there already.
    pub presence: Presence,
    /// Whether it travels only with `secrets=sealed`.
    pub is_secret: bool,
}

/// What a member holds.
#[derive(Debug, Clone, Copy)]
pub enum Is {
    /// An int64, at most this.
    Id(i64),
    /// A number from 0 to a largest one.
    Number(i64),
    /// When something happened, in epoch milliseconds.
    Time,
    /// When something begins or ends to count, in epoch milliseconds. Seconds are refused.
    Moment,
    /// True or false.
    Flag,
    /// Text that follows a rule, which answers the phrase behind the member's name.
    Text(fn(&str) -> Result<(), String>),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A set of permissions, stored as bits. In CSV they are joined by `|`.
    Permissions,
    /// A set of what an application may be authorized to, likewise.
    Authorizations,
    /// A set of what a key may, likewise.
    Rights,
    /// A list of texts, each of which follows a rule. In CSV it is JSON.
    Texts(fn(&str) -> Result<(), String>),
    /// A JSON object, which a rule reads and answers as it is stored. In CSV it is JSON, too.
    Json(fn(&Value) -> Result<Value, String>),
    /// A secret that is stored under the master key as a thing of this kind.
    Sealed(&'static str),
    /// A hash, which is sealed as a thing of this kind while it is outside.
    Hash(&'static str),
}

/// What becomes of a member that is left out, and of a value that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is part of what identifies the record.
    Key,
    /// It identifies the record as well: under another key it is refused.
    Identity,
    /// It must be the one of the row with the same key, where there is one.
    Same,
    /// It must be there.
    Needed,
    /// It may be left out: there is none then.
    Optional,
    /// It is this where it is left out (JSON).
    Default(&'static str),
    /// What is there stays where it is left out; this where nothing is there (JSON).
    Kept(&'static str),
    /// It never gets less than what is there.
    Grows,
    /// It is the row's own id, unless another row has it: then, and where it is left out, one is
    /// chosen.
    IdWhereFree,
    /// It is the time of the import where it is left out and nothing is there.
    Created,
    /// It is the time of the import where it is left out.
    Modified,
}

/// A member that is stored in a column of the same name, or of the one that [`Field::in_column`]
/// names.
const fn field(member: &'static str, is: Is, presence: Presence) -> Field {
    let is_secret = matches!(is, Is::Sealed(_) | Is::Hash(_));
    Field { member, column: member, is, presence, is_secret }
}

impl Field {
    const fn in_column(self, column: &'static str) -> Self {
        Self { column, ..self }
    }

    /// Whether it holds the hash of a key's secret.
    #[must_use]
    pub fn is_key_secret(&self) -> bool {
        matches!(self.is, Is::Hash(KEY_SECRET))
    }

    /// It travels with the secret that it belongs to.
    const fn with_secret(self) -> Self {
        Self { is_secret: true, ..self }
    }
}

impl Kind {
    /// By its word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.word == word)
    }

    /// The members that identify it.
    pub fn keys(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(|field| field.presence == Presence::Key)
    }

    /// The member that identifies it as well.
    #[must_use]
    pub fn identity(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.presence == Presence::Identity)
    }

    /// Whether all of it is a secret, so that it travels only with `secrets=sealed`.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.fields.iter().any(|field| field.is_secret && field.presence == Presence::Needed)
    }

    /// The members that a row with the same key has the same; the first of them is told to people.
    pub fn same(&self) -> impl Iterator<Item = &'static Field> + Clone {
        self.fields
            .iter()
            .filter(|field| matches!(field.presence, Presence::Identity | Presence::Same))
    }
}

/// The times that a record was made and last changed.
const CREATED_AT: Field = field("createdAt", Is::Time, Presence::Created).in_column("created_at");
const MODIFIED_AT: Field =
    field("modifiedAt", Is::Time, Presence::Modified).in_column("modified_at");

const NAME: Field =
    field("name", Is::Text(|text| text::printable(text, directory::MAX_NAME)), Presence::Optional);
/// An id that a caller may have named.
pub const ID: Is = Is::Id(i64::MAX);
/// An id that nobody names, so that Postern gave it. The next one is one more: beyond the greatest
/// int64 there is none, and nothing of the kind could be made ever again.
const GIVEN_ID: Is = Is::Id((1 << 53) - 1);
const PROFILE_TEXT: Is = Is::Text(|text| text::printable(text, Profile::MAX_TEXT));
const EXTERNAL_ID: Is = Is::Text(|text| text::printable(text, MAX_EXTERNAL_ID));
const CLAIM: Is = Is::Text(|text| text::printable(text, 128));
const ROLES: Is = Is::Texts(|role| text::printable(role, MAX_ROLE));
const WORDS: Is = Is::Text(|_| Ok(()));
const LAST_IDS_OF: &[&str] = &["grants", "node_orders", "machine_keys"];
const ID_KINDS: &[&str] = &["user", "group", "department", "service"];
/// What the hashes of the secrets of keys are sealed as.
const KEY_SECRET: &str = "machine_key";
const MAX_DAYS: i64 = MAX_MILLIS / 86_400_000;
const EMPTY: &str = "[]";
const RESOURCE_TYPE: Is = Is::Text(|text| names::ResourceType::parse(text).map(drop));
const PERMISSIONS: &[&str] =
    &["ADD", "VIEW", "MODIFY", "DELETE", "TEST", "GRANT", "SHARE", "RELEASE", "EXPORT"];
const UNIT_TYPES: &[&str] = &["DEPT", "GROUP"];
const OBJECT_TYPES: &[&str] = &["USER", "DEPT", "GROUP"];

/// Every kind, in the order of an export: what others refer to comes before them.
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
        about: "A token app. `policy` holds whose tokens it accepts, by the names of POST /v1/token-apps.",
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
        about: "A service, and whether permissions on it are looked at.",
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
        about: "A name of a service: its type, and its id within the type. A service has one name of each type.",
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
        about: "What an action is called for resources of a type, and the permission that it stands for.",
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
        about: "A department, and the one that it lies below.",
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
        about: "What provisioning by SCIM keeps of a user whom it made or adopted.",
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
        about: "What provisioning by SCIM keeps of a group that it made or adopted.",
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
        about: "A grant to a user, department or group. VIEW is always among its permissions. `creator` marks the grant of who created the service. `id` counts only where an administrator imports.",
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
        about: "A key for machines. Keys that end with an opaque token are left out, as the token is. A key that is there stays as it is.",
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
        about: "One of the secrets of a key. It is exported with `secrets=sealed` only. To a key that has a secret here, it is added only \
                beside the line of that key. A secret that was removed here is refused.",
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
        about: "The SHA-256 of a key's secret that was removed, and never counts again. A secret that is there is removed.",
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
        about: "A token that is over, by the digest of what is signed, or of its app's name, a slash and its jti.",
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
        about: "The last id that was given to a row of a table, so that none is given twice.",
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
        about: "The last id that Postern chose of a kind.",
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
        about: "An id of something that was deleted, which is not chosen again. `freed` says that an administrator may give it.",
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
        about: "The name of a deleted user, whom no token brings back. A user who is there with this id and name is deleted.",
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
        about: "The name of a deleted user that was freed. Tokens that were issued before the deletion do not count for a later user of the name.",
        table: "freed_names",
        only: None,
        rows: Which::All,
        meets: Meets::Replaces,
        part: Part::Identity,
        fields: &[
            field("username", Is::Text(|text| Username::parse(text).map(drop)), Presence::Key),
            field("deletedAt", Is::Time, Presence::Grows).in_column("deleted_at"),
        ],
        owner: &[],
        check: None,
    },
];

/// Where SQLite keeps the last id of each table with AUTOINCREMENT.
pub const SEQUENCES: &str = "sqlite_sequence";

/// What an export leaves out, each with the reason: a table, or a column of a table.
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
    ("units.name_folded", "it is computed from the name"),
    ("mapped_groups", "triggers take them from the policies of the token apps"),
    ("machine_keys.session_id", "a key that ends with an opaque token is left out with it"),
    ("users.synced_groups", "the next token of the user sets it again"),
];

fn hex(text: &str) -> Result<(), String> {
    // It is looked for as it is stored.
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

/// A period that is over is taken too: it may come from a backup.
fn own_id(user: Values<'_>) -> Result<(), Wrong> {
    let is_one = user("id").as_i64().is_some_and(|id| id > 0);
    if is_one { Ok(()) } else { Err(("id".to_owned(), "must be 1 or more".to_owned())) }
}

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
