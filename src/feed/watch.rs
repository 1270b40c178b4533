//! One watcher: where it begins, what it is told, how it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::Stream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Feed;
use super::cursor::{Cursor, Mark};
use super::entry::{Entry, Told};
use super::interest::{Ear, Filter};
use super::ring::Found;
use crate::store::{EventRow, StoreError};

/// The longest silence of a watch.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
/// Events taken from the ring at once. A reader who stands still keeps no more of them alive.
const RING_BATCH_MAX: usize = 64;
/// Events read from the store at once.
const STORE_BATCH_MAX: u32 = 128;

/// What a watcher asks for.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Where it begins.
    pub start: Start,
    /// What it is told.
    pub filter: Filter,
    /// When it ends by itself, so that load spreads over servers.
    pub age_max: Duration,
}

/// Where a watch begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Behind everything that is committed by now.
    Now,
    /// Before the first event of the ledger.
    Beginning,
    /// Behind this place.
    After(Cursor),
}

/// What a watcher is told.
#[derive(Debug, Clone)]
pub enum Item {
    /// Something happened to a claim.
    Event(Told),
    /// Everything up to the place beside it has been told.
    Progress {
        /// Whether that is everything that had happened when the watch began.
        is_up_to_date: bool,
    },
}

/// Why a watch cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// What lies behind the place is not kept any more.
    #[error("the events behind position {position} of lane {lane} are not kept any more")]
    Expired {
        /// The lane.
        lane: u16,
        /// The place there.
        position: i64,
    },
    /// The ledger does not have what the place has seen: it was set back to an older copy.
    #[error("the ledger no longer has the event at position {position} of lane {lane}")]
    HistoryLost {
        /// The lane.
        lane: u16,
        /// The place there.
        position: i64,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Feed {
    /// Watches until `closing` is cancelled or the watch is old enough; the last item is then a
    /// progress. Each item comes with the place right behind it.
    ///
    /// Ordered in each lane, without gaps or repeats. Progress comes by the clock, and as soon as
    /// everything that had happened is told.
    pub async fn watch(
        &self,
        watch: Watch,
        closing: CancellationToken,
    ) -> Result<impl Stream<Item = Result<(Cursor, Item), StoreError>> + use<>, WatchError> {
        let watcher = Watcher::arrive(self.clone(), watch).await?;
        Ok(tell(watcher, closing))
    }
}

fn tell(
    mut watcher: Watcher,
    closing: CancellationToken,
) -> impl Stream<Item = Result<(Cursor, Item), StoreError>> + use<> {
    async_stream::try_stream! {
        let mut next_progress = Instant::now() + PROGRESS_INTERVAL;
        let mut is_up_to_date = false;
        loop {
            watcher.ear().forget();
            let found = watcher.find_unless(&closing).await?;
            for told in found.told {
                watcher.cursor.set(told.lane, told.mark);
                yield (watcher.cursor.clone(), Item::Event(told));
            }
            (watcher.cursor, watcher.number) = (found.cursor, found.number);
            let now = Instant::now();
            let is_over = closing.is_cancelled() || now >= watcher.ends_at;
            let has_caught_up = !is_up_to_date && !found.has_more;
            is_up_to_date |= has_caught_up;
            if is_over || has_caught_up || now >= next_progress {
                next_progress = now + PROGRESS_INTERVAL;
                yield (watcher.cursor.clone(), Item::Progress { is_up_to_date });
            }
            if is_over {
                return;
            }
            if !found.has_more {
                let wake_at = next_progress.min(watcher.ends_at);
                tokio::select! {
                    () = watcher.ear().ring() => {}
                    () = tokio::time::sleep_until(wake_at) => {}
                    () = closing.cancelled() => {}
                }
            }
        }
    }
}

/// A watcher between two items.
struct Watcher {
    feed: Feed,
    filter: Arc<Filter>,
    ear: Option<Ear>,
    cursor: Cursor,
    /// Where the watcher stands in the ring, while it keeps up.
    number: Option<u64>,
    /// The lane that is read from the store next.
    next_lane: u16,
    /// What had happened when the watcher arrived, until it is told. The ring may not have heard of
    /// it yet.
    had_happened: Option<Cursor>,
    ends_at: Instant,
}

impl Watcher {
    async fn arrive(feed: Feed, watch: Watch) -> Result<Watcher, WatchError> {
        let Watch { start, filter, age_max } = watch;
        if feed.0.watchers.fetch_add(1, Ordering::Relaxed) == 0 {
            feed.0.look.notify_one();
        }
        let ear = Some(feed.0.wakers.listen(&filter));
        // From here on dropping it takes back what was done.
        let mut watcher = Watcher {
            cursor: Cursor::beginning(feed.0.store.lanes()),
            feed,
            filter: Arc::new(filter),
            ear,
            number: None,
            next_lane: 0,
            had_happened: None,
            ends_at: Instant::now() + age_max,
        };
        let heads = watcher.feed.heads().await?;
        watcher.had_happened = Some(heads.clone());
        watcher.cursor = match start {
            Start::Now => heads,
            Start::Beginning => watcher.without_other_lanes(watcher.cursor.clone(), &heads),
            Start::After(cursor) => {
                watcher.feed.check(&cursor, &heads).await?;
                watcher.without_other_lanes(cursor, &heads)
            }
        };
        Ok(watcher)
    }

    /// Lanes that hold nothing for the filter are not read: their end is as good a place.
    fn without_other_lanes(&self, mut cursor: Cursor, heads: &Cursor) -> Cursor {
        for (lane, head) in (0..).zip(heads.marks()) {
            if !self.filter.reaches(lane) && head.position > cursor.mark(lane).position {
                cursor.set(lane, *head);
            }
        }
        cursor
    }

    fn ear(&mut self) -> &mut Ear {
        self.ear.as_mut().expect("a watcher listens until it is dropped")
    }

    /// What is to be told next: from the ring, or from the store while the ring does not reach
    /// back to where the watcher stands.
    async fn find(&mut self) -> Result<Found, StoreError> {
        let ring = &self.feed.0.ring;
        match ring.find(self.number, &self.cursor, &self.filter, RING_BATCH_MAX) {
            Some(found) if found.has_more || self.has_reached(&found.cursor) => Ok(found),
            _ => {
                // In a task of its own: a watcher whose reader stands still is not polled, and would
                // keep a connection of the pool for as long as that.
                let (feed, filter) = (self.feed.clone(), self.filter.clone());
                let reading = feed.find_in_store(self.cursor.clone(), filter, self.next_lane);
                let (found, next_lane) = tokio::spawn(reading).await.expect("it does not panic")?;
                self.next_lane = next_lane;
                Ok(found)
            }
        }
    }

    /// The same, or nothing as soon as `closing` is cancelled: a read that takes its time must not
    /// hold up the end.
    async fn find_unless(&mut self, closing: &CancellationToken) -> Result<Found, StoreError> {
        let cursor = self.cursor.clone();
        tokio::select! {
            found = self.find() => found,
            () = closing.cancelled() => {
                Ok(Found { told: Vec::new(), cursor, number: None, has_more: true })
            }
        }
    }

    /// Whether everything that had happened when the watcher arrived lies before a place.
    fn has_reached(&mut self, cursor: &Cursor) -> bool {
        let Some(had_happened) = &self.had_happened else { return true };
        let mut lanes = cursor.marks().iter().zip(had_happened.marks());
        let has_reached = lanes.all(|(mark, head)| mark.position >= head.position);
        if has_reached {
            self.had_happened = None;
        }
        has_reached
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(ear) = self.ear.take() {
            self.feed.0.wakers.leave(ear);
        }
        self.feed.0.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A hole in a lane's log must end the watch: going on would leave something out.
fn check_gapless(rows: &[EventRow], lane: u16, after: i64) -> Result<(), StoreError> {
    match rows.iter().zip(after + 1..).find(|(row, position)| row.position != *position) {
        None => Ok(()),
        Some((_, position)) => {
            Err(StoreError::Corrupt { table: "event", key: format!("{lane}/{position}") })
        }
    }
}

impl Feed {
    /// What the first lane with something new has, and which lane is next: lanes take turns.
    async fn find_in_store(
        self,
        mut cursor: Cursor,
        filter: Arc<Filter>,
        mut next_lane: u16,
    ) -> Result<(Found, u16), StoreError> {
        let _place = self.0.reads.acquire().await.expect("nobody closes it");
        let store = &self.0.store;
        let mut told = Vec::new();
        for _ in 0..store.lanes() {
            let lane = next_lane;
            next_lane = (lane + 1) % store.lanes();
            if !filter.reaches(lane) {
                continue;
            }
            let after = cursor.mark(lane).position;
            let rows = store.events_after(lane, after, STORE_BATCH_MAX).await?;
            check_gapless(&rows, lane, after)?;
            for row in &rows {
                let entry = Entry::read(row)?;
                cursor.set(lane, entry.mark);
                if let Some(news) = entry.news.as_ref().filter(|news| filter.fits(news)) {
                    told.push(Told::of(&entry, news));
                }
            }
            if !rows.is_empty() {
                return Ok((Found { told, cursor, number: None, has_more: true }, next_lane));
            }
        }
        Ok((Found { told, cursor, number: None, has_more: false }, next_lane))
    }

    /// Whether the ledger still has what a place has seen.
    async fn check(&self, cursor: &Cursor, heads: &Cursor) -> Result<(), WatchError> {
        let begun = (0..).zip(cursor.marks()).filter(|(_, mark)| mark.position > 0);
        let begun: Vec<(u16, Mark)> = begun.map(|(lane, mark)| (lane, *mark)).collect();
        let places: Vec<(u16, i64)> =
            begun.iter().map(|(lane, mark)| (*lane, mark.position)).collect();
        let stored = self.0.store.event_hashes(&places).await?;
        for (lane, mark) in begun {
            let position = mark.position;
            let is_it = |row: &&(u16, i64, String)| (row.0, row.1) == (lane, position);
            match stored.iter().find(is_it) {
                Some((_, _, hash)) if Mark::of(position, hash) == mark => {}
                None if position <= heads.mark(lane).position => {
                    return Err(WatchError::Expired { lane, position });
                }
                _ => return Err(WatchError::HistoryLost { lane, position }),
            }
        }
        Ok(())
    }
}
