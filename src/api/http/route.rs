//! Routes: declared once, in a const table a dialect. Dispatch, the `OpenAPI` document and
//! docs/reference/endpoints.md derive from them.

use std::cell::RefCell;
use std::rc::Rc;

use crate::actions::authenticate::{authenticate, authenticate_first};
use crate::actions::caller::{Caller, Credential, Hints, KeyCaller};
use crate::api::http::body::{self, Fields};
use crate::api::http::console_host::is_admin_host;
use crate::api::http::credentials;
use crate::api::http::message::{Inbound, Response};
use crate::api::http::query::{self, Query};
use crate::api::http::session_cookie;
use crate::api::http::shape::{Answer, Body, Field, Shape};
use crate::api::http::undeclared::Undeclared;
use crate::context::Cx;
use crate::domain::applications::application::Application;
use crate::domain::config::Config;
use crate::domain::identity::machine_key::May;
use crate::domain::identity::user::{UserType, Username};
use crate::domain::time::Millis;
use crate::error::{Denied, Error, Refusal, Result};
use crate::ports::LocalFuture;

/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// The method of a route that takes every method.
pub const ANY_METHOD: &str = "ANY";

/// What parts a route's path from the client's URL behind it.
pub const BEFORE_CLIENT_URL: &str = "/-";

/// One HTTP dialect.
#[derive(Debug)]
pub struct Dialect {
    /// Its name, as in the tree.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub summary: &'static str,
    /// The longest prefix of a path decides which dialect answers.
    pub prefixes: &'static [&'static str],
    /// Whether nothing below its prefixes is ever the origin's. Of another dialect only the routes
    /// are Postern's, so that the rest of the documented system may be behind the gateway.
    pub keeps_prefixes: bool,
    /// Where a token may come from beside the headers.
    pub beside_headers: BesideHeaders,
    /// Whether a member or a parameter that a route does not declare is refused. Else it is
    /// ignored, since clients of documented dialects send more than the documents say; and the
    /// answer warns of it where its envelope has a place.
    pub refuses_undeclared: bool,
    /// Its routes, by what they are about.
    pub groups: &'static [&'static Group],
    /// Its envelope for failures; standard headers are added for all dialects.
    pub failure: fn(&Error, Millis) -> Response,
    /// The same with a second sentence, which leads out of it; `None` where its words are fixed.
    pub failure_with: Option<fn(&Error, &str) -> Response>,
    /// What its failures look like.
    pub failure_shape: &'static Shape,
    /// Their content type.
    pub failure_type: &'static str,
}

/// Where a dialect takes tokens beside the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BesideHeaders {
    /// Nowhere.
    Nothing,
    /// In a URL parameter of a token app.
    Parameters,
    /// In the GIS manager's cookie.
    Cookie,
    /// In the console's cookie.
    Console,
}

/// Routes about one noun.
#[derive(Debug)]
pub struct Group {
    /// The parameters of their paths.
    pub parameters: &'static [Field],
    /// The routes.
    pub routes: &'static [Route],
}

