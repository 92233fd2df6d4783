//! Decides questions whose subjects, actions and resources are named by texts, as in the AuthZEN
//! API. Permissions and gateway rules decide, by the same code as everywhere else. A warm decision
//! reads nothing from D1. A cold one reads the names in one round trip, and all permissions in a
//! second one.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use crate::actions::caller::{Caller, Proof, UserCaller};
use crate::actions::{permissions, rules};
use crate::context::Cx;
use crate::domain::applications::application::{AccessKey, AuthorizationType};
use crate::domain::identity::user::{User, UserId, Username};
use crate::domain::method;
use crate::domain::origin::{Demand, Matched, Rule};
use crate::domain::permissions::grant::Grant;
use crate::domain::permissions::names::{self, Actions, ResourceName, ResourceType};
use crate::domain::permissions::permission::{Pair, Permission, Standing};
use crate::error::{Error, Refusal, Result};
use crate::memory::known::{AskedNames, Known, KnownNames};
use crate::store::reach::Member;
use crate::store::{grants, sql};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Username(Username),
    /// Postern need not have a user of this id.
    UserId(i64),
    Application(AccessKey),
    /// A text that cannot name anybody.
    Nobody,
}

#[derive(Debug, Clone)]
pub enum Resource<'r> {
    Service(i64),
    /// A service, by a name that an administrator gave it.
    Named(ResourceName),
    Organization(String),
    /// A request through a gateway; `None` if no rule can apply to its method.
    Route(Option<Matched<'r>>),
    /// A text that cannot name anything.
    Nothing,
}

#[derive(Debug, Clone)]
pub struct Asked<'r> {
    pub subject: Subject,
    pub action: String,
    pub resource: Resource<'r>,
    /// The resource as the caller named it, for the log.
    pub about: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub reason: Reason,
    /// The user, service and permission that decided; `None` if something else decided.
    pub of: Option<(Pair, Permission)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// By a grant, or because the user is an administrator.
    Granted,
    Public,
    /// The service's switch is off.
    SwitchOff,
    /// No grant gives the permission.
    NoGrant,
    /// A gateway rule requires something else, or denies the request.
    Rule,
    /// No gateway rule allows the request.
    NoRule,
    /// The user or application is disabled.
    UserDisabled,
    /// There is no such user or application.
    UserUnknown,
    ResourceUnknown,
    ActionUnknown,
}

impl Reason {
    /// In the order of the variants.
    pub const NAMES: [&'static str; 10] = [
        "granted",
        "public",
        "switch_off",
        "no_grant",
        "rule",
        "no_rule",
        "user_disabled",
        "user_unknown",
        "resource_unknown",
        "action_unknown",
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Public => "public",
            Self::SwitchOff => "switch_off",
            Self::NoGrant => "no_grant",
            Self::Rule => "rule",
            Self::NoRule => "no_rule",
            Self::UserDisabled => "user_disabled",
            Self::UserUnknown => "user_unknown",
            Self::ResourceUnknown => "resource_unknown",
            Self::ActionUnknown => "action_unknown",
        }
    }
}

impl Decision {
    const fn yes(reason: Reason) -> Self {
        Self { allowed: true, reason, of: None }
    }

    const fn no(reason: Reason) -> Self {
        Self { allowed: false, reason, of: None }
    }
}

impl Decision {
    /// For callers who may ask only because they have GRANT on the service. They may know the
    /// decision, but not whether a user exists or is disabled.
    fn without_state(self) -> Self {
        match self.reason {
            Reason::UserDisabled | Reason::UserUnknown => Self { reason: Reason::NoGrant, ..self },
            _ => self,
        }
    }
}

impl Subject {
    #[must_use]
    pub fn parse(of: &str, id: &str) -> Self {
        let found = match of {
            "user" | "identity" => Username::parse(id).ok().map(Self::Username),
            "user_id" => decimal(id).map(Self::UserId),
            "application" => AccessKey::parse(id).ok().map(Self::Application),
            _ => None,
        };
        found.unwrap_or(Self::Nobody)
    }
}

