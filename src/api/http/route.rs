//! Routes, declared once for each dialect in a const table. The router, the `OpenAPI` document and
//! docs/reference/endpoints.md are derived from it.

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

const FORM: &str = "application/x-www-form-urlencoded";

/// The method of a route that accepts every method.
pub const ANY_METHOD: &str = "ANY";

/// Separates a route's path from the client's URL behind it.
pub const BEFORE_CLIENT_URL: &str = "/-";

#[derive(Debug)]
pub struct Dialect {
    /// The name of its module.
    pub name: &'static str,
    /// A sentence for the document, without a full stop.
    pub summary: &'static str,
    /// The dialect with the longest matching prefix answers a path.
    pub prefixes: &'static [&'static str],
    /// Whether every path below the prefixes is Postern's. Otherwise only the routes are, and other
    /// paths go to the origin, so that the rest of the documented system can be behind the gateway.
    pub keeps_prefixes: bool,
    /// Where tokens are accepted besides the headers.
    pub beside_headers: BesideHeaders,
    /// Whether undeclared members and parameters are refused. Otherwise they are ignored, because
    /// clients of documented dialects send more than the documents say. The answer then warns, if
    /// its envelope has a place for warnings.
    pub refuses_undeclared: bool,
    /// The routes, grouped by noun.
    pub groups: &'static [&'static Group],
    /// Makes the envelope of a failure. Headers that every dialect has are added later.
    pub failure: fn(&Error, Millis) -> Response,
    /// The same with a second sentence that tells the caller what to do. `None` if the dialect's
    /// words are fixed.
    pub failure_with: Option<fn(&Error, &str) -> Response>,
    pub failure_shape: &'static Shape,
    /// The content type of failures.
    pub failure_type: &'static str,
}

/// Where a dialect accepts tokens besides the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BesideHeaders {
    Nothing,
    /// In the URL parameter of a token app.
    Parameters,
    /// In the GIS manager's cookie.
    Cookie,
    /// In the console's cookie.
    Console,
}

#[derive(Debug)]
pub struct Group {
    /// The parameters of the paths.
    pub parameters: &'static [Field],
    pub routes: &'static [Route],
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing that a row of a table does or does not"
)]
pub struct Route {
    /// A verb and a noun, unique in all dialects.
    pub operation: &'static str,
    /// A sentence without a full stop.
    pub summary: &'static str,
    /// Further sentences for callers.
    pub about: &'static str,
    /// The method, or [`ANY_METHOD`].
    pub method: &'static str,
    /// Full paths, with `{parameters}`.
    pub paths: &'static [&'static str],
    pub access: Access,
    /// Which keys for machines may call, besides those that `access` admits.
    pub keys: Keys,
    /// Whether a call changes something, whatever its method.
    pub writes: bool,
    /// Whether `ORIGIN_NODES=1` forwards this route to the origin.
    pub may_be_of_origin: bool,
    /// Whether `/-` and the URL of a proxy's client may follow the paths. The query is then not
    /// parsed, because it may be the client's.
    pub takes_client_url: bool,
    /// Whether a proxy asks this route about a request of its client. A body may be the client's
    /// and is not read. A preflight may be the client's and is not answered as one, because that
    /// would permit the request.
    pub is_about_client: bool,
    /// The kind of decision, as analytics record it; `None` if it is not a decision.
    pub decides: Option<&'static str>,
    /// Whether the `OpenAPI` document includes it.
    pub is_documented: bool,
    pub query: &'static [Field],
    pub body: Option<Body>,
    /// The answer to a successful call.
    pub answer: Answer,
    /// Statuses of failures that do not follow from its parameters and its access. Also the status
    /// of a success without a body, if there is one besides `answer`.
    pub refusals: &'static [u16],
    /// Statuses of failures that people may also get as a page.
    pub pages: &'static [u16],
    pub handler: Handler,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody; no credential is read.
    Public,
    /// Callers with a credential. The handler authenticates them, because the request is about the
    /// credential.
    Shown,
    /// As `Shown`, but a credential in the body may replace it.
    ShownOrSent,
    /// The holder of the token in the body, otherwise administrators. The handler authenticates
    /// both.
    Holder,
    SignedIn,
    /// As `SignedIn`, for clients of `OAuth`, which form-encode the parts of Basic (RFC 6749,
    /// 2.3.1).
    Client,
    /// Callers of type `Administrator` or `SYS_Creator`.
    Creator,
    Administrator,
    /// Administrators, and applications with a signed call; the action decides which applications.
    Application,
}

/// Which keys for machines may call. A key that acts for a user is admitted only if that user is,
/// too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Keys with `administration`, if administrators may call; otherwise none.
    AsAccessSays,
    /// Keys with this right.
    With(May),
    /// All keys: the route is about the key itself.
    All,
}

pub type Handler = for<'a> fn(&'a Cx, &'a Call<'a>) -> LocalFuture<'a, Result<Response>>;

/// A request on its way to a handler.
pub struct Call<'a> {
    pub request: &'a dyn Inbound,
    pub route: &'static Route,
    pub query: &'a Query,
    /// The decoded parameters of the path.
    pub parameters: Vec<(String, String)>,
    /// `None` for routes without authentication before the handler, and if an application calls.
    pub caller: Option<Caller>,
    /// The credential, if the caller was authenticated before the handler.
    pub credential: Option<Credential>,
    /// The application that signed the call.
    pub application: Option<Rc<Application>>,
    /// The body, if it was read to verify a signature.
    pub signed_body: Option<Vec<u8>>,
    /// Undeclared names found so far, which the dialect ignores.
    pub ignored: RefCell<Vec<Undeclared>>,
    /// Whether the gateway keeps a path for itself, because an origin may read it as a dialect's
    /// own.
    pub is_own_path: fn(&Config, &str) -> Result<bool>,
}

