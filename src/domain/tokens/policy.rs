//! The terms of a token app beyond the signature: which issuers and audiences it accepts, and which
//! users and rights its tokens give.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::identity::user::UserType;

/// The placeholder in an issuer for a token's tenant (its claim `tid`).
pub const TENANT: &str = "{tenantid}";

/// The greatest number of roles that one token can give.
pub const MAX_ROLES: usize = 200;

/// The terms of a token app beyond the signature. They are stored as JSON with the names of `/v1`.
/// A member that is left out has its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Policy {
    /// The required `iss`, compared byte by byte. With [`TENANT`], one such issuer for each of
    /// `tenants`.
    pub issuer: Option<String>,
    /// The issuer's metadata says where its keys are (RFC 8414; `OpenID` Connect Discovery 1.0).
    pub discover: bool,
    /// The accepted values of `tid`, which [`TENANT`] stands for.
    pub tenants: Vec<String>,
    /// `aud` must contain one of these.
    pub audiences: Vec<String>,
    /// Accept any audience, although the keys come from the issuer.
    pub any_audience: bool,
    /// The accepted values of `typ`. An empty text accepts tokens without `typ`.
    pub types: Vec<String>,
    /// The accepted authorized parties. Empty for all.
    pub authorized_parties: Vec<String>,
    /// A token must have all of these scopes.
    pub required_scopes: Vec<String>,
    /// The users that tokens may name. `None` derives it from the roles of new users.
    pub speaks_for: Option<SpeaksFor>,
    /// The treatment of tokens that are bound to a key.
    pub bound_tokens: BoundTokens,
    /// The claim with the user's id.
    pub id_claim: Option<String>,
    /// The claim with the names of groups.
    pub groups_claim: Option<String>,
    pub roles_claim: Option<String>,
    /// From values of the roles claim to roles. If it is empty, the values are the roles.
    pub role_map: BTreeMap<String, String>,
    /// From values of the groups claim to the ids of groups.
    pub group_map: BTreeMap<String, i64>,
    /// The effect of a token's groups.
    pub groups_mode: GroupsMode,
    /// Whether name, email and roles are updated from tokens.
    pub profile: ProfileMode,
    /// Claims that are passed on to callers of `/v1/verify` and to the origin.
    pub pass_claims: Vec<String>,
    /// The URL of the introspection endpoint (RFC 7662).
    pub introspection_endpoint: Option<String>,
    /// The client id that Postern uses there.
    pub introspection_client_id: Option<String>,
    /// Seconds for which an introspection answer is cached.
    pub introspection_cache_s: i64,
}

