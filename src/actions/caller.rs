//! Callers, and the credentials that they show.

use std::rc::Rc;

use serde_json::Value;

use crate::domain::audit::{Actor, Deed};
use crate::domain::browsers::SessionCookie;
use crate::domain::identity::machine_key::{self, MachineKey, May};
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::{User, UserId};
use crate::domain::origin::TokenSays;
use crate::domain::secret::{PlainToken, Secret};
use crate::domain::time::Millis;
use crate::domain::tokens::token_app::AppName;
use crate::error::{Refusal, Result};
use crate::memory::reading::Wanted;
use crate::memory::write::Write;
use crate::store::machine_keys;
use crate::store::standings::Subject;

#[derive(Debug, Clone)]
pub enum Credential {
    Password {
        username: String,
        password: Secret,
    },
    /// A token that may be an opaque token or a JSON Web Token.
    Token(PlainToken),
    OpaqueToken(PlainToken),
    /// The cookie of the GIS manager.
    Cookie(PlainToken),
    /// The cookie of a gateway session.
    Session {
        value: PlainToken,
        /// The cookie that carried it.
        cookie: SessionCookie,
    },
    /// The cookie of a console session. It is accepted only from a page of the console's own web
    /// origin.
    Console(PlainToken),
    /// A token in a header or cookie that a variable names.
    Placed {
        token: PlainToken,
        /// Browsers send cookies by themselves, whichever page makes the request.
        is_cookie: bool,
    },
    /// A machine key. With Basic authentication, `name` is the user name, which must be the key's
    /// name.
    Key {
        name: Option<String>,
        /// As sent. It may not have the form of a key.
        key: PlainToken,
    },
    /// URL parameters, as name and value. One of them may carry a token of a token app.
    Parameters(Vec<(String, PlainToken)>),
}

impl Credential {
    /// Whether browsers send it by themselves, so that a page of another origin may have caused the
    /// request.
    #[must_use]
    pub fn is_cookie(&self) -> bool {
        matches!(
            self,
            Self::Cookie(_) | Self::Session { .. } | Self::Placed { is_cookie: true, .. }
        )
    }

    /// The name of its kind, in counters.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            Self::Token(_) | Self::Placed { .. } => "token",
            Self::OpaqueToken(_) => "opaque",
            Self::Cookie(_) | Self::Session { .. } | Self::Console(_) => "session",
            Self::Key { .. } => "key",
            Self::Parameters(_) => "parameter",
        }
    }

    /// The credential of a token, in places that accept Postern's machine keys as well.
    #[must_use]
    pub fn of_token(token: PlainToken) -> Self {
        if machine_key::looks_like_one(token.expose()) {
            Self::Key { name: None, key: token }
        } else {
            Self::Token(token)
        }
    }
}

/// A user or a machine key. Code that needs a user calls [`Caller::user`], which refuses a key. So
/// nothing that is written for users is open to keys by accident.
#[derive(Debug, Clone)]
pub enum Caller {
    User(UserCaller),
    Key(KeyCaller),
}

/// A user who has proved their identity.
#[derive(Debug, Clone)]
pub struct UserCaller {
    /// Always enabled.
    pub user: Rc<User>,
    pub proof: Proof,
}

/// A machine that has shown a key.
#[derive(Debug, Clone)]
pub struct KeyCaller {
    /// Not expired.
    pub key: Rc<MachineKey>,
    /// The user for whom the key speaks. The key never has more rights than this user. Always
    /// enabled.
    pub user: Option<Rc<User>>,
}

impl Caller {
    /// The user who calls. Fails for a key.
    pub fn user(&self) -> Result<&UserCaller> {
        match self {
            Self::User(user) => Ok(user),
            Self::Key(_) => Err(Refusal::KeyIsNoUser.into()),
        }
    }

    /// When the credential expires, seen from `now`; `None` if it does not expire.
    #[must_use]
    pub fn ends_at(&self, now: Millis, leeway_s: i64) -> Option<Millis> {
        match self {
            Self::User(user) => user.ends_at(now, leeway_s),
            Self::Key(caller) => caller.key.expires_at,
        }
    }

    /// The user whose rights limit the caller's: the calling user, or the user for whom the key
    /// speaks. `None` for a key that speaks for itself.
    #[must_use]
    pub fn limited_by(&self) -> Option<&Rc<User>> {
        match self {
            Self::User(caller) => Some(&caller.user),
            Self::Key(caller) => caller.user.as_ref(),
        }
    }

    /// A write that is refused if [`Self::limited_by`] has changed since the caller was
    /// authenticated. It is for writes with lasting effect, and for writes that waited: an
    /// administrator may have disabled the user meanwhile, or reset their password.
    #[must_use]
    pub fn unchanged(&self) -> Write {
        self.limited_by()
            .map_or_else(Write::default, |user| Write::of(machine_keys::refuse_changed_user(user)))
    }