/// One operation.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing that a row of a table does or does not"
)]
pub struct Route {
    /// Its name: a verb and a noun, unique in all dialects.
    pub operation: &'static str,
    /// What it does, in a sentence without a full stop.
    pub summary: &'static str,
    /// What a caller should know besides, in sentences.
    pub about: &'static str,
    /// Its method, or [`ANY_METHOD`].
    pub method: &'static str,
    /// Its full paths, with `{parameters}`.
    pub paths: &'static [&'static str],
    /// Who may call it.
    pub access: Access,
    /// Which keys may, beside those that `access` alone lets in.
    pub keys: Keys,
    /// Whether it changes something, whatever its method.
    pub writes: bool,
    /// Whether it is the origin's where `ORIGIN_NODES` says so.
    pub may_be_of_origin: bool,
    /// Whether `/-` and the URL of somebody else's client may follow its paths. Its own query is
    /// then never read, since it may be the client's.
    pub takes_client_url: bool,
    /// Whether a proxy asks it about a request of its client. A body may be the client's and is not
    /// read, and a preflight may be the client's and is not answered as one: that would be a yes.
    pub is_about_client: bool,
    /// What it decides, in the word that analytics have for it; `None` where it decides nothing.
    pub decides: Option<&'static str>,
    /// Whether the `OpenAPI` document has it.
    pub is_documented: bool,
    /// Its query parameters.
    pub query: &'static [Field],
    /// Its body.
    pub body: Option<Body>,
    /// Its success.
    pub answer: Answer,
    /// The statuses of refusals that do not follow from what it takes and who may call it; and of a
    /// success without a body, where there is one beside `answer`.
    pub refusals: &'static [u16],
    /// The statuses of refusals that it may also tell people, by a page.
    pub pages: &'static [u16],
    /// What answers it.
    pub handler: Handler,
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; no credential is looked at.
    Public,
    /// Whoever shows a credential. The handler looks at it itself, since the request is about it.
    Shown,
    /// The same; a credential in the body may take its place.
    ShownOrSent,
    /// Whoever has the token in the body; else administrators. The handler looks at both.
    Holder,
    /// Whoever is signed in.
    SignedIn,
    /// The same, as a client of `OAuth`: what Basic carries is encoded like a form (RFC 6749,
    /// 2.3.1).
    Client,
    /// Callers of type `Administrator` or `SYS_Creator`.
    Creator,
    /// Callers of type `Administrator`.
    Administrator,
    /// The same, and applications by signed calls; the action looks at which.
    Application,
}

/// Which keys for machines may call. A key that speaks for a user must also be let in as the user
/// is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Those that may administer, where administrators may call; elsewhere none.
    AsAccessSays,
    /// Those that may this.
    With(May),
    /// All of them: the route is about the key itself.
    All,
}

/// What answers an operation.
pub type Handler = for<'a> fn(&'a Cx, &'a Call<'a>) -> LocalFuture<'a, Result<Response>>;

/// A request on its way to a handler.
pub struct Call<'a> {
    /// The request.
    pub request: &'a dyn Inbound,
    /// What it is to do.
    pub route: &'static Route,
    /// Its query.
    pub query: &'a Query,
    /// The parameters of its path, decoded.
    pub parameters: Vec<(String, String)>,
    /// Who calls; `None` for public routes, and where an application calls.
    pub caller: Option<Caller>,
    /// What the caller showed, where the route asks before its handler.
    pub credential: Option<Credential>,
    /// The application that calls.
    pub application: Option<Rc<Application>>,
    /// The body, where it was read to check a signature.
    pub signed_body: Option<Vec<u8>>,
    /// What was found so far that the route does not declare, and that its dialect ignores.
    pub ignored: RefCell<Vec<Undeclared>>,
    /// Whether the gateway keeps a path from the origin, which may read it as one of a dialect.
    pub is_own_path: fn(&Config, &str) -> Result<bool>,
}

impl Dialect {
    /// Its routes, each with the parameters that its paths may have.
    pub fn operations(&self) -> impl Iterator<Item = (&'static Group, &'static Route)> + use<> {
        self.groups.iter().flat_map(|group| group.routes.iter().map(|route| (*group, route)))
    }

    /// Its routes.
    pub fn routes(&self) -> impl Iterator<Item = &'static Route> + use<> {
        self.operations().map(|(_, route)| route)
    }
}

impl Access {
    /// Whether who calls is found out before the handler is asked.
    #[must_use]
    pub fn is_checked_first(self) -> bool {
        match self {
            Self::Public | Self::Shown | Self::ShownOrSent | Self::Holder => false,
            Self::SignedIn
            | Self::Client
            | Self::Creator
            | Self::Administrator
            | Self::Application => true,
        }
    }
}

