//! Imports and exports the state, many records at once.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::actions::caller::{Caller, Proof, UserCaller};
use crate::actions::whose_id;
use crate::context::Cx;
use crate::domain::backup::format::LineError;
use crate::domain::backup::kinds::{Field, Is, KINDS, Kind, Part};
use crate::domain::backup::record::Record;
use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::memory::write::Write;
use crate::store::backup::{Deleted, NoKeySecret, StoredSecret};
use crate::store::{backup, feed, units};

/// The number of records that an export reads at once.
const PAGE: i64 = 2000;

/// How passwords and secrets are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// They are left out. An import keeps those that are already stored.
    LeftOut,
    /// They are included, sealed under the master key.
    Sealed,
}

#[derive(Debug)]
pub struct Imported {
    /// The number of records written.
    pub records: usize,
    /// The imported token apps, applications and keys that have no secret here.
    pub without_secret: Vec<String>,
}

type Lines = Vec<(usize, Record)>;

/// Imports records, all of them or none. Existing records are replaced, so importing twice has the
/// same result as importing once. If lines are wrong, returns what is wrong with each.
pub async fn import(
    cx: &Cx,
    by: &Caller,
    mut records: Lines,
    secrets: Secrets,
) -> Result<std::result::Result<Imported, Vec<LineError>>> {
    if secrets == Secrets::LeftOut {
        records.retain(|(_, record)| !record.kind.is_secret());
    }
    let refused = not_allowed(by, &records);
    // Further checks of these lines would tell the caller which users exist.
    if !refused.is_empty() {
        return Ok(Err(refused));
    }
    if !by.is_administrator() {
        records
            .iter_mut()
            .filter(|(_, record)| record.kind.word == "grant")
            .for_each(|(_, grant)| grant.set("id", Value::Null));
    }
    let mut errors = contradictory(&records);
    errors.extend(ahead(cx, &records));
    errors.extend(opened(cx, &mut records, secrets));
    errors.extend(of_deleted(cx, &records).await?);
    errors.extend(of_endpoints(cx, &records).await?);
    errors.extend(of_keys(cx, &records).await?);
    errors.extend(of_key_secrets(cx, &records).await?);
    if cx.config.strict_directory {
        errors.extend(unregistered(cx, &records).await?);
    }
    let (moved, contradictions) = contradictions(cx, by, &records).await?;
    errors.extend(contradictions);
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.line);
        return Ok(Err(errors));
    }
    if records.is_empty() {
        return Ok(Ok(Imported { records: 0, without_secret: Vec::new() }));
    }
    keep_equal_secrets(cx, &mut records).await?;
    let mut write = Write::default();
    // A caller who signed in with an opaque token keeps that session, even if the import replaces
    // their password.
    let own = match by {
        Caller::User(UserCaller { proof: Proof::Session(session), .. }) => Some(session.id),
        _ => None,
    };
    let statements =
        moved.zip(by.own_id()).into_iter().flat_map(|(to, from)| backup::move_user(from, to));
    for statement in statements
        .chain(backup::end_sessions(&records, moved.or(by.own_id()), own, cx.now))
        .chain(backup::write(&records, cx.now))
    {
        write = write.and(statement);
    }
    let departments: Vec<_> =
        of_kind(&records, "department").filter_map(|(_, record)| record.number("id")).collect();
    if !departments.is_empty() {
        write = write.and(units::refuse_circle(&departments));
    }
    let changes_identities = records.iter().any(|(_, record)| record.kind.part == Part::Identity);
    let forgotten = if changes_identities {
        feed::everything_changed(cx.now)
    } else {
        vec![feed::directory_changed(cx.now)]
    };
    for statement in forgotten {
        write = write.and(statement);
    }
    let deed = by
        .deed("directory.import", format!("{} records", records.len()))
        .after(json!(counts(&records)));
    write.deed(deed).commit(cx).await?;
    let without_secret = backup::without_secret(cx, &records, secrets == Secrets::LeftOut).await?;
    Ok(Ok(Imported { records: records.len(), without_secret }))
}

/// The lines that the caller may not import. A key with `provisioning` may import who may do what,
/// but not users and their credentials.
fn not_allowed(by: &Caller, records: &[(usize, Record)]) -> Vec<LineError> {
    let refused = records
        .iter()
        .filter(|(_, record)| record.kind.part == Part::Identity && !by.is_administrator());
    let why = "may be imported by administrators only, and by keys with administration";
    refused
        .map(|(line, _)| LineError { line: *line, field: "record".to_owned(), why: why.to_owned() })
        .collect()
}

