//! `ORIGINS` and `ORIGIN_URL`: to which application a request goes.

use serde_json::Value;

use crate::domain::origin::host::{self, host_of};
use crate::domain::origin::members::{Members, refuse_unknown, text};
use crate::domain::origin::prefix::{Prefix, readings};

const MEMBERS: [&str; 4] = ["host", "path", "url", "timeoutS"];

/// The longest time that an application may take, in seconds.
const MAX_TIMEOUT_S: i64 = 600;

/// An application behind the gateway, and which requests are its.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The only host; `None` for all.
    pub host: Option<String>,
    /// What the paths begin with.
    pub prefix: Prefix,
    /// `https://host:port/path` without a slash at its end.
    pub url: String,
    /// For how many seconds it may show no sign of life before it answers; `None` for
    /// `ORIGIN_TIMEOUT_S`.
    pub timeout_s: Option<i64>,
}

/// All applications behind the gateway.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Origins {
    list: Vec<Origin>,
    /// `ORIGIN_TIMEOUT_S`.
    timeout_s: i64,
    /// `ORIGIN_NODES`: whether orders of GIS servers are passed on instead of written down.
    pub takes_nodes: bool,
}

impl Origins {
    /// `ORIGINS`, and `ORIGIN_URL` for all that they do not name.
    #[must_use]
    pub fn new(
        mut list: Vec<Origin>,
        rest: Option<String>,
        timeout_s: i64,
        takes_nodes: bool,
    ) -> Self {
        let is_rest = |origin: &Origin| origin.host.is_none() && origin.prefix.is_empty();
        let rest = rest.filter(|_| !list.iter().any(is_rest));
        list.extend(rest.map(|url| Origin {
            host: None,
            prefix: Prefix::default(),
            url,
            timeout_s: None,
        }));
        // The first that takes a request decides: those of one host before those of all, and the
        // longer paths before the shorter.
        list.sort_by_key(|origin| (origin.host.is_none(), std::cmp::Reverse(origin.prefix.len())));
        Self { list, timeout_s, takes_nodes }
    }

    /// Whether there is no gateway.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in the order in which they are tried.
    #[must_use]
    pub fn list(&self) -> &[Origin] {
        &self.list
    }

    /// The application of a request to this authority and this path (as it was sent, without its
    /// query); the error is the phrase that follows "url".
    pub fn of(&self, authority: &str, path: &str) -> Result<Option<&Origin>, String> {
        if let [only @ Origin { host: None, .. }] = self.list.as_slice()
            && only.prefix.is_empty()
        {
            return Ok(Some(only));
        }
        let host = host_of(authority);
        let takes_host = |origin: &&Origin| origin.host.as_ref().is_none_or(|own| *own == host);
        let of_host: Vec<_> = self.list.iter().filter(takes_host).collect();
        if of_host.iter().all(|origin| origin.prefix.is_empty()) {
            return Ok(of_host.first().copied());
        }
        let of_reading = |reading: &Vec<u8>| {
            of_host.iter().find(|origin| origin.prefix.begins(reading)).copied()
        };
        let mut found: Vec<_> = readings(path)?.iter().map(of_reading).collect();
        found.dedup_by(|one, next| one.map(std::ptr::from_ref) == next.map(std::ptr::from_ref));
        match found.as_slice() {
            [one] => Ok(*one),
            _ => Err("may be read as a path of more than one application of ORIGINS".to_owned()),
        }
    }

    /// For how many seconds an application may show no sign of life.
    #[must_use]
    pub fn timeout_s(&self, origin: &Origin) -> i64 {
        origin.timeout_s.unwrap_or(self.timeout_s)
    }
}

/// Reads the items of `ORIGINS`; the error is the phrase that follows its name.
pub fn read_origins(items: &[Value]) -> Result<Vec<Origin>, String> {
    let mut origins: Vec<Origin> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let wrong = |why: String| format!("has an application (number {}) whose {why}", index + 1);
        let origin = item
            .as_object()
            .ok_or_else(|| "shape is no object".to_owned())
            .and_then(read_origin)
            .map_err(wrong)?;
        let is_same = |other: &Origin| other.host == origin.host && other.prefix == origin.prefix;
        if let Some(before) = origins.iter().position(is_same) {
            return Err(wrong(format!("host and path are those of number {}", before + 1)));
        }
        origins.push(origin);
    }
    Ok(origins)
}

fn read_origin(members: &Members) -> Result<Origin, String> {
    refuse_unknown(members, &MEMBERS)?;
    let url = text(members, "url")?.ok_or("url is missing")?;
    let prefix = text(members, "path")?.unwrap_or("/");
    let timeout_s = members.get("timeoutS").map(|value| {
        let seconds = value.as_i64().filter(|seconds| (1..=MAX_TIMEOUT_S).contains(seconds));
        seconds.ok_or_else(|| format!("timeoutS is no whole number from 1 to {MAX_TIMEOUT_S}"))
    });
    Ok(Origin {
        host: text(members, "host")?
            .map(host::parse)
            .transpose()
            .map_err(|why| format!("host {why}"))?,
        prefix: Prefix::parse(prefix).map_err(|why| format!("path {why}"))?,
        url: read_url(url).map_err(|why| format!("url {why}"))?,
        timeout_s: timeout_s.transpose()?,
    })
}

/// Checks `ORIGIN_URL`; the error is the phrase that follows its name.
pub fn read_url(text: &str) -> Result<String, String> {
    let wrong = || {
        "must be like https://app.example.com or http://10.0.0.5:8080/base, without user, query or fragment".to_owned()
    };
    let text = text.trim();
    let rest =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(wrong)?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty()
        || rest.contains(['?', '#', '@', '\\', '%'])
        || rest.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err(wrong());
    }
    if rest.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}
