//! The scheduled event: deletes what has expired, re-encrypts under the new master key, and
//! publishes the snapshot.

use serde_json::json;

use crate::actions::machine_keys;
use crate::context::Cx;
use crate::domain::audit::{Actor, Deed};
use crate::domain::time::Millis;
use crate::error::Result;
use crate::memory::publish;
use crate::memory::write::Write;
use crate::store::expired_grants::{self, Which};
use crate::store::sealed::{SealedColumn, SealedCounts};
use crate::store::{
    applications, audit, feed, provisioned_users, revocations, sessions, sign_ins, sql,
};

/// The number of values of a kind that one event re-encrypts. The next event continues.
const RESEALED_AT_ONCE: i64 = 100;
/// If values do not open, one event looks at this many times as many.
const RESEAL_PAGES: usize = 10;
/// The number of expired grants that one event removes. Decisions ignore them already. Isolates
/// take in about twice as many changes at once.
const EXPIRED_AT_ONCE: i64 = 250;
/// The number of names that one event folds.
const FOLDED_AT_ONCE: i64 = 500;
/// The number of audit events that one event deletes. At one event in 5 minutes, that is 288,000 a
/// day.
const PRUNED_EVENTS: i64 = 1000;

/// Runs all parts. If one fails, the others still run. Failures are logged, and the first one is
/// returned.
pub async fn run(cx: &Cx) -> Result<()> {
    let results = [
        machine_keys::remove_expired(cx).await,
        prune(cx).await,
        remove_expired_grants(cx).await,
        fold_names(cx).await,
        reseal(cx).await,
        publish::publish(cx).await,
    ];
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        cx.log.line(&format!("the scheduled event: {error:?}"));
    }
    results.into_iter().collect()
}

async fn prune(cx: &Cx) -> Result<()> {
    let mut batch = vec![
        sessions::prune(cx.now),
        revocations::prune(cx.now),
        applications::prune_signatures(cx.now),
        applications::prune_tokens(cx.now),
        feed::prune(cx.now),
    ];
    batch.extend(sign_ins::prune(cx.now));
    let kept = Millis::from_seconds(cx.config.audit_retention_days * 24 * 60 * 60);
    batch.push(audit::prune(cx.now - kept, PRUNED_EVENTS));
    cx.sql.batch(batch).await.map(drop).map_err(Into::into)
}

async fn remove_expired_grants(cx: &Cx) -> Result<()> {
    let which = Which::Oldest(EXPIRED_AT_ONCE);
    let mut batch = vec![expired_grants::announce(cx, &which)];
    batch.extend(expired_grants::remove(cx, &Actor::system(), &which));
    cx.sql.batch(batch).await.map(drop).map_err(Into::into)
}

/// Folds names that neither a trigger nor the Worker that wrote them has folded.
async fn fold_names(cx: &Cx) -> Result<()> {
    let batch: Vec<_> = provisioned_users::unfolded(cx, FOLDED_AT_ONCE)
        .await?
        .iter()
        .map(provisioned_users::fold)
        .collect();
    if batch.is_empty() { Ok(()) } else { cx.sql.batch(batch).await.map(drop).map_err(Into::into) }
}

/// Re-encrypts under `MASTER_KEY` what is still sealed under `MASTER_KEY_PREVIOUS`.
async fn reseal(cx: &Cx) -> Result<()> {
    let mut results = Vec::new();
    for place in SealedColumn::ALL {
        results.push(reseal_place(cx, place).await);
    }
    results.push(log_unopened(cx).await);
    results.into_iter().collect()
}

/// Skips values that the previous key does not open, for example damaged ones, so that they do not
/// block the others.
async fn reseal_place(cx: &Cx, place: SealedColumn) -> Result<()> {
    let mut write = Write::default();
    let mut count = 0;
    let mut after = String::new();
    for _ in 0..RESEAL_PAGES {
        let page = place.list_under_previous_key(cx, &after, RESEALED_AT_ONCE).await?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        for (owner, stored) in &page {
            // `log_unopened` reports those that do not open.
            if let Some(statement) = place.reseal(cx, owner, stored)? {
                write = write.and(statement);
                write = match place {
                    SealedColumn::TOKEN_APP_SECRET => {
                        write.and(feed::token_app_changed(owner, cx.now))
                    }
                    SealedColumn::APPLICATION_SECRET | SealedColumn::ACCESS_TOKEN => {
                        write.and(feed::application_changed(owner, cx.now))
                    }
                    // Isolates do not cache these.
                    _ => write,
                };
                count += 1;
            }
        }
        if count > 0 {
            break;
        }
    }
    if count == 0 {
        return Ok(());
    }
    let target = format!("{}: {count}", place.what());
    let counts = sealed_counts(cx).await?;
    let left = counts.under_previous - count;
    let after = json!({
        "reencrypted": count,
        "left": left,
        "unopened": counts.unopened,
        "names": counts.names,
    });
    let deed = Deed::new(Actor::system(), "master_key.reseal", target).after(after);
    write.deed(deed).commit(cx).await.map(drop)
}

/// Logs how many values cannot be opened, so that somebody notices even if nobody asks `/health`.
async fn log_unopened(cx: &Cx) -> Result<()> {
    let SealedCounts { unopened, names, .. } = sealed_counts(cx).await?;
    if unopened > 0 {
        let names = names.join(", ");
        cx.log.line(&format!(
            "{unopened} stored secrets cannot be opened: is MASTER_KEY the one that sealed them? \
             {names}"
        ));
    }
    Ok(())
}

async fn sealed_counts(cx: &Cx) -> Result<SealedCounts> {
    SealedColumn::counts(&sql::query(cx, SealedColumn::select_counts(cx)).await?)
}
