//! Manages what an application is authorized to read and do in its organization. Administrators set
//! this, and so do applications of the organization that may authorize others. The services that
//! hold the data ask for it.

use serde_json::json;

use crate::actions::access_tokens::application_actor;
use crate::actions::caller::Caller;
use crate::context::Cx;
use crate::domain::applications::application::{
    AccessKey, Application, AuthorizationType, Authorizations, OrganizationId,
};
use crate::domain::audit::{Actor, Deed};
use crate::error::{Error, Refusal, Result, Rule};
use crate::memory::known::Known;
use crate::memory::write::Write;
use crate::store::{applications, feed, organizations};

#[derive(Debug, Clone, Copy)]
pub enum Principal<'a> {
    /// An administrator, or a machine key with `administration`.
    Administrator(&'a Caller),
    /// An application that makes a signed call.
    Application(&'a Application),
}

/// Replaces the authorizations of an application of the organization. Unless the directory is
/// strict, an administrator's first mention registers the organization and the application.
pub async fn set(
    cx: &Cx,
    by: Principal<'_>,
    organization_id: &str,
    access_key: &str,
    authorizations: Authorizations,
) -> Result<()> {
    by.require_right(organization_id)?;
    let before = applications::find(cx, access_key).await?;
    let mut write = Write::default();
    match &before {
        Some(application) if application.organization_id.as_str() != organization_id => {
            return Err(foreign());
        }
        Some(application) if application.terms.shortcut => return Err(refused(Rule::Shortcut)),
        Some(_) => {}
        None if by.may_register(cx) => {
            let organization_id = OrganizationId::parse(organization_id)
                .map_err(|why| Error::invalid("organization", why))?;
            let access_key =
                AccessKey::parse(access_key).map_err(|why| Error::invalid("application", why))?;
            write = write
                .and(organizations::register(&organization_id, cx.now))
                .and(applications::register(&access_key, &organization_id, cx.now));
        }
        None => return Err(foreign()),
    }
    let names =
        |authorizations: Authorizations| json!({ "authorizations": authorizations.names() });
    let deed =
        Deed::new(by.actor(), "application.authorize", format!("{organization_id}/{access_key}"))
            .before(before.map(|before| names(before.authorizations)))
            .after(names(authorizations));
    let rows = write
        .answering(applications::set_authorizations(
            access_key,
            organization_id,
            authorizations,
            cx.now,
        ))
        .and(feed::application_changed(access_key, cx.now))
        .deed(deed)
        .commit(cx)
        .await?;
    // Another request moved or deleted the application in between.
    if rows.is_empty() { Err(foreign()) } else { Ok(()) }
}

/// The authorizations of an application of the organization.
pub async fn list(
    cx: &Cx,
    by: Principal<'_>,
    organization_id: &str,
    access_key: &str,
) -> Result<Authorizations> {
    by.require_right(organization_id)?;
    let application = applications::find(cx, access_key).await?;
    let of_organization =
        application.filter(|application| application.organization_id.as_str() == organization_id);
    Ok(of_organization.ok_or_else(foreign)?.authorizations)
}

/// Whether an application has an authorization. A warm check reads nothing from D1. An unknown
/// application has no authorizations.
pub async fn check(cx: &Cx, access_key: &str, kind: AuthorizationType) -> Result<bool> {
    // A text that is not a valid access key belongs to nobody, so nothing is read.
    let application = match AccessKey::parse(access_key) {
        Ok(access_key) => Known::application(cx, &access_key).await?,
        Err(_) => None,
    };
    if application.is_none() && cx.config.strict_directory {
        return Err(Error::not_found("application", access_key));
    }
    Ok(application.is_some_and(|application| application.is_authorized(kind)))
}

impl Principal<'_> {
    /// Refuses an application of another organization, and one that may not authorize others.
    fn require_right(self, organization_id: &str) -> Result<()> {
        match self {
            Self::Administrator(_) => Ok(()),
            Self::Application(application)
                if application.terms.authorizes
                    && application.organization_id.as_str() == organization_id =>
            {
                Ok(())
            }
            Self::Application(_) => Err(Refusal::MayNotAuthorize.into()),
        }
    }

    fn may_register(self, cx: &Cx) -> bool {
        matches!(self, Self::Administrator(_)) && !cx.config.strict_directory
    }

    fn actor(self) -> Actor {
        match self {
            Self::Administrator(caller) => caller.actor(),
            Self::Application(application) => application_actor(application.access_key.as_str()),
        }
    }
}

/// The application is unknown, or of another organization. The answer is the same for both.
fn foreign() -> Error {
    refused(Rule::Organization)
}

fn refused(rule: Rule) -> Error {
    let why = if rule == Rule::Shortcut {
        "must not be a shortcut"
    } else {
        "must be an application of the organization"
    };
    Error::Invalid { field: "application".to_owned(), why: why.to_owned(), rule }
}
