//! Where a client wants something copied or moved to: the second path of a request, which `WebDAV`
//! has in a header (RFC 4918, 10.3).

use crate::api::http::forwarded::path_of;
use crate::api::http::message::Inbound;
use crate::error::{Error, Result};

/// The header.
pub const HEADER: &str = "destination";

/// The paths that `Destination` names, as the client wrote them. The header goes on as it is, so an
/// application may read any of several.
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
    // A header that was sent twice arrives joined by a comma and a space, which no URL has.
    value.split(", ").map(path).collect()
}