impl Dialect {
    /// The routes, each with the parameters that its paths may have.
    pub fn operations(&self) -> impl Iterator<Item = (&'static Group, &'static Route)> + use<> {
        self.groups.iter().flat_map(|group| group.routes.iter().map(|route| (*group, route)))
    }

    pub fn routes(&self) -> impl Iterator<Item = &'static Route> + use<> {
        self.operations().map(|(_, route)| route)
    }
}

impl Access {
    /// Whether the caller is authenticated before the handler runs.
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

/// Everything except the unreserved characters of a URL is percent-encoded.
const IN_QUERY: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Call<'_> {
    /// The caller. Fails for a route that did not authenticate one.
    pub fn caller(&self) -> Result<&Caller> {
        self.caller.as_ref().ok_or_else(|| Error::internal("a public route asked for its caller"))
    }

    /// Authenticates a credential for a handler that does so itself, and checks that the route
    /// admits the caller.
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

    /// Authenticates as [`Self::identify`] does, by the credential that decides (see
    /// `authenticate_first`). Also returns that credential.
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

    /// The credentials of the request, in its headers, query or cookies, in the order in which they
    /// are tried. The console's own host has no gateway sessions.
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

    /// The call that finds a user by name, for a caller who sent a user name in place of an id.
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

    pub async fn body(&self) -> Result<Vec<u8>> {
        match &self.signed_body {
            Some(body) => Ok(body.clone()),
            None => self.request.body().await,
        }
    }

    /// The members of the body: JSON or a form. Undeclared members are ignored, and recorded for
    /// warnings.
    pub async fn fields(&self) -> Result<Fields> {
        let fields = Fields::parse(&self.body().await?)?;
        if let Some(shape) = self.route.body.as_ref().and_then(Body::shape) {
            self.ignored.borrow_mut().extend(fields.undeclared(shape));
        }
        Ok(fields)
    }

    /// A warning for each ignored name, except names that an answer of this shape has and the
    /// caller sends back.
    #[must_use]
    pub fn warnings(&self, answered: &Shape) -> Vec<String> {
        let ignored = self.ignored.borrow();
        ignored
            .iter()
            .filter(|undeclared| !undeclared.is_sent_back(answered))
            .map(Undeclared::warning)
            .collect()
    }

    /// The members of the body, strictly. A body must be JSON, or a form that has no other content
    /// type. Undeclared members are refused. An empty body has no members, whatever its content
    /// type, and is refused if the route requires a body.
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

    /// Refuses a body that has content, if the route takes none. GET and HEAD have none.
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
                    "is not read from a body, since this call takes none: write ?{name}=… in the \
                     URL"
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
    #[must_use]
    pub const fn get(
        operation: &'static str,
        paths: &'static [&'static str],
        handler: Handler,
    ) -> Self {
        Self::of("GET", operation, paths, handler)
    }

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

    /// A sentence for the document, without a full stop.
    #[must_use]
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Further sentences for the document.
    #[must_use]
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Statuses of failures that do not follow from the parameters and the access.
    #[must_use]
    pub const fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refusals = statuses;
        self
    }

    /// Statuses of failures that people may also get as a page.
    #[must_use]
    pub const fn refuses_by_page(mut self, statuses: &'static [u16]) -> Self {
        self.pages = statuses;
        self
    }

    #[must_use]
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    #[must_use]
    pub const fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// The right that a key needs. `None`: no key is admitted. `Some(None)`: every key is.
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

    /// Refuses a caller whom the route does not admit.
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
        // A key that acts for no user is limited by its rights only.
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

    /// Whether a call changes something, if the method does not tell.
    #[must_use]
    pub const fn writes(mut self, writes: bool) -> Self {
        self.writes = writes;
        self
    }

    /// Lets `ORIGIN_NODES=1` forward the route to the origin.
    #[must_use]
    pub const fn may_be_of_origin(mut self) -> Self {
        self.may_be_of_origin = true;
        self
    }

    /// Lets `/-` and the URL of a proxy's client follow the paths.
    #[must_use]
    pub const fn takes_client_url(mut self) -> Self {
        self.takes_client_url = true;
        self.is_about_client()
    }

    /// Allows a body that is the client's and is not read.
    #[must_use]
    pub const fn is_about_client(mut self) -> Self {
        self.is_about_client = true;
        self
    }

    /// Sets the kind of decision for analytics.
    #[must_use]
    pub const fn decides(mut self, kind: &'static str) -> Self {
        self.decides = Some(kind);
        self
    }

    /// Leaves the route out of the `OpenAPI` document, because no call of it succeeds.
    #[must_use]
    pub const fn undocumented(mut self) -> Self {
        self.is_documented = false;
        self
    }

    #[must_use]
    pub const fn query(mut self, query: &'static [Field]) -> Self {
        self.query = query;
        self
    }

    /// The body: members, as JSON or as a form.
    #[must_use]
    pub const fn body(mut self, shape: &'static Shape) -> Self {
        self.body = Some(Body::Members(shape));
        self
    }

    /// The body: members, as JSON or as a form. It may be absent.
    #[must_use]
    pub const fn optional_body(mut self, shape: &'static Shape) -> Self {
        self.body = Some(Body::OptionalMembers(shape));
        self
    }

    /// A body of another kind.
    #[must_use]
    pub const fn takes(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

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
