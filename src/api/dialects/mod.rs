//! The table of all dialects, and the router that is derived from it. No dialect imports another.

pub mod apim_token_service;
pub mod app_portal;
pub mod authzen;
pub mod datafor_modeler;
pub mod imanager;
pub mod imanager_nodes;
pub mod oauth;
pub mod scim;
pub mod services;
pub mod v1;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::api::http::query;
use crate::api::http::route::{ANY_METHOD, BEFORE_CLIENT_URL, BesideHeaders, Dialect, Route};
use crate::domain::config::Config;
use crate::domain::{origin, own_paths};
use crate::error::{Error, Result};

/// All dialects. The longest matching prefix decides which one answers.
pub const DIALECTS: &[&Dialect] = &[
    &datafor_modeler::DIALECT,
    &services::DIALECT,
    &imanager::DIALECT,
    &imanager_nodes::DIALECT,
    &app_portal::DIALECT,
    &apim_token_service::DIALECT,
    &authzen::DIALECT,
    &oauth::DIALECT,
    &scim::DIALECT,
    &v1::DIALECT,
];

/// The dialect with the longest prefix of a path, whether the deployment serves it or not.
#[must_use]
pub fn owner(path: &str) -> Option<&'static Dialect> {
    owner_among(path, |_| true)
}

/// The dialect that answers a path in this deployment; `None` if the gateway does. With a gateway,
/// a documented dialect answers only its routes; other paths below its prefix go to the origin.
#[must_use]
pub fn answering(config: &Config, has_gateway: bool, path: &str) -> Option<&'static Dialect> {
    let dialect = owner_among(path, |dialect| is_served(config, dialect))?;
    let is_own = || ROUTER.at(path).is_ok_and(|matched| matched.value.dialect == dialect.name);
    (dialect.keeps_prefixes || !has_gateway || is_own()).then_some(dialect)
}

/// Whether a path is below the prefix of a system that has its own sign-in cookie. Its clients send
/// the cookie also to paths that go to the origin.
#[must_use]
pub fn is_of_cookie(config: &Config, path: &str) -> bool {
    let dialect = owner_among(path, |dialect| is_served(config, dialect));
    dialect.is_some_and(|dialect| dialect.beside_headers == BesideHeaders::Cookie)
}

/// Refuses a path that an origin could decode into one of Postern's own: a route of a documented
/// dialect, or anything below the prefixes that Postern keeps. That endpoint's access rules would
/// be stricter than the gateway's.
pub fn refuse_other_spelling(config: &Config, path: &str) -> Result<()> {
    let readings = origin::readings(path).map_err(|why| Error::invalid("url", why))?;
    let may_begin = |dialect: &&&Dialect| {
        dialect.prefixes.iter().any(|prefix| own_paths::may_begin_with(&readings, prefix))
    };
    let is_route =
        |route: &Route| route.paths.iter().any(|own| own_paths::may_be_route(&readings, own));
    let mut candidates =
        DIALECTS.iter().filter(|dialect| is_served(config, dialect)).filter(may_begin);
    if candidates.any(|dialect| dialect.keeps_prefixes || dialect.routes().any(is_route)) {
        return Err(Error::not_found("path", path));
    }
    Ok(())
}

/// Whether `DIALECTS` lists a dialect. Dialects that keep their prefixes are always served.
fn is_served(config: &Config, dialect: &Dialect) -> bool {
    dialect.keeps_prefixes || config.dialects.contains(&dialect.name)
}

fn owner_among(path: &str, is_served: impl Fn(&Dialect) -> bool) -> Option<&'static Dialect> {
    let owns = |prefix: &&str| {
        path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let longest = |dialect: &Dialect| {
        dialect.prefixes.iter().filter(|prefix| owns(prefix)).map(|prefix| prefix.len()).max()
    };
    let owners = DIALECTS.iter().filter_map(|dialect| Some((longest(dialect)?, *dialect)));
    owners
        .filter(|(_, dialect)| is_served(dialect))
        .max_by_key(|(length, _)| *length)
        .map(|(_, dialect)| dialect)
}

/// The endings of a path that is followed by the client's URL.
const CLIENT_URLS: [&str; 3] = [BEFORE_CLIENT_URL, "/-/", "/-/{*client_path}"];

/// The routes of a path, by method.
#[derive(Default)]
struct Place {
    dialect: &'static str,
    methods: BTreeMap<&'static str, &'static Route>,
}

static ROUTER: LazyLock<matchit::Router<Place>> = LazyLock::new(|| {
    let mut by_path: BTreeMap<String, Place> = BTreeMap::new();
    for (dialect, route) in
        DIALECTS.iter().flat_map(|dialect| dialect.routes().map(|route| (dialect.name, route)))
    {
        for path in route.paths {
            let with_client_url = CLIENT_URLS.iter().filter(|_| route.takes_client_url);
            for rest in [""].iter().chain(with_client_url) {
                let place = by_path.entry(format!("{path}{rest}")).or_default();
                place.dialect = dialect;
                place.methods.insert(route.method, route);
            }
        }
    }
    let mut router = matchit::Router::new();
    for (path, place) in by_path {
        // An invalid path would be unreachable; a test in `tests/host/routes.rs` reaches every
        // path.
        let _ = router.insert(path, place);
    }
    router
});

/// A route, and the parameters in the path.
#[derive(Debug)]
pub struct Found {
    pub route: &'static Route,
    /// The decoded parameters. The client's path is not one of them, because its escapes may be
    /// broken.
    pub parameters: Vec<(String, String)>,
}

/// The route for a method and a path, in any dialect. HEAD uses the route of GET.
pub fn find(method: &str, path: &str) -> Result<Found> {
    find_among(|_| true, method, path)
}

/// As `find`, but only in one dialect: a path below its prefix may belong to a dialect that is not
/// served.
pub fn find_in(dialect: &Dialect, method: &str, path: &str) -> Result<Found> {
    find_among(|place| place.dialect == dialect.name, method, path)
}

fn find_among(is_among: impl Fn(&Place) -> bool, method: &str, path: &str) -> Result<Found> {
    let matched = ROUTER.at(path).ok().filter(|matched| is_among(matched.value));
    let matched = matched.ok_or_else(|| Error::not_found("path", path))?;
    let methods = &matched.value.methods;
    let route = methods.get(if method == "HEAD" { "GET" } else { method });
    let Some(route) = route.or_else(|| methods.get(ANY_METHOD)) else {
        let has_get = methods.contains_key("GET");
        let allow = has_get
            .then_some("HEAD")
            .into_iter()
            .chain(methods.keys().copied())
            .map(str::to_owned)
            .collect();
        return Err(Error::MethodNotAllowed { allow });
    };
    let decoded = |(name, value): (&str, &str)| Ok((name.to_owned(), query::decode(value, name)?));
    let own = matched.params.iter().filter(|(name, _)| *name != "client_path");
    let parameters = own.map(decoded).collect::<Result<_>>()?;
    Ok(Found { route, parameters })
}
