//! On which host people sign in to the console, so that no page of an application shares a web
//! origin with it.

use crate::api::http::message::Inbound;
use crate::context::Cx;
use crate::domain::origin::host_of;

/// Where the console is.
pub const CONSOLE: &str = "/v1/console/";

/// Where people sign in to the console, seen from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// On the host of the request.
    Here,
    /// On `ADMIN_HOST`, where the console has this URL.
    Elsewhere(String),
    /// Nowhere: an application may share the host, and `ADMIN_HOST` is not set.
    Off,
}

/// Whether the request is to `ADMIN_HOST`. Its URL tells: `X-Forwarded-Host` may be a client's.
#[must_use]
pub fn is_admin_host(cx: &Cx, request: &dyn Inbound) -> bool {
    cx.config.admin_host.as_ref().is_some_and(|host| host.is(request.origin()))
}

/// Whether requests to this host go to an application. Nothing on `ADMIN_HOST` does.
#[must_use]
pub fn has_gateway(cx: &Cx, request: &dyn Inbound) -> bool {
    !cx.config.origins.is_empty() && !is_admin_host(cx, request)
}

/// Where people sign in to the console.
#[must_use]
pub fn sign_in(cx: &Cx, request: &dyn Inbound) -> SignIn {
    match &cx.config.admin_host {
        Some(_) if is_admin_host(cx, request) => SignIn::Here,
        Some(host) => SignIn::Elsewhere(format!("{}{CONSOLE}", host.origin_from(request.origin()))),
        None if may_share_host(cx, request) => SignIn::Off,
        None => SignIn::Here,
    }
}

/// Whether an application may be at the same web origin as Postern: behind the gateway, beside
/// Postern behind a proxy, or on the paths of the host that are not Postern's. A proxy may not
/// tell, and a request by a route such as `app.example.com/v1/*` looks like any other. So
/// `ADMIN_HOST` is needed on every host but those that Postern has for itself.
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

/// Whether no application is on other paths of a host: it is a Worker's own host, or one of a
/// developer's machine (RFC 6761 reserves `localhost` and `test`).
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
