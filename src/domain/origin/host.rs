//! Host names, in the form in which rules compare them.

/// The longest host name, in bytes (RFC 1035, section 2.3.4).
const MAX: usize = 253;

/// The host of an authority in lower case, without port and final dot: `App.Example.com.:8443`
/// becomes `app.example.com`.
#[must_use]
pub fn host_of(authority: &str) -> String {
    let authority = authority.rsplit('@').next().unwrap_or_default().trim();
    let host = match authority.split_once(']') {
        Some((address, _)) => format!("{address}]"),
        None => authority.split(':').next().unwrap_or_default().to_owned(),
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Checks the `host` of a rule. The error is a phrase to put after the member's name.
pub fn parse(text: &str) -> Result<String, String> {
    let is_of_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fits = match address {
        Some(address) => {
            address.contains(':')
                && address.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'))
        }
        None => !text.is_empty() && text.chars().all(is_of_names) && !text.starts_with('.'),
    };
    if !fits || text.len() > MAX {
        return Err(format!(
            "must be a host's name like app.example.com, without a scheme, port or pattern, \
             and in ASCII (xn--…), not {text:?}"
        ));
    }
    Ok(host_of(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for authority in [
            "a.test",
            "A.Test",
            "a.test.",
            "a.test..",
            "a.test:8443",
            "a.test.:80",
            "x@a.test",
            " a.test ",
        ] {
            assert_eq!(host_of(authority), "a.test", "{authority:?}");
        }
        assert_eq!((host_of("[::1]:80").as_str(), host_of("")), ("[::1]", String::new()));
    }
}
