//! Failed sign-ins, which the limits count, and the networks from which users have signed in.

use crate::domain::identity::sign_in_limit::{
    Count, Failures, KEPT_NETWORKS, KNOWN_FOR, OF_NAME, OF_NETWORK, OF_PAIR, WINDOW,
};
use crate::domain::identity::user::UserId;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::ports::{Param, Row, Statement};

/// Selects the failures that limit a sign-in: one row per limit (`pair`, `name`, `network`), which
/// counts the last failures up to that limit, and a row `known` if the user has signed in from the
/// network.
#[must_use]
pub fn select_failures(username: &str, network: &str, now: Millis) -> Statement {
    let last = |condition: &str, limit: i64| {
        format!(
            "SELECT COUNT(*) AS failures, COALESCE(MIN(at), 0) AS at
             FROM (SELECT at FROM failed_sign_ins WHERE {condition} AND at > ?3
               ORDER BY at DESC LIMIT {limit})"
        )
    };
    let of_pair = last("username = ?1 AND network = ?2", OF_PAIR);
    let of_name = last("username = ?1", OF_NAME);
    let of_network = last("network = ?2", OF_NETWORK);
    Statement::new(
        format!(
            "SELECT 'pair' AS scope, failures, at FROM ({of_pair})
             UNION ALL SELECT 'name', failures, at FROM ({of_name})
             UNION ALL SELECT 'network', failures, at FROM ({of_network})
             UNION ALL SELECT 'known', 0, last_at FROM sign_in_networks
               WHERE user_id = (SELECT id FROM users WHERE username = ?1) AND network = ?2
                 AND last_at > ?4"
        ),
        [username.into(), network.into(), (now - WINDOW).into(), (now - KNOWN_FOR).into()],
    )
}

pub fn failures(rows: &[Row]) -> Result<Failures> {
    let mut found = Failures::default();
    for row in rows {
        let at = Millis(row.number("at")?);
        let count = Count { failures: row.number("failures")?, oldest: at };
        match row.text("scope")? {
            "pair" => found.of_pair = count,
            "name" => found.of_name = count,
            "network" => found.of_network = count,
            _ => found.known_at = Some(at),
        }
    }
    Ok(found)
}

#[must_use]
pub fn insert_failure(username: &str, network: &str, now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO failed_sign_ins (username, network, at) VALUES (?1, ?2, ?3)",
        [username.into(), network.into(), now.into()],
    )
}

/// Records that a user signed in from a network, and deletes the oldest such records beyond
/// `KEPT_NETWORKS`.
#[must_use]
pub fn note_network(user_id: UserId, network: &str, now: Millis) -> [Statement; 2] {
    [
        Statement::new(
            "INSERT INTO sign_in_networks (user_id, network, last_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (user_id, network) DO UPDATE SET last_at = excluded.last_at",
            [Param::Int64(user_id.0), network.into(), now.into()],
        ),
        Statement::new(
            "DELETE FROM sign_in_networks WHERE user_id = ?1 AND network IN
               (SELECT network FROM sign_in_networks WHERE user_id = ?1
                 ORDER BY last_at DESC, network LIMIT -1 OFFSET ?2)",
            [Param::Int64(user_id.0), Param::Number(KEPT_NETWORKS)],
        ),
    ]
}

/// Deletes what is too old for the limits. The previous release has left failures in a table of its
/// own, `sign_in_failures`.
#[must_use]
pub fn prune(now: Millis) -> [Statement; 3] {
    let delete = |sql: &'static str, until: Millis| Statement::new(sql, [Param::from(until)]);
    [
        delete("DELETE FROM failed_sign_ins WHERE at <= ?1", now - WINDOW),
        delete("DELETE FROM sign_in_networks WHERE last_at <= ?1", now - KNOWN_FOR),
        delete("DELETE FROM sign_in_failures WHERE at <= ?1", now - WINDOW),
    ]
}