/// The lines that delete a user whom another line imports.
fn contradictory(records: &[(usize, Record)]) -> Vec<LineError> {
    let users: HashMap<_, _> = of_kind(records, "user")
        .filter_map(|(line, user)| Some((user.text("username")?, *line)))
        .collect();
    let tombstones = of_kind(records, "tombstone");
    let deleted = tombstones
        .filter_map(|(line, tombstone)| Some((*line, users.get(tombstone.text("username")?)?)));
    let error = |(line, user): (usize, &usize)| LineError {
        line,
        field: "username".to_owned(),
        why: format!("is that of the user of line {user}: leave out one of them"),
    };
    deleted.map(error).collect()
}

/// How far the exporting machine's clock may be ahead of ours.
const CLOCKS_DIFFER_BY: Millis = Millis::from_seconds(600);

/// The lines with a time in the future. They would refuse a user's tokens, or keep their profile
/// from changing, until that time, and nothing could undo that.
fn ahead(cx: &Cx, records: &[(usize, Record)]) -> Vec<LineError> {
    let latest = cx.now + CLOCKS_DIFFER_BY;
    let bounds = [("validFrom", latest.0), ("followedAt", latest.seconds())];
    let users = of_kind(records, "user").flat_map(|(line, user)| {
        bounds.map(|(member, latest)| (*line, member, user.number(member), latest))
    });
    let names = ["tombstone", "freedName"].into_iter().flat_map(|word| of_kind(records, word));
    let names = names.map(|(line, name)| (*line, "deletedAt", name.number("deletedAt"), latest.0));
    users
        .chain(names)
        .filter(|(_, _, time, latest)| time.is_some_and(|time| time > *latest))
        .map(|(line, member, ..)| LineError {
            line,
            field: member.to_owned(),
            why: "must not be in the future: nobody could undo it".to_owned(),
        })
        .collect()
}

