//! Import and export. An import writes the records of one request in a few statements; an export
//! reads pages of all records in the order of their keys. Every statement derives from the table of
//! kinds.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::context::Cx;
use crate::domain::applications::application::Authorizations;
use crate::domain::backup::kinds::{Field, ID, Is, KINDS, Kind, Meets, Presence, SEQUENCES, Which};
use crate::domain::backup::record::Record;
use crate::domain::identity::machine_key::{May, Rights};
use crate::domain::identity::user::UserId;
use crate::domain::permissions::permission::Permissions;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::ports::{Datum, Param, Row, Statement};
use crate::store::ids::IdKind;
use crate::store::{new_users, sql};

/// One statement binds at most this many bytes of records. D1 takes 2 MB per value, and the text
/// may double in transit.
const MAX_BOUND_BYTES: usize = 900_000;

/// Writes the records; existing ones are replaced. All statements belong into one batch.
#[must_use]
pub fn write(records: &[(usize, Record)], now: Millis) -> Vec<Statement> {
    let users = of_kind(records, "user")
        .filter_map(|user| Some((user.text("username")?, user.number("id").map(UserId))));
    let mut statements = new_users::refuse_deleted(&users.collect::<Vec<_>>()).to_vec();
    for kind in &KINDS {
        let rows = records
            .iter()
            .filter(|(_, record)| record.kind.word == kind.word)
            .map(|(_, record)| row_of(record));
        for chunk in chunks(rows) {
            let bound = || [Param::Text(chunk.clone()), now.into()];
            if kind.table == "grants" {
                statements.push(Statement::new(SERVICES_OF_GRANTS, bound()));
            }
            if kind.word == "pastKeySecret" {
                statements.push(Statement::new(DELETE_KEY_SECRETS, [Param::Text(chunk.clone())]));
            }
            if kind.word == "tombstone" {
                statements.extend(
                    DELETE_USERS.map(|sql| Statement::new(sql, [Param::Text(chunk.clone())])),
                );
            }
            if kind.table == SEQUENCES {
                statements
                    .extend(LAST_IDS.map(|sql| Statement::new(sql, [Param::Text(chunk.clone())])));
            } else {
                statements.push(Statement::new(upsert(kind), bound()));
            }
        }
    }
    statements
}

fn of_kind<'r>(
    records: &'r [(usize, Record)],
    word: &'static str,
) -> impl Iterator<Item = &'r Record> {
    records.iter().map(|(_, record)| record).filter(move |record| record.kind.word == word)
}

/// Ends sessions before [`write`] replaces passwords; it must run before it in the same batch.
///
/// * A user who is to be disabled loses all sessions.
/// * A user who gets another password loses all sessions except `but`. The time of the change is
///   recorded, so that nobody begins a session or creates a key by the earlier password.
/// * For the user `importer`, that time is not recorded: whoever restores into an empty Postern is
///   the first administrator, and the backup contains their password.
#[must_use]
pub fn end_sessions(
    records: &[(usize, Record)],
    importer: Option<UserId>,
    but: Option<i64>,
    now: Millis,
) -> Vec<Statement> {
    let rows = of_kind(records, "user")
        .filter(|user| !user.flag("enabled") || user.text("password").is_some());
    let rows = rows.map(|user| {
        json!([
            stored(ID, user.get("id")),
            stored(Is::Flag, user.get("enabled")),
            user.get("password")
        ])
    });
    let id = |id: Option<i64>| id.map_or(Param::Null, Param::Int64);
    let statements = |chunk: String| {
        let users = "json_each(?1) j CROSS JOIN users u ON u.id = CAST(j.value ->> 0 AS INTEGER)";
        let has_another = "(j.value ->> 2 IS NOT NULL AND j.value ->> 2 IS NOT u.password)";
        let end = format!(
            "DELETE FROM sessions WHERE id IN (
               SELECT s.id FROM {users} CROSS JOIN sessions s ON s.user_id = u.id
               WHERE j.value ->> 1 = 0 OR ({has_another} AND CAST(s.id AS TEXT) IS NOT ?2))"
        );
        let note = format!(
            "UPDATE users SET password_set_at = MAX(password_set_at, ?3)
             WHERE id IN (SELECT u.id FROM {users}
               WHERE {has_another} AND CAST(u.id AS TEXT) IS NOT ?2)"
        );
        [
            Statement::new(end, [Param::Text(chunk.clone()), id(but)]),
            Statement::new(note, [Param::Text(chunk), id(importer.map(|user| user.0)), now.into()]),
        ]
    };
    chunks(rows).into_iter().flat_map(statements).collect()
}

