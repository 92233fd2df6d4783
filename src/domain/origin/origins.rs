//! Chooses the application for a request, from `ORIGINS` and `ORIGIN_URL`.

use serde_json::Value;

use crate::domain::origin::host::{self, host_of};
use crate::domain::origin::members::{Members, refuse_unknown, text};
use crate::domain::origin::prefix::{Prefix, readings};

const MEMBERS: [&str; 4] = ["host", "path", "url", "timeoutS"];

/// The greatest `timeoutS` of an application, in seconds.
const MAX_TIMEOUT_S: i64 = 600;

/// An application behind the gateway, with the host and prefix of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `None` for all hosts.
    pub host: Option<String>,
    pub prefix: Prefix,
    /// `https://host:port/path`, without a final slash.
    pub url: String,
    /// Seconds without progress before the gateway gives up on the application. `None` for
    /// `ORIGIN_TIMEOUT_S`.
    pub timeout_s: Option<i64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Origins {
    list: Vec<Origin>,
    /// `ORIGIN_TIMEOUT_S`, in seconds.
    timeout_s: i64,
    /// `ORIGIN_NODES`: whether Postern forwards node orders of GIS servers to the origin instead of
    /// storing them.
    pub takes_nodes: bool,
}

impl Origins {
    /// Combines `ORIGINS` with `ORIGIN_URL`, which takes all requests that `ORIGINS` does not name.
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
        // The first match decides. Applications of one host come before those of all hosts, and
        // longer paths before shorter ones.
        list.sort_by_key(|origin| (origin.host.is_none(), std::cmp::Reverse(origin.prefix.len())));
        Self { list, timeout_s, takes_nodes }
    }

    /// Whether the gateway is off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The applications in the order in which they are tried.
    #[must_use]
    pub fn list(&self) -> &[Origin] {
        &self.list
    }

    /// The application for a request. `path` is as it was sent, without its query. Fails if the
    /// path has readings that belong to different applications. The error is a phrase to put after
    /// "url".
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

    /// Seconds without progress before the gateway gives up on the application.
    #[must_use]
    pub fn timeout_s(&self, origin: &Origin) -> i64 {
        origin.timeout_s.unwrap_or(self.timeout_s)
    }
}

/// Reads the items of `ORIGINS`. The error is a phrase to put after that name.
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

/// Checks `ORIGIN_URL`. The error is a phrase to put after that name.
pub fn read_url(text: &str) -> Result<String, String> {
    let wrong = || {
        "must be like https://app.example.com or http://10.0.0.5:8080/base, \
         without user, query or fragment"
            .to_owned()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn origins(items: &Value, rest: Option<&str>) -> Origins {
        let list = read_origins(items.as_array().unwrap()).unwrap();
        Origins::new(list, rest.map(str::to_owned), 30, false)
    }

    #[test]
    fn a_path_must_be_readable_only_where_paths_choose_the_application() {
        let unreadable = "/a/..;/b";
        let one = origins(&json!([]), Some("https://rest.example"));
        let by_host = origins(
            &json!([{ "host": "a.example", "url": "https://a.internal" }]),
            Some("https://rest.example"),
        );
        let by_path = origins(
            &json!([{ "path": "/a", "url": "https://a.internal" }]),
            Some("https://rest.example"),
        );
        let url = |origins: &Origins, host: &str| {
            origins.of(host, unreadable).map(|found| found.map(|origin| origin.url.clone()))
        };
        assert_eq!(url(&one, "a.example"), Ok(Some("https://rest.example".to_owned())));
        assert_eq!(url(&by_host, "a.example"), Ok(Some("https://a.internal".to_owned())));
        assert_eq!(url(&by_host, "b.example"), Ok(Some("https://rest.example".to_owned())));
        assert!(url(&by_path, "a.example").is_err());
    }
}
