//! What to ask an endpoint for next, and when.

use std::collections::HashSet;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::answer::{Page, Row};
use super::settings::Endpoint;
use crate::core::day::Moment;

/// The first pause after a failure.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause before jitter, which at most doubles it: an outage is noticed to be over well
/// within a minute.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How often a pass looks back.
const LOOK_BACK_EVERY: Duration = Duration::from_hours(24);

/// Where a record stands in the order of its endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Its time.
    pub time: Moment,
    /// Its `setl_id`; empty: before all records of that time.
    pub id: String,
}

/// How far fetching has come; kept in the database between two processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The last record of the pass under way; none between two passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Place>,
    /// The time of the newest record, never later than it was handed over: an endpoint whose clock
    /// is wrong must not lead us past what it will write tomorrow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<Moment>,
    /// When a pass last looked back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    looked_back: Option<Moment>,
}

impl Cursor {
    /// Reads what was kept; anything else begins anew, which only fetches more than needed.
    pub fn read(text: &str) -> Cursor {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The text to keep.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("times and texts are always JSON")
    }
}

/// What an endpoint is asked for: records from a place on, in the order of time and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Behind this place.
    pub after: Place,
    /// At most so many.
    pub page_size: u16,
    /// Whether it begins a pass that looks back.
    looks_back: bool,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask for this.
    Ask(Query),
    /// Nothing before this moment.
    Wait(Moment),
}

/// A full page that leads nowhere: the endpoint repeats itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint repeats a page: its records are not in order, or it ignores where to go on")]
pub struct Stuck;

/// One endpoint's passes, from what a cursor says on.
pub struct Schedule {
    every: Duration,
    page_size: u16,
    from: Moment,
    overlap: Duration,
    look_back: Duration,
    cursor: Cursor,
    /// Nothing is asked before.
    next_time: Moment,
    delays: ExponentialBackoff,
    /// What was handed over in the pass before, and in this one: a hash of each record.
    handed_over: [HashSet<u128>; 2],
}

impl Schedule {
    /// Goes on where `cursor` says.
    pub fn new(endpoint: &Endpoint, every: Duration, cursor: Cursor) -> Schedule {
        Schedule {
            every,
            page_size: endpoint.page_size,
            from: endpoint.from,
            overlap: endpoint.overlap,
            look_back: endpoint.look_back,
            cursor,
            next_time: Moment::from_micros(i64::MIN),
            delays: delays(),
            handed_over: Default::default(),
        }
    }

    /// How far it has come.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// What to do at `now`.
    pub fn next(&self, now: Moment) -> Next {
        if now < self.next_time {
            return Next::Wait(self.next_time);
        }
        let page_size = self.page_size;
        if let Some(after) = self.cursor.after.clone() {
            return Next::Ask(Query { after, page_size, looks_back: false });
        }
        let is_due = self.cursor.looked_back.is_none_or(|at| at.later(LOOK_BACK_EVERY) <= now);
        let looks_back = !self.look_back.is_zero() && is_due;
        let back = if looks_back { self.look_back.max(self.overlap) } else { self.overlap };
        let time =
            self.cursor.newest.map_or(self.from, |newest| self.from.max(newest.earlier(back)));
        Next::Ask(Query { after: Place { time, id: String::new() }, page_size, looks_back })
    }

    /// The records of a page that are new or changed since the pass before.
    pub fn unknown<'p>(&self, page: &'p Page) -> Vec<&'p Row> {
        let is_known = |row: &Row| {
            let hash = xxh3_128(row.text.as_bytes());
            self.handed_over.iter().any(|known| known.contains(&hash))
        };
        page.rows.iter().filter(|row| !is_known(row)).collect()
    }

    /// A page was handed over as a whole. Tells whether that was all there is.
    pub fn took(&mut self, query: &Query, page: &Page, now: Moment) -> Result<bool, Stuck> {
        let is_last = page.rows.len() < usize::from(query.page_size);
        let last = page.rows.iter().filter_map(|row| row.place.as_ref()).max();
        let last = last.filter(|last| query.after < **last).cloned();
        if !is_last && last.is_none() {
            return Err(Stuck);
        }
        let [_, current] = &mut self.handed_over;
        current.extend(page.rows.iter().map(|row| xxh3_128(row.text.as_bytes())));
        if query.looks_back {
            self.cursor.looked_back = Some(now);
        }
        if let Some(last) = &last {
            let newest = last.time.min(now);
            self.cursor.newest = Some(self.cursor.newest.map_or(newest, |it| it.max(newest)));
        }
        self.delays = delays();
        if is_last {
            self.cursor.after = None;
            self.handed_over.swap(0, 1);
            self.handed_over[1].clear();
            self.next_time = now.later(self.every);
        } else {
            self.cursor.after = last;
        }
        Ok(is_last)
    }

    /// Something failed: the same is asked again, later and later.
    pub fn failed(&mut self, now: Moment) {
        let delay = self.delays.next().unwrap_or(PAUSE_MAX);
        self.next_time = now.later(delay);
    }
}

/// Longer and longer, and not all processes alike.
fn delays() -> ExponentialBackoff {
    let delays = ExponentialBuilder::new().with_min_delay(PAUSE_MIN).with_max_delay(PAUSE_MAX);
    delays.with_jitter().without_max_times().build()
}
