//! JSON Web Key Sets (RFC 7517, section 5): the usable keys, and the reasons why other keys are
//! unusable.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::domain::tokens::algorithm::Algorithm;
use crate::domain::tokens::jwk::{self, IssuerKey};
use crate::domain::tolerant_json::{self, Item};

/// Unusable keys per set that are remembered with their reason.
const MAX_LEFT_OUT: usize = 100;
/// The longest stored `kid` of an unusable key, in characters.
const MAX_NAME: usize = 100;

/// The usable keys of a set in their original order, and the unusable ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Rc<IssuerKey>>,
    left_out: Vec<LeftOut>,
}

/// An unusable key of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub kid: Option<String>,
    /// The rule that the key breaks, as a phrase to put after "it".
    pub why: String,
}

impl KeySet {
    /// A set of a single key. Its `kid` is dropped, so that it matches tokens with any `kid`.
    #[must_use]
    pub fn of(key: IssuerKey) -> Self {
        Self { keys: vec![Rc::new(IssuerKey { id: None, ..key })], left_out: Vec::new() }
    }

    /// Reads a set that an issuer publishes. It tolerates a byte-order mark, padded numbers and
    /// members that are null. It leaves out keys that are unusable, private, or have a duplicate
    /// member. The error is a phrase to put after the name of the source.
    pub fn published(text: &[u8]) -> Result<Self, String> {
        let keys = tolerant_json::list_in(text, "keys")
            .map_err(|why| format!("must be readable JSON: {why}"))?;
        let mut keys = keys.ok_or("must be a JWK Set, with a list \"keys\"")?;
        keys.iter_mut().filter_map(|key| key.as_mut().ok()?.as_object_mut()).for_each(jwk::forgive);
        Ok(Self::of_items(keys))
    }

    /// Reads a set from JSON that was parsed strictly.
    pub(super) fn from_members(set: &Map<String, Value>) -> Result<Self, String> {
        let keys = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or("must be a JWK Set, with a list \"keys\"")?;
        Ok(Self::of_items(keys.iter().cloned().map(Ok)))
    }

    fn of_items(items: impl IntoIterator<Item = Item>) -> Self {
        let mut set = Self::default();
        for item in items {
            match read(item) {
                Ok(key) => set.keys.push(Rc::new(key)),
                Err(left_out) if set.left_out.len() < MAX_LEFT_OUT => set.left_out.push(left_out),
                Err(_) => {}
            }
        }
        set
    }

    /// The keys for the algorithm that may have signed a token. These are the keys with the token's
    /// `kid`, or else the keys without any `kid`.
    #[must_use]
    pub fn choose(&self, algorithm: Algorithm, id: Option<&str>) -> Vec<Rc<IssuerKey>> {
        let fitting = |key: &&Rc<IssuerKey>| key.fits(algorithm).is_ok();
        let with = |id: Option<&str>| {
            self.keys
                .iter()
                .filter(fitting)
                .filter(|key| key.id.as_deref() == id)
                .cloned()
                .collect::<Vec<_>>()
        };
        match id {
            None => self.keys.iter().filter(fitting).cloned().collect(),
            Some(_) if self.has(algorithm, id) => with(id),
            Some(_) => with(None),
        }
    }

    /// Whether there is a key with this `kid` for the algorithm.
    #[must_use]
    pub fn has(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == id && key.fits(algorithm).is_ok())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rc<IssuerKey>> {
        self.keys.iter()
    }

    /// The first hundred unusable keys.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

fn read(item: Item) -> Result<IssuerKey, LeftOut> {
    let nameless = |why: String| LeftOut { kid: None, why };
    let json = item.map_err(nameless)?;
    let jwk = json.as_object().ok_or_else(|| nameless("must be a JSON object".to_owned()))?;
    let kid = || Some(jwk.get("kid")?.as_str()?.chars().take(MAX_NAME).collect());
    IssuerKey::from_jwk(jwk).map_err(|why| LeftOut { kid: kid(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    #[test]
    fn the_good_keys_of_an_odd_set_are_used_and_the_others_named() {
        let good =
            format!(r#""kty":"OKP","crv":"Ed25519","x":"{X}=","use":"sig","alg":null,"x5c":["?"]"#);
        let text = format!(
            r#"{{"keys":[{{"kid":"a",{good}}},{{"kid":"b",{good},"kty":"OKP"}},
            {{"kid":"c","kty":"future"}},7,{{"kid":8,{good}}},{{"kid":"d","d":"AQ",{good}}},
            {{"kid":"e",{good},"use":"enc"}},{{{good}}}],"more":{{"x":1,"x":2}}}}"#
        );
        let set = KeySet::published(&[b"\xef\xbb\xbf", text.as_bytes()].concat()).expect("a set");
        let ids: Vec<_> = set.iter().map(|key| key.id.as_deref()).collect();
        assert_eq!(ids, [Some("a"), None]);
        let left_out: Vec<_> =
            set.left_out().iter().map(|one| (one.kid.as_deref(), one.why.as_str())).collect();
        let expected = [
            (None, "has the member \"kty\" twice"),
            (Some("c"), "must be an RSA, EC or Ed25519 key"),
            (None, "must be a JSON object"),
            (None, "must be a JWK with a text as \"kid\""),
            (
                Some("d"),
                "must be the public key: a private or shared key belongs to the issuer alone",
            ),
            (None, "has the member \"use\" twice"),
        ];
        assert_eq!(left_out, expected);
    }

    #[test]
    fn a_registered_set_is_read_strictly() {
        let padded = serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": format!("{X}=") });
        let strict = serde_json::json!({ "keys": [padded] });
        assert_eq!(
            KeySet::from_members(strict.as_object().expect("an object"))
                .expect("a set")
                .iter()
                .count(),
            0
        );
        assert_eq!(
            KeySet::published(strict.to_string().as_bytes()).expect("a set").iter().count(),
            1
        );
    }

    #[test]
    fn what_is_kept_of_unusable_keys_is_bounded() {
        let keys = vec![serde_json::json!({ "kid": "x".repeat(1000) }); 1000];
        let set = KeySet::published(serde_json::json!({ "keys": keys }).to_string().as_bytes())
            .expect("a set");
        assert_eq!(set.left_out().len(), MAX_LEFT_OUT);
        assert!(
            set.left_out()
                .iter()
                .all(|one| one.kid.as_ref().is_some_and(|kid| kid.len() == MAX_NAME))
        );
    }
}