/// The lines that would bring a deleted user back, or delete another user than they name.
async fn of_deleted(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<LineError>> {
    let found = backup::deleted(cx, records).await?;
    let lines: HashMap<_, _> = ["user", "tombstone"]
        .into_iter()
        .flat_map(|word| of_kind(records, word))
        .flat_map(|(line, record)| {
            ["username", "id"].map(|member| ((record.kind.word, member, record.get(member)), *line))
        })
        .collect();
    let line = |word: &'static str, member: &'static str, value: &Value| {
        lines.get(&(word, member, value)).copied()
    };
    let errors = found.into_iter().filter_map(|found| {
        let (word, field, why) = match found {
            Deleted::Name(name) => {
                let why = format!(
                    "is the name of a deleted user: free it by DELETE /v1/tombstones/{name}, or \
                     leave the line out"
                );
                (line("user", "username", &json!(name))?, "username", why)
            }
            Deleted::Id(id) => {
                let free = whose_id::to_free(id);
                let why = format!(
                    "was the id of a deleted user, and is given to nobody else: leave the line \
                     out, or {free}"
                );
                (line("user", "id", &json!(id))?, "id", why)
            }
            Deleted::SomebodyElse(name, id) => {
                let why = format!("{name:?} is here as user {id}");
                (line("tombstone", "username", &json!(name))?, "id", why)
            }
        };
        Some(LineError { line: word, field: field.to_owned(), why })
    });
    Ok(errors.collect())
}

/// The lines that would send a secret to another endpoint. The importer need not know the secret,
/// so they must not be able to redirect it.
async fn of_endpoints(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<LineError>> {
    let refused = backup::sent_elsewhere(cx, records).await?;
    let is_refused =
        |app: &Record| app.text("name").is_some_and(|name| refused.iter().any(|of| of == name));
    let lines = of_kind(records, "tokenApp").filter(|(_, app)| is_refused(app));
    let error = |(line, _): (&usize, &Record)| LineError {
        line: *line,
        field: "policy".to_owned(),
        why: "names another introspection endpoint or client than the app that is here, whose \
              secret would be sent there: change the app by PUT /v1/token-apps/{name} with its \
              secret, or delete it first"
            .to_owned(),
    };
    Ok(lines.map(|(line, app)| error((line, app))).collect())
}

/// The lines of keys that would have no user or no parent key when they are written, or whose user
/// has ended them.
async fn of_keys(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<LineError>> {
    let keys: Vec<_> = of_kind(records, "key").collect();
    let lines: HashMap<_, _> =
        keys.iter().filter_map(|(line, key)| Some((key.number("id")?, *line))).collect();
    let users: HashMap<_, _> =
        of_kind(records, "user").filter_map(|(_, user)| Some((user.number("id")?, user))).collect();
    let found =
        backup::makers_of_keys(cx, &keys.iter().map(|(_, key)| key).collect::<Vec<_>>()).await?;
    let mut errors = Vec::new();
    let mut written = HashSet::new();
    for ((line, key), makers) in keys.into_iter().zip(found) {
        let user = key.number("userId").and_then(|id| users.get(&id));
        let valid_from = user.and_then(|user| user.number("validFrom")).max(makers.valid_from);
        let is_enabled = user.map_or(makers.user_is_enabled, |user| user.flag("enabled"));
        let parent =
            key.number("parentId").filter(|parent| !makers.has_parent && !written.contains(parent));
        let error = match (key.number("userId"), parent) {
            _ if valid_from > key.number("createdAt") => Some((
                "createdAt",
                "is before the validFrom of its user, so the key has ended: leave the line out"
                    .to_owned(),
            )),
            _ if makers.has_key => None,
            (Some(id), _) if user.is_none() && makers.valid_from.is_none() => Some((
                "userId",
                format!(
                    "{id} is no user here: send the line of that user along, or leave the line out"
                ),
            )),
            (Some(id), _) if !is_enabled => Some((
                "userId",
                format!("{id} is a disabled user, whose keys ended: leave the line out"),
            )),
            (_, Some(parent)) if lines.contains_key(&parent) => Some((
                "parentId",
                format!("{parent} is not here: put the line of that key before this one"),
            )),
            (_, Some(parent)) => Some((
                "parentId",
                format!(
                    "{parent} is not here: send the line of that key before this one, or leave \
                     the line out"
                ),
            )),
            _ => None,
        };
        match error {
            Some((field, why)) => {
                errors.push(LineError { line: *line, field: field.to_owned(), why });
            }
            None => written.extend(key.number("id")),
        }
    }
    Ok(errors)
}

/// The lines of key secrets that were removed here, and of those that may belong to another key
/// with the same id.
async fn of_key_secrets(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<LineError>> {
    let lines: HashMap<_, _> = of_kind(records, "keySecret")
        .filter_map(|(line, record)| {
            Some(((record.number("keyId")?, record.text("prefix")?), *line))
        })
        .collect();
    let refused = backup::refused_key_secrets(cx, records).await?;
    let errors = refused.into_iter().filter_map(|(id, prefix, why)| {
        let (field, why) = match why {
            NoKeySecret::Past => {
                ("hash", "was removed here, and is never valid again: leave the line out")
            }
            NoKeySecret::NoKey => ("keyId", "is no key here: send the line of the key along"),
            NoKeySecret::OtherKey => (
                "keyId",
                "is a key here, but may be another one: send the line of the key along, which \
                 shows whether it is the same, or leave the line out",
            ),
        };
        let line = *lines.get(&(id, prefix.as_str()))?;
        Some(LineError { line, field: field.to_owned(), why: why.to_owned() })
    });
    Ok(errors.collect())
}

fn of_kind<'r>(
    records: &'r [(usize, Record)],
    word: &'static str,
) -> impl Iterator<Item = &'r (usize, Record)> {
    records.iter().filter(move |(_, record)| record.kind.word == word)
}

fn counts(records: &[(usize, Record)]) -> serde_json::Map<String, Value> {
    let count = |kind: &Kind| of_kind(records, kind.word).count();
    KINDS
        .iter()
        .map(|kind| (kind.word.to_owned(), json!(count(kind))))
        .filter(|(_, count)| count != &json!(0))
        .collect()
}

/// Removes the secrets if they are to be left out. Otherwise checks that a master key opens each of
/// them, and decrypts those that are sealed in the export only.
fn opened(cx: &Cx, records: &mut Lines, secrets: Secrets) -> Vec<LineError> {
    let mut errors = Vec::new();
    for (line, record) in records {
        for field in record.kind.fields.iter().filter(|field| field.is_secret) {
            if secrets == Secrets::LeftOut {
                record.set(field.member, Value::Null);
                continue;
            }
            let (Some(sealed), Some(belongs_to)) =
                (record.text(field.member), belongs_to(field, record))
            else {
                continue;
            };
            let opened = cx.config.master_keys.open(sealed, &belongs_to);
            match (opened.as_ref().and_then(|opened| opened.expose_text()), field.is) {
                (None, _) => errors.push(LineError {
                    line: *line,
                    field: field.member.to_owned(),
                    why: UNOPENED.to_owned(),
                }),
                (Some(hash), Is::Hash(_)) => record.set(field.member, json!(hash)),
                (Some(_), _) => (),
            }
        }
    }
    errors
}

const UNOPENED: &str = "is not sealed under MASTER_KEY or MASTER_KEY_PREVIOUS, or belongs to \
                        something else: set the key that it was exported under as \
                        MASTER_KEY_PREVIOUS, or import with secrets=left-out";

/// If a sealed secret in the import and the stored one have the same plaintext, keeps the stored
/// one. So importing a record that was sealed under the previous master key, or at another time,
/// changes nothing.
async fn keep_equal_secrets(cx: &Cx, records: &mut Lines) -> Result<()> {
    for StoredSecret { index, member, sealed } in backup::stored_secrets(cx, records).await? {
        let Some((_, record)) = records.get_mut(index) else { continue };
        let field = record.kind.fields.iter().find(|field| field.member == member);
        let (Some(brought), Some(belongs_to)) =
            (record.text(member), field.and_then(|field| belongs_to(field, record)))
        else {
            continue;
        };
        let [brought, stored] =
            [brought, &sealed].map(|sealed| cx.config.master_keys.open(sealed, &belongs_to));
        if stored.is_some() && stored == brought {
            record.set(member, json!(sealed));
        }
    }
    Ok(())
}

/// The name under which a member is sealed. It opens under this name only.
fn belongs_to(field: &Field, record: &Record) -> Option<String> {
    let (Is::Sealed(kind) | Is::Hash(kind)) = field.is else { return None };
    let names = record.kind.owner.iter().map(|member| match record.get(member) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    Some(format!("{kind}/{}", names.collect::<Vec<_>>().join("/")))
}

/// The lines that refer to something which neither the directory nor another line has.
async fn unregistered(cx: &Cx, records: &[(usize, Record)]) -> Result<Vec<LineError>> {
    let defined: HashSet<(&'static str, i64)> =
        records.iter().filter_map(|(_, record)| defined(record)).collect();
    let named: Vec<_> = records
        .iter()
        .flat_map(|(line, record)| {
            references(record).into_iter().map(|reference| (*line, reference))
        })
        .collect();
    let wanted: HashSet<_> = named
        .iter()
        .map(|(_, (_, kind, id))| (*kind, *id))
        .filter(|pair| !defined.contains(pair))
        .collect();
    let missing: HashSet<_> =
        backup::missing(cx, &wanted.into_iter().collect::<Vec<_>>()).await?.into_iter().collect();
    let wrong =
        named.into_iter().filter(|(_, (_, kind, id))| missing.contains(&((*kind).to_owned(), *id)));
    Ok(wrong
        .map(|(line, (field, ..))| LineError {
            line,
            field: field.to_owned(),
            why: "is not registered".to_owned(),
        })
        .collect())
}

/// The kind and the id of what a record registers.
fn defined(record: &Record) -> Option<(&'static str, i64)> {
    let kind = match record.kind.word {
        "user" => "USER",
        "service" => "SERVICE",
        "department" => "DEPT",
        "group" => "GROUP",
        _ => return None,
    };
    Some((kind, record.number("id")?))
}

/// What a record refers to: member, kind and id.
fn references(record: &Record) -> Vec<(&'static str, &'static str, i64)> {
    let object_type = ["USER", "DEPT", "GROUP"]
        .into_iter()
        .find(|kind| record.text("authObjectType") == Some(kind));
    let members: &[(&str, Option<&'static str>)] = match record.kind.word {
        "api" => &[("serviceId", Some("SERVICE"))],
        "member" => &[("authObjectId", object_type), ("userId", Some("USER"))],
        "grant" => &[("serviceId", Some("SERVICE")), ("authObjectId", object_type)],
        _ => &[],
    };
    members
        .iter()
        .filter_map(|(member, kind)| Some((*member, (*kind)?, record.number(member)?)))
        .collect()
}

/// The lines that give somebody an id or name which somebody else has here. If that is the calling
/// administrator of a new deployment, the caller makes way: they get another id, which is returned.
async fn contradictions(
    cx: &Cx,
    by: &Caller,
    records: &[(usize, Record)],
) -> Result<(Option<UserId>, Vec<LineError>)> {
    let (mut moved, mut errors) = (None, Vec::new());
    for kind in &KINDS {
        let (Some(key), Some(identity)) = (kind.keys().next(), kind.same().next()) else {
            continue;
        };
        let lines: HashMap<i64, usize> = of_kind(records, kind.word)
            .filter_map(|(line, record)| Some((record.number(key.member)?, *line)))
            .collect();
        let found = backup::contradictions(cx, kind, records).await?;
        let own = by.user().ok().map(|caller| caller.user.id);
        let are_callers =
            found.iter().all(|found| own == Some(UserId(found.known_key))) && !found.is_empty();
        if kind.word == "user" && are_callers && is_new_here(cx, own).await? {
            let of_own_name = found.iter().find(|found| found.key != found.known_key);
            moved = Some(of_own_name.map_or_else(|| new_place(cx), |found| Ok(UserId(found.key)))?);
            continue;
        }
        for found in found {
            let Some(line) = lines.get(&found.key) else { continue };
            let (field, why) = if found.known_key == found.key {
                (key.member, format!("is that of {} {:?} here", kind.word, found.known_identity))
            } else {
                (
                    identity.member,
                    format!(
                        "{:?} is here as {} {}",
                        found.known_identity, kind.word, found.known_key
                    ),
                )
            };
            errors.push(LineError { line: *line, field: field.to_owned(), why });
        }
    }
    Ok((moved, errors))
}

/// Whether the caller is the first administrator of a deployment that has no other user yet, or was
/// so when this restore began.
async fn is_new_here(cx: &Cx, caller: Option<UserId>) -> Result<bool> {
    let Some(id) = caller else { return Ok(false) };
    Ok(!backup::is_referred_to(cx, id).await?
        && (id.0 >= NEW_PLACES || backup::has_one_user(cx).await?))
}

/// Ids from here on are given to callers who make way for a record. No other user has such an id.
const NEW_PLACES: i64 = 1 << 52;

fn new_place(cx: &Cx) -> Result<UserId> {
    let random = i64::from_be_bytes(cx.random()?);
    Ok(UserId(NEW_PLACES | (random & (NEW_PLACES - 1))))
}

/// The number of records of an export.
pub async fn count(cx: &Cx, secrets: Secrets) -> Result<i64> {
    backup::count(cx, secrets == Secrets::Sealed).await
}

/// Writes to the audit trail that the caller exports secrets.
pub async fn note_secrets(cx: &Cx, by: &Caller) -> Result<()> {
    Write::default()
        .deed(by.deed("directory.export", "with sealed secrets"))
        .commit(cx)
        .await
        .map(drop)
}

/// The position of an export.
#[derive(Debug, Clone)]
pub struct Export {
    kinds: &'static [Kind],
    after: Option<Record>,
    secrets: Secrets,
}

impl Export {
    /// Begins an export, or continues it after the record that an earlier export ended with.
    #[must_use]
    pub fn behind(last: Option<Record>, secrets: Secrets) -> Self {
        let at = last
            .as_ref()
            .and_then(|last| KINDS.iter().position(|kind| kind.word == last.kind.word))
            .unwrap_or_default();
        Self { kinds: KINDS.get(at..).unwrap_or_default(), after: last, secrets }
    }

    /// Returns the next records; `None` at the end.
    pub async fn next(&mut self, cx: &Cx) -> Result<Option<Vec<Record>>> {
        while let Some((kind, rest)) = self.kinds.split_first() {
            let with_secrets = self.secrets == Secrets::Sealed;
            if kind.is_secret() && !with_secrets {
                self.kinds = rest;
                continue;
            }
            let mut records =
                backup::page(cx, kind, self.after.as_ref(), with_secrets, PAGE).await?;
            self.after = records.last().cloned();
            if i64::try_from(records.len()).is_ok_and(|count| count < PAGE) {
                self.kinds = rest;
                self.after = None;
            }
            if !records.is_empty() {
                records.iter_mut().try_for_each(|record| seal_hashes(cx, record))?;
                return Ok(Some(records));
            }
        }
        Ok(None)
    }
}

/// Seals what is stored in plain form, and must not be readable in an export.
fn seal_hashes(cx: &Cx, record: &mut Record) -> Result<()> {
    for field in record.kind.fields.iter().filter(|field| matches!(field.is, Is::Hash(_))) {
        let (Some(hash), Some(belongs_to)) = (record.text(field.member), belongs_to(field, record))
        else {
            continue;
        };
        let sealed = cx
            .config
            .master_keys
            .seal_for_export(hash.as_bytes(), &belongs_to)
            .map_err(Error::Internal)?;
        record.set(field.member, json!(sealed));
    }
    Ok(())
}
