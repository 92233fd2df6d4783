//! `ADMIN_HOST`: the host of the console. No application is served on it.

use crate::domain::origin::{host_of, read_host};

/// A host with an optional port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminHost {
    /// In lower case, without a final dot.
    host: String,
    /// `None` means every port. Cookies are not separated by port, so all ports of the host must
    /// then belong to the console.
    port: Option<u16>,
}

impl AdminHost {
    /// Reads `admin.example.com` or `127.0.0.1:8787`. The error is a phrase to put after the
    /// variable's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "must be a host like admin.example.com or 127.0.0.1:8787, in ASCII (xn--…), \
                 without https:// and without a path, not {text:?}"
            )
        };
        let (host, port) = split(text);
        let port = port
            .map(|digits| digits.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong));
        let host = read_host(host).map_err(|_| wrong())?;
        Ok(Self { host, port: port.transpose()? })
    }

    /// Whether a web origin (`https://host:port`) is this host. Letter case, a final dot and the
    /// default port of the scheme make no difference.
    #[must_use]
    pub fn is(&self, origin: &str) -> bool {
        let (scheme, authority) = origin.split_once("://").unwrap_or_default();
        let (host, port) = split(authority);
        let usual = if scheme == "http" { 80 } else { 443 };
        let port = port.map_or(Some(usual), |digits| digits.parse().ok());
        host_of(host) == self.host && self.port.is_none_or(|own| port == Some(own))
    }

    /// The web origin of this host, for a browser that is at another origin of the deployment. It
    /// has the scheme of that origin, and its port unless this host names one.
    #[must_use]
    pub fn origin_from(&self, other: &str) -> String {
        let (scheme, authority) = other.split_once("://").unwrap_or(("https", ""));
        let of_other = split(authority).1.filter(|_| self.port.is_none());
        let port = self.port.map(|port| port.to_string()).or_else(|| of_other.map(str::to_owned));
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{}{port}", self.host)
    }

    /// Whether this host owns every port of the given host name.
    #[must_use]
    pub fn is_all_of(&self, host: &str) -> bool {
        self.port.is_none() && self.host == host_of(host)
    }
}

impl std::fmt::Display for AdminHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The host and the digits of the port. An IPv6 address is in brackets.
fn split(authority: &str) -> (&str, Option<&str>) {
    let end = authority.find(']').map_or(0, |at| at + 1);
    match authority.get(end..).and_then(|rest| rest.find(':')) {
        Some(colon) => {
            (authority.get(..end + colon).unwrap_or_default(), authority.get(end + colon + 1..))
        }
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> AdminHost {
        AdminHost::parse(text).unwrap()
    }

    #[test]
    fn a_host_is_compared_as_browsers_mean_it() {
        let admin = host("Admin.Example.com.");
        for same in [
            "https://admin.example.com",
            "https://ADMIN.example.com",
            "https://admin.example.com.",
            "https://admin.example.com:443",
            "https://admin.example.com:8443",
            "http://admin.example.com",
        ] {
            assert!(admin.is(same), "{same}");
        }
        for other in [
            "https://app.example.com",
            "https://admin.example.com.evil.test",
            "https://xadmin.example.com",
            "https://example.com",
            "https://evil.test:admin.example.com",
            "admin.example.com",
            "",
        ] {
            assert!(!admin.is(other), "{other}");
        }
    }

    #[test]
    fn a_port_that_is_named_must_be_the_one() {
        let local = host("127.0.0.1:8787");
        assert!(local.is("http://127.0.0.1:8787"));
        for other in ["http://127.0.0.1", "http://127.0.0.1:8788", "http://localhost:8787"] {
            assert!(!local.is(other), "{other}");
        }
        assert!(host("a.test:443").is("https://a.test") && !host("a.test:443").is("http://a.test"));
        assert!(host("a.test:80").is("http://a.test") && !host("a.test:80").is("https://a.test"));
        assert!(host("[::1]:8787").is("http://[::1]:8787") && host("[::1]").is("http://[::1]:1"));
        assert!(!host("[::1]:8787").is("http://[::1]"));
    }

    #[test]
    fn the_origin_of_the_console_keeps_the_scheme_and_the_port() {
        let from = |text: &str, other: &str| host(text).origin_from(other);
        assert_eq!(from("admin.test", "https://app.test"), "https://admin.test");
        assert_eq!(from("admin.test", "http://app.test:8787"), "http://admin.test:8787");
        assert_eq!(from("admin.test:8443", "https://app.test"), "https://admin.test:8443");
    }

    #[test]
    fn a_wrong_host_is_refused_with_an_example_of_a_right_one() {
        for wrong in [
            "https://admin.example.com",
            "admin.example.com/",
            "admin.example.com/v1/console",
            "*.example.com",
            "admin example.com",
            "admin.example.com:",
            "admin.example.com:0",
            "admin.example.com:65536",
            "admin.example.com:x",
            "user@admin.example.com",
            "ädmin.example.com",
            ":8787",
            "::1",
        ] {
            let why = AdminHost::parse(wrong).unwrap_err();
            assert!(why.contains("like admin.example.com"), "{why}");
        }
    }
}
