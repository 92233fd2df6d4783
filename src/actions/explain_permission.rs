//! Explains why a user has a permission on a service or not: which grants apply, why they do, and
//! what decides. Everything is read from D1 now. `tests/host/oracle.rs` compares the result with
//! the permission check.

use crate::context::Cx;
use crate::domain::permissions::directory::UnitKind;
use crate::domain::permissions::grant::Grant;
use crate::domain::permissions::period::Phase;
use crate::domain::permissions::permission::{
    ObjectType, Permission, Permissions, Standing, StandingUser,
};
use crate::domain::permissions::reach::{Reach, Through};
use crate::error::{Error, Result};
use crate::ports::{Row, Rows};
use crate::store::reach::Member;
use crate::store::standings::{self, Subject};
use crate::store::{grants, reach as reaches, services, sql};

/// The largest number of a user's departments and groups in one explanation.
const MAX_REACHED: i64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The directory is strict and does not have the service.
    UnknownService,
    /// The service's switch is off, which allows everything but GRANT and RELEASE.
    Switch,
    Administrator,
    /// A grant that is valid now.
    Grant,
    /// No grant that is valid now gives the permission.
    NoGrant,
}

impl DecidedBy {
    /// The names in answers, in the order of the variants.
    pub const NAMES: [&'static str; 5] =
        ["unknownService", "switch", "administrator", "grant", "noGrant"];

    #[must_use]
    pub const fn name(self) -> &'static str {
        let [unknown, switch, administrator, grant, none] = Self::NAMES;
        match self {
            Self::UnknownService => unknown,
            Self::Switch => switch,
            Self::Administrator => administrator,
            Self::Grant => grant,
            Self::NoGrant => none,
        }
    }

    /// Whether the user has the permission.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(self, Self::Switch | Self::Administrator | Self::Grant)
    }
}

/// A grant on the service that applies to the user.
#[derive(Debug)]
pub struct Reaching {
    pub grant: Grant,
    /// The name of the user, department or group that has the grant.
    pub name: Option<String>,
    /// Whether the grant is valid now, or not yet, or no more.
    pub phase: Phase,
    /// Whether the grant is valid now and has the permission.
    pub gives: bool,
    /// Why the grant applies to the user; `None` if it was given to the user directly.
    pub through: Option<Through>,
    /// The departments from the user's own up to the one that has the grant.
    pub path: Vec<(i64, Option<String>)>,
}

#[derive(Debug)]
pub struct PermissionExplained {
    pub service_id: i64,
    pub permission: Permission,
    pub decided_by: DecidedBy,
    /// The service's authorization switch.
    pub switch: bool,
    /// The number of APIs of the service whose switch is off. It does not affect the decision.
    pub apis_off: i64,
    /// The union of the grants that are valid now.
    pub granted: Permissions,
    /// By ascending id.
    pub grants: Vec<Reaching>,
}

/// Explains the permission of a user, whose type and groups a token may have changed.
pub async fn explain(
    cx: &Cx,
    member: &Member<'_>,
    user: StandingUser,
    (service_id, permission): (i64, Permission),
) -> Result<PermissionExplained> {
    let batch = vec![
        reaches::select(member, None, MAX_REACHED),
        grants::select_reaching(member, service_id),
        standings::select(&Subject::Id(member.user_id), service_id),
        services::count_apis_off(service_id),
    ];
    let results: Vec<Rows> = sql::query_all(cx, batch).await?;
    let reached =
        sql::rows(&results, 0)?.iter().map(reaches::reached).collect::<Result<Vec<_>>>()?;
    let reach = Reach::new(&reached);
    let grants = sql::rows(&results, 1)?
        .iter()
        .map(|row| reaching(cx, row, &reach, permission))
        .collect::<Result<Vec<_>>>()?;
    let stored = standings::read(service_id, sql::rows(&results, 2)?, cx.now)?;
    let stored = stored
        .first()
        .and_then(|(_, standing)| standing.at(cx.now))
        .ok_or_else(|| Error::internal("a standing is missing"))?;
    let counting = grants.iter().filter(|of| of.phase == Phase::Within);
    let granted = counting.fold(Permissions::NONE, |union, of| union.union(of.grant.permissions));
    let standing = Standing { user: Some(user), granted, ..stored };
    let apis_off = sql::rows(&results, 3)?.first().map_or(Ok(0), |row| row.number("apis_off"))?;
    let decided_by = if cx.config.strict_directory && !standing.service_exists {
        DecidedBy::UnknownService
    } else {
        decided_by(standing, permission)
    };
    Ok(PermissionExplained {
        service_id,
        permission,
        decided_by,
        switch: standing.switch,
        apis_off,
        granted,
        grants,
    })
}

fn decided_by(standing: Standing, permission: Permission) -> DecidedBy {
    if !standing.allows(permission) {
        DecidedBy::NoGrant
    } else if standing.is_administrator() {
        DecidedBy::Administrator
    } else if standing.granted.has(permission) {
        DecidedBy::Grant
    } else {
        DecidedBy::Switch
    }
}

fn reaching(cx: &Cx, row: &Row, reach: &Reach<'_>, permission: Permission) -> Result<Reaching> {
    let (grant, name) = grants::named(row)?;
    let phase = grant.period.phase(cx.now);
    let kind = UnitKind::ALL.into_iter().find(|kind| kind.object_type() == grant.object_type);
    let unit = kind.and_then(|kind| reach.unit(kind, grant.object_id));
    let path = if grant.object_type == ObjectType::Dept {
        reach.path_to(grant.object_id)
    } else {
        Vec::new()
    };
    let path = path.into_iter().map(|unit| (unit.id, unit.name.clone())).collect();
    let gives = phase == Phase::Within && grant.permissions.has(permission);
    Ok(Reaching { grant, name, phase, gives, through: unit.map(|unit| unit.through), path })
}
