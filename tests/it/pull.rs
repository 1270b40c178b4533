//! Fetching from senders: endpoints with every fault, folders, leases, and the commands of operators.

mod commands;
mod folder;
mod http;
mod leases;
mod month;
mod platform;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::Database;

/// A lease ends after half a minute, and debug builds are slow.
const WAIT_MAX: Duration = Duration::from_mins(3);

/// Settlements of the ledger, and whether each is taken back.
async fn claims(database: &Database) -> BTreeMap<String, bool> {
    const CLAIMS: &str = "select k.settlement_id, c.state from settlement_key k \
         join claim c on c.lane = k.lane and c.claim_no = k.claim_no";
    let rows: Vec<(String, String)> = database.rows(CLAIMS).await;
    rows.into_iter().map(|(id, state)| (id, state == "VOIDED")).collect()
}

/// Waits until something holds that other processes bring about.
async fn wait_for(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut interval = tokio::time::interval(Duration::from_millis(100));
        while !holds().await {
            interval.tick().await;
        }
    };
    assert!(tokio::time::timeout(WAIT_MAX, waiting).await.is_ok(), "{what}");
}
