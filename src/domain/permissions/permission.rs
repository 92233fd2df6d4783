//! Permissions on a service and the decision whether a user has one. `tests/host/oracle.rs` states
//! the same decision in the simplest way, to check this one.

use std::fmt;

/// Something that a user can be permitted to do with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    Add,
    /// Part of every grant.
    View,
    Modify,
    Delete,
    Test,
    /// Change who may do what with the service.
    Grant,
    Share,
    Release,
    Export,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u16);

/// The type of subject that a grant is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectType {
    User,
    /// A department and all departments below it.
    Dept,
    Group,
}

/// A user and a service. Postern need not know the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    pub service_id: i64,
    pub user_id: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceGroup {
    pub service_id: i64,
    pub group_id: i64,
}

/// The facts about a user and a service from which a check decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The service's authorization switch. It is on for a service that is not registered.
    pub switch: bool,
    pub service_exists: bool,
    /// `None` if Postern does not know the user.
    pub user: Option<StandingUser>,
    /// The union of all grants that reach the user: their own, those of their departments and of
    /// the departments above, and those of their groups. A creator has all permissions.
    pub granted: Permissions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingUser {
    /// Whether the user is of type `Administrator`.
    pub is_administrator: bool,
    /// A disabled user has no permissions.
    pub enabled: bool,
}

impl Permission {
    /// In the order of answers.
    pub const ALL: [Self; 9] = [
        Self::Add,
        Self::View,
        Self::Modify,
        Self::Delete,
        Self::Test,
        Self::Grant,
        Self::Share,
        Self::Release,
        Self::Export,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::View => "VIEW",
            Self::Modify => "MODIFY",
            Self::Delete => "DELETE",
            Self::Test => "TEST",
            Self::Grant => "GRANT",
            Self::Share => "SHARE",
            Self::Release => "RELEASE",
            Self::Export => "EXPORT",
        }
    }

    /// The name as messages write it, for example `View`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::View => "View",
            Self::Modify => "Modify",
            Self::Delete => "Delete",
            Self::Test => "Test",
            Self::Grant => "Grant",
            Self::Share => "Share",
            Self::Release => "Release",
            Self::Export => "Export",
        }
    }

    /// Case-insensitive. The error is a phrase to put after the field's name.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found =
            Self::ALL.into_iter().find(|permission| permission.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            format!("has an unknown permission {name:?}: it must be one of {}", Permissions::ALL)
        })
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Permissions {
    pub const ALL: Self = Self(0x1ff);
    pub const NONE: Self = Self(0);

    /// Drops unknown bits.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self(u16::try_from(bits & i64::from(Self::ALL.0)).unwrap_or(0))
    }

    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0 as i64
    }

    /// Drops unknown names.
    pub fn of_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        names.filter_map(|name| Permission::parse(name).ok()).fold(Self::NONE, Self::with)
    }

    /// These permissions and VIEW, which every grant has.
    #[must_use]
    pub fn of_grant(permissions: impl IntoIterator<Item = Permission>) -> Self {
        permissions.into_iter().fold(Self::NONE.with(Permission::View), Self::with)
    }

    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | permission.bit())
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// In the order of answers.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.has(*permission))
    }

    /// In the order of answers.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Permission::name).collect()
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

impl ObjectType {
    pub const ALL: [Self; 3] = [Self::User, Self::Dept, Self::Group];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Dept => "DEPT",
            Self::Group => "GROUP",
        }
    }

    /// Case-insensitive. The error is a phrase to put after the field's name.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found =
            Self::ALL.into_iter().find(|object_type| object_type.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| "must be USER, DEPT or GROUP".to_owned())
    }
}

