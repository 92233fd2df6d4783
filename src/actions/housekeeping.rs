//! What the scheduled event does: prune, re-encrypt, publish the snapshot.

use crate::domain::audit::{Actor, Deed};
use crate::error::Result;
use crate::ports::Cx;
use crate::store::{Write, feed, sessions, sign_in_failures, snapshot, token_apps};

/// How many secrets are re-encrypted in one go; the rest follows at the next event.
const RESEALED_AT_ONCE: i64 = 100;

/// Runs all of it. Each part is done even where another fails; failures are logged, and the first is answered.
pub async fn run(cx: &Cx) -> Result<()> {
    let results = [prune(cx).await, reseal(cx).await, snapshot::publish(cx).await];
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        cx.log.line(&format!("the scheduled event: {error:?}"));
    }
    results.into_iter().collect()
}

async fn prune(cx: &Cx) -> Result<()> {
    let batch = vec![sessions::prune(cx.now), sign_in_failures::prune(cx.now), feed::prune(cx.now)];
    cx.sql.batch(batch).await.map(drop).map_err(Into::into)
}

/// Puts secrets that are still under `MASTER_KEY_PREVIOUS` under `MASTER_KEY`.
async fn reseal(cx: &Cx) -> Result<()> {
    let mut write = Write::default();
    let mut count = 0;
    for (name, stored) in token_apps::list_under_other_keys(cx, RESEALED_AT_ONCE).await? {
        match token_apps::reseal(cx, &name, &stored)? {
            Some(statement) => {
                write = write.and(statement).and(feed::token_app_changed(name.as_str(), cx.now));
                count += 1;
            }
            None => cx.log.line(&format!("the secret of token app {:?} is under an unknown master key", name.as_str())),
        }
    }
    if count == 0 {
        return Ok(());
    }
    let deed = Deed { actor: Actor::system(), action: "token_app.reseal", target: format!("{count} secrets"), before: None, after: None };
    write.deed(deed).commit(cx, |_| None).await.map(drop)
}
