//! The request methods that pass the gateway: all but CONNECT, which asks for a tunnel, and TRACE,
//! whose answer would show a client the headers that Postern adds.

/// The methods that the Workers runtime passes on. It answers 501 to all others.
pub const KNOWN: [&str; 27] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "ACL",
    "BAN",
    "CHECKOUT",
    "COPY",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCOL",
    "MOVE",
    "MSEARCH",
    "NOTIFY",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "QUERY",
    "REPORT",
    "SEARCH",
    "SUBSCRIBE",
    "UNLOCK",
    "UNSUBSCRIBE",
];

/// The longest name of a method, in bytes.
const MAX_BYTES: usize = 64;

/// Whether a method passes. It must be a token (RFC 9110, section 5.6.2) without lower-case
/// letters. `fetch` changes some names to upper case, and the origin would then see another method
/// than the rules did.
#[must_use]
pub fn passes(method: &str) -> bool {
    is_token(method)
        && method.len() <= MAX_BYTES
        && !method.bytes().any(|byte| byte.is_ascii_lowercase())
        && !is_refused(method)
}

/// Reads the method of a rule, in any case. The error is a phrase to put after "methods".
pub fn of_rule(text: &str) -> Result<String, String> {
    let method = text.to_ascii_uppercase();
    // A method that never arrives is a typing error, and its rule would apply to nothing.
    if KNOWN.contains(&method.as_str()) {
        return Ok(method);
    }
    Err(format!(
        "must be some of {}, which are the methods that arrive; {text:?} is none",
        KNOWN.join(", ")
    ))
}

/// Whether a text is a token (RFC 9110), as names of methods and headers are.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let is_of_tokens =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of_tokens)
}

fn is_refused(method: &str) -> bool {
    matches!(method, "CONNECT" | "TRACE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_in_capitals_passes_but_two() {
        for method in KNOWN.into_iter().chain(["MKCALENDAR", "VERSION-CONTROL", "BREW", "X_1!"]) {
            assert!(passes(method), "{method}");
        }
        let long = "A".repeat(MAX_BYTES + 1);
        for method in [
            "",
            "CONNECT",
            "TRACE",
            "trace",
            "Connect",
            "get",
            "G ET",
            "GET,",
            "GÉT",
            "GET\r\n",
            "(",
            long.as_str(),
        ] {
            assert!(!passes(method), "{method}");
        }
    }

    #[test]
    fn a_rule_names_methods_in_any_case() {
        assert_eq!(of_rule("propfind").as_deref(), Ok("PROPFIND"));
        for text in ["trace", "CONNECT", "", "GET POST", "*", "DELTE"] {
            assert!(of_rule(text).is_err(), "{text}");
        }
    }
}