/// Declares an enum whose values are words in JSON.
macro_rules! words {
    ($(#[$of:meta])* $name:ident {
        $($(#[$meta:meta])* $variant:ident = $word:literal),* $(,)?
    }) => {
        $(#[$of])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$meta])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            pub const WORDS: &[&str] = &[$($word),*];

            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// The users that an app's tokens may name.
    SpeaksFor {
        /// Users that the app created or was given.
        Own = "own",
        /// All users but administrators.
        Users = "users",
        Everybody = "everybody",
    }
}

words! {
    /// The treatment of tokens with `cnf` (RFC 7800), which only the holder of a key may use.
    BoundTokens {
        Refuse = "refuse",
        /// Accept them as bearer tokens.
        Ignore = "ignore",
    }
}

words! {
    /// The effect of a token's groups.
    GroupsMode {
        /// They are valid for the request, in addition to the stored ones. Nothing is written.
        Request = "request",
        /// The user's memberships in mapped groups are changed to those of the token.
        Sync = "sync",
    }
}

words! {
    /// Whether name, email and roles of a user are updated from tokens.
    ProfileMode {
        /// Updated from each newer token.
        Follow = "follow",
        /// Set when the user is created, and never updated.
        Once = "once",
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            issuer: None,
            discover: false,
            tenants: Vec::new(),
            audiences: Vec::new(),
            any_audience: false,
            types: ["", "JWT", "at+jwt"].map(str::to_owned).to_vec(),
            authorized_parties: Vec::new(),
            required_scopes: Vec::new(),
            speaks_for: None,
            bound_tokens: BoundTokens::Refuse,
            id_claim: None,
            groups_claim: None,
            roles_claim: None,
            role_map: BTreeMap::new(),
            group_map: BTreeMap::new(),
            groups_mode: GroupsMode::Request,
            profile: ProfileMode::Follow,
            pass_claims: Vec::new(),
            introspection_endpoint: None,
            introspection_client_id: None,
            introspection_cache_s: 10,
        }
    }
}

/// The result of reading a claim with roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedRoles {
    /// Without duplicates, at most [`MAX_ROLES`].
    pub roles: Vec<String>,
    /// The highest user type among the roles. Only a role map can give one.
    pub user_type: Option<UserType>,
}

impl Policy {
    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }

    /// The members that differ from the defaults.
    #[must_use]
    pub fn chosen(&self) -> Map<String, Value> {
        let default = Self::default().members();
        self.members()
            .into_iter()
            .filter(|(name, value)| default.get(name) != Some(value))
            .collect()
    }

    /// The users that the app's tokens may name. `initial_roles` are the roles of the app's new
    /// users.
    #[must_use]
    pub fn speaks_for(&self, initial_roles: &[String]) -> SpeaksFor {
        let implied = if UserType::among(initial_roles) == UserType::Administrator {
            SpeaksFor::Everybody
        } else {
            SpeaksFor::Users
        };
        self.speaks_for.unwrap_or(implied)
    }

    /// Whether a token with this `iss` may belong to the app. The tenant is checked later, by
    /// [`Self::is_issuer`].
    #[must_use]
    pub fn may_be_of(&self, issuer: Option<&str>) -> bool {
        let Some(wanted) = &self.issuer else { return true };
        match (issuer, wanted.split_once(TENANT)) {
            (None, _) => false,
            (Some(issuer), None) => issuer == wanted,
            (Some(issuer), Some((begin, end))) => {
                issuer.len() > begin.len() + end.len()
                    && issuer.starts_with(begin)
                    && issuer.ends_with(end)
            }
        }
    }

    /// Whether a token belongs to the app's issuer. `tenant` is its claim `tid`.
    #[must_use]
    pub fn is_issuer(&self, issuer: &str, tenant: Option<&str>) -> bool {
        let Some(wanted) = &self.issuer else { return true };
        if !wanted.contains(TENANT) {
            return issuer == wanted;
        }
        let may = |tenant: &&str| self.tenants.iter().any(|of_list| of_list == tenant);
        tenant.filter(may).is_some_and(|tenant| wanted.replace(TENANT, tenant) == issuer)
    }

    /// The last part of the name of the header that passes a claim to the origin. Characters that a
    /// header's name cannot have become `-`.
    #[must_use]
    pub fn header_of(claim: &str) -> String {
        let plain = claim
            .trim_start_matches('/')
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        plain.collect()
    }

    /// The roles that the values of a claim give.
    #[must_use]
    pub fn roles_of(&self, values: &[&str]) -> ClaimedRoles {
        let mut roles: Vec<String> = Vec::new();
        let is_type = |role: &str| UserType::from_name(role).is_some();
        for value in values {
            let role = if self.role_map.is_empty() {
                Some(*value).filter(|value| {
                    !is_type(value) && crate::domain::text::printable(value, MAX_ROLE).is_ok()
                })
            } else {
                self.role_map.get(*value).map(String::as_str)
            };
            let Some(role) = role else { continue };
            if roles.len() < MAX_ROLES && !roles.iter().any(|known| known == role) {
                roles.push(role.to_owned());
            }
        }
        let user_type = roles.iter().filter_map(|role| UserType::from_name(role)).max();
        ClaimedRoles { roles, user_type }
    }

    /// Whether the role map gives user types. Then tokens update the user's type, too.
    #[must_use]
    pub fn gives_types(&self) -> bool {
        self.role_map.values().any(|role| UserType::from_name(role).is_some())
    }

    /// The ids of the groups that the values of a claim give, without duplicates.
    #[must_use]
    pub fn groups_of(&self, values: &[&str]) -> Vec<i64> {
        let mut groups: Vec<i64> =
            values.iter().filter_map(|value| self.group_map.get(*value).copied()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

/// The longest name of a role, in characters.
pub const MAX_ROLE: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: serde_json::Value) -> Policy {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn an_issuer_is_compared_byte_for_byte() {
        let plain = policy(serde_json::json!({ "issuer": "https://idp.example/" }));
        for issuer in [
            "https://idp.example",
            "https://IDP.example/",
            "https://idp.example//",
            "",
            "https://idp.example/x",
        ] {
            assert!(!plain.is_issuer(issuer, None) && !plain.may_be_of(Some(issuer)), "{issuer}");
        }
        assert!(
            plain.is_issuer("https://idp.example/", None)
                && plain.may_be_of(Some("https://idp.example/"))
        );
        assert!(!plain.may_be_of(None));
    }

    #[test]
    fn a_token_may_be_of_an_issuer_with_any_tenant_between_its_parts() {
        let entra = policy(serde_json::json!({
            "issuer": "https://login.example/{tenantid}/v2.0", "tenants": ["t1"],
        }));
        for (issuer, expected) in [
            ("https://login.example/t1/v2.0", true),
            ("https://login.example/t9/v2.0", true),
            ("https://login.example/t1/v1.0", false),
            ("https://other.example/t1/v2.0", false),
            ("https://login.example//v2.0", false),
            ("https://login.example/v2.0", false),
        ] {
            assert_eq!(entra.may_be_of(Some(issuer)), expected, "{issuer}");
        }
        assert!(!entra.may_be_of(None));
    }

    #[test]
    fn a_tenant_must_be_listed_and_be_the_one_in_the_issuer() {
        let entra = policy(serde_json::json!({
            "issuer": "https://login.example/{tenantid}/v2.0", "tenants": ["t1", "t2"],
        }));
        assert!(entra.is_issuer("https://login.example/t1/v2.0", Some("t1")));
        for (issuer, tenant) in [
            ("https://login.example/t3/v2.0", Some("t3")),
            ("https://login.example/t1/v2.0", Some("t2")),
            ("https://login.example/t1/v2.0", None),
            ("https://login.example/{tenantid}/v2.0", Some("{tenantid}")),
            ("https://login.example//v2.0", Some("")),
        ] {
            assert!(!entra.is_issuer(issuer, tenant), "{issuer}");
        }
        assert!(
            !entra.may_be_of(Some("https://login.example/v2.0"))
                && entra.may_be_of(Some("https://login.example/t9/v2.0"))
        );
    }

    #[test]
    fn a_claim_gives_no_type_without_a_map() {
        let plain = policy(serde_json::json!({}));
        let given =
            plain.roles_of(&["Administrator", "SYS_Creator", "SYS_Reader", "sales", "sales", "\n"]);
        assert_eq!(given, ClaimedRoles { roles: vec!["sales".to_owned()], user_type: None });
        let mapped =
            policy(serde_json::json!({ "roleMap": { "authors": "SYS_Creator", "x": "sales" } }));
        let given = mapped.roles_of(&["authors", "Administrator", "x"]);
        assert_eq!(given.roles, ["SYS_Creator", "sales"]);
        assert_eq!(given.user_type, Some(UserType::Creator));
        let many: Vec<String> = (0..300).map(|number| format!("r{number}")).collect();
        assert_eq!(
            plain.roles_of(&many.iter().map(String::as_str).collect::<Vec<_>>()).roles.len(),
            MAX_ROLES
        );
    }

    #[test]
    fn a_claim_has_a_header_name_of_letters_digits_and_hyphens() {
        assert_eq!(Policy::header_of("/realm_access/Roles"), "realm-access-roles");
        assert_eq!(Policy::header_of("dept\r\nx: ä"), "dept--x---");
    }

    #[test]
    fn only_what_differs_from_the_defaults_is_chosen() {
        assert!(Policy::default().chosen().is_empty());
        let chosen = serde_json::json!({ "audiences": ["bi"], "boundTokens": "ignore" });
        assert_eq!(Value::Object(policy(chosen.clone()).chosen()), chosen);
    }

    #[test]
    fn groups_and_types_come_from_their_maps_only() {
        let mapped = policy(serde_json::json!({
            "groupMap": { "sales": 3, "north": 2, "south": 2 }, "roleMap": { "a": "x" },
        }));
        assert_eq!(mapped.groups_of(&["sales", "3", "north", "south", "Sales"]), [2, 3]);
        assert!(!mapped.gives_types() && !Policy::default().gives_types());
        let types = policy(serde_json::json!({ "roleMap": { "a": "x", "boss": "Administrator" } }));
        assert!(types.gives_types());
    }

    #[test]
    fn the_users_an_app_may_name_follow_from_its_roles_unless_set() {
        let administrator = ["Administrator".to_owned()];
        assert_eq!(Policy::default().speaks_for(&[]), SpeaksFor::Users);
        assert_eq!(Policy::default().speaks_for(&administrator), SpeaksFor::Everybody);
        assert_eq!(
            policy(serde_json::json!({ "speaksFor": "own" })).speaks_for(&administrator),
            SpeaksFor::Own
        );
    }
}
