//! The dialects side by side, their table, and the router that derives from it. No dialect imports another.

pub mod apim_token_service;
pub mod app_portal;
pub mod datafor_modeler;
pub mod imanager;
pub mod imanager_nodes;
pub mod services;
pub mod v1;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::api::http::query;
use crate::api::http::route::{ANY_METHOD, BEFORE_CLIENT_URL, Dialect, Route};
use crate::error::{Error, Result};

/// Every dialect. The longest matching prefix decides; what none of them owns is the origin's.
pub const DIALECTS: &[&Dialect] = &[
    &datafor_modeler::DIALECT,
    &services::DIALECT,
    &imanager::DIALECT,
    &imanager_nodes::DIALECT,
    &app_portal::DIALECT,
    &apim_token_service::DIALECT,
    &v1::DIALECT,
];

/// The dialect that owns a path: the one with the longest prefix of it.
#[must_use]
pub fn owner(path: &str) -> Option<&'static Dialect> {
    let owns = |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let longest = |dialect: &Dialect| dialect.prefixes.iter().filter(|prefix| owns(prefix)).map(|prefix| prefix.len()).max();
    DIALECTS.iter().copied().filter(|dialect| longest(dialect).is_some()).max_by_key(|dialect| longest(dialect))
}

/// What follows the path of a route that takes the URL of somebody else's client.
const CLIENT_URLS: [&str; 3] = [BEFORE_CLIENT_URL, "/-/", "/-/{*client_path}"];

type Methods = BTreeMap<&'static str, &'static Route>;

static ROUTER: LazyLock<matchit::Router<Methods>> = LazyLock::new(|| {
    let mut by_path: BTreeMap<String, Methods> = BTreeMap::new();
    for route in DIALECTS.iter().flat_map(|dialect| dialect.routes()) {
        for path in route.paths {
            let with_client_url = CLIENT_URLS.iter().filter(|_| route.takes_client_url);
            for rest in [""].iter().chain(with_client_url) {
                by_path.entry(format!("{path}{rest}")).or_default().insert(route.method, route);
            }
        }
    }
    let mut router = matchit::Router::new();
    for (path, methods) in by_path {
        // A path that does not fit would be unreachable; `tests/routes.rs` reaches every one.
        let _ = router.insert(path, methods);
    }
    router
});

/// A route, and the parameters of the path that led there.
#[derive(Debug)]
pub struct Found {
    /// The route.
    pub route: &'static Route,
    /// The parameters, decoded; the client's path is none of them, since its escapes may be broken.
    pub parameters: Vec<(String, String)>,
}

/// The route of a method and a path. HEAD goes where GET does.
pub fn find(method: &str, path: &str) -> Result<Found> {
    let Ok(matched) = ROUTER.at(path) else { return Err(Error::not_found("path", path)) };
    let route = matched.value.get(if method == "HEAD" { "GET" } else { method });
    let Some(route) = route.or_else(|| matched.value.get(ANY_METHOD)) else {
        let has_get = matched.value.contains_key("GET");
        let allow = has_get.then_some("HEAD").into_iter().chain(matched.value.keys().copied()).collect();
        return Err(Error::MethodNotAllowed { allow });
    };
    let decoded = |(name, value): (&str, &str)| Ok((name.to_owned(), query::decode(value, name)?));
    let own = matched.params.iter().filter(|(name, _)| *name != "client_path");
    let parameters = own.map(decoded).collect::<Result<_>>()?;
    Ok(Found { route, parameters })
}