/// The first grant on an unknown service registers the service.
const SERVICES_OF_GRANTS: &str = "INSERT INTO services (id, created_at, modified_at)
    SELECT DISTINCT CAST(value ->> 0 AS INTEGER), ?2, ?2 FROM json_each(?1) WHERE 1
    ON CONFLICT (id) DO NOTHING";

/// Two statements instead of an upsert, because `sqlite_sequence` has no unique index.
const LAST_IDS: [&str; 2] = [
    "INSERT INTO sqlite_sequence (name, seq) SELECT value ->> 0, 0 FROM json_each(?1)
       WHERE value ->> 0 NOT IN (SELECT name FROM sqlite_sequence)",
    "UPDATE sqlite_sequence
     SET seq = MAX(seq,
       CAST((SELECT value ->> 1 FROM json_each(?1) WHERE value ->> 0 = name) AS INTEGER))
       WHERE name IN (SELECT value ->> 0 FROM json_each(?1))",
];

/// Deletes the users of imported tombstones, with their sessions, memberships and grants.
const DELETE_USERS: [&str; 4] = [
    "DELETE FROM sessions WHERE user_id IN (SELECT u.id FROM json_each(?1) j CROSS JOIN users u
       ON u.username = j.value ->> 0 AND u.id = CAST(j.value ->> 1 AS INTEGER))",
    "DELETE FROM memberships WHERE user_id IN (SELECT u.id FROM json_each(?1) j CROSS JOIN users u
       ON u.username = j.value ->> 0 AND u.id = CAST(j.value ->> 1 AS INTEGER))",
    "DELETE FROM grants WHERE object_type = 'USER'
       AND object_id IN (SELECT u.id FROM json_each(?1) j CROSS JOIN users u
       ON u.username = j.value ->> 0 AND u.id = CAST(j.value ->> 1 AS INTEGER))",
    "DELETE FROM users WHERE id IN (SELECT u.id FROM json_each(?1) j CROSS JOIN users u
       ON u.username = j.value ->> 0 AND u.id = CAST(j.value ->> 1 AS INTEGER))",
];

/// Deletes the secrets of keys that were removed elsewhere.
const DELETE_KEY_SECRETS: &str =
    "DELETE FROM machine_key_secrets WHERE hash IN (SELECT value ->> 0 FROM json_each(?1))";

/// Packs the rows into JSON arrays of at most [`MAX_BOUND_BYTES`].
fn chunks(rows: impl Iterator<Item = Value>) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    for row in rows {
        let text = row.to_string();
        match chunks.last_mut() {
            Some(chunk) if chunk.len() + text.len() < MAX_BOUND_BYTES => {
                chunk.push(',');
                chunk.push_str(&text);
            }
            _ => chunks.push(format!("[{text}")),
        }
    }
    chunks.into_iter().map(|chunk| chunk + "]").collect()
}

/// A record's values as they are stored, in the order of its kind's fields.
fn row_of(record: &Record) -> Value {
    record.fields().map(|(field, value)| stored(field.is, value)).collect()
}

fn stored(is: Is, value: &Value) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    let names = || value.as_array().into_iter().flatten().filter_map(Value::as_str);
    match is {
        // Ids go as text, because D1 takes JavaScript numbers.
        Is::Rights => {
            json!(Rights::of(names().filter_map(|name| May::parse(name).ok())).map(Rights::bits))
        }
        Is::Id(_) | Is::Texts(_) | Is::Json(_) => json!(value.to_string()),
        Is::Flag => json!(i32::from(value == &Value::Bool(true))),
        Is::Permissions => json!(Permissions::of_names(names()).bits()),
        Is::Authorizations => json!(Authorizations::of_names(names()).bits()),
        Is::Number(_)
        | Is::Time
        | Is::Moment
        | Is::Text(_)
        | Is::Word(_)
        | Is::Sealed(_)
        | Is::Hash(_) => value.clone(),
    }
}

/// A column of an INSERT.
struct Column {
    name: String,
    /// SQL for the value. `j` is the imported row, `o` the existing one.
    value: String,
    /// The value replaces that of an existing row.
    replaces: bool,
    /// A different value counts as a change of the row. A different time of modification alone does
    /// not.
    is_change: bool,
}

