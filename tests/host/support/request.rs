//! The requests that tests send.

use std::collections::BTreeSet;

use postern::api::http::message::{Inbound, MAX_BODY_BYTES};
use postern::error::Error;
use postern::ports::LocalFuture;

use super::{ORIGIN, SECURE_ORIGIN};

#[derive(Debug, Clone, Default)]
pub struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// `None`: the default origin of the tests.
    origin: Option<String>,
}

impl Request {
    /// All values of a header, joined by commas.
    pub(super) fn values(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// `url` is a path with a query, or a whole URL.
    pub fn new(method: &str, url: &str) -> Self {
        let begin = url.find("://").filter(|_| !url.starts_with('/')).map_or(0, |at| at + 3);
        let (origin, url) = url.split_at(begin + url[begin..].find('/').unwrap_or(0));
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let origin = Some(origin.to_owned()).filter(|origin| !origin.is_empty());
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            origin,
            ..Self::default()
        }
    }

    /// Makes the request arrive over https.
    pub fn over_https(mut self) -> Self {
        self.origin = Some(SECURE_ORIGIN.to_owned());
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_lowercase(), value.to_owned()));
        self
    }

    pub fn authorization(self, value: &str) -> Self {
        if value.is_empty() { self } else { self.header("authorization", value) }
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }
}

impl Inbound for Request {
    fn method(&self) -> &str {
        &self.method
    }

    fn origin(&self) -> &str {
        self.origin.as_deref().unwrap_or(ORIGIN)
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> &str {
        &self.query
    }

    fn header(&self, name: &'static str) -> Option<String> {
        self.values(name)
    }

    fn headers(&self) -> Vec<(String, String)> {
        let names: BTreeSet<_> = self.headers.iter().map(|(name, _)| name).collect();
        names.into_iter().filter_map(|name| Some((name.clone(), self.values(name)?))).collect()
    }

    fn country(&self) -> Option<String> {
        self.values("test-country")
    }

    fn body(&self) -> LocalFuture<'_, Result<Vec<u8>, Error>> {
        let too_large = self.body.len() > MAX_BODY_BYTES;
        let error = Error::TooLarge { what: "body", limit_bytes: MAX_BODY_BYTES };
        Box::pin(async move { if too_large { Err(error) } else { Ok(self.body.clone()) } })
    }
}
