//! What an isolate with fresh memory reads for a name that it does not know.

use serde_json::{Value, json};

use crate::support::{World, forge};

#[test]
fn a_miss_in_a_fresh_isolate_takes_in_the_apps_that_changed_meanwhile() {
    let world = World::new();
    let (writer, reader) = (world.isolate(), world.isolate());
    writer.register(&json!({}));
    writer.register(&json!({ "name": "CRM", "token_name": "crm", "secret": "other" }));
    assert_eq!(writer.verify(&writer.token("bob")).0, 200);
    assert_eq!(writer.verify(&writer.token("carol")).0, 200);
    assert_eq!(reader.verify(&reader.token("alice")).0, 200);
    let old = reader.token("alice");
    // Only the user is unknown here, and the same reading brings the new secret.
    writer.register(&json!({ "secret": "rotated" }));
    assert_eq!(
        reader.verify(&reader.token("bob")).0,
        200,
        "it was begun with the app as remembered"
    );
    assert_eq!(reader.verify(&old), (401, "bad_signature".to_owned()));
    let signed = |username: &str| {
        forge(
            r#"{"typ":"JWT","alg":"HS256"}"#,
            &Value::Object(reader.claims(username)).to_string(),
            b"rotated",
        )
    };
    let new = signed("alice");
    let before = world.database.batches.get();
    assert_eq!(reader.verify(&new).0, 200);
    assert_eq!(world.database.batches.get(), before, "the app was read, not only forgotten");
    // If no app has changed, a miss is one round trip.
    writer.administer("POST", "/v1/groups", &json!({ "id": 5, "name": "Group" }));
    let before = world.database.batches.get();
    assert_eq!(reader.verify(&signed("carol")).0, 200);
    assert_eq!(world.database.batches.get(), before + 1);
}
