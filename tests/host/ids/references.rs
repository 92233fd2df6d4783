//! An id that any column names is not chosen for a new record.

use std::collections::BTreeSet;

use serde_json::json;

use super::create;
use crate::support::World;

/// A column, the kind of id that it names, and a row that names the id 7.
const NAMING: [(&str, &str, &str); 23] = [
    (
        "users.id",
        "user",
        "users (id, username, type, created_at, modified_at) \
        VALUES (7, 'x', 'SYS_Reader', 0, 0)",
    ),
    (
        "grants.object_id",
        "user",
        "grants (service_id, object_type, object_id, permissions, \
        created_at) VALUES (1, 'USER', 7, 1, 0)",
    ),
    (
        "memberships.user_id",
        "user",
        "memberships (user_id, object_type, object_id) \
        VALUES (7, 'GROUP', 1)",
    ),
    (
        "sessions.user_id",
        "user",
        "sessions (token_hash, cookie_hash, user_id, created_at, \
        expires_at) VALUES ('x', 'y', 7, 0, 0)",
    ),
    (
        "services.creator_id",
        "user",
        "services (id, creator_id, created_at, modified_at) \
        VALUES (1, 7, 0, 0)",
    ),
    (
        "token_apps.creator_id",
        "user",
        "token_apps (name, token_name, secret, secret_key_id, expire_s, claim_username, claim_name,
           claim_email, algorithm, enabled, creates_users, initial_roles, creator_id, created_at,
           modified_at)
         VALUES ('x', 'x', '', '', 1, '', '', '', 'HS256', 0, 0, '[]', 7, 0, 0)",
    ),
    (
        "node_orders.creator_id",
        "user",
        "node_orders (spec, count, name, description, physical_machine_name, creator_id, \
         created_at) VALUES ('', 1, '', '', '', 7, 0)",
    ),
    (
        "machine_keys.created_by",
        "user",
        "machine_keys (name, may, created_by, created_at) \
        VALUES ('x', 1, 7, 0)",
    ),
    (
        "tombstones.id",
        "user",
        "users (id, username, type, created_at, modified_at) \
         VALUES (7, 'x', 'SYS_Reader', 0, 0); DELETE FROM users WHERE id = 7",
    ),
    ("past_ids.id", "user", "past_ids (kind, id) VALUES ('user', 7)"),
    ("past_ids.id", "group", "past_ids (kind, id) VALUES ('group', 7)"),
    ("units.id", "group", "units (object_type, id, created_at) VALUES ('GROUP', 7, 0)"),
    (
        "grants.object_id",
        "group",
        "grants (service_id, object_type, object_id, permissions, \
        created_at) VALUES (1, 'GROUP', 7, 1, 0)",
    ),
    (
        "memberships.object_id",
        "group",
        "memberships (user_id, object_type, object_id) \
        VALUES (1, 'GROUP', 7)",
    ),
    ("mapped_groups.group_id", "group", "mapped_groups (group_id, app) VALUES (7, 'x')"),
    ("units.id", "department", "units (object_type, id, created_at) VALUES ('DEPT', 7, 0)"),
    (
        "units.parent_id",
        "department",
        "units (object_type, id, parent_id, created_at) \
        VALUES ('DEPT', 99, 7, 0)",
    ),
    (
        "grants.object_id",
        "department",
        "grants (service_id, object_type, object_id, permissions, \
        created_at) VALUES (1, 'DEPT', 7, 1, 0)",
    ),
    (
        "memberships.object_id",
        "department",
        "memberships (user_id, object_type, object_id) \
        VALUES (1, 'DEPT', 7)",
    ),
    ("services.id", "service", "services (id, created_at, modified_at) VALUES (7, 0, 0)"),
    (
        "grants.service_id",
        "service",
        "grants (service_id, object_type, object_id, permissions, \
        created_at) VALUES (7, 'USER', 1, 1, 0)",
    ),
    (
        "resource_names.service_id",
        "service",
        "resource_names (type, id, service_id) \
        VALUES ('record', 'x', 7)",
    ),
    (
        "service_apis.service_id",
        "service",
        "service_apis (service_id, id, created_at) \
        VALUES (7, 1, 0)",
    ),
];

