//! On which host people sign in to the console. No page of an application may share that web
//! origin.

use crate::api::http::message::Inbound;
use crate::context::Cx;
use crate::domain::origin::host_of;

pub const CONSOLE: &str = "/v1/console/";

/// Where people sign in to the console, as seen from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// On the host of the request.
    Here,
    /// On `ADMIN_HOST`; this is the URL of the console there.
    Elsewhere(String),
    /// Nowhere: an application may share the host, and `ADMIN_HOST` is not set.
    Off,
}

/// Whether the request is for `ADMIN_HOST`. The request's own URL decides, because a client can set
/// `X-Forwarded-Host`.
#[must_use]
pub fn is_admin_host(cx: &Cx, request: &dyn Inbound) -> bool {
    cx.config.admin_host.as_ref().is_some_and(|host| host.is(request.origin()))
}

/// Whether the gateway serves this host. `ADMIN_HOST` is never passed to an application.
#[must_use]
pub fn has_gateway(cx: &Cx, request: &dyn Inbound) -> bool {
    !cx.config.origins.is_empty() && !is_admin_host(cx, request)
}

#[must_use]
pub fn sign_in(cx: &Cx, request: &dyn Inbound) -> SignIn {
    match &cx.config.admin_host {
        Some(_) if is_admin_host(cx, request) => SignIn::Here,
        Some(host) => SignIn::Elsewhere(format!("{}{CONSOLE}", host.origin_from(request.origin()))),
        None if may_share_host(cx, request) => SignIn::Off,
        None => SignIn::Here,
    }
}

/// Whether an application may have the same web origin as Postern: behind the gateway, beside
/// Postern behind a proxy, or on other paths of the host. A proxy may be invisible, and a request
/// by a route such as `app.example.com/v1/*` looks like any other. So every host needs
/// `ADMIN_HOST`, except those that only Postern can have.
fn may_share_host(cx: &Cx, request: &dyn Inbound) -> bool {
    let browsers = &cx.config.browsers;
    if !cx.config.origins.is_empty() || browsers.login.is_some() {
        return true;
    }
    let own = host_of(request.origin().split_once("://").map_or("", |(_, authority)| authority));
    if !is_postern_s_own(&own) {
        return true;
    }
    let is_other = |host: &str| host_of(host) != own;
    let is_other_origin =
        |origin: &str| origin.split_once("://").is_none_or(|(_, authority)| is_other(authority));
    browsers.public_origin.as_deref().is_some_and(is_other_origin)
        || request.header("x-forwarded-host").is_some_and(|hosts| hosts.split(',').any(is_other))
}

/// Whether no application can be on other paths of this host: the hosts of `workers.dev`, and those
/// of a developer's machine (RFC 6761 reserves `localhost` and `test`).
fn is_postern_s_own(host: &str) -> bool {
    let is_loopback = host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host == "[::1]";
    is_loopback
        || [".workers.dev", ".localhost", ".test"].into_iter().any(|end| host.ends_with(end))
        || host == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_shared_unless_nobody_else_can_be_on_it() {
        for own in [
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "postern.test",
            "postern.acme.workers.dev",
        ] {
            assert!(is_postern_s_own(own), "{own}");
        }
        for shared in [
            "app.example.com",
            "localhost.example.com",
            "workers.dev",
            "evilworkers.dev",
            "10.0.0.1",
            "127.0.0.1.example.com",
            "",
        ] {
            assert!(!is_postern_s_own(shared), "{shared}");
        }
    }
}
