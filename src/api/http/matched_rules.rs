//! Finds the gateway rules that apply to a request.

use crate::api::http::message::MAX_URL_BYTES;
use crate::api::http::method_override;
use crate::domain::origin::{self, Matched, Rules};
use crate::error::{Error, Result};

/// The rules that apply to a request. A request that the rules could not judge is refused.
pub fn match_rules<'r>(
    rules: &'r Rules,
    method: &str,
    authority: &str,
    path: &str,
    query: &str,
) -> Result<Matched<'r>> {
    // The gateway removes headers that override the method. It cannot remove the parameter, because
    // the query belongs to the origin and would mean something else without it. So such a request
    // is refused.
    if rules.looks_at_methods() && method_override::is_in_query(query) {
        return Err(Error::invalid(
            "url",
            "must not have the parameter _method, since rules look at methods",
        ));
    }
    rules.demand(method, &host(rules, authority), path).map_err(|why| Error::invalid("url", why))
}

/// The rules that apply to a second path of a request, from the header `of_header`, which is
/// forwarded unchanged.
pub fn match_rules_as_written<'r>(
    rules: &'r Rules,
    method: &str,
    authority: &str,
    path: &str,
    of_header: &'static str,
) -> Result<Matched<'r>> {
    rules
        .demand_as_written(method, &host(rules, authority), path)
        .map_err(|why| Error::invalid(of_header, why))
}

fn host(rules: &Rules, authority: &str) -> String {
    if rules.looks_at_hosts() { origin::host_of(authority) } else { String::new() }
}

/// Splits a URL, or a path on the origin `own`, into host, path and query.
pub fn parts<'u>(url: &'u str, own: &'u str) -> Result<(&'u str, &'u str, &'u str)> {
    if url.len() > MAX_URL_BYTES {
        return Err(Error::invalid("url", format!("must be no longer than {MAX_URL_BYTES} bytes")));
    }
    let url = url.split('#').next().unwrap_or_default();
    let (rest, query) = url.split_once('?').unwrap_or((url, ""));
    let authority_of = |text: &'u str| text.split_once("://").map(|(_, rest)| rest);
    if rest.starts_with('/') {
        return Ok((authority_of(own).unwrap_or_default(), rest, query));
    }
    let rest = authority_of(rest)
        .ok_or_else(|| Error::invalid("url", "must be a URL, or a path that begins with /"))?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    Ok((authority, path, query))
}