/// The body of a route that takes none.
pub const NO_MEMBERS: Shape = Shape { name: "", fields: &[], includes: &[], example: "" };

/// What a query may not have as it is, and what may not stand for another character there.
const IN_QUERY: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Call<'_> {
    /// Who calls; every route but a public one has somebody.
    pub fn caller(&self) -> Result<&Caller> {
        self.caller.as_ref().ok_or_else(|| Error::internal("a public route asked for its caller"))
    }

    /// Whose credential it is, where the handler looks at it itself; only those whom the route lets
    /// in.
    pub async fn identify(
        &self,
        cx: &Cx,
        credential: Option<&Credential>,
        hints: Hints<'_>,
    ) -> Result<Caller> {
        let caller = authenticate(cx, credential.ok_or(Denied::Missing)?, hints).await?;
        self.route.let_in(&caller)?;
        Ok(caller)
    }

    /// The same by the first of these that is a credential at all, and which it was.
    pub async fn identify_first<'s>(
        &self,
        cx: &Cx,
        shown: &'s [Credential],
        hints: Hints<'_>,
    ) -> Result<(Caller, &'s Credential)> {
        let (caller, credential) = authenticate_first(cx, shown, hints).await?;
        cx.noted.administrator(caller.is_administrator());
        self.route.let_in(&caller)?;
        Ok((caller, credential))
    }

    /// What the request shows, in its headers, the query or its cookies, in the order in which it
    /// counts. The console's own host has no sessions of the gateway.
    pub fn shown(&self, cx: &Cx) -> Result<Vec<Credential>> {
        let origin = session_cookie::origin(cx, self.request);
        let mut shown =
            credentials::shown(cx, self.request, origin, credentials::in_query(self.query))?;
        if is_admin_host(cx, self.request) {
            shown.retain(|credential| !matches!(credential, Credential::Session { .. }));
        }
        Ok(shown)
    }

    /// A parameter of the path.
    pub fn parameter(&self, name: &str) -> Result<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| Error::internal(format!("the path has no parameter {name}")))
    }

    /// A parameter of the path that is an int64.
    pub fn int64(&self, name: &str) -> Result<i64> {
        let text = self.parameter(name)?;
        query::int64(text).ok_or_else(|| match self.user_by_name(name, text) {
            Some(found) => Error::invalid(
                name,
                format!("must be the user's id, a number: {found} finds it by the user name"),
            ),
            None => Error::invalid(name, "must be an int64"),
        })
    }

    /// The call that finds the user whose name stands in the place of their id.
    fn user_by_name(&self, parameter: &str, text: &str) -> Option<String> {
        let is_user = |path: &&str| {
            path.starts_with("/v1/")
                && (parameter == "userId" || (parameter == "id" && path.starts_with("/v1/users/")))
        };
        let is_name = self.route.paths.iter().any(is_user) && Username::parse(text).is_ok();
        let is_name = is_name && text.contains(|c: char| !c.is_ascii_digit() && c != '-');
        let encoded = percent_encoding::utf8_percent_encode(text, IN_QUERY);
        is_name.then(|| format!("GET /v1/users?username={encoded}"))
    }

    /// The body.
    pub async fn body(&self) -> Result<Vec<u8>> {
        match &self.signed_body {
            Some(body) => Ok(body.clone()),
            None => self.request.body().await,
        }
    }

    /// The body's members: JSON or a form. What the route does not declare is ignored, and noted.
    pub async fn fields(&self) -> Result<Fields> {
        let fields = Fields::parse(&self.body().await?)?;
        if let Some(shape) = self.route.body.as_ref().and_then(Body::shape) {
            self.ignored.borrow_mut().extend(fields.undeclared(shape));
        }
        Ok(fields)
    }

    /// A warning of each name that was ignored, but for those that the caller has from an answer of
    /// this shape and sends back.
    #[must_use]
    pub fn warnings(&self, answered: &Shape) -> Vec<String> {
        let ignored = self.ignored.borrow();
        ignored
            .iter()
            .filter(|undeclared| !undeclared.is_sent_back(answered))
            .map(Undeclared::warning)
            .collect()
    }

    /// The same, strictly: a body that is labelled as anything else than a form must be JSON, and a
    /// member that the route does not declare is refused. An empty body has no members, whatever
    /// its label; it is refused where the route needs one.
    pub async fn labelled_fields(&self) -> Result<Fields> {
        let body = self.body().await?;
        let is_empty = body.trim_ascii().is_empty();
        if is_empty && matches!(self.route.body, Some(Body::Members(_))) {
            return Err(Error::missing("body"));
        }
        if !is_empty && !body::is_json(&body) && !self.may_be_form() {
            return Err(Error::unreadable(
                "body",
                "must be a JSON object, or a form that is labelled as nothing else",
            ));
        }
        let fields = Fields::parse(&body)?;
        let shape = self.route.body.as_ref().and_then(Body::shape).unwrap_or(&NO_MEMBERS);
        match fields.undeclared(shape).first() {
            Some(undeclared) => Err(undeclared.refusal()),
            None => Ok(fields),
        }
    }

    /// Refuses a body that says something, where the route takes none. GET and HEAD have none.
    pub async fn refuse_body(&self) -> Result<()> {
        let may_have_one = !matches!(self.request.method(), "GET" | "HEAD");
        if !may_have_one || self.route.body.is_some() || self.route.is_about_client {
            return Ok(());
        }
        let body = self.body().await?;
        if body.trim_ascii().is_empty() {
            return Ok(());
        }
        let is_read = body::is_json(&body) || self.may_be_form();
        let fields = is_read.then(|| Fields::parse(&body).ok()).flatten();
        let fields = fields
            .ok_or_else(|| Error::unreadable("body", "must be empty: this call takes none"))?;
        if let Some(Field { name, .. }) =
            self.route.query.iter().find(|field| fields.has(field.name))
        {
            return Err(Error::invalid(
                *name,
                format!(
                    "is not read from a body, since this call takes none: write ?{name}=… in the URL"
                ),
            ));
        }
        match fields.undeclared(&NO_MEMBERS).first() {
            Some(member) => {
                Err(Error::invalid(member.name(), "is unknown here: this call takes no body"))
            }
            None => Ok(()),
        }
    }

    fn may_be_form(&self) -> bool {
        let Some(label) = self.request.header("content-type") else { return true };
        label
            .split(';')
            .next()
            .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(FORM))
    }
}

