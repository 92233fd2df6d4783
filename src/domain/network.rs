//! The client's address behind proxies, and the network by which sign-ins are counted.

use std::net::{IpAddr, Ipv6Addr};

/// The header in which the platform gives the address of the peer. Clients cannot set it.
pub const PEER: &str = "cf-connecting-ip";

/// The proxies in front of this deployment that may name the client's address.
#[derive(Debug, Default)]
pub struct TrustedProxies {
    /// `TRUSTED_PROXIES`. If it is empty, no proxy is trusted.
    pub networks: Vec<Cidr>,
    /// `CLIENT_ADDRESS_HEADER`: the header in which they name it.
    pub header: String,
}

/// A network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    first: IpAddr,
    bits: u32,
}

impl Cidr {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address. The error is a phrase to put after
    /// the variable's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("must list networks like 10.0.0.0/8 and 2001:db8::/32, not {text:?}");
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let max = if first.is_ipv4() { 32 } else { 128 };
        let is_number =
            |bits: &&str| bits.len() <= 3 && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => max,
            Some(bits) => Some(bits)
                .filter(is_number)
                .and_then(|bits| bits.parse().ok())
                .filter(|bits| *bits <= max)
                .ok_or_else(wrong)?,
        };
        if first != first.to_canonical() {
            return Err(format!("must write {text:?} as a network of IPv4"));
        }
        if cut(first, bits) != first {
            return Err(format!(
                "must not have {text:?}: the network of /{bits} begins at {}",
                cut(first, bits)
            ));
        }
        Ok(Self { first, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && cut(address, self.bits) == self.first
    }
}

/// The address with all but its first bits set to zero.
fn cut(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(
            (address.to_bits() & u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0)).into(),
        ),
        IpAddr::V6(address) => IpAddr::V6(
            (address.to_bits() & u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0)).into(),
        ),
    }
}

