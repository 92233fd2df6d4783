//! Who calls, and what they show for it.

use std::rc::Rc;

use serde_json::Value;

use crate::domain::audit::{Actor, Deed};
use crate::domain::identity::opaque_token::Session;
use crate::domain::identity::user::User;
use crate::domain::secret::{PlainToken, Secret};
use crate::domain::tokens::token_app::AppName;
use crate::memory::reading::Wanted;
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
    /// An opaque token's cookie.
    Cookie(PlainToken),
    /// URL parameters, of which one may carry a token app's token: name and value.
    Parameters(Vec<(String, PlainToken)>),
}

/// Somebody who proved who they are.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who they are; enabled.
    pub user: Rc<User>,
    /// How they proved it.
    pub proof: Proof,
}

impl Caller {
    /// The caller in the audit trail.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::from(&*self.user)
    }

    /// The groups that count for this request, beside the stored ones.
    #[must_use]
    pub fn groups(&self) -> &[i64] {
        match &self.proof {
            Proof::Jwt { groups, .. } => groups,
            Proof::Password | Proof::Session(_) => &[],
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

    /// Something that the caller does, for the audit trail.
    #[must_use]
    pub fn deed(&self, action: &'static str, target: impl Into<String>) -> Deed {
        Deed::new(self.actor(), action, target)
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
        /// When the token is over, in seconds since the epoch.
        expires_at_s: i64,
        /// The claims that the app passes on, in its order.
        claims: Vec<(String, Value)>,
        /// Groups that count for this request, beside the stored ones.
        groups: Vec<i64>,
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
}

impl Hints<'_> {
    /// What to read ahead of the standings that will be asked for, of a caller who is known in this way so far.
    pub(crate) fn standings(&self, caller: Subject) -> impl Iterator<Item = Wanted> + use<> {
        let other = self.user_id.map(Subject::Id);
        let service_id = self.service_id;
        let wanted = move |subject| Some(Wanted::Standing { subject, service_id: service_id? });
        [Some(caller), other].into_iter().flatten().filter_map(wanted)
    }
}
