//! The `OpenAPI` 3.1 document, derived from the tables. It is committed as `public/v1/openapi.json`; a test compares the two.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::http::route::{Access, Dialect, Route};
use crate::api::http::shape::{Answer, Field, Kind, Shape};

/// The whole document.
#[must_use]
pub fn document(dialects: &[&'static Dialect]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    for dialect in dialects {
        collect(dialect.failure_shape, &mut schemas);
        for route in dialect.routes {
            let shapes = route.body.into_iter().chain(route.answer.shape);
            shapes.for_each(|shape| collect(shape, &mut schemas));
            for (index, path) in route.paths.iter().enumerate() {
                paths.entry(path).or_default().insert(route.method.to_lowercase(), operation(dialect, route, index, path));
            }
        }
    }
    let tags: Vec<_> = dialects.iter().map(|dialect| json!({ "name": dialect.name, "description": dialect.summary })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postern",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An authorization gate at the edge",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": security_schemes() },
    })
}

fn security_schemes() -> Value {
    json!({
        "basic": { "type": "http", "scheme": "basic" },
        "bearer": { "type": "http", "scheme": "bearer", "description": "An opaque token, or a JSON Web Token of an enabled token app" },
        "authToken": { "type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "An opaque token" },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "JSESSIONID", "description": "Set by the iManager token endpoint" },
        "applicationToken": { "type": "apiKey", "in": "header", "name": "apim-accesstoken", "description": "An application's access token" },
        "applicationTimestamp": { "type": "apiKey", "in": "header", "name": "apim-timestamp", "description": "Epoch milliseconds, within 15 minutes of now" },
        "applicationSignature": {
            "type": "apiKey", "in": "header", "name": "apim-signature",
            "description": "Lower-case hex SHA-256 of the access token, the query parameters in order of name (name, value), the body, the timestamp and the secret",
        },
        "parameter": { "type": "apiKey", "in": "query", "name": "token", "description": "A JSON Web Token, under its app's token_name" },
    })
}

fn operation(dialect: &Dialect, route: &Route, index: usize, path: &str) -> Value {
    // An operation with several paths is one operation; the document wants a name for each.
    let id = if index == 0 { route.operation.to_owned() } else { format!("{}_{}", route.operation, index + 1) };
    let mut operation = json!({
        "operationId": id,
        "summary": route.summary,
        "tags": [dialect.name],
        "responses": responses(dialect, route),
    });
    let path_parameters = path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| {
        let schema = if name == "format" || name == "authPermission" {
            json!({ "type": "string" })
        } else {
            json!({ "type": "integer", "format": "int64" })
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let query_parameters = route.query.iter().map(|field| {
        json!({ "name": field.name, "in": "query", "required": field.required, "description": field.about, "schema": kind(&field.kind) })
    });
    let parameters: Vec<_> = path_parameters.chain(query_parameters).collect();
    let Value::Object(members) = &mut operation else { return operation };
    if !parameters.is_empty() {
        members.insert("parameters".to_owned(), json!(parameters));
    }
    if let Some(shape) = route.body {
        let content = json!({ "schema": reference(shape), "example": example(shape.example) });
        let body = json!({ "required": true, "content": { "application/json": content, "application/x-www-form-urlencoded": content } });
        members.insert("requestBody".to_owned(), body);
    }
    if route.access != Access::Public {
        let mut schemes = vec!["basic", "bearer", "authToken", "cookie"];
        schemes.extend(dialect.takes_parameters.then_some("parameter"));
        let mut schemes: Vec<_> = schemes.into_iter().map(|scheme| json!({ (scheme): [] })).collect();
        if route.access == Access::Application {
            schemes.push(json!({ "applicationToken": [], "applicationTimestamp": [], "applicationSignature": [] }));
        }
        members.insert("security".to_owned(), json!(schemes));
    }
    operation
}

fn responses(dialect: &Dialect, route: &Route) -> Value {
    let Answer { status, content_type, shape, example: text } = &route.answer;
    let success = match shape {
        Some(shape) => {
            json!({ "description": "Success", "content": { (*content_type): { "schema": reference(shape), "example": example(shape.example) } } })
        }
        None if content_type.is_empty() => json!({ "description": if *status < 400 { "Success" } else { "Failure" } }),
        None => {
            json!({ "description": "Success", "content": { (*content_type): { "schema": { "type": "string" }, "example": text } } })
        }
    };
    let shape = dialect.failure_shape;
    let content = json!({ (dialect.failure_type): { "schema": reference(shape), "example": example(shape.example) } });
    json!({ (status.to_string()): success, "default": { "description": "Failure", "content": content } })
}

fn collect(shape: &'static Shape, schemas: &mut BTreeMap<&'static str, Value>) {
    for field in shape.fields {
        if let Kind::Object(inner) | Kind::List(inner) = field.kind {
            collect(inner, schemas);
        }
    }
    schemas.insert(shape.name, schema(shape));
}

fn schema(shape: &Shape) -> Value {
    if shape.fields.is_empty() {
        return json!({ "type": "array", "items": { "type": "string" } });
    }
    let properties: Map<_, _> = shape.fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<_> = shape.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn property(field: &Field) -> Value {
    let mut schema = kind(&field.kind);
    let may_be_null = field.about.contains("null");
    if let Value::Object(members) = &mut schema {
        if let (true, Some(Value::String(name))) = (may_be_null, members.get("type")) {
            members.insert("type".to_owned(), json!([name, "null"]));
        }
        members.insert("description".to_owned(), json!(field.about));
    }
    schema
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Int64 => json!({ "type": "integer", "format": "int64" }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Object(shape) => reference(shape),
        Kind::List(shape) => json!({ "type": "array", "items": reference(shape) }),
        Kind::Any => json!({}),
    }
}

fn reference(shape: &Shape) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
}

fn example(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
