//! Why somebody may do something with a service, or may not: which grants reach them, which way,
//! and what decides. It is read from D1 now; `tests/host/oracle.rs` compares it with the check.

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

/// How many departments and groups of a user one explanation looks at.
const MAX_REACHED: i64 = 10_000;

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The directory is strict and does not have the service.
    UnknownService,
    /// The service's switch is off, which allows everything but GRANT and RELEASE.
    Switch,
    /// The user is an administrator.
    Administrator,
    /// A grant that counts now.
    Grant,
    /// No grant that counts now gives the permission.
    NoGrant,
}

impl DecidedBy {
    /// The words in answers, in the order of the variants.
    pub const NAMES: [&'static str; 5] =
        ["unknownService", "switch", "administrator", "grant", "noGrant"];

    /// The word in answers.
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

    /// Whether the permission is there.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(self, Self::Switch | Self::Administrator | Self::Grant)
    }
}

/// A grant on the service that reaches the user.
#[derive(Debug)]
pub struct Reaching {
    /// The grant.
    pub grant: Grant,
    /// The name of whom it is given to.
    pub name: Option<String>,
    /// Whether it counts now.
    pub phase: Phase,
    /// Whether it counts now and has the permission.
    pub gives: bool,
    /// Why it reaches the user; `None` where it is given to the user.
    pub through: Option<Through>,
    /// From the department that the user is in up to the one that it is given to.
    pub path: Vec<(i64, Option<String>)>,
}

/// Everything that a check looks at.
#[derive(Debug)]
pub struct PermissionExplained {
    /// The service.
    pub service_id: i64,
    /// The permission.
    pub permission: Permission,
    /// What decides.
    pub decided_by: DecidedBy,
    /// The service's authorization switch.
    pub switch: bool,
    /// How many APIs of the service have their switch off. It decides nothing here.
    pub apis_off: i64,
    /// What is granted now.
    pub granted: Permissions,
    /// The grants, by ascending id.
    pub grants: Vec<Reaching>,
}

/// Looks at all of it, for a user as a token would make them.
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
