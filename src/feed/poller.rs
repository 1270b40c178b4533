//! Finds what other processes committed: looks at the heads of the lanes while somebody watches.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Feed;
use super::cursor::{Cursor, Mark};
use super::entry::Entry;
use super::ring::ENTRIES_MAX;
use crate::store::StoreError;

/// How often the heads are looked at. An event of another process is told after one to two of
/// these.
const INTERVAL: Duration = Duration::from_millis(20);
/// How often, while the database does not answer.
const INTERVAL_IN_TROUBLE: Duration = Duration::from_millis(500);
/// Events fetched for a lane at once.
const FETCH_MAX: u32 = 1_000;

/// Keeps the ring up to date until `closing` is cancelled.
pub(super) async fn run(feed: Feed, closing: CancellationToken) {
    let mut seen = None;
    let mut is_in_trouble = false;
    while !closing.is_cancelled() {
        if feed.0.watchers.load(Ordering::Relaxed) == 0 {
            tokio::select! {
                () = feed.0.look.notified() => {}
                () = closing.cancelled() => return,
            }
        }
        let looked = tokio::select! {
            looked = look(&feed, seen.as_ref()) => looked,
            () = closing.cancelled() => return,
        };
        match looked {
            Ok(heads) => {
                seen = Some(heads);
                is_in_trouble = false;
            }
            Err(error) => {
                if !is_in_trouble {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the feed cannot see what other processes commit");
                }
                is_in_trouble = true;
            }
        }
        let pause = if is_in_trouble { INTERVAL_IN_TROUBLE } else { INTERVAL };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = closing.cancelled() => return,
        }
    }
}

/// Fetches what was there the last time and did not come by itself: what this process commits is
/// offered within that time, so it is not read again.
async fn look(feed: &Feed, seen: Option<&Cursor>) -> Result<Cursor, StoreError> {
    // Before the heads: what this process commits meanwhile must not seem to lie beyond them.
    let tops = feed.0.ring.tops();
    let heads = feed.heads().await?;
    let behind = |(head, top): (&Mark, &Mark)| usize::try_from(head.position - top.position).ok();
    let missing = heads.marks().iter().zip(&tops).map(behind).sum::<Option<usize>>();
    // Negative: the ring has not begun, or the database was set back.
    if missing.is_none_or(|missing| missing > ENTRIES_MAX / 2) {
        feed.begin_anew(&heads);
        return Ok(heads);
    }
    let filled = fill(feed, seen.unwrap_or(&heads), &tops).await;
    if matches!(filled, Err(StoreError::Corrupt { .. })) {
        // The ring goes on behind it; who stands before it finds it in the store and is told so.
        feed.begin_anew(&heads);
    }
    filled.map(|()| heads)
}

async fn fill(feed: &Feed, seen: &Cursor, tops: &[Mark]) -> Result<(), StoreError> {
    for (lane, (seen, top)) in (0..).zip(seen.marks().iter().zip(tops)) {
        let mut top = top.position;
        while top < seen.position {
            let rows = feed.0.store.events_after(lane, top, FETCH_MAX).await?;
            let Some(last) = rows.last() else { break };
            top = last.position;
            let entries: Result<Vec<Entry>, StoreError> = rows.iter().map(Entry::read).collect();
            feed.append(entries?);
        }
    }
    Ok(())
}