/// SQL that writes the rows of a kind (`?1`) at a time (`?2`).
fn upsert(kind: &Kind) -> String {
    let table = kind.table;
    let only = kind.only.map(|(column, value)| (column, format!("'{value}'")));
    let keys = kind.fields.iter().enumerate().filter(|(_, field)| field.presence == Presence::Key);
    let keys: Vec<_> = only
        .clone()
        .into_iter()
        .chain(keys.map(|(index, field)| (field.column, given(index, field))))
        .collect();
    let only = only.map(|(column, value)| Column {
        name: column.to_owned(),
        value,
        replaces: false,
        is_change: false,
    });
    let columns: Vec<_> = only
        .into_iter()
        .chain(
            kind.fields
                .iter()
                .enumerate()
                .flat_map(|(index, field)| columns_of(kind, index, field)),
        )
        .collect();
    let list = |parts: &mut dyn Iterator<Item = String>| parts.collect::<Vec<_>>().join(", ");
    let changed = |of: &str| {
        list(
            &mut columns
                .iter()
                .filter(|column| column.is_change)
                .map(|column| format!("{of}.{}", column.name)),
        )
    };
    let set = list(
        &mut columns
            .iter()
            .filter(|column| column.replaces)
            .map(|column| format!("{0} = excluded.{0}", column.name)),
    );
    // An existing row with the same key and another identity is another record. The caller has
    // checked that; this condition covers changes since then.
    let same = kind
        .same()
        .map(|field| format!("{table}.{0} = excluded.{0} AND ", field.column))
        .collect::<Vec<_>>()
        .concat();
    let stays = set.is_empty() || kind.meets == Meets::Stays;
    let conflict = if stays {
        "DO NOTHING".to_owned()
    } else {
        format!(
            "DO UPDATE SET {set} WHERE {same}({}) IS NOT ({})",
            changed(table),
            changed("excluded")
        )
    };
    // Triggers run for each row that INSERT tries, even if it exists. So existing rows are filtered
    // out before.
    let is_new = keys
        .first()
        .filter(|_| stays)
        .map(|(column, _)| format!("AND o.{column} IS NULL"))
        .unwrap_or_default();
    // The import of a token app ends the keys that its tokens created, and with them their secrets.
    let counts = kind.fields.iter().position(Field::is_key_secret).map(|index| {
        format!(
            "AND NOT EXISTS (SELECT 1 FROM past_key_secrets p WHERE p.hash = j.value ->> {index})"
        )
    });
    let counts = counts.unwrap_or_default();
    format!(
        "INSERT INTO {table} ({}) SELECT {} FROM json_each(?1) j LEFT JOIN {table} o ON {}
         WHERE ?2 IS NOT NULL {is_new} {counts}
         ON CONFLICT ({}) {conflict}",
        list(&mut columns.iter().map(|column| column.name.clone())),
        list(&mut columns.iter().map(|column| column.value.clone())),
        keys.iter()
            .map(|(column, value)| format!("o.{column} = {value}"))
            .collect::<Vec<_>>()
            .join(" AND "),
        list(&mut keys.iter().map(|(column, _)| (*column).to_owned())),
    )
}

/// SQL for the value of a field of the imported row.
fn given(index: usize, field: &Field) -> String {
    match field.is {
        Is::Id(_) => format!("CAST(j.value ->> {index} AS INTEGER)"),
        _ => format!("j.value ->> {index}"),
    }
}

/// The column of a field, and for a sealed field also the column with the id of its master key.
fn columns_of(kind: &Kind, index: usize, field: &Field) -> Vec<Column> {
    let (column, given) = (field.column, given(index, field));
    let value = match field.presence {
        // These are the grant's times. The creator's grant has none, because it is always valid.
        Presence::Optional if kind.table == "grants" => {
            let creator =
                kind.fields.iter().position(|field| field.column == "creator").unwrap_or_default();
            format!(
                "CASE WHEN MAX(COALESCE(j.value ->> {creator}, 0), COALESCE(o.creator, 0))
                   THEN NULL ELSE {given} END"
            )
        }
        Presence::Key
        | Presence::Identity
        | Presence::Same
        | Presence::Needed
        | Presence::Optional
        | Presence::Default(_) => given.clone(),
        Presence::Kept(json) => format!("COALESCE({given}, o.{column}, {})", sql_literal(json)),
        Presence::Grows => format!("MAX(COALESCE({given}, 0), COALESCE(o.{column}, 0))"),
        Presence::IdWhereFree => format!(
            "COALESCE(o.{column}, CASE WHEN EXISTS (SELECT 1 FROM {0} t WHERE t.{column} = {given})
               THEN NULL ELSE {given} END)",
            kind.table
        ),
        Presence::Created => format!("COALESCE({given}, o.{column}, ?2)"),
        Presence::Modified => format!("COALESCE({given}, ?2)"),
    };
    let replaces = !matches!(
        field.presence,
        Presence::Key | Presence::Identity | Presence::Same | Presence::IdWhereFree
    );
    let is_change = replaces && field.presence != Presence::Modified;
    let mut columns = vec![Column { name: column.to_owned(), value, replaces, is_change }];
    if let (Is::Sealed(_), Presence::Kept(json)) = (field.is, field.presence) {
        let name = format!("{column}_key_id");
        // `v1.<key id>.<sealed>`
        let of_given = format!("substr({given}, 4, instr(substr({given}, 4), '.') - 1)");
        let value = format!("COALESCE({of_given}, o.{name}, {})", sql_literal(json));
        columns.push(Column { name, value, replaces, is_change });
    }
    columns
}

