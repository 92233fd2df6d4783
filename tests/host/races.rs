//! Two administrators change the same thing at once. Members that one of them does not name stay as
//! the other has set them.

use serde_json::{Value, json};

use crate::support::{World, json_of};

#[test]
fn a_change_of_one_member_takes_back_no_change_of_another() {
    for (create, path, meanwhile, found) in [
        (
            "/v1/users",
            "/v1/users/2",
            "UPDATE users SET enabled = 0",
            "SELECT enabled FROM users WHERE id = 2",
        ),
        (
            "/v1/users",
            "/v1/users/2",
            "UPDATE users SET type = 'SYS_Reader'",
            "SELECT type <> 'SYS_Reader' FROM users WHERE id = 2",
        ),
        (
            "/v1/users",
            "/v1/users/2",
            "UPDATE users SET roles = '[]'",
            "SELECT roles <> '[]' FROM users WHERE id = 2",
        ),
        (
            "/v1/services",
            "/v1/services/1",
            "UPDATE services SET auth_enabled = 1",
            "SELECT auth_enabled = 0 FROM services",
        ),
        (
            "/v1/applications",
            "/v1/applications/key",
            "UPDATE applications SET enabled = 0",
            "SELECT enabled FROM applications",
        ),
        (
            "/v1/applications",
            "/v1/applications/key",
            "UPDATE applications SET authorizes = 0",
            "SELECT authorizes FROM applications",
        ),
        (
            "/v1/departments",
            "/v1/departments/2",
            "UPDATE units SET parent_id = NULL",
            "SELECT parent_id IS NOT NULL FROM units WHERE id = 2",
        ),
    ] {
        let world = World::new();
        let isolate = world.isolate();
        let create_one = |body: &Value| {
            let response = isolate.administer("POST", create, body);
            assert_eq!(response.status, 201, "{create}: {}", response.body);
        };
        match create {
            "/v1/users" => create_one(&json!({ "username": "alice", "type": "Administrator" })),
            "/v1/services" => create_one(&json!({ "name": "Orders", "authEnabled": false })),
            "/v1/applications" => {
                create_one(&json!({
                    "accessKey": "key", "organization": "o", "name": "Console",
                    "authorizeApplications": true,
                }));
            }
            _ => {
                create_one(&json!({ "name": "Company" }));
                create_one(&json!({ "name": "Sales", "parentId": 1 }));
            }
        }
        // Now the isolate remembers the password, so the first batch reads the row and the second
        // one writes it.
        assert_eq!(isolate.administer("GET", path, &Value::Null).status, 200);
        world.database.overtake(
            2,
            &format!("{meanwhile} WHERE {}", if create == "/v1/users" { "id = 2" } else { "1" }),
        );
        let response = isolate.administer("PATCH", path, &json!({ "name": "Renamed" }));
        assert_eq!(
            (response.status, &json_of(&response)["name"]),
            (200, &json!("Renamed")),
            "{path}: {}",
            response.body
        );
        assert_eq!(world.database.number(found), 0, "{path}: {meanwhile} is taken back");
    }
}
