//! The second path of a `WebDAV` request: where to copy or move something (RFC 4918, 10.3).

use crate::api::http::forwarded::path_of;
use crate::api::http::message::Inbound;
use crate::error::{Error, Result};

pub const HEADER: &str = "destination";

/// The paths that `Destination` names, as the client wrote them. The header is forwarded unchanged,
/// so if it has several URLs, an application may use any of them.
pub fn paths(request: &dyn Inbound) -> Result<Vec<String>> {
    let Some(value) = request.header(HEADER) else { return Ok(Vec::new()) };
    let path = |url: &str| {
        let path = path_of(url.trim());
        if path.starts_with('/') {
            Ok(path.to_owned())
        } else {
            Err(Error::invalid(HEADER, "must be a URL or its path"))
        }
    };
    // A header that was sent twice arrives joined by a comma and a space, which no URL contains.
    value.split(", ").map(path).collect()
}
