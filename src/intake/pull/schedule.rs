//! What to ask an endpoint for next, and when.

use std::collections::{HashMap, HashSet};
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
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often a pass looks back.
const LOOK_BACK_EVERY: Duration = Duration::from_hours(24);
/// Records that are remembered as handed over: 48 MB, and more than a province has in a month.
const KNOWN_MAX: usize = 1_000_000;
const EARLIEST: Moment = Moment::from_micros(i64::MIN);

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
    /// Of which endpoint and order it is a cursor.
    #[serde(default)]
    of: String,
    /// The last record of the pass under way; none between two passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Place>,
    /// When the pass under way began, however often it was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Moment>,
    /// The time of the newest record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<Moment>,
    /// Up to where the last pass has seen everything, but for the overlap: to the newest record, and
    /// no further than to its own beginning. What became visible behind a pass while that was
    /// interrupted is met by the next one; and an endpoint whose clock is wrong does not lead us past
    /// what it will write tomorrow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Moment>,
    /// The last record of the look back under way; none between two of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    looking: Option<Place>,
    /// When everything was last looked back for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    looked_back: Option<Moment>,
}

impl Cursor {
    /// Reads what was kept. Anything else, of another endpoint or order too, begins anew, which only
    /// fetches more than needed.
    pub fn read(text: &str, endpoint: &Endpoint) -> Cursor {
        let Endpoint { url, paged_by, from, .. } = endpoint;
        let of = xxh3_128(format!("{url} {} {}", paged_by.field(), from.micros()).as_bytes());
        let of = format!("{of:032x}");
        let kept: Option<Cursor> = serde_json::from_str(text).ok();
        kept.filter(|kept| kept.of == of).unwrap_or(Cursor { of, ..Cursor::default() })
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
    /// Whether it looks back for what came late.
    pub looks_back: bool,
    /// When it is asked.
    pub asked: Moment,
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
    /// Nothing at all is asked before: something failed.
    pause_until: Moment,
    /// The next pass begins then.
    next_pass: Moment,
    /// Whether a pass has ended since this schedule began.
    has_caught_up: bool,
    delays: ExponentialBackoff,
    /// What was handed over and may come again: a hash of each record, and its time.
    handed_over: HashMap<u128, Moment>,
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
            pause_until: EARLIEST,
            next_pass: EARLIEST,
            has_caught_up: false,
            delays: delays(),
            handed_over: HashMap::new(),
        }
    }

    /// How far it has come.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// What to do at `now`. Passes come first; what came late is looked for in the time between.
    pub fn next(&self, now: Moment) -> Next {
        if now < self.pause_until {
            return Next::Wait(self.pause_until);
        }
        let seen = self.cursor.seen;
        let ask = |after: Option<&Place>, back, looks_back| {
            let time = seen.map_or(self.from, |seen| self.from.max(seen.earlier(back)));
            let after = after.cloned().unwrap_or(Place { time, id: String::new() });
            Next::Ask(Query { after, page_size: self.page_size, looks_back, asked: now })
        };
        if self.cursor.after.is_some() || self.next_pass <= now {
            return ask(self.cursor.after.as_ref(), self.overlap, false);
        }
        let is_due = self.cursor.looked_back.is_none_or(|at| at.later(LOOK_BACK_EVERY) <= now);
        let may_look = self.has_caught_up && self.overlap < self.look_back;
        if may_look && (self.cursor.looking.is_some() || is_due) {
            return ask(self.cursor.looking.as_ref(), self.look_back, true);
        }
        Next::Wait(self.next_pass)
    }

    /// The records of a page that were not handed over as they are.
    pub fn unknown<'p>(&self, page: &'p Page) -> Vec<&'p Row> {
        page.rows.iter().filter(|row| !self.handed_over.contains_key(&hash(row))).collect()
    }

    /// A page was handed over as a whole. Tells whether that was all there is.
    pub fn took(&mut self, query: &Query, page: &Page, now: Moment) -> Result<bool, Stuck> {
        let last = page.rows.iter().filter_map(|row| row.place.as_ref()).max();
        let last = last.filter(|last| query.after < **last).cloned();
        // A page that is not full may be all that the endpoint gives at once, so only one that leads
        // no further is the last.
        let is_last = last.is_none();
        let is_full = usize::from(query.page_size) <= page.rows.len();
        if (is_last && is_full) || !is_in_order(page) {
            return Err(Stuck);
        }
        self.delays = delays();
        if self.handed_over.len() < KNOWN_MAX {
            let time = |row: &Row| row.place.as_ref().map_or(now, |place| place.time);
            self.handed_over.extend(page.rows.iter().map(|row| (hash(row), time(row))));
        }
        if query.looks_back {
            self.looked(is_last, last, now);
            return Ok(false);
        }
        let newest = last.as_ref().map(|last| last.time);
        self.cursor.newest = self.cursor.newest.max(newest);
        let began = *self.cursor.began.get_or_insert(query.asked);
        self.cursor.after = last;
        if is_last {
            self.cursor.seen = self.cursor.newest.map(|newest| newest.min(began));
            self.cursor.began = None;
            self.next_pass = now.later(self.every);
            self.has_caught_up = true;
            self.forget();
        }
        Ok(is_last)
    }

    /// A look back ends where passes begin.
    fn looked(&mut self, is_last: bool, last: Option<Place>, now: Moment) {
        let begin = self.cursor.seen.map(|seen| seen.earlier(self.overlap));
        let is_there = last.as_ref().is_some_and(|last| Some(last.time) >= begin);
        if is_last || is_there {
            self.cursor.looked_back = Some(now);
            self.cursor.looking = None;
        } else {
            self.cursor.looking = last;
        }
    }

    /// Forgets what no pass and no look back can meet again.
    fn forget(&mut self) {
        let Some(seen) = self.cursor.seen else { return };
        let from = seen.earlier(self.look_back.max(self.overlap));
        self.handed_over.retain(|_, time| from <= *time);
        if KNOWN_MAX <= self.handed_over.len() {
            // It is handed over once more, and the ledger knows it.
            self.handed_over.clear();
        }
    }

    /// Something failed: the same is asked again, later and later.
    pub fn failed(&mut self, now: Moment) {
        let delay = self.delays.next().unwrap_or(PAUSE_MAX);
        self.pause_until = now.later(delay);
    }
}

