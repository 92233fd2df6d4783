//! Failed sign-ins, for the limit on them: one row for the user name, one for the client address.

use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};

/// How many failures are allowed within the window.
pub const ALLOWED: i64 = 10;
/// The window.
pub const WINDOW: Millis = Millis::from_seconds(600);

/// The failures within the window of a user name and of an address: a row `scope, failures, oldest` each, `oldest` of the last ten.
#[must_use]
pub fn count(username: &str, address: Option<&str>, now: Millis) -> Statement {
    Statement::new(
        "SELECT COUNT(*) AS failures, COALESCE(MIN(at), 0) AS oldest FROM
           (SELECT at FROM sign_in_failures WHERE scope = 'username' AND key = ?1 AND at > ?3 ORDER BY at DESC LIMIT 10)
         UNION ALL
         SELECT COUNT(*), COALESCE(MIN(at), 0) FROM
           (SELECT at FROM sign_in_failures WHERE scope = 'address' AND key = ?2 AND at > ?3 ORDER BY at DESC LIMIT 10)",
        [username.into(), address.map(str::to_owned).into(), (now - WINDOW).into()],
    )
}

/// Seconds until another attempt is allowed, read from the rows of [`count`]; `None` where it is now.
pub fn retry_after_s(rows: &[Row], now: Millis) -> Result<Option<i64>> {
    let mut wait = None;
    for row in rows {
        if row.number("failures")? >= ALLOWED {
            let until = Millis(row.number("oldest")?) + WINDOW;
            wait = wait.max(Some((until - now + Millis(999)).seconds().max(1)));
        }
    }
    Ok(wait)
}

/// Adds a failure.
#[must_use]
pub fn insert(username: &str, address: Option<&str>, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO sign_in_failures (scope, key, at)
         SELECT 'username', ?1, ?3 UNION ALL SELECT 'address', ?2, ?3 WHERE ?2 IS NOT NULL",
        [username.into(), address.map(str::to_owned).into(), now.into()],
    )
}

/// Deletes what is outside the window.
#[must_use]
pub fn prune(now: Millis) -> Statement {
    Statement::new("DELETE FROM sign_in_failures WHERE at <= ?1", [Param::from(now - WINDOW)])
}
