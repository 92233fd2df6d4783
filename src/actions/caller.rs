//! Who calls, and what they show for it.

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

/// What a caller shows.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A user name and a password.
    Password {
        /// As sent.
        username: String,
        /// As sent.
        password: Secret,
    },
    /// A token that may be opaque or a JSON Web Token.
    Token(PlainToken),
    /// An opaque token.
    OpaqueToken(PlainToken),
    /// The cookie of the GIS manager.
    Cookie(PlainToken),
    /// The cookie of a session of the gateway.
    Session {
        /// As sent.
        value: PlainToken,
        /// The cookie that it is in.
        cookie: SessionCookie,
    },
    /// The cookie of a session of the console. It is looked at only where a page of the console's
    /// own web origin sends it.
    Console(PlainToken),
    /// A token in a header or a cookie that a variable names.
    Placed {
        /// As sent.
        token: PlainToken,
        /// A browser sends it by itself, whichever page asks.
        is_cookie: bool,
    },
    /// A key; with Basic, the name that came with it.
    Key {
        /// As sent.
        name: Option<String>,
        /// As sent; it need not have the form of a key.
        key: PlainToken,
    },
    /// URL parameters, of which one may carry a token app's token: name and value.
    Parameters(Vec<(String, PlainToken)>),
}

impl Credential {
    /// Whether a browser sends it by itself, and a page of another origin may have made it do so.
    #[must_use]
    pub fn is_cookie(&self) -> bool {
        matches!(
            self,
            Self::Cookie(_) | Self::Session { .. } | Self::Placed { is_cookie: true, .. }
        )
    }

    /// The word for its kind, in counters.
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

    /// The credential that a token is where Postern's keys are taken too.
    #[must_use]
    pub fn of_token(token: PlainToken) -> Self {
        if machine_key::looks_like_one(token.expose()) {
            Self::Key { name: None, key: token }
        } else {
            Self::Token(token)
        }
    }
}

/// Who calls: a user, or a key. Whatever needs a user asks for one by [`Caller::user`], which
/// refuses a key; so nothing that is written for users is open to keys by accident.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A user.
    User(UserCaller),
    /// A machine.
    Key(KeyCaller),
}

/// A user who proved who they are.
#[derive(Debug, Clone)]
pub struct UserCaller {
    /// Who they are; enabled.
    pub user: Rc<User>,
    /// How they proved it.
    pub proof: Proof,
}

/// A machine that showed a key.
#[derive(Debug, Clone)]
pub struct KeyCaller {
    /// The key; not expired.
    pub key: Rc<MachineKey>,
    /// The user for whom it speaks, and who limits it; enabled.
    pub user: Option<Rc<User>>,
}

impl Caller {
    /// The user who calls; a key is none.
    pub fn user(&self) -> Result<&UserCaller> {
        match self {
            Self::User(user) => Ok(user),
            Self::Key(_) => Err(Refusal::KeyIsNoUser.into()),
        }
    }

    /// When the credential ends, seen from `now`; `None` where it does not.
    #[must_use]
    pub fn ends_at(&self, now: Millis, leeway_s: i64) -> Option<Millis> {
        match self {
            Self::User(user) => user.ends_at(now, leeway_s),
            Self::Key(caller) => caller.key.expires_at,
        }
    }

    /// The user beyond whose rights the caller may nothing: the one who calls, or the one for whom
    /// the key speaks. `None` for a key that speaks for itself.
    #[must_use]
    pub fn limited_by(&self) -> Option<&Rc<User>> {
        match self {
            Self::User(caller) => Some(&caller.user),
            Self::Key(caller) => caller.user.as_ref(),
        }
    }

    /// A write that is refused where that user is not as they were when the caller was let in. It
    /// is for what lasts, and for what has waited: an administrator may have disabled the user
    /// meanwhile, or reset their password.
    #[must_use]
    pub fn unchanged(&self) -> Write {
        self.limited_by()
            .map_or_else(Write::default, |user| Write::of(machine_keys::refuse_changed_user(user)))
    }