/// Whether the times of the records never go back. A record that comes twice may stand anywhere.
fn is_in_order(page: &Page) -> bool {
    let mut seen = HashSet::new();
    let once = page.rows.iter().filter(|row| seen.insert(hash(row)));
    once.filter_map(|row| Some(row.place.as_ref()?.time)).is_sorted()
}

fn hash(row: &Row) -> u128 {
    xxh3_128(row.text.as_bytes())
}

/// Longer and longer, and not all processes alike.
fn delays() -> ExponentialBackoff {
    let delays = ExponentialBuilder::new().with_min_delay(PAUSE_MIN).with_max_delay(PAUSE_MAX);
    delays.with_jitter().without_max_times().build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::pull::{Senders, Way};

    const EVERY: Duration = Duration::from_secs(10);
    const MINUTE: i64 = 60_000_000;

    fn endpoint(more: &str) -> Endpoint {
        let size = if more.contains("page_size") { "" } else { "page_size = 2\n" };
        let text = format!(
            "[[senders]]\nsender = \"s\"\n[senders.endpoint]\nurl = \"https://p\"\nregion = \"370200\"\n\
             institution_code = \"H\"\nfrom_date = \"2024-05-01\"\n{size}{more}"
        );
        let Way::Endpoint(endpoint) = Senders::read(&text).unwrap().0.remove(0).way else {
            panic!("an endpoint")
        };
        *endpoint
    }

    fn schedule(more: &str) -> Schedule {
        let endpoint = endpoint(more);
        Schedule::new(&endpoint, EVERY, Cursor::read("", &endpoint))
    }

    /// Minutes after the beginning of 2024-05-10.
    fn at(minutes: i64) -> Moment {
        let start = Moment::parse_local("2024-05-10").unwrap();
        Moment::from_micros(start.micros() + minutes * MINUTE)
    }

    fn page(rows: &[(i64, &str)]) -> Page {
        let row = |(minutes, id): &(i64, &str)| Row {
            text: (*id).to_owned(),
            place: Some(Place { time: at(*minutes), id: (*id).to_owned() }),
        };
        Page { rows: rows.iter().map(row).collect() }
    }

    /// The empty page that ends a pass.
    #[track_caller]
    fn end(schedule: &mut Schedule, now: Moment) {
        let query = ask(schedule, now);
        assert_eq!(schedule.took(&query, &page(&[]), now), Ok(!query.looks_back));
    }

    #[track_caller]
    fn ask(schedule: &Schedule, now: Moment) -> Query {
        match schedule.next(now) {
            Next::Ask(query) => query,
            Next::Wait(until) => panic!("waits until {}", until.local()),
        }
    }

    fn told(query: &Query) -> String {
        let Query { after, looks_back, .. } = query;
        let back = if *looks_back { " back" } else { "" };
        format!("{} {}{back}", after.time.local(), after.id)
    }

    #[test]
    fn a_pass_goes_on_behind_its_last_record_and_the_next_one_begins_an_overlap_before() {
        let mut it = schedule("look_back_days = 0\n");
        let now = at(100);
        let query = ask(&it, now);
        assert_eq!(told(&query), "2024-05-01 00:00:00 ");
        assert_eq!(it.took(&query, &page(&[(5, "a"), (7, "b")]), now), Ok(false));
        let query = ask(&it, now);
        assert_eq!(told(&query), "2024-05-10 00:07:00 b");
        assert_eq!(
            it.took(&query, &page(&[(90, "c")]), now),
            Ok(false),
            "perhaps it gives no more"
        );
        end(&mut it, now);
        assert_eq!(it.next(now), Next::Wait(now.later(EVERY)));
        assert_eq!(told(&ask(&it, now.later(EVERY))), "2024-05-10 00:30:00 ");
    }

    #[test]
    fn a_cursor_is_of_one_endpoint_and_order() {
        let mut it = schedule("look_back_days = 0\n");
        let query = ask(&it, at(100));
        it.took(&query, &page(&[(5, "a"), (7, "b")]), at(100)).unwrap();
        let kept = it.cursor().text();
        let goes_on = |more: &str| {
            let endpoint = endpoint(more);
            let again = Schedule::new(&endpoint, EVERY, Cursor::read(&kept, &endpoint));
            told(&ask(&again, at(101)))
        };
        assert_eq!(goes_on("page_size = 9\n"), "2024-05-10 00:07:00 b");
        assert_eq!(goes_on("paged_by = \"setl_time\"\n"), "2024-05-01 00:00:00 ");
    }

    /// Begun at its newest record, the next pass would never meet what came late meanwhile.
    #[test]
    fn what_becomes_visible_behind_a_pass_that_is_interrupted_is_met_by_the_next_one() {
        let mut it = schedule("look_back_days = 0\n");
        let query = ask(&it, at(100));
        it.took(&query, &page(&[(90, "a"), (95, "b")]), at(100)).unwrap();
        it.failed(at(101));
        it.cursor = Cursor { ..serde_json::from_str(&it.cursor.text()).unwrap() };
        let query = ask(&it, at(300));
        assert_eq!(told(&query), "2024-05-10 01:35:00 b");
        it.took(&query, &page(&[(250, "c"), (290, "d")]), at(300)).unwrap();
        end(&mut it, at(300));
        // An overlap before the first page, and not before the last record.
        assert_eq!(told(&ask(&it, at(301))), "2024-05-10 00:40:00 ");
    }

    /// Followed, a record of tomorrow would hide all of today.
    #[test]
    fn a_record_from_the_future_leads_no_further_than_now() {
        let mut it = schedule("look_back_days = 0\n");
        let query = ask(&it, at(100));
        it.took(&query, &page(&[(3000, "a")]), at(100)).unwrap();
        end(&mut it, at(100));
        assert_eq!(told(&ask(&it, at(101))), "2024-05-10 00:40:00 ");
    }

    #[test]
    fn what_was_handed_over_and_is_the_same_is_left_out() {
        let mut it = schedule("");
        let query = ask(&it, at(100));
        let seen = page(&[(90, "a")]);
        assert_eq!(it.unknown(&seen).len(), 1);
        it.took(&query, &seen, at(100)).unwrap();
        assert_eq!(it.unknown(&seen).len(), 0);
        let changed = Page { rows: vec![Row { text: "changed".into(), place: None }] };
        assert_eq!(it.unknown(&changed).len(), 1);
    }

    #[test]
    fn a_page_that_leads_nowhere_is_no_reason_to_ask_at_once_again() {
        let mut it = schedule("");
        let query = ask(&it, at(100));
        it.took(&query, &page(&[(5, "a"), (7, "b")]), at(100)).unwrap();
        let query = ask(&it, at(100));
        assert_eq!(it.took(&query, &page(&[(5, "a"), (7, "b")]), at(100)), Err(Stuck));
        it.failed(at(100));
        assert!(matches!(it.next(at(100)), Next::Wait(until) if at(100) < until));
    }

    /// Followed, a page that begins with the newest would hide everything else.
    #[test]
    fn records_that_are_not_in_order_are_refused_but_for_those_that_come_twice() {
        let mut it = schedule("");
        let query = ask(&it, at(100));
        assert_eq!(it.took(&query, &page(&[(7, "b"), (5, "a")]), at(100)), Err(Stuck));
        let twice = page(&[(5, "a"), (7, "b"), (5, "a")]);
        assert_eq!(it.took(&query, &twice, at(100)), Ok(false));
    }

    #[test]
    fn an_endpoint_that_gives_less_than_asked_is_asked_to_its_end() {
        let mut it = schedule("page_size = 9\nlook_back_days = 0\n");
        for n in 0..50 {
            let query = ask(&it, at(100));
            assert_eq!(it.took(&query, &page(&[(n, "a")]), at(100)), Ok(false));
        }
        end(&mut it, at(100));
        assert!(matches!(it.next(at(100)), Next::Wait(_)));
    }

    #[test]
    fn pauses_grow_and_stay_below_twenty_seconds() {
        let mut it = schedule("");
        let mut pauses = Vec::new();
        for _ in 0..50 {
            it.failed(at(0));
            let Next::Wait(until) = it.next(at(0)) else { panic!("it must wait") };
            pauses.push(until.micros() - at(0).micros());
        }
        assert!(pauses.iter().all(|pause| (1_000_000..=20_000_000).contains(pause)), "{pauses:?}");
        assert!(pauses[10..].iter().all(|pause| 10_000_000 <= *pause), "{pauses:?}");
    }

    #[test]
    fn late_records_are_looked_for_between_passes_and_once_a_day() {
        let mut it = schedule("look_back_days = 2\n");
        let mut now = at(5000);
        let query = ask(&it, now);
        it.took(&query, &page(&[(5000, "z")]), now).unwrap();
        end(&mut it, now);
        // Four days and more are in it; the look back begins two days before.
        let query = ask(&it, now);
        assert_eq!(told(&query), "2024-05-11 11:20:00  back");
        assert_eq!(it.took(&query, &page(&[(3000, "a"), (3001, "b")]), now), Ok(false));
        // A pass that is due comes first.
        now = now.later(EVERY);
        let query = ask(&it, now);
        assert_eq!(told(&query), "2024-05-13 10:20:00 ");
        assert_eq!(it.took(&query, &page(&[(5000, "z")]), now), Ok(false));
        end(&mut it, now);
        let query = ask(&it, now);
        assert_eq!(told(&query), "2024-05-12 02:01:00 b back");
        // It ends where passes begin, and comes again the next day.
        it.took(&query, &page(&[(4000, "c"), (4941, "d")]), now).unwrap();
        assert!(matches!(it.next(now), Next::Wait(_)));
        assert!(!ask(&it, now.later(EVERY)).looks_back);
        it.next_pass = now.later(LOOK_BACK_EVERY * 2);
        assert!(ask(&it, now.later(LOOK_BACK_EVERY)).looks_back);
    }
}