impl Route {
    /// A route that reads.
    #[must_use]
    pub const fn get(
        operation: &'static str,
        paths: &'static [&'static str],
        handler: Handler,
    ) -> Self {
        Self::of("GET", operation, paths, handler)
    }

    /// A route that writes.
    #[must_use]
    pub const fn of(
        method: &'static str,
        operation: &'static str,
        paths: &'static [&'static str],
        handler: Handler,
    ) -> Self {
        Self {
            operation,
            summary: "",
            about: "",
            method,
            paths,
            access: Access::Public,
            keys: Keys::AsAccessSays,
            writes: !matches!(method.as_bytes(), b"GET"),
            may_be_of_origin: false,
            takes_client_url: false,
            is_about_client: false,
            decides: None,
            is_documented: true,
            query: &[],
            body: None,
            answer: Answer::empty(204),
            refusals: &[],
            pages: &[],
            handler,
        }
    }

    /// What it does.
    #[must_use]
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// What a caller should know besides.
    #[must_use]
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// The statuses of refusals that do not follow from what it takes and who may call it.
    #[must_use]
    pub const fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refusals = statuses;
        self
    }

    /// The statuses of refusals that it may also tell people, by a page.
    #[must_use]
    pub const fn refuses_by_page(mut self, statuses: &'static [u16]) -> Self {
        self.pages = statuses;
        self
    }

    /// Who may call it.
    #[must_use]
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Which keys may call it.
    #[must_use]
    pub const fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// What a key needs to be let in. The outer `None` is: no key is; the inner one: every key is.
    #[must_use]
    pub fn opened_by(&self) -> Option<Option<May>> {
        match (self.keys, self.access) {
            (Keys::All, _) => Some(None),
            (Keys::With(may), _) => Some(Some(may)),
            (Keys::AsAccessSays, Access::Administrator | Access::Application | Access::Holder) => {
                Some(Some(May::Administration))
            }
            (
                Keys::AsAccessSays,
                Access::Public
                | Access::Shown
                | Access::ShownOrSent
                | Access::SignedIn
                | Access::Client
                | Access::Creator,
            ) => None,
        }
    }

    /// Refuses a caller whom the route does not let in.
    pub fn let_in(&self, caller: &Caller) -> Result<()> {
        if let Caller::Key(KeyCaller { key, .. }) = caller {
            match self.opened_by() {
                None => return Err(Refusal::KeyMayNot { needs: None }.into()),
                Some(Some(may)) if !key.may.include(may) => {
                    return Err(Refusal::KeyMayNot { needs: Some(may) }.into());
                }
                Some(_) => {}
            }
        }
        // A key that speaks for nobody is limited by nothing but what it may.
        let Some(user) = caller.limited_by() else { return Ok(()) };
        let refusal = match self.access {
            Access::Public
            | Access::Shown
            | Access::ShownOrSent
            | Access::Holder
            | Access::SignedIn
            | Access::Client => None,
            Access::Creator => {
                (user.profile.user_type < UserType::Creator).then_some(Refusal::NotCreator)
            }
            Access::Administrator | Access::Application => {
                (!user.is_administrator()).then_some(Refusal::NotAdministrator)
            }
        };
        refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Whether it changes something, where the method does not tell.
    #[must_use]
    pub const fn writes(mut self, writes: bool) -> Self {
        self.writes = writes;
        self
    }

    /// Lets it be the origin's where `ORIGIN_NODES` says so.
    #[must_use]
    pub const fn may_be_of_origin(mut self) -> Self {
        self.may_be_of_origin = true;
        self
    }

    /// Lets `/-` and the URL of somebody else's client follow its paths.
    #[must_use]
    pub const fn takes_client_url(mut self) -> Self {
        self.takes_client_url = true;
        self.is_about_client()
    }

    /// Lets a body be there that is somebody else's client's.
    #[must_use]
    pub const fn is_about_client(mut self) -> Self {
        self.is_about_client = true;
        self
    }

    /// Says what it decides.
    #[must_use]
    pub const fn decides(mut self, kind: &'static str) -> Self {
        self.decides = Some(kind);
        self
    }

    /// Leaves it out of the `OpenAPI` document, since no call of it succeeds.
    #[must_use]
    pub const fn undocumented(mut self) -> Self {
        self.is_documented = false;
        self
    }

    /// Its query parameters.
    #[must_use]
    pub const fn query(mut self, query: &'static [Field]) -> Self {
        self.query = query;
        self
    }

    /// Its body: members, as JSON or as a form.
    #[must_use]
    pub const fn body(mut self, shape: &'static Shape) -> Self {
        self.body = Some(Body::Members(shape));
        self
    }

    /// Its body: members, as JSON or as a form; or nothing, which says something too.
    #[must_use]
    pub const fn optional_body(mut self, shape: &'static Shape) -> Self {
        self.body = Some(Body::OptionalMembers(shape));
        self
    }

    /// Its body, of another kind.
    #[must_use]
    pub const fn takes(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    /// Its success.
    #[must_use]
    pub const fn answers(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }
}

/// Makes a [`Handler`] of an `async fn(&Cx, &Call) -> Result<Response>`.
macro_rules! handler {
    ($function:path) => {
        |cx, call| Box::pin($function(cx, call))
    };
}
pub(crate) use handler;