    /// The id of [`Self::limited_by`].
    #[must_use]
    pub fn own_id(&self) -> Option<UserId> {
        self.limited_by().map(|user| user.id)
    }

    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.may(May::Administration)
    }

    /// Whether the caller may ask about every user.
    #[must_use]
    pub fn asks_about_everybody(&self) -> bool {
        self.may(May::Decisions)
    }

    /// Administrators have all rights. A key needs the right itself. If it speaks for a user, that
    /// user must be an administrator, too.
    fn may(&self, may: May) -> bool {
        let has_right = match self {
            Self::User(_) => true,
            Self::Key(caller) => caller.key.may.include(may),
        };
        has_right && self.limited_by().is_none_or(|user| user.is_administrator())
    }

    /// The user who is responsible for what the caller creates: the caller, or the creator of the
    /// key.
    #[must_use]
    pub fn accountable(&self) -> UserId {
        match self {
            Self::User(caller) => caller.user.id,
            Self::Key(caller) => caller.key.created_by,
        }
    }

    /// How the audit trail names the caller. A key is named with its id, because names can be used
    /// again.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::User(caller) => Actor::from(&*caller.user),
            Self::Key(KeyCaller { key, .. }) => {
                let bracketed = Actor::bracketed(&format!("key {} {}", key.id, key.name.as_str()));
                Actor { id: key.user_id, ..bracketed }
            }
        }
    }

    /// The groups from the token, which are added to the stored groups for this request.
    #[must_use]
    pub fn groups(&self) -> &[i64] {
        match self {
            Self::User(UserCaller { proof: Proof::Jwt { groups, .. }, .. }) => groups,
            Self::User(_) | Self::Key(_) => &[],
        }
    }

    /// An entry for the audit trail about something that the caller does.
    #[must_use]
    pub fn deed(&self, action: &'static str, target: impl Into<String>) -> Deed {
        Deed::new(self.actor(), action, target)
    }
}

impl UserCaller {
    /// When the credential expires, seen from `now`. A password does not expire. A token that is
    /// past its `exp` but within `CLOCK_LEEWAY_S` expires at the end of that leeway.
    #[must_use]
    pub fn ends_at(&self, now: Millis, leeway_s: i64) -> Option<Millis> {
        match &self.proof {
            Proof::Password => None,
            Proof::Session(session) => Some(session.expires_at),
            Proof::Jwt { expires_at_s, .. } => {
                let end = Millis::from_seconds(*expires_at_s);
                Some(if end > now { end } else { end + Millis::from_seconds(leeway_s) })
            }
        }
    }

    /// The app whose token was shown.
    #[must_use]
    pub fn app(&self) -> Option<&AppName> {
        match &self.proof {
            Proof::Jwt { app, .. } => Some(app),
            Proof::Password | Proof::Session(_) => None,
        }
    }
}

/// How a user has proved their identity.
#[derive(Debug, Clone)]
pub enum Proof {
    Password,
    /// An opaque token, or its cookie.
    Session(Rc<Session>),
    /// A token of a token app.
    Jwt {
        app: AppName,
        /// When the app was last changed, as far as this isolate knows.
        app_modified_at: Millis,
        /// When the token expires, in seconds since the epoch.
        expires_at_s: i64,
        /// The claims that the app passes on, in the app's order.
        claims: Vec<(String, Value)>,
        /// Groups from the token, which are added to the stored groups for this request.
        groups: Vec<i64>,
        /// Other claims that rules look at; `None` if no rule looks at tokens.
        says: Option<Rc<TokenSays>>,
        /// Whether an introspection endpoint was asked about the token. Then the token may be
        /// revoked at any time.
        is_introspected: bool,
    },
}

/// What else is known of a request, in addition to its credential.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// The token must belong to this token app.
    pub app: Option<&'a str>,
    /// Permissions on this service will be checked. They are read in the same round trip as the
    /// caller.
    pub service_id: Option<i64>,
    /// The user whose permissions will be checked, in addition to the caller's.
    pub user_id: Option<i64>,
    /// Whether the caller's groups will be needed.
    pub groups: bool,
}

impl Hints<'_> {
    /// What to read ahead, because it will be needed: permissions and groups. `caller` is how the
    /// caller is known before they are read.
    pub(crate) fn ahead(&self, caller: Subject) -> impl Iterator<Item = Wanted> + use<> {
        let groups = self.groups.then(|| Wanted::Groups(caller.clone()));
        let other = self.user_id.map(Subject::Id);
        let service_id = self.service_id;
        let wanted = move |subject| Some(Wanted::Standing { subject, service_id: service_id? });
        [Some(caller), other].into_iter().flatten().filter_map(wanted).chain(groups)
    }
}