/// A JSON literal from the table of kinds as an SQL literal.
fn sql_literal(json: &str) -> String {
    json.replace('"', "'")
}

/// The value that is stored now where an imported record has another sealed value.
#[derive(Debug)]
pub struct StoredSecret {
    /// The record's index among the imported records.
    pub index: usize,
    pub member: &'static str,
    /// The stored value, sealed.
    pub sealed: String,
}

/// Finds the stored sealed values that differ from those in the records.
pub async fn stored_secrets(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<StoredSecret>> {
    let mut statements = Vec::new();
    let mut members = Vec::new();
    for kind in &KINDS {
        let Some(key) = kind.keys().next() else { continue };
        for field in kind.fields.iter().filter(|field| matches!(field.is, Is::Sealed(_))) {
            let of_kind =
                records.iter().enumerate().filter(|(_, (_, record))| record.kind.word == kind.word);
            let rows = of_kind.filter_map(|(index, (_, record))| {
                let sealed = record.text(field.member)?;
                Some(json!([index, stored(key.is, record.get(key.member)), sealed]))
            });
            let (table, column) = (kind.table, field.column);
            let place = match key.is {
                Is::Id(_) => "CAST(j.value ->> 1 AS INTEGER)",
                _ => "j.value ->> 1",
            };
            let sql = format!(
                "SELECT j.value ->> 0 AS place, t.{column} AS sealed FROM json_each(?1) j
                 CROSS JOIN {table} t ON t.{} = {place}
                 WHERE t.{column} IS NOT NULL AND t.{column} <> j.value ->> 2",
                key.column
            );
            for chunk in chunks(rows) {
                statements.push(Statement::new(sql.clone(), [Param::Text(chunk)]));
                members.push(field.member);
            }
        }
    }
    let results = sql::query_all(cx, statements).await?;
    let rows = results
        .iter()
        .zip(members)
        .flat_map(|(result, member)| result.rows.iter().map(move |row| (row, member)));
    let read = |(row, member): (&Row, &'static str)| {
        let index = usize::try_from(row.number("place")?).unwrap_or(usize::MAX);
        Ok(StoredSecret { index, member, sealed: row.text("sealed")?.to_owned() })
    };
    rows.map(read).collect()
}

/// Finds the references that are not registered. Their kind is `SERVICE`, `USER`, `DEPT` or
/// `GROUP`.
pub async fn missing(cx: &Cx, references: &[(&'static str, i64)]) -> Result<Vec<(String, i64)>> {
    let rows = references.iter().map(|(kind, id)| json!([kind, id.to_string()]));
    let statement = |chunk| {
        Statement::new(
            "SELECT value ->> 0 AS kind, value ->> 1 AS id FROM json_each(?1)
             WHERE NOT CASE value ->> 0
               WHEN 'SERVICE' THEN EXISTS (SELECT 1 FROM services
                 WHERE id = CAST(value ->> 1 AS INTEGER))
               WHEN 'USER' THEN EXISTS (SELECT 1 FROM users WHERE id = CAST(value ->> 1 AS INTEGER))
               ELSE EXISTS (SELECT 1 FROM units
                 WHERE object_type = value ->> 0 AND id = CAST(value ->> 1 AS INTEGER)) END",
            [Param::Text(chunk)],
        )
    };
    let results = sql::query_all(cx, chunks(rows).into_iter().map(statement).collect()).await?;
    let pair = |row: &Row| Ok((row.text("kind")?.to_owned(), row.int64("id")?));
    results.iter().flat_map(|result| &result.rows).map(pair).collect()
}

/// The names of imported token apps that would send the stored secret to another introspection
/// endpoint than now. An app is listed if its secret is, or may be, the stored one.
pub async fn sent_elsewhere(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<String>> {
    let row = |app: &Record| {
        let policy = |member: &str| app.get("policy").get(member).cloned().unwrap_or(Value::Null);
        json!([
            app.get("name"),
            app.get("algorithm"),
            policy("introspectionEndpoint"),
            policy("introspectionClientId")
        ])
    };
    let sql = "SELECT t.name FROM json_each(?1) j CROSS JOIN token_apps t ON t.name = j.value ->> 0
               WHERE t.secret <> ''
                 AND (t.algorithm = 'introspection' OR j.value ->> 1 = 'introspection')
                 AND (t.algorithm IS NOT j.value ->> 1
                   OR t.policy ->> '$.introspectionEndpoint' IS NOT j.value ->> 2
                   OR t.policy ->> '$.introspectionClientId' IS NOT j.value ->> 3)";
    let statements = chunks(of_kind(records, "tokenApp").map(row))
        .into_iter()
        .map(|chunk| Statement::new(sql, [Param::Text(chunk)]));
    let results = sql::query_all(cx, statements.collect()).await?;
    results
        .iter()
        .flat_map(|result| &result.rows)
        .map(|row| Ok(row.text("name")?.to_owned()))
        .collect()
}

#[derive(Debug)]
pub enum Deleted {
    /// An imported user whose name belonged to a deleted user here.
    Name(String),
    /// An imported user whose id belonged to a deleted user of another name here.
    Id(i64),
    /// An imported tombstone of this name. A user with another id, which is given, has the name
    /// here.
    SomebodyElse(String, i64),
}

/// Finds the imported users and tombstones that contradict a deletion.
pub async fn deleted(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<Deleted>> {
    let pairs = |word| {
        chunks(
            of_kind(records, word)
                .map(|record| json!([record.get("username"), stored(ID, record.get("id"))])),
        )
    };
    let of_users =
        "SELECT 'name' AS what, value ->> 0 AS name, value ->> 1 AS id FROM json_each(?1)
           CROSS JOIN tombstones ON tombstones.username = value ->> 0
         UNION ALL
         SELECT 'id', value ->> 0, value ->> 1 FROM json_each(?1)
           CROSS JOIN past_ids ON kind = 'user' AND past_ids.id = CAST(value ->> 1 AS INTEGER)
           WHERE freed = 0 AND NOT EXISTS (SELECT 1 FROM tombstones WHERE username = value ->> 0)
             AND NOT EXISTS (SELECT 1 FROM users
               WHERE id = past_ids.id AND username = value ->> 0)";
    let of_tombstones = "SELECT 'else' AS what, value ->> 0 AS name, CAST(u.id AS TEXT) AS id
         FROM json_each(?1)
           CROSS JOIN users u ON u.username = value ->> 0
           WHERE u.id <> CAST(value ->> 1 AS INTEGER)";
    let of_users =
        pairs("user").into_iter().map(|chunk| Statement::new(of_users, [Param::Text(chunk)]));
    let of_tombstones = pairs("tombstone")
        .into_iter()
        .map(|chunk| Statement::new(of_tombstones, [Param::Text(chunk)]));
    let statements: Vec<_> = of_users.chain(of_tombstones).collect();
    let results = sql::query_all(cx, statements).await?;
    let read = |row: &Row| {
        let (name, id) = (row.text("name")?.to_owned(), row.int64("id")?);
        Ok(match row.text("what")? {
            "name" => Deleted::Name(name),
            "id" => Deleted::Id(id),
            _ => Deleted::SomebodyElse(name, id),
        })
    };
    results.iter().flat_map(|result| &result.rows).map(read).collect()
}

/// What the database knows of an imported key and of what the key ends with.
#[derive(Debug)]
pub struct MakersOfKey {
    pub has_key: bool,
    /// The key that created it exists.
    pub has_parent: bool,
    /// The user's `valid_from`; `None` if the user does not exist.
    pub valid_from: Option<i64>,
    /// The user exists and is enabled.
    pub user_is_enabled: bool,
}

/// Looks up each of the keys, in their order.
pub async fn makers_of_keys(cx: &Cx, keys: &[&Record]) -> Result<Vec<MakersOfKey>> {
    let rows = keys.iter().map(|key| {
        ["id", "parentId", "userId"].map(|member| stored(ID, key.get(member))).into_iter().collect()
    });
    let sql = "SELECT EXISTS (SELECT 1 FROM machine_keys
          WHERE id = CAST(value ->> 0 AS INTEGER)) AS has_key,
          EXISTS (SELECT 1 FROM machine_keys WHERE id = CAST(value ->> 1 AS INTEGER)) AS has_parent,
          u.valid_from, COALESCE(u.enabled, 0) AS user_is_enabled
        FROM json_each(?1) j LEFT JOIN users u ON u.id = CAST(value ->> 2 AS INTEGER)
        ORDER BY j.key";
    let statements =
        chunks(rows).into_iter().map(|chunk| Statement::new(sql, [Param::Text(chunk)])).collect();
    let results = sql::query_all(cx, statements).await?;
    let read = |row: &Row| {
        Ok(MakersOfKey {
            has_key: row.flag("has_key")?,
            has_parent: row.flag("has_parent")?,
            valid_from: row.optional_number("valid_from")?,
            user_is_enabled: row.flag("user_is_enabled")?,
        })
    };
    results.iter().flat_map(|result| &result.rows).map(read).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKeySecret {
    /// The secret was removed here.
    Past,
    /// The key does not exist.
    NoKey,
    /// The key has a secret already, and the records do not show that this key is the one that is
    /// meant.
    OtherKey,
}

/// Finds the imported key secrets that cannot be added, by the key's id and the secret's prefix.
/// Their hashes must have been unsealed. An existing key is recognized only if its own record is
/// among these records.
pub async fn refused_key_secrets(
    cx: &Cx,
    records: &[(usize, Record)],
) -> Result<Vec<(i64, String, NoKeySecret)>> {
    let with_key: HashSet<_> = of_kind(records, "key").filter_map(|key| key.number("id")).collect();
    let rows = of_kind(records, "keySecret").map(|secret| {
        let has_key = secret.number("keyId").is_some_and(|id| with_key.contains(&id));
        json!([
            stored(ID, secret.get("keyId")),
            secret.get("prefix"),
            secret.get("hash"),
            i32::from(has_key)
        ])
    });
    let sql = "SELECT value ->> 0 AS id, value ->> 1 AS prefix,
          CASE WHEN EXISTS (SELECT 1 FROM past_key_secrets WHERE hash = value ->> 2) THEN 'past'
            WHEN value ->> 3 THEN NULL
            WHEN NOT EXISTS (SELECT 1 FROM machine_keys WHERE id = CAST(value ->> 0 AS INTEGER))
              THEN 'no key'
            WHEN EXISTS (SELECT 1 FROM machine_key_secrets
              WHERE hash = value ->> 2 AND key_id = CAST(value ->> 0 AS INTEGER)) THEN NULL
            WHEN EXISTS (SELECT 1 FROM machine_key_secrets
              WHERE key_id = CAST(value ->> 0 AS INTEGER)) THEN 'other'
          END AS why
        FROM json_each(?1)";
    let statements =
        chunks(rows).into_iter().map(|chunk| Statement::new(sql, [Param::Text(chunk)])).collect();
    let results = sql::query_all(cx, statements).await?;
    let mut refused = Vec::new();
    for row in results.iter().flat_map(|result| &result.rows) {
        let why = match row.optional_text("why")? {
            Some("past") => NoKeySecret::Past,
            Some("no key") => NoKeySecret::NoKey,
            Some(_) => NoKeySecret::OtherKey,
            None => continue,
        };
        refused.push((row.int64("id")?, row.text("prefix")?.to_owned(), why));
    }
    Ok(refused)
}

/// An imported record that contradicts an existing one.
#[derive(Debug)]
pub struct Contradiction {
    /// The imported record's key.
    pub key: i64,
    /// The existing record's key.
    pub known_key: i64,
    /// The existing record's identity.
    pub known_identity: String,
}

/// Finds the records of a kind whose key exists with another identity, or whose identity exists
/// under another key.
pub async fn contradictions(
    cx: &Cx,
    kind: &Kind,
    records: &[(usize, Record)],
) -> Result<Vec<Contradiction>> {
    let (Some(key), Some(identity)) = (kind.keys().next(), kind.same().next()) else {
        return Ok(Vec::new());
    };
    let rows =
        records.iter().filter(|(_, record)| record.kind.word == kind.word).map(|(_, record)| {
            let same = kind.same().map(|field| record.get(field.member).clone());
            [stored(key.is, record.get(key.member))].into_iter().chain(same).collect::<Value>()
        });
    let others = kind
        .same()
        .enumerate()
        .map(|(index, field)| format!("t.{} <> j.value ->> {}", field.column, index + 1));
    let others = others.collect::<Vec<_>>().join(" OR ");
    let (table, key, identity) = (kind.table, key.column, identity.column);
    let statement = |chunk| {
        let one = |condition: &str| {
            format!(
                "SELECT j.value ->> 0 AS key, CAST(t.{key} AS TEXT) AS known_key,
                   t.{identity} AS known_identity
                 FROM json_each(?1) j CROSS JOIN {table} t ON {condition}"
            )
        };
        let by_key = one(&format!("t.{key} = CAST(j.value ->> 0 AS INTEGER) AND ({others})"));
        let by_identity = one(&format!(
            "t.{identity} = j.value ->> 1 AND t.{key} <> CAST(j.value ->> 0 AS INTEGER)"
        ));
        let sql = if kind.identity().is_some() {
            format!("{by_key} UNION ALL {by_identity}")
        } else {
            by_key
        };
        Statement::new(sql, [Param::Text(chunk)])
    };
    let results = sql::query_all(cx, chunks(rows).into_iter().map(statement).collect()).await?;
    let read = |row: &Row| {
        Ok(Contradiction {
            key: row.int64("key")?,
            known_key: row.int64("known_key")?,
            known_identity: row.text("known_identity")?.to_owned(),
        })
    };
    results.iter().flat_map(|result| &result.rows).map(read).collect()
}

/// Gives a user another id in every table that follows. Nothing else may refer to the user.
#[must_use]
pub fn move_user(from: UserId, to: UserId) -> [Statement; 3] {
    IdKind::OF_A_USER.map(|(table, column)| {
        let sql = format!(
            "UPDATE {table} SET {column} = CAST(?2 AS INTEGER) WHERE {column} = CAST(?1 AS INTEGER)"
        );
        Statement::new(sql, [Param::Int64(from.0), Param::Int64(to.0)])
    })
}

/// Tells whether a grant, a membership, a key or something that they created refers to the user.
pub async fn is_referred_to(cx: &Cx, id: UserId) -> Result<bool> {
    let statement = Statement::new(IdKind::is_user_named(), [Param::Int64(id.0)]);
    sql::query(cx, statement).await?.first().map_or(Ok(true), |row| row.flag("found"))
}

/// Tells whether there is exactly one user.
pub async fn has_one_user(cx: &Cx) -> Result<bool> {
    let statement =
        Statement::new("SELECT COUNT(*) AS users FROM (SELECT 1 FROM users LIMIT 2)", []);
    sql::query(cx, statement).await?.first().map_or(Ok(false), |row| Ok(row.number("users")? == 1))
}

/// Names at most 100 imported apps, applications and keys that have no secret here.
pub async fn without_secret(
    cx: &Cx,
    records: &[(usize, Record)],
    are_left_out: bool,
) -> Result<Vec<String>> {
    let rows = |word: &'static str, key: &'static str| {
        let records =
            records.iter().map(|(_, record)| record).filter(move |record| record.kind.word == word);
        records.map(move |record| record.get(key).clone()).collect::<Vec<_>>()
    };
    let (apps, applications) = (rows("tokenApp", "name"), rows("application", "accessKey"));
    // Key secrets are records of their own and may come in the next request. So keys are listed
    // only if secrets are left out.
    let keys = if are_left_out {
        rows("key", "id").iter().map(|id| stored(ID, id)).collect()
    } else {
        Vec::new()
    };
    if apps.is_empty() && applications.is_empty() && keys.is_empty() {
        return Ok(Vec::new());
    }
    let statement = Statement::new(
        "SELECT 'token app ' || name AS what FROM token_apps
           WHERE name IN (SELECT value FROM json_each(?1)) AND secret = ''
             AND json_extract(policy, '$.discover') IS NOT 1
         UNION ALL
         SELECT 'application ' || access_key FROM applications
         WHERE access_key IN (SELECT value FROM json_each(?2)) AND secret IS NULL
         UNION ALL
         SELECT 'key ' || name FROM machine_keys
         WHERE id IN (SELECT CAST(value AS INTEGER) FROM json_each(?3))
           AND NOT EXISTS (SELECT 1 FROM machine_key_secrets WHERE key_id = machine_keys.id)
         LIMIT 100",
        [apps, applications, keys].map(|names| Value::Array(names).to_string().into()),
    );
    sql::all(cx, statement, |row| Ok(row.text("what")?.to_owned())).await
}

pub async fn count(cx: &Cx, with_secrets: bool) -> Result<i64> {
    let counts = KINDS.iter().filter(|kind| with_secrets || !kind.is_secret()).map(|kind| {
        match kind.table {
            // Triggers keep this count.
            "grants" => "(SELECT COALESCE(SUM(grants), 0) FROM grant_counts)".to_owned(),
            table => format!("(SELECT COUNT(*) FROM {table} WHERE {})", rows_of(kind)),
        }
    });
    let sql = format!("SELECT {} AS total", counts.collect::<Vec<_>>().join(" + "));
    sql::total(cx, Statement::new(sql, [])).await
}

/// SQL for the rows of a kind in its table.
fn rows_of(kind: &Kind) -> String {
    if let Some((column, value)) = kind.only {
        return format!("{column} = '{value}'");
    }
    match kind.rows {
        Which::All => "1".to_owned(),
        Which::OfWords(column, words) => format!("{column} IN ('{}')", words.join("', '")),
        Which::OfLastingKeys(column) => format!(
            "{column} NOT IN (
               WITH RECURSIVE ending (id) AS (
                 SELECT id FROM machine_keys WHERE session_id IS NOT NULL
                 UNION SELECT k.id FROM ending CROSS JOIN machine_keys k ON k.parent_id = ending.id)
               SELECT id FROM ending)"
        ),
    }
}

/// At most `limit` records of a kind after the record `after`, in the order of the kind's key.
/// Secrets are NULL unless `with_secrets`.
pub async fn page(
    cx: &Cx,
    kind: &'static Kind,
    after: Option<&Record>,
    with_secrets: bool,
    limit: i64,
) -> Result<Vec<Record>> {
    let table = kind.table;
    let column = |field: &Field| match (field.is, field.is_secret && !with_secrets) {
        (_, true) => format!("NULL AS {}", field.column),
        (Is::Id(_), _) => format!("CAST({table}.{0} AS TEXT) AS {0}", field.column),
        _ => field.column.to_owned(),
    };
    let columns = kind.fields.iter().map(column).collect::<Vec<_>>().join(", ");
    let keys =
        kind.keys().map(|field| format!("{table}.{}", field.column)).collect::<Vec<_>>().join(", ");
    let mut params = Vec::new();
    let mut behind = String::new();
    if let Some(after) = after {
        let mut places = Vec::new();
        for field in kind.keys() {
            let place = params.len() + 1;
            places.push(if matches!(field.is, Is::Id(_)) {
                format!("CAST(?{place} AS INTEGER)")
            } else {
                format!("?{place}")
            });
            params.push(match (field.is, after.get(field.member)) {
                (Is::Id(_), value) => Param::Int64(value.as_i64().unwrap_or_default()),
                (_, value) => value.as_str().unwrap_or_default().into(),
            });
        }
        behind = format!(" AND ({keys}) > ({})", places.join(", "));
    }
    params.push(Param::Number(limit));
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE {}{behind} ORDER BY {keys} LIMIT ?{}",
        rows_of(kind),
        params.len()
    );
    sql::all(cx, Statement::new(sql, params), |row| record(kind, row)).await
}

fn record(kind: &'static Kind, row: &Row) -> Result<Record> {
    Ok(Record::new(kind, kind.fields.iter().map(|field| read(field, row)).collect::<Result<_>>()?))
}

fn read(field: &Field, row: &Row) -> Result<Value> {
    let column = field.column;
    if matches!(row.value(column), None | Some(Datum::Null)) {
        return Ok(Value::Null);
    }
    let unreadable = |error: &dyn std::fmt::Display| {
        Error::internal(format!("a stored {column} is unreadable: {error}"))
    };
    Ok(match field.is {
        Is::Id(_) => json!(row.int64(column)?),
        Is::Number(_) | Is::Time | Is::Moment => json!(row.number(column)?),
        Is::Flag => json!(row.flag(column)?),
        Is::Permissions => json!(Permissions::from_bits(row.number(column)?).names()),
        Is::Authorizations => json!(Authorizations::from_bits(row.number(column)?).names()),
        Is::Rights => json!(Rights::from_bits(row.number(column)?).map(Rights::names)),
        Is::Texts(_) | Is::Json(_) => {
            serde_json::from_str(row.text(column)?).map_err(|error| unreadable(&error))?
        }
        Is::Text(_) | Is::Word(_) | Is::Sealed(_) | Is::Hash(_) => json!(row.text(column)?),
    })
}
