//! What a reverse proxy tells about the request it asks about: its URL, method and origin.
//!
//! Some proxies also pass on headers of these names from the client. So if several headers of one
//! kind are present, a decision must take all of them into account.

use crate::api::http::credentials;
use crate::api::http::message::Inbound;
use crate::api::http::method_override;
use crate::api::http::query::Query;
use crate::api::http::route::BEFORE_CLIENT_URL;
use crate::domain::origin::host_of;

/// The client's request, as a proxy describes it.
pub struct Forwarded {
    urls: Vec<String>,
    /// The queries of all URLs, and texts that may be queries.
    queries: Vec<String>,
    methods: Vec<String>,
    overrides: Vec<String>,
    hosts: Vec<String>,
    origin: Option<String>,
}

impl Forwarded {
    #[must_use]
    pub fn in_headers(request: &dyn Inbound) -> Self {
        let urls = ["x-forwarded-uri", "x-original-uri", "x-original-url"]
            .map(|name| request.header(name));
        // A header that was sent twice arrives joined by a comma and a space, which no URL
        // contains.
        let each = |value: String| value.split(", ").map(str::to_owned).collect::<Vec<_>>();
        // But a client may send exactly these characters in one URL's query, so the query of the
        // whole value is also kept.
        let whole: Vec<_> =
            urls.iter().flatten().filter_map(|value| query_in(value)).map(str::to_owned).collect();
        let urls: Vec<_> = urls.into_iter().flatten().flat_map(each).collect();
        let queries =
            urls.iter().filter_map(|url| query_in(url)).map(str::to_owned).chain(whole).collect();
        Self {
            urls,
            queries,
            methods: methods(request),
            overrides: overrides(request),
            hosts: hosts(request),
            origin: origin(request),
        }
    }

    /// Reads the headers. If `/-` follows the first `segments` segments of the path, the URL is
    /// instead the text behind it. A proxy that asks in this way also passes on the client's method
    /// by its own, unless a header names another.
    #[must_use]
    pub fn behind_path(request: &dyn Inbound, segments: usize) -> Self {
        let in_headers = Self::in_headers(request);
        let slashes = request.path().match_indices('/').map(|(at, _)| at);
        let end =
            slashes.chain([request.path().len()]).nth(segments).unwrap_or(request.path().len());
        let behind =
            request.path().get(end..).and_then(|rest| rest.strip_prefix(BEFORE_CLIENT_URL));
        let Some(path) = behind else { return in_headers };
        let path = if path.is_empty() { "/" } else { path };
        let question_mark = if request.query().is_empty() { "" } else { "?" };
        let url = format!("{path}{question_mark}{}", request.query());
        let mut methods = in_headers.methods;
        if methods.is_empty() || request.method() != "GET" {
            methods.push(request.method().to_owned());
        }
        Self { urls: vec![url], queries: vec![request.query().to_owned()], methods, ..in_headers }
    }

    /// The query of the first URL that the proxy names; `None` if it names none.
    #[must_use]
    pub fn query(&self) -> Option<Query> {
        let url = self.urls.first()?;
        Some(Query::of_others(query_in(url).unwrap_or_default()))
    }

    /// The path and the query of the first URL that the proxy names, unchanged.
    #[must_use]
    pub fn path_and_query(&self) -> (&str, &str) {
        let query = self.urls.first().and_then(|url| query_in(url)).unwrap_or_default();
        (self.paths().next().unwrap_or("/"), query.split('#').next().unwrap_or_default())
    }

    /// The paths of all URLs that are named. A text that is not a URL is returned unchanged.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().map(|url| path_of(url))
    }

    /// All hosts that are named, in `X-Forwarded-Host` and in whole URLs, normalized as rules
    /// compare them.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let of_urls = self
            .urls
            .iter()
            .filter(|url| !url.starts_with('/'))
            .filter_map(|url| url.split_once("://"));
        let of_urls =
            of_urls.map(|(_, rest)| rest.split(['/', '?', '#', '\\']).next().unwrap_or_default());
        self.hosts.iter().map(String::as_str).chain(of_urls).map(host_of).collect()
    }

    #[must_use]
    pub fn methods(&self) -> &[String] {
        &self.methods
    }

    /// The methods with which the client's headers override its own.
    #[must_use]
    pub fn overrides(&self) -> &[String] {
        &self.overrides
    }

    /// Whether the query of a named URL overrides the method.
    #[must_use]
    pub fn overrides_method_in_url(&self) -> bool {
        self.queries.iter().any(|query| method_override::is_in_query(query))
    }

    /// Whether the client's request may do more than read, by any of the named methods and URLs.
    #[must_use]
    pub fn may_change(&self, request: &dyn Inbound) -> bool {
        let methods = || self.methods.iter().map(String::as_str).chain(["GET"]);
        let queries = || self.queries.iter().map(String::as_str).chain([""]);
        methods()
            .any(|method| queries().any(|query| credentials::may_change(request, method, query)))
    }

    /// The web origin at which the client reached the proxy.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

fn query_in(url: &str) -> Option<&str> {
    url.split_once('?').map(|(_, query)| query)
}

/// The path of a URL, or of a text that begins with a path. Any other text is returned unchanged.
#[must_use]
pub fn path_of(url: &str) -> &str {
    // The text after a `#` is kept: some servers treat it as part of the path.
    let url = url.split('?').next().unwrap_or_default();
    let Some((_, rest)) = url.split_once("://").filter(|_| !url.starts_with('/')) else {
        return url;
    };
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

fn methods(request: &dyn Inbound) -> Vec<String> {
    let named = ["x-forwarded-method", "x-original-method"].map(|name| request.header(name));
    let each =
        |value: String| value.split(',').map(|method| method.trim().to_owned()).collect::<Vec<_>>();
    named.into_iter().flatten().flat_map(each).collect()
}

fn hosts(request: &dyn Inbound) -> Vec<String> {
    let named = request.header("x-forwarded-host");
    named
        .iter()
        .flat_map(|value| value.split(','))
        .map(|host| host.trim().to_owned())
        .filter(|host| !host.is_empty())
        .collect()
}

fn overrides(request: &dyn Inbound) -> Vec<String> {
    let overriding =
        request.headers().into_iter().filter(|(name, _)| method_override::is_header(name));
    let each = |(_, value): (String, String)| {
        value.split(',').map(|method| method.trim().to_ascii_uppercase()).collect::<Vec<_>>()
    };
    overriding.flat_map(each).collect()
}

fn origin(request: &dyn Inbound) -> Option<String> {
    let first = |value: String| {
        value.split(',').map(str::trim).find(|text| !text.is_empty()).map(str::to_ascii_lowercase)
    };
    let host = request.header("x-forwarded-host").and_then(first)?;
    let scheme = request.header("x-forwarded-proto").and_then(first)?;
    Some(format!("{scheme}://{host}"))
}
