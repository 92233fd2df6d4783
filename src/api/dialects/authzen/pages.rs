//! Tokens for the next page of a search. A token contains the page size, the last result and a hash
//! of the search, and is valid for that search only. Its mark proves that Postern made it.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

use super::wire::AskedPage;
use crate::context::Cx;
use crate::domain::json;
use crate::domain::secret::{hex, sha256};
use crate::error::{Error, Result};

/// Postern's own tokens are shorter: the last key of a page is a name of at most 64 characters.
const MAX_TOKEN_BYTES: usize = 1024;

/// Where a page begins, and how long it is.
pub(super) struct Place {
    /// The most results of the page.
    pub(super) limit: i64,
    /// The key of the last result of the previous page.
    pub(super) after: Option<String>,
    search: String,
}

impl Place {
    /// The place that a request asks for. `search` are the texts that identify the search.
    pub(super) fn of(cx: &Cx, asked: &AskedPage, search: &[&str]) -> Result<Self> {
        let search = hex(&sha256(json!(search).to_string().as_bytes()));
        let Some(token) = &asked.token else {
            return Ok(Self {
                limit: asked.limit.unwrap_or(AskedPage::DEFAULT_LIMIT),
                after: None,
                search,
            });
        };
        let invalid =
            || Error::invalid("page.token", "must be the next_token of a page of the same search");
        let (limit, after, of) = opened(cx, token).ok_or_else(invalid)?;
        if of != search {
            return Err(invalid());
        }
        Ok(Self { limit: asked.limit.unwrap_or(limit), after: Some(after), search })
    }

    /// The key as a number; the least number for the first page.
    pub(super) fn after_id(&self) -> Result<i64> {
        let wrong =
            || Error::invalid("page.token", "must be the next_token of a page of the same search");
        self.after.as_ref().map_or(Ok(i64::MIN), |after| after.parse().map_err(|_| wrong()))
    }

    /// The token of the page after the result with this key.
    pub(super) fn next(&self, cx: &Cx, last: &str) -> String {
        let text = json!([self.limit, last, self.search]).to_string();
        format!(
            "{}.{}",
            Base64UrlUnpadded::encode_string(text.as_bytes()),
            cx.config.master_keys.mark_of_page(&text)
        )
    }
}

fn opened(cx: &Cx, token: &str) -> Option<(i64, String, String)> {
    let (text, mark) = token.split_once('.').filter(|_| token.len() <= MAX_TOKEN_BYTES)?;
    let text = String::from_utf8(Base64UrlUnpadded::decode_vec(text).ok()?).ok()?;
    if !cx.config.master_keys.is_mark_of_page(&text, mark) {
        return None;
    }
    match json::parse(text.as_bytes()).ok()? {
        Value::Array(parts) => match parts.as_slice() {
            [limit, Value::String(last), Value::String(search)] => {
                Some((limit.as_i64()?, last.clone(), search.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}
