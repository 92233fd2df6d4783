//! Reads `ORIGIN_RULES`.

use serde_json::Value;

use crate::domain::method;
use crate::domain::origin::host;
use crate::domain::origin::members::{Members, flag, refuse_unknown, text};
use crate::domain::origin::prefix::Prefix;
use crate::domain::origin::rule::{Need, Rule};
use crate::domain::permissions::permission::Permission;

/// Members that select the requests of a rule and say what the rule does.
const OF_RULE: [&str; 6] = ["host", "path", "methods", "public", "deny", "report"];
/// Members that the caller must satisfy.
const OF_NEEDS: [&str; 8] =
    ["service", "permission", "groups", "roles", "scopes", "apps", "audience", "any"];

/// The items of `methods`, as error messages describe them.
const OF_METHODS: &str =
    "names of methods like GET or PROPFIND, but not CONNECT and TRACE, which never pass";

/// Reads the items of `ORIGIN_RULES`. The error is a phrase to put after that name.
pub fn read_rules(items: &[Value]) -> Result<Vec<Rule>, String> {
    let rule = |(index, item): (usize, &Value)| {
        let number = index + 1;
        let wrong = |why: String| format!("has a rule (number {number}) whose {why}");
        read_rule(number, item.as_object().ok_or_else(|| wrong("shape is no object".to_owned()))?)
            .map_err(wrong)
    };
    items.iter().enumerate().map(rule).collect()
}

fn read_rule(number: usize, members: &Members) -> Result<Rule, String> {
    // Ignoring a misspelled member would make a rule that demands nothing.
    refuse_unknown(members, &OF_RULE.iter().chain(&OF_NEEDS).copied().collect::<Vec<_>>())?;
    let prefix = Prefix::parse(text(members, "path")?.ok_or("path is missing")?)
        .map_err(|why| format!("path {why}"))?;
    let host =
        text(members, "host")?.map(host::parse).transpose().map_err(|why| format!("host {why}"))?;
    let [public, deny, report] = ["public", "deny", "report"].map(|name| flag(members, name));
    let rule = Rule {
        number,
        host,
        prefix,
        methods: list(members, "methods", OF_METHODS, method_of)?.unwrap_or_default(),
        needs: needs(members)?,
        public: public?,
        deny: deny?,
        report: report?,
    };
    if rule.public && (rule.deny || rule.report || !rule.needs.is_empty()) {
        return Err("member public stands beside others that want something of a caller: \
                    nobody is asked on a public path"
            .to_owned());
    }
    if !rule.public && !rule.deny && rule.needs.is_empty() {
        return Err(format!(
            "members want nothing of a caller: name public, deny or some of {}",
            OF_NEEDS.join(", ")
        ));
    }
    Ok(rule)
}

/// The needs in the order of `OF_NEEDS`.
fn needs(members: &Members) -> Result<Vec<Need>, String> {
    let service = members
        .get("service")
        .map(|value| value.as_i64().ok_or("service is no int64"))
        .transpose()?;
    let permission = text(members, "permission")?.map(Permission::parse).transpose()?;
    let permission = match (service, permission) {
        (Some(service_id), Some(permission)) => Some(Need::Permission(service_id, permission)),
        (None, None) => None,
        (None, Some(_)) => return Err("service is missing: permission is about one".to_owned()),
        (Some(_), None) => return Err("permission is missing: service is about one".to_owned()),
    };
    let texts = |name: &'static str| list(members, name, "texts that are not empty", name_of);
    let id = |value: &Value| value.as_i64();
    let needs = [
        permission,
        list(members, "groups", "ids of groups", id)?.map(Need::Groups),
        texts("roles")?.map(Need::Roles),
        texts("scopes")?.map(Need::Scopes),
        texts("apps")?.map(Need::Apps),
        members
            .get("audience")
            .map(|value| name_of(value).ok_or("audience is no text, or an empty one"))
            .transpose()?
            .map(Need::Audience),
        any(members)?,
    ];
    Ok(needs.into_iter().flatten().collect())
}

/// Reads `any`, a list of objects with members of `OF_NEEDS` other than `any` itself.
fn any(members: &Members) -> Result<Option<Need>, String> {
    let Some(value) = members.get("any") else { return Ok(None) };
    let wrong =
        || "any must be a list, not empty, of objects that want something of a caller".to_owned();
    let alternative = |value: &Value| {
        let members = value.as_object().ok_or_else(wrong)?;
        refuse_unknown(
            members,
            OF_NEEDS.split_last().map(|(_, others)| others).unwrap_or_default(),
        )?;
        needs(members).and_then(|needs| if needs.is_empty() { Err(wrong()) } else { Ok(needs) })
    };
    let lists = value.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    lists.iter().map(alternative).collect::<Result<_, _>>().map(|lists| Some(Need::Any(lists)))
}

/// Reads an optional list, which must not be empty.
fn list<T>(
    members: &Members,
    name: &str,
    of: &str,
    item: impl Fn(&Value) -> Option<T>,
) -> Result<Option<Vec<T>>, String> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let read = value
        .as_array()
        .filter(|list| !list.is_empty())
        .and_then(|list| list.iter().map(item).collect::<Option<Vec<_>>>());
    read.map(Some).ok_or_else(|| {
        format!("{name} must be a list, not empty, of {of}; left out, the rule does not look at it")
    })
}

fn method_of(value: &Value) -> Option<String> {
    let method = method::of_rule(value.as_str()?).ok()?;
    Some(if method == "HEAD" { "GET".to_owned() } else { method })
}

fn name_of(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.trim().is_empty() && text.trim() == *text).map(str::to_owned)
}