    /// The id of that user.
    #[must_use]
    pub fn own_id(&self) -> Option<UserId> {
        self.limited_by().map(|user| user.id)
    }

    /// Whether the caller may what administrators may.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.may(May::Administration)
    }

    /// Whether the caller may ask about everybody.
    #[must_use]
    pub fn asks_about_everybody(&self) -> bool {
        self.may(May::Decisions)
    }

    /// Administrators may all of it. A key needs the right itself, and one that speaks for a user
    /// may it only if the user is an administrator.
    fn may(&self, may: May) -> bool {
        let has_right = match self {
            Self::User(_) => true,
            Self::Key(caller) => caller.key.may.include(may),
        };
        has_right && self.limited_by().is_none_or(|user| user.is_administrator())
    }

    /// The user who answers for what is made: the caller, or who made the key.
    #[must_use]
    pub fn accountable(&self) -> UserId {
        match self {
            Self::User(caller) => caller.user.id,
            Self::Key(caller) => caller.key.created_by,
        }
    }

    /// The caller in the audit trail. A key is named by its id too, since names are given again.
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

    /// The groups that count for this request, beside the stored ones.
    #[must_use]
    pub fn groups(&self) -> &[i64] {
        match self {
            Self::User(UserCaller { proof: Proof::Jwt { groups, .. }, .. }) => groups,
            Self::User(_) | Self::Key(_) => &[],
        }
    }

    /// Something that the caller does, for the audit trail.
    #[must_use]
    pub fn deed(&self, action: &'static str, target: impl Into<String>) -> Deed {
        Deed::new(self.actor(), action, target)
    }
}

impl UserCaller {
    /// When the credential ends, seen from `now`; a password does not. A token that is past its
    /// `exp`, and good by `CLOCK_LEEWAY_S`, ends with that.
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

    /// The token app whose token they showed.
    #[must_use]
    pub fn app(&self) -> Option<&AppName> {
        match &self.proof {
            Proof::Jwt { app, .. } => Some(app),
            Proof::Password | Proof::Session(_) => None,
        }
    }
}

/// How somebody proved who they are.
#[derive(Debug, Clone)]
pub enum Proof {
    /// By a password.
    Password,
    /// By an opaque token or its cookie.
    Session(Rc<Session>),
    /// By a token app's token.
    Jwt {
        /// The app.
        app: AppName,
        /// When the app was last changed, as far as the isolate knows.
        app_modified_at: Millis,
        /// When the token is over, in seconds since the epoch.
        expires_at_s: i64,
        /// The claims that the app passes on, in its order.
        claims: Vec<(String, Value)>,
        /// Groups that count for this request, beside the stored ones.
        groups: Vec<i64>,
        /// What else the token says that rules look at; `None` where there is no such rule.
        says: Option<Rc<TokenSays>>,
        /// Whether the issuer was asked about the token. It may end at any time.
        is_introspected: bool,
    },
}

/// What is known of a request beside its credential.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// The only token app that a token may belong to.
    pub app: Option<&'a str>,
    /// The service that standings will be asked for, so that they are read in the same round trip.
    pub service_id: Option<i64>,
    /// Whose standing will be asked for, beside the caller's own.
    pub user_id: Option<i64>,
    /// Whether the caller's groups will be asked for.
    pub groups: bool,
}

impl Hints<'_> {
    /// What to read ahead, of a caller who is known in this way so far: standings and groups that
    /// will be asked for.
    pub(crate) fn ahead(&self, caller: Subject) -> impl Iterator<Item = Wanted> + use<> {
        let groups = self.groups.then(|| Wanted::Groups(caller.clone()));
        let other = self.user_id.map(Subject::Id);
        let service_id = self.service_id;
        let wanted = move |subject| Some(Wanted::Standing { subject, service_id: service_id? });
        [Some(caller), other].into_iter().flatten().filter_map(wanted).chain(groups)
    }
}