impl Resource<'_> {
    /// Parses a type and an id. Routes are not parsed here.
    #[must_use]
    pub fn parse(of: &str, id: &str) -> Self {
        let named = || ResourceName::new(&ResourceType::parse(of).ok()?, id).ok();
        let found = match of {
            "service" => decimal(id).map(Self::Service),
            "organization" => Some(Self::Organization(id.to_owned())),
            _ => named().map(Self::Named),
        };
        found.unwrap_or(Self::Nothing)
    }
}

/// Parses an int64 in its canonical form: `7`, but not `+7` or `07`. So each thing has one name
/// only.
#[must_use]
pub fn decimal(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

/// Answers the questions in their order. An answer is an error if the caller may not ask that
/// question.
pub async fn evaluate(
    cx: &Cx,
    caller: &Caller,
    asked: &[Asked<'_>],
) -> Result<Vec<Result<Decision>>> {
    let asking = Asking::new(cx, caller, asked).await?;
    let mut answers = Vec::with_capacity(asked.len());
    for one in asked {
        answers.push(match asking.decide(one).await {
            Err(error @ Error::Forbidden(_)) => Err(error),
            Ok(decision) if asking.is_told_all(one) => Ok(decision),
            answer => Ok(answer?.without_state()),
        });
    }
    Ok(answers)
}

/// The grants that give the permission, for each decision that a permission made. All are read from
/// D1 now, in one batch.
pub async fn via(
    cx: &Cx,
    caller: &Caller,
    decided: &[Option<(Pair, Permission)>],
) -> Result<Vec<Vec<Grant>>> {
    let own_id = caller.own_id().map(|id| id.0);
    let statement = |(pair, _): &(Pair, Permission)| {
        let token_groups = if own_id == Some(pair.user_id) { caller.groups() } else { &[] };
        grants::select_reaching(&Member { user_id: pair.user_id, token_groups }, pair.service_id)
    };
    let results = sql::query_all(cx, decided.iter().flatten().map(statement).collect()).await?;
    let mut results = results.iter();
    let mut all = Vec::with_capacity(decided.len());
    for of in decided {
        let Some(((_, permission), rows)) = of.and_then(|of| Some((of, results.next()?))) else {
            all.push(Vec::new());
            continue;
        };
        let reaching = rows
            .rows
            .iter()
            .map(|row| grants::named(row).map(|(grant, _)| grant))
            .collect::<Result<Vec<_>>>()?;
        let gives =
            |grant: &Grant| grant.period.contains(cx.now) && grant.permissions.has(permission);
        all.push(reaching.into_iter().filter(gives).collect());
    }
    Ok(all)
}

/// What is needed to answer a list of questions.
pub(super) struct Asking<'c> {
    cx: &'c Cx,
    caller: &'c Caller,
    names: KnownNames,
    standings: HashMap<Pair, Standing>,
}

impl<'c> Asking<'c> {
    /// Reads what the answers depend on, unless memory has it.
    ///
    /// A caller who may not ask about every user is checked first, and only the caller's own
    /// permissions are read for this. If they may not ask a question, nothing about its subject is
    /// read. So the time of the refusal tells nothing about the subject, and made-up names evict
    /// nothing from memory.
    pub(super) async fn new(cx: &'c Cx, caller: &'c Caller, asked: &[Asked<'_>]) -> Result<Self> {
        let mut asking =
            Self { cx, caller, names: KnownNames::default(), standings: HashMap::new() };
        let asked: Vec<_> = asked.iter().collect();
        if caller.asks_about_everybody() {
            let mut names = AskedNames::default();
            add_resources(&mut names, &asked);
            add_subjects(cx, &mut names, &asked);
            asking.names = Known::names(cx, &names).await?;
            asking.read_standings(&asked).await?;
            return Ok(asking);
        }
        let mut resources = AskedNames::default();
        add_resources(&mut resources, &asked);
        asking.names = Known::names(cx, &resources).await?;
        asking.read_own_standings(&asked).await?;
        let may_be_asked = |one: &&Asked<'_>| {
            let own_id = asking.own_id().filter(|_| asking.is_own(&one.subject));
            asking.refuse_stranger(own_id, &one.resource).is_ok()
        };
        let asked: Vec<_> = asked.into_iter().filter(may_be_asked).collect();
        let mut subjects = AskedNames::default();
        add_subjects(cx, &mut subjects, &asked);
        let KnownNames { users, applications, .. } = Known::names(cx, &subjects).await?;
        asking.names.users = users;
        asking.names.applications = applications;
        asking.read_standings(&asked).await?;
        Ok(asking)
    }

    /// Whether the subject is the calling user, as far as the caller's own name and id tell.
    fn is_own(&self, subject: &Subject) -> bool {
        self.caller.limited_by().is_some_and(|own| match subject {
            Subject::Username(name) => own.username == *name,
            Subject::UserId(id) => own.id.0 == *id,
            Subject::Application(_) | Subject::Nobody => false,
        })
    }

    /// Whether the caller may know everything about the subject.
    fn is_told_all(&self, one: &Asked<'_>) -> bool {
        self.caller.asks_about_everybody()
            || self.own_id().is_some_and(|own_id| self.user_id(&one.subject) == Some(own_id))
    }

    /// Reads the caller's own permissions on the services of questions about others.
    async fn read_own_standings(&mut self, asked: &[&Asked<'_>]) -> Result<()> {
        let Some(user_id) = self.own_id() else { return Ok(()) };
        let about_others = asked.iter().filter(|one| !self.is_own(&one.subject));
        let service_id = |one: &&Asked<'_>| match &one.resource {
            // A name that belongs to no service must take as long as one that does.
            named @ Resource::Named(_) => Some(self.service_id(named).unwrap_or(i64::MIN)),
            other => self.service_id(other),
        };
        let services: BTreeSet<_> = about_others.filter_map(service_id).collect();
        self.add_standings(
            services.into_iter().map(|service_id| Pair { service_id, user_id }).collect(),
        )
        .await
    }

    async fn read_standings(&mut self, asked: &[&Asked<'_>]) -> Result<()> {
        let mut pairs = BTreeSet::new();
        let mut in_groups = BTreeSet::new();
        for one in asked {
            self.add_needed(one, &mut pairs, &mut in_groups);
        }
        if !in_groups.is_empty() {
            Known::groups_ahead(self.cx, &in_groups.into_iter().map(UserId).collect::<Vec<_>>())
                .await?;
        }
        self.add_standings(
            pairs.into_iter().map(|(service_id, user_id)| Pair { service_id, user_id }).collect(),
        )
        .await
    }

    async fn add_standings(&mut self, pairs: Vec<Pair>) -> Result<()> {
        if !pairs.is_empty() {
            let standings = permissions::standings(self.cx, self.caller, &pairs).await?;
            self.standings.extend(pairs.into_iter().zip(standings));
        }
        Ok(())
    }

    /// Adds what the answer depends on: pairs of service and user, and users whose groups are
    /// needed.
    fn add_needed(
        &self,
        one: &Asked<'_>,
        pairs: &mut BTreeSet<(i64, i64)>,
        in_groups: &mut BTreeSet<i64>,
    ) {
        let user_id = self.user_id(&one.subject);
        if let Resource::Route(Some(matched)) = &one.resource {
            let Some(user_id) = user_id else { return };
            pairs.extend(
                rules::asked(matched)
                    .flat_map(Rule::permissions)
                    .map(|(service_id, _)| (service_id, user_id)),
            );
            in_groups.extend(rules::asked(matched).any(Rule::asks_groups).then_some(user_id));
            return;
        }
        let pair = self.service_id(&one.resource).zip(user_id);
        pairs.extend(
            pair.filter(|&(service_id, user_id)| self.standing(service_id, user_id).is_none()),
        );
    }

    pub(super) fn own_id(&self) -> Option<i64> {
        self.caller.own_id().map(|id| id.0)
    }

    fn user(&self, subject: &Subject) -> Option<&Rc<User>> {
        self.names.users.iter().find(|user| match subject {
            Subject::Username(name) => user.username == *name,
            Subject::UserId(id) => user.id.0 == *id,
            Subject::Application(_) | Subject::Nobody => false,
        })
    }

    /// Whether Postern has this user. It is known only if the name or id was looked up.
    pub(super) fn is_user(&self, subject: &Subject) -> bool {
        self.user(subject).is_some()
    }

    /// The user's id; `None` for a name that no user has.
    pub(super) fn user_id(&self, subject: &Subject) -> Option<i64> {
        match subject {
            Subject::UserId(id) => Some(*id),
            other => self.user(other).map(|user| user.id.0),
        }
    }

    /// The id of the service; `None` if nothing has this name.
    pub(super) fn service_id(&self, resource: &Resource<'_>) -> Option<i64> {
        match resource {
            Resource::Service(id) => Some(*id),
            Resource::Named(name) => self
                .names
                .services
                .iter()
                .find(|(of, _)| of == name)
                .and_then(|(_, service_id)| *service_id),
            Resource::Organization(_) | Resource::Route(_) | Resource::Nothing => None,
        }
    }

    /// The action names of a resource. A service that is named by its id has only the names of
    /// permissions.
    pub(super) fn actions(&self, resource: &Resource<'_>) -> Actions {
        match resource {
            Resource::Named(name) => self.actions_of(&name.of),
            _ => Actions::default(),
        }
    }

    pub(super) fn actions_of(&self, of: &ResourceType) -> Actions {
        self.names
            .actions
            .iter()
            .find(|(own, _)| own == of)
            .map(|(_, actions)| Rc::clone(actions))
            .unwrap_or_default()
    }

    pub(super) fn standing(&self, service_id: i64, user_id: i64) -> Option<&Standing> {
        self.standings.get(&Pair { service_id, user_id })
    }

    /// Refuses a caller who may not ask about this user and resource. A caller who may ask only
    /// because of GRANT on the service is not told whether a user of that name exists.
    pub(super) fn refuse_stranger(
        &self,
        user_id: Option<i64>,
        resource: &Resource<'_>,
    ) -> Result<()> {
        if self.caller.asks_about_everybody() || (user_id.is_some() && user_id == self.own_id()) {
            return Ok(());
        }
        let service_id = self.service_id(resource);
        let own = service_id
            .zip(self.own_id())
            .and_then(|(service_id, own_id)| self.standing(service_id, own_id));
        if own.is_some_and(|own| own.allows(Permission::Grant)) {
            return Ok(());
        }
        Err(match resource {
            Resource::Service(service_id) => {
                Refusal::NoPermission { permission: Permission::Grant, service_id: *service_id }
            }
            _ => Refusal::NotYourself,
        }
        .into())
    }

    async fn decide(&self, one: &Asked<'_>) -> Result<Decision> {
        let user_id = self.user_id(&one.subject);
        self.refuse_stranger(user_id, &one.resource)?;
        match (&one.subject, &one.resource) {
            (_, Resource::Route(matched)) => self.decide_by_rules(one, matched.as_ref()).await,
            (Subject::Application(access_key), Resource::Organization(id)) => {
                Ok(self.decide_of_application(access_key, id, &one.action))
            }
            (_, Resource::Organization(_) | Resource::Nothing) => {
                Ok(Decision::no(Reason::ResourceUnknown))
            }
            (_, Resource::Service(_) | Resource::Named(_)) => {
                let Some(service_id) = self.service_id(&one.resource) else {
                    return Ok(Decision::no(Reason::ResourceUnknown));
                };
                let Some(permission) = names::meaning(&self.actions(&one.resource), &one.action)
                else {
                    return Ok(Decision::no(Reason::ActionUnknown));
                };
                let Some(user_id) = user_id else { return Ok(Decision::no(Reason::UserUnknown)) };
                let missing = || Error::internal("a standing is missing");
                let standing = *self.standing(service_id, user_id).ok_or_else(missing)?;
                let decision = by_standing(standing, permission, self.cx.config.strict_directory);
                Ok(Decision { of: Some((Pair { service_id, user_id }, permission)), ..decision })
            }
        }
    }

    fn decide_of_application(
        &self,
        access_key: &AccessKey,
        organization: &str,
        action: &str,
    ) -> Decision {
        let found = self.names.applications.iter().find(|(of, _)| of == access_key);
        let Some(application) = found.and_then(|(_, application)| application.as_deref()) else {
            return Decision::no(Reason::UserUnknown);
        };
        if application.organization_id.as_str() != organization {
            return Decision::no(Reason::ResourceUnknown);
        }
        match AuthorizationType::parse(action) {
            Err(_) => Decision::no(Reason::ActionUnknown),
            Ok(kind) if application.is_authorized(kind) => Decision::yes(Reason::Granted),
            Ok(_) if !application.may_act() => Decision::no(Reason::UserDisabled),
            Ok(_) => Decision::no(Reason::NoGrant),
        }
    }

    /// Decides as the gateway or a proxy would. A caller who asks about themselves is judged with
    /// their token's claims; no token is known of others.
    async fn decide_by_rules(
        &self,
        one: &Asked<'_>,
        matched: Option<&Matched<'_>>,
    ) -> Result<Decision> {
        let Some(matched) = matched else { return Ok(Decision::no(Reason::ActionUnknown)) };
        let rules = match &matched.demand {
            Demand::Nothing => return Ok(Decision::yes(Reason::Public)),
            Demand::Methods(_) => return Ok(Decision::no(Reason::NoRule)),
            Demand::Rules(rules) => rules,
        };
        if rules.iter().all(|rule| rule.deny) {
            return Ok(Decision::no(Reason::NoRule));
        }
        let Some(user) = self.user(&one.subject) else {
            return Ok(Decision::no(Reason::UserUnknown));
        };
        if !user.profile.enabled {
            return Ok(Decision::no(Reason::UserDisabled));
        }
        let other = || Caller::User(UserCaller { user: Rc::clone(user), proof: Proof::Password });
        let is_own = matches!(self.caller, Caller::User(own) if own.user.id == user.id);
        let subject = if is_own { self.caller.clone() } else { other() };
        // The log must stay on one line, so line breaks are escaped.
        let what = format!("{} {}", one.action, one.about).escape_debug().to_string();
        match rules::require(self.cx, &subject, matched, &what).await {
            Ok(()) => Ok(Decision::yes(Reason::Granted)),
            Err(Error::Forbidden(Refusal::NoPermission { .. })) => {
                Ok(Decision::no(Reason::NoGrant))
            }
            Err(Error::Forbidden(_)) => Ok(Decision::no(Reason::Rule)),
            Err(Error::NotFound { .. }) => Ok(Decision::no(Reason::ResourceUnknown)),
            Err(error) => Err(error),
        }
    }
}

/// What a permission check answers, and why.
fn by_standing(standing: Standing, permission: Permission, is_strict: bool) -> Decision {
    match standing.user {
        None if is_strict => Decision::no(Reason::UserUnknown),
        Some(user) if !user.enabled => Decision::no(Reason::UserDisabled),
        _ if is_strict && !standing.service_exists => Decision::no(Reason::ResourceUnknown),
        _ if standing.is_administrator() || standing.granted.has(permission) => {
            Decision::yes(Reason::Granted)
        }
        _ if standing.allows(permission) => Decision::yes(Reason::SwitchOff),
        None => Decision::no(Reason::UserUnknown),
        Some(_) if !standing.service_exists => Decision::no(Reason::ResourceUnknown),
        Some(_) => Decision::no(Reason::NoGrant),
    }
}

/// Adds the names of the resources, and the types whose action names are needed. Each is added
/// once.
fn add_resources(names: &mut AskedNames, asked: &[&Asked<'_>]) {
    for one in asked {
        if let Resource::Named(name) = &one.resource {
            add(&mut names.resources, name);
            add(&mut names.types, &name.of);
        }
    }
}

/// Adds the names of the subjects. Each is added once.
fn add_subjects(cx: &Cx, names: &mut AskedNames, asked: &[&Asked<'_>]) {
    for one in asked {
        match &one.subject {
            Subject::Username(name) => add(&mut names.users, name),
            // Otherwise the user's standing has everything that the decision needs.
            Subject::UserId(id)
                if cx.config.strict_directory || matches!(one.resource, Resource::Route(_)) =>
            {
                add(&mut names.user_ids, &UserId(*id));
            }
            Subject::Application(access_key) => add(&mut names.applications, access_key),
            Subject::UserId(_) | Subject::Nobody => {}
        }
    }
}

fn add<T: Clone + PartialEq>(list: &mut Vec<T>, item: &T) {
    if !list.contains(item) {
        list.push(item.clone());
    }
}

/// The names of all actions that the resource may have.
pub(super) fn candidates(asking: &Asking<'_>, resource: &Resource<'_>) -> Vec<String> {
    let mut found: Vec<String> = match resource {
        Resource::Service(_) | Resource::Named(_) => {
            let own = asking.actions(resource);
            let permissions =
                Permission::ALL.into_iter().map(|permission| permission.name().to_owned());
            own.iter().map(|(name, _)| name.clone()).chain(permissions).collect()
        }
        Resource::Organization(_) => {
            AuthorizationType::ALL.into_iter().map(|kind| kind.name().to_owned()).collect()
        }
        Resource::Route(_) => method::KNOWN.map(str::to_owned).to_vec(),
        Resource::Nothing => Vec::new(),
    };
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::permissions::permission::{Permissions, StandingUser};

    /// All standings, each once where unknown users and services are refused and once where not.
    #[test]
    fn a_decision_is_that_of_the_standing_and_says_the_first_reason() {
        let users = [(true, true), (true, false), (false, true), (false, false)]
            .map(|(is_administrator, enabled)| Some(StandingUser { is_administrator, enabled }));
        let grants = [Permissions::NONE, Permissions::of_grant([Permission::Grant])];
        for (user, granted) in
            users.into_iter().chain([None]).flat_map(|user| grants.map(|of| (user, of)))
        {
            for [switch, service_exists, is_strict] in
                (0..8).map(|bits| [bits & 1 == 1, bits & 2 == 2, bits & 4 == 4])
            {
                let standing = Standing { switch, service_exists, user, granted };
                let is_unknown = user.is_none() || !service_exists;
                for permission in [Permission::View, Permission::Grant] {
                    let decision = by_standing(standing, permission, is_strict);
                    let allowed = standing.allows(permission) && !(is_strict && is_unknown);
                    let reason = match user {
                        _ if allowed && granted.has(permission) => Reason::Granted,
                        _ if allowed && standing.is_administrator() => Reason::Granted,
                        _ if allowed => Reason::SwitchOff,
                        None => Reason::UserUnknown,
                        Some(StandingUser { enabled: false, .. }) => Reason::UserDisabled,
                        Some(_) if !service_exists => Reason::ResourceUnknown,
                        Some(_) => Reason::NoGrant,
                    };
                    let expected = Decision { allowed, reason, of: None };
                    assert_eq!(decision, expected, "{standing:?} {permission:?} {is_strict}");
                }
            }
        }
    }
}