impl TrustedProxies {
    /// The address of the client of a request. `header` reads one of the request's headers. Only
    /// trusted proxies may name another address than their own. In their list, the last address
    /// that is not a trusted proxy is the client: the client may have invented everything before
    /// it. If there is no such address, or something unreadable comes first, the result is the
    /// proxy's own address. All such requests then share the limits of one client.
    #[must_use]
    pub fn client(&self, header: impl Fn(&str) -> Option<String>) -> Option<String> {
        let peer = header(PEER)?;
        if !peer.parse().is_ok_and(|address| self.trusts(address)) {
            return Some(peer);
        }
        let list = header(&self.header).unwrap_or_default();
        let said = list.rsplit(',').map(|item| address_of(item.trim()));
        let client =
            said.take_while(Option::is_some).flatten().find(|address| !self.trusts(*address));
        Some(client.map_or(peer, |address| address.to_string()))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// The address in an item of the list. Some proxies add the client's port.
fn address_of(item: &str) -> Option<IpAddr> {
    let without_port =
        |text: &str| text.parse().map(|address: std::net::SocketAddr| address.ip()).ok();
    let bracketed =
        || item.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let address = item.parse().ok().or_else(bracketed).or_else(|| without_port(item))?;
    Some(address.to_canonical())
}

/// The network by which failures of an address are counted. It is a /64 for IPv6, because most
/// customers have a whole /64. If the platform gives no address, it is one common network.
#[must_use]
pub fn network_of(address: Option<&str>) -> String {
    let Some(text) = address else { return "unknown".to_owned() };
    match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(address) => format!("{}/64", cut(address, 64)),
        Err(_) => text.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &str, peer: &str, list: &str) -> String {
        let networks = proxies.split(' ').map(|text| Cidr::parse(text).unwrap()).collect();
        let proxies = TrustedProxies { networks, header: "X-Forwarded-For".to_owned() };
        let header = |name: &str| match name {
            PEER => Some(peer.to_owned()),
            "X-Forwarded-For" => Some(list.to_owned()).filter(|list| !list.is_empty()),
            _ => None,
        };
        proxies.client(header).unwrap()
    }

    #[test]
    fn a_client_is_whom_the_last_trusted_proxy_names() {
        let proxies = "10.0.0.0/8 2001:db8:cd::/48 192.0.2.7";
        for (peer, list, expected) in [
            // Other peers are not believed.
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("192.0.2.8", "198.51.100.1", "192.0.2.8"),
            ("2001:db8:ce::1", "198.51.100.1", "2001:db8:ce::1"),
            ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
            ("2001:db8:cd:ffff::1", "2001:db8::7", "2001:db8::7"),
            ("192.0.2.7", "198.51.100.1", "198.51.100.1"),
            ("::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"),
            // The proxies append to the list, so what the client wrote before is not read.
            ("10.1.2.3", "198.51.100.1, 198.51.100.2", "198.51.100.2"),
            ("10.1.2.3", "nonsense, 198.51.100.2, 10.9.9.9", "198.51.100.2"),
            ("10.1.2.3", "198.51.100.2,10.9.9.9,  192.0.2.7", "198.51.100.2"),
            ("10.1.2.3", "198.51.100.2, ::ffff:10.9.9.9", "198.51.100.2"),
            // With a port.
            ("10.1.2.3", "198.51.100.2:4711", "198.51.100.2"),
            ("10.1.2.3", "[2001:db8::7]:4711", "2001:db8::7"),
            ("10.1.2.3", "[2001:db8::7]", "2001:db8::7"),
            // If the header has no usable address, the proxy's own is used.
            ("10.1.2.3", "", "10.1.2.3"),
            ("10.1.2.3", "10.9.9.9", "10.1.2.3"),
            ("10.1.2.3", "198.51.100.2, nonsense", "10.1.2.3"),
            ("10.1.2.3", "198.51.100.2, nonsense, 10.9.9.9", "10.1.2.3"),
            ("10.1.2.3", "198.51.100.2,", "10.1.2.3"),
            ("10.1.2.3", "198.51.100.300", "10.1.2.3"),
            ("10.1.2.3", "unknown", "10.1.2.3"),
            ("10.1.2.3", "for=198.51.100.2", "10.1.2.3"),
        ] {
            assert_eq!(client(proxies, peer, list), expected, "{peer} {list}");
        }
    }

    #[test]
    fn without_trusted_proxies_no_header_is_read() {
        let header = |name: &str| {
            if name == PEER { Some("10.0.0.1".to_owned()) } else { panic!("{name} is read") }
        };
        assert_eq!(TrustedProxies::default().client(header), Some("10.0.0.1".to_owned()));
    }

    #[test]
    fn networks_must_be_written_in_canonical_form() {
        for right in [
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/8",
            "203.0.113.9",
            "203.0.113.9/32",
            "2001:db8::1/128",
            "2001:db8::/33",
        ] {
            assert!(Cidr::parse(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "10.0.0.0/8/8",
            "10.0/8",
            "::/129",
            "2001:db8::1/64",
            "example.com",
            "*",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/0008",
        ] {
            assert!(Cidr::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(
            !Cidr::parse("::/0").unwrap().contains("10.0.0.1".parse().unwrap()),
            "all of IPv6, and nothing else"
        );
    }

    #[test]
    fn failures_are_counted_by_ipv4_address_and_by_ipv6_64() {
        for (address, network) in [
            (Some("203.0.113.9"), "203.0.113.9"),
            (Some("::ffff:203.0.113.9"), "203.0.113.9"),
            (Some("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"),
            (Some("2001:db8:1:2::"), "2001:db8:1:2::/64"),
            (Some("2001:db8:1:3::1"), "2001:db8:1:3::/64"),
            (Some("nonsense"), "nonsense"),
            (None, "unknown"),
        ] {
            assert_eq!(network_of(address), network);
        }
    }
}