impl Standing {
    /// Whether the user is known, enabled and an administrator.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.user.is_some_and(|user| user.is_administrator && user.enabled)
    }

    /// The granted permissions. A disabled user has none.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        if self.user.is_some_and(|user| !user.enabled) { Permissions::NONE } else { self.granted }
    }

    /// A user has a permission by a grant, by being an administrator, or because the service's
    /// switch is off. A switch that is off allows everything but GRANT and RELEASE. A disabled user
    /// has no permission.
    #[must_use]
    pub fn allows(&self, permission: Permission) -> bool {
        if self.user.is_some_and(|user| !user.enabled) {
            return false;
        }
        let spared = !self.switch && !matches!(permission, Permission::Grant | Permission::Release);
        spared || self.is_administrator() || self.granted.has(permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_unknown_ones_are_named() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(&permission.name().to_lowercase()), Ok(permission));
        }
        assert!(Permission::parse("FLY").is_err_and(|why| why.contains("\"FLY\"")));
        let known = Permissions::of_names(["release", "FLY", "Test"].into_iter());
        assert_eq!(known.names(), ["TEST", "RELEASE"]);
        for object_type in ObjectType::ALL {
            assert_eq!(ObjectType::parse(&object_type.name().to_lowercase()), Ok(object_type));
        }
        assert!(ObjectType::parse("").is_err() && ObjectType::parse("ROLE").is_err());
    }

    #[test]
    fn stored_bits_go_both_ways_and_unknown_bits_are_dropped() {
        for bits in 0..1 << Permission::ALL.len() {
            assert_eq!(Permissions::from_bits(bits).bits(), bits);
            assert_eq!(Permissions::from_bits(bits).names().len(), bits.count_ones() as usize);
        }
        assert_eq!(Permissions::from_bits(-1).names().len(), Permission::ALL.len());
        assert_eq!(Permissions::from_bits(1 << 40).names().len(), 0);
    }

    #[test]
    fn a_union_has_the_permissions_of_both() {
        let all = || (0..1_i64 << Permission::ALL.len()).step_by(7).map(Permissions::from_bits);
        for (one, other) in all().flat_map(|one| all().map(move |other| (one, other))) {
            assert_eq!(one.union(other).bits(), one.bits() | other.bits());
        }
    }

    #[test]
    fn view_is_part_of_every_grant() {
        assert_eq!(Permissions::of_grant([]).names(), ["VIEW"]);
        assert_eq!(
            Permissions::of_grant([Permission::Export, Permission::Add]).names(),
            ["ADD", "VIEW", "EXPORT"]
        );
        assert_eq!(Permissions::of_grant(Permission::ALL), Permissions::ALL);
    }

    #[test]
    fn a_switch_that_is_off_allows_everything_but_grant_and_release() {
        let mut standing = Standing {
            switch: false,
            service_exists: true,
            user: None,
            granted: Permissions::NONE,
        };
        let allowed = Permission::ALL
            .into_iter()
            .filter(|permission| !standing.allows(*permission))
            .collect::<Vec<_>>();
        assert_eq!(allowed, [Permission::Grant, Permission::Release]);
        standing.user = Some(StandingUser { is_administrator: true, enabled: false });
        assert!(!standing.allows(Permission::View), "not for the disabled");
    }

    #[test]
    fn a_disabled_user_has_nothing_and_an_administrator_everything() {
        let users = [(true, true), (true, false), (false, true), (false, false)]
            .map(|(is_administrator, enabled)| Some(StandingUser { is_administrator, enabled }));
        let grants = [Permissions::NONE, Permissions::of_grant([Permission::Release])];
        for user in users.into_iter().chain([None]) {
            for (switch, granted) in grants.iter().flat_map(|of| [(true, *of), (false, *of)]) {
                let standing = Standing { switch, service_exists: true, user, granted };
                let is_disabled = user.is_some_and(|user| !user.enabled);
                let administers = user.is_some_and(|user| user.enabled && user.is_administrator);
                assert_eq!(standing.is_administrator(), administers, "{standing:?}");
                let own = if is_disabled { Permissions::NONE } else { granted };
                assert_eq!(standing.permissions(), own, "{standing:?}");
                for permission in Permission::ALL {
                    let allows = standing.allows(permission);
                    if is_disabled || administers {
                        assert_eq!(allows, administers, "{standing:?} {permission:?}");
                    } else if switch {
                        assert_eq!(allows, granted.has(permission), "{standing:?} {permission:?}");
                    }
                }
            }
        }
    }
}
