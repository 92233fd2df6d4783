//! Reads the answer of an issuer's introspection endpoint about a token (RFC 7662).

use std::rc::Rc;

use serde_json::Value;

use crate::domain::json::Members;
use crate::domain::tokens::jwt::{Kind, Parts, UnverifiedToken, VerifiedClaims, media_type};

/// In bytes.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The type of a token if the endpoint's answer does not say whether it is an access token. An app
/// accepts such tokens if its `types` has this word.
pub const UNSPECIFIED: &str = "unspecified";

/// The endpoint's answer about an active token.
#[derive(Clone)]
pub struct Said(Rc<Parts>);

/// A token with the endpoint's answer about it.
pub struct Introspected<'a>(UnverifiedToken<'a>);

impl Said {
    /// Reads an answer. `None` means that the token is not active. `is_jwt` says whether the token
    /// has the form of a JWT. The error is a phrase to put after "the answer".
    pub fn read(answer: &[u8], token: &str, is_jwt: bool) -> Result<Option<Self>, String> {
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(format!("must have at most {MAX_ANSWER_BYTES} bytes"));
        }
        let members =
            Members::parse(answer).map_err(|why| format!("must be readable JSON: {why}"))?;
        match members.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok(None),
            _ => return Err("must have \"active\", and it must be true or false".to_owned()),
        }
        let kind = kind(&members);
        Ok(Some(Self(Rc::new(Parts::introspected(members, kind, token, is_jwt)))))
    }

    /// The approximate memory use in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// `exp`, in seconds since the epoch. The answer is not valid after it.
    #[must_use]
    pub fn expires_at_s(&self) -> Option<i64> {
        self.0.expires_at_s()
    }

    /// Combines the answer with the text of the token that was asked about.
    #[must_use]
    pub fn of<'a>(&self, token: &'a str) -> Introspected<'a> {
        Introspected(UnverifiedToken::introspected(token, Rc::clone(&self.0)))
    }
}

impl Introspected<'_> {
    /// The claims in the answer. The checks of the app have not run yet.
    #[must_use]
    pub fn claims(&self) -> Option<VerifiedClaims<'_>> {
        self.0.introspected_claims()
    }
}

/// The type of the token. Many endpoints report refresh tokens as active, too, and different
/// endpoints name the type in different members.
fn kind(members: &Members) -> Kind {
    let is_one = |name: &str, wanted: &[&str]| {
        let text = |value: &Value| {
            value.as_str().is_some_and(|text| {
                wanted.iter().any(|one| media_type(text).eq_ignore_ascii_case(one))
            })
        };
        members.get(name).map(text)
    };
    let told = [
        is_one("token_type", &["Bearer"]),
        is_one("token_use", &["access_token", "access"]),
        is_one("typ", &["Bearer", "JWT", "at+jwt"]),
    ];
    if told.contains(&Some(false)) {
        Kind::Unreadable
    } else if told.contains(&Some(true)) {
        Kind::None
    } else {
        Kind::Type(UNSPECIFIED.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::HashedToken;
    use crate::domain::tokens::revocation::RevocationKey;

    #[test]
    fn an_answer_is_read_strictly() {
        let read =
            |answer: &str| Said::read(answer.as_bytes(), "t", false).map(|said| said.is_some());
        assert_eq!(read(r#"{"active":true}"#), Ok(true));
        for inactive in [r#"{"active":false}"#, r#"{"active":false,"username":"alice","exp":1}"#] {
            assert_eq!(read(inactive), Ok(false), "{inactive}");
        }
        let active = r#"{"active":true}"#;
        let long = |bytes: usize| format!("{active}{}", " ".repeat(bytes - active.len()));
        assert_eq!(read(&long(65_536)), Ok(true));
        for wrong in [
            "",
            "<!doctype html>",
            "[]",
            "true",
            "{}",
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            r#"{"Active":true}"#,
            r#"{"active":true,"active":false}"#,
            r#"{"active":false,"active":true}"#,
            r#"{"active":true} x"#,
            &long(65_537),
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_is_called_an_access_token_is_one() {
        let kind_of = |members: &str| kind(&Members::parse(members.as_bytes()).unwrap());
        for access in [
            r#"{"token_type":"Bearer"}"#,
            r#"{"token_type":"bearer","typ":"Bearer"}"#,
            r#"{"token_use":"access_token"}"#,
            r#"{"typ":"application/at+jwt"}"#,
        ] {
            assert_eq!(kind_of(access), Kind::None, "{access}");
        }
        for other in [
            r#"{"token_type":"DPoP"}"#,
            r#"{"token_type":"Bearer","token_use":"refresh_token"}"#,
            r#"{"token_type":"Bearer","typ":"Refresh"}"#,
            r#"{"typ":"ID"}"#,
            r#"{"token_type":7}"#,
            r#"{"token_type":["Bearer"]}"#,
        ] {
            assert_eq!(kind_of(other), Kind::Unreadable, "{other}");
        }
        assert_eq!(kind_of("{}"), Kind::Type(UNSPECIFIED.to_owned()));
    }

    #[test]
    fn an_answer_is_about_the_token_that_was_asked_about() {
        let answer = br#"{"active":true,"exp":7,"username":"alice"}"#;
        for (token, is_jwt, signed) in
            [("a.b.c", true, "a.b"), ("a.b.c", false, "a.b.c"), ("opaque", true, "opaque")]
        {
            let said = Said::read(answer, token, is_jwt).unwrap().unwrap();
            assert_eq!(said.expires_at_s(), Some(7));
            let introspected = said.of(token);
            let claims = introspected.claims().unwrap();
            assert_eq!(claims.get("username"), Some(&Value::from("alice")));
            let key = RevocationKey::of_token(HashedToken::of(&[signed.as_bytes()]));
            assert_eq!(claims.revocation_key(), key, "{token}");
        }
    }

    #[test]
    fn the_memory_of_an_answer_counts_its_texts() {
        let bytes = |length: usize| {
            let answer = format!(r#"{{"active":true,"username":"{}"}}"#, "a".repeat(length));
            Said::read(answer.as_bytes(), "opaque", false).unwrap().unwrap().bytes()
        };
        assert!(bytes(0) > size_of::<Parts>());
        assert_eq!(bytes(400), bytes(0) + 400);
    }
}