/// Columns with the name of an id that do not name an id which Postern chooses.
const OTHERS: [(&str, &str); 28] = [
    ("applications.organization_id", "organizations have ids that callers name"),
    ("applications.secret_key_id", "which master key"),
    ("applications.token_key_id", "which master key"),
    ("audit_events.actor_id", "who did something was there, so that past_ids has the id"),
    ("audit_events.id", "its own"),
    ("audit_events.request_id", "of a request"),
    ("freed_names.id", "the id of a deleted user, which past_ids has"),
    ("grant_counts.service_id", "is there where grants are, or were"),
    ("grants.id", "its own"),
    ("machine_key_secrets.key_id", "of a key"),
    ("machine_keys.id", "its own"),
    ("machine_keys.parent_id", "of a key"),
    ("machine_keys.session_id", "of a session"),
    ("machine_keys.user_id", "goes with its user"),
    ("node_orders.id", "its own"),
    ("node_orders.password_key_id", "which master key"),
    ("organizations.id", "callers name it"),
    ("provisioned_groups.external_id", "of an identity provider"),
    ("provisioned_groups.group_id", "goes with its group"),
    ("provisioned_users.external_id", "of an identity provider"),
    ("provisioned_users.user_id", "goes with its user"),
    ("resource_names.id", "callers name it"),
    ("revocations.id", "its own"),
    ("service_apis.id", "callers name it"),
    ("sessions.id", "its own"),
    ("sign_in_networks.user_id", "goes with its user"),
    ("token_apps.secret_key_id", "which master key"),
    ("d1_migrations.id", "its own"),
];

#[test]
fn an_id_that_any_column_names_is_passed_over() {
    for (column, kind, row) in NAMING {
        let world = World::new();
        let isolate = world.isolate();
        let path = format!("/v1/{kind}s");
        let body =
            if kind == "user" { json!({ "username": "next" }) } else { json!({ "name": "next" }) };
        // The first request creates the first administrator.
        isolate.administer("GET", "/v1/users", &serde_json::Value::Null);
        world.database.execute(&format!("UPDATE id_counters SET last = 6; INSERT INTO {row}"));
        assert_eq!(create(&isolate, &path, &body).1["id"], 8, "{column} of a {kind}");
    }
}

/// An operator's rule protects a path by a service's id. A user who creates a service gets all
/// rights on it, so they must not get that id.
#[test]
fn a_service_that_a_rule_of_the_gateway_names_is_passed_over() {
    let world = World::new();
    let rules = r#"[{"path":"/reports","service":1,"permission":"VIEW"},
        {"path":"/admin","service":3,"permission":"GRANT"}]"#;
    for origin in [None, Some("http://origin.test")] {
        let isolate = world.isolate_with(&[("ORIGIN_RULES", Some(rules)), ("ORIGIN_URL", origin)]);
        let expected = if origin.is_none() { 2 } else { 4 };
        assert_eq!(
            create(&isolate, "/v1/services", &json!({ "name": "next" })).1["id"],
            expected,
            "{origin:?}"
        );
    }
    let isolate = world.isolate_with(&[("ORIGIN_RULES", Some(rules))]);
    let named = json!({ "id": 3, "name": "Reports" });
    assert_eq!(create(&isolate, "/v1/services", &named).0, 201, "a caller may name it");
    assert_eq!(
        create(&isolate, "/v1/groups", &json!({ "name": "next" })).1["id"],
        1,
        "rules name services only"
    );
}

#[test]
fn every_column_with_an_id_is_looked_at_or_named_here() {
    let world = World::new();
    let names = "SELECT group_concat(t.name || '.' || c.name, ' ') \
        FROM sqlite_master t, pragma_table_info(t.name) c \
        WHERE t.type = 'table' AND (c.name = 'id' OR c.name GLOB '*_id')";
    let names = world.database.text(names);
    let naming = NAMING.iter().map(|(column, ..)| *column);
    let known: BTreeSet<_> = naming.chain(OTHERS.iter().map(|(column, _)| *column)).collect();
    let unknown: Vec<_> = names.split(' ').filter(|column| !known.contains(column)).collect();
    assert!(unknown.is_empty(), "{unknown:?}: may they name an id of a kind in src/store/ids.rs?");
}
