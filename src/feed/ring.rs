//! The newest events of all lanes, shared by every watcher who keeps up.

use std::collections::VecDeque;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::cursor::{Cursor, Mark};
use super::entry::{Entry, Told};
use super::interest::Filter;

/// Entries kept: about 10 MB, and most of a second at the highest rates. Who is further behind
/// reads from the store.
pub(super) const ENTRIES_MAX: usize = 16_384;
/// Entries looked at under the lock at once, some 20 µs.
const SCAN_MAX: usize = 2_048;
/// Everybody is woken once in so many entries, so that who sleeps stays inside the ring.
const SWEEP_EVERY: u64 = ENTRIES_MAX as u64 / 4;

/// In a lane the ring holds all events from its floor to its top, without a gap.
pub(super) struct Ring(RwLock<Held>);

struct Held {
    entries: VecDeque<Entry>,
    /// The number of the first entry; numbers only grow.
    first: u64,
    /// Per lane: the position below the first that is held.
    floors: Vec<i64>,
    /// Per lane: the last that is held.
    tops: Vec<Mark>,
    next_sweep: u64,
    beginnings: u64,
}

/// What became of entries that were offered.
pub(super) struct Appended {
    /// Those that are new to the ring.
    pub(super) entries: Vec<Entry>,
    /// Whether everybody should be woken.
    pub(super) is_sweep_due: bool,
}

/// What a watcher found.
#[derive(Debug)]
pub(super) struct Found {
    /// What fits, in order.
    pub(super) told: Vec<Told>,
    /// Where the watcher stands behind everything that was looked at.
    pub(super) cursor: Cursor,
    /// The same place in the ring; none for what was found in the store.
    pub(super) number: Option<u64>,
    /// Whether there may be more to look at.
    pub(super) has_more: bool,
}

impl Ring {
    pub(super) fn new(lanes: u16) -> Ring {
        let lanes = usize::from(lanes);
        Ring(RwLock::new(Held {
            entries: VecDeque::new(),
            first: 0,
            // Nobody can join a ring that knows nothing.
            floors: vec![i64::MAX; lanes],
            tops: vec![Mark { position: i64::MAX, check: 0 }; lanes],
            next_sweep: SWEEP_EVERY,
            beginnings: 0,
        }))
    }

    /// Empties the ring and makes it begin behind `heads`.
    pub(super) fn begin_at(&self, heads: &Cursor) {
        let mut held = self.write();
        // One more, so that nobody who stood at the end believes that nothing is missing.
        held.first += held.entries.len() as u64 + 1;
        held.entries.clear();
        held.floors = heads.marks().iter().map(|mark| mark.position).collect();
        held.tops = heads.marks().to_vec();
        held.beginnings += 1;
    }

    /// How often it began anew.
    pub(super) fn beginnings(&self) -> u64 {
        self.read().beginnings
    }

    /// Where the ring ends in each lane.
    pub(super) fn tops(&self) -> Vec<Mark> {
        self.read().tops.clone()
    }

    /// Appends what is new and follows the top of its lane; the rest is left out.
    pub(super) fn append(&self, offered: Vec<Entry>) -> Appended {
        let mut held = self.write();
        let mut entries = Vec::with_capacity(offered.len());
        for entry in offered {
            // What leaves a gap is found by the poller, with what lies in the gap.
            if entry.mark.position.checked_sub(1)
                == Some(held.tops[usize::from(entry.lane)].position)
            {
                held.push(entry.clone());
                entries.push(entry);
            }
        }
        let end = held.end();
        let is_sweep_due = end >= held.next_sweep;
        if is_sweep_due {
            held.next_sweep = end + SWEEP_EVERY;
        }
        Appended { entries, is_sweep_due }
    }

    /// What fits `filter` behind a place, at most `limit` events. `number` is where the watcher
    /// stood in the ring when it last looked. `None` when the ring does not reach back that far.
    pub(super) fn find(
        &self,
        number: Option<u64>,
        cursor: &Cursor,
        filter: &Filter,
        limit: usize,
    ) -> Option<Found> {
        let held = self.read();
        let from = match number {
            Some(number) if number >= held.first => number,
            _ if held.reaches(cursor, filter) => held.first,
            _ => return None,
        };
        let mut place = cursor.clone();
        let mut told = Vec::new();
        let skipped = usize::try_from(from - held.first).unwrap_or(usize::MAX);
        let mut number = from;
        for entry in held.entries.range(skipped.min(held.entries.len())..).take(SCAN_MAX) {
            if told.len() == limit {
                break;
            }
            number += 1;
            if entry.mark.position <= place.mark(entry.lane).position {
                continue;
            }
            place.set(entry.lane, entry.mark);
            if let Some(news) = entry.news.as_ref().filter(|news| filter.fits(news)) {
                told.push(Told::of(entry, news));
            }
        }
        let has_more = number < held.end();
        Some(Found { told, cursor: place, number: Some(number), has_more })
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().expect("nobody panics while holding it")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.0.write().expect("nobody panics while holding it")
    }
}

impl Held {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Whether it goes back to a place in every lane that can hold something for the filter.
    fn reaches(&self, cursor: &Cursor, filter: &Filter) -> bool {
        let mut lanes = (0..).zip(cursor.marks().iter().zip(&self.floors));
        lanes.all(|(lane, (mark, floor))| !filter.reaches(lane) || mark.position >= *floor)
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == ENTRIES_MAX
            && let Some(oldest) = self.entries.pop_front()
        {
            self.floors[usize::from(oldest.lane)] = oldest.mark.position;
            self.first += 1;
        }
        self.tops[usize::from(entry.lane)] = entry.mark;
        self.entries.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::day::Moment;

    fn entry(lane: u16, position: i64) -> Entry {
        let time = Moment::from_micros(position);
        Entry { lane, mark: Mark { position, check: 0 }, time, news: None }
    }

    fn cursor(positions: &[i64]) -> Cursor {
        let mark = |position: &i64| Mark { position: *position, check: 0 };
        Cursor::of(positions.iter().map(mark).collect())
    }

    /// A ring of two lanes that begins behind these positions.
    fn ring(positions: &[i64]) -> Ring {
        let ring = Ring::new(2);
        ring.begin_at(&cursor(positions));
        ring
    }

    fn find(ring: &Ring, number: Option<u64>, positions: &[i64]) -> Option<(Vec<i64>, u64, bool)> {
        let found = ring.find(number, &cursor(positions), &Filter::default(), 10)?;
        let reached = found.cursor.marks().iter().map(|mark| mark.position).collect();
        Some((reached, found.number?, found.has_more))
    }

    #[test]
    fn a_ring_that_knows_nothing_is_joined_by_nobody_and_takes_nothing() {
        let ring = Ring::new(2);
        assert!(ring.append(vec![entry(0, 1)]).entries.is_empty());
        assert_eq!(find(&ring, None, &[5, 5]), None);
    }

    #[test]
    fn what_is_known_or_leaves_a_gap_is_not_appended() {
        let ring = ring(&[4, 0]);
        let offered = vec![entry(0, 4), entry(0, 5), entry(0, 7), entry(1, 1), entry(0, 6)];
        let appended = ring.append(offered).entries;
        let taken: Vec<_> = appended.iter().map(|it| (it.lane, it.mark.position)).collect();
        assert_eq!(taken, [(0, 5), (1, 1), (0, 6)]);
        let tops: Vec<_> = ring.tops().iter().map(|mark| mark.position).collect();
        assert_eq!(tops, [6, 1]);
    }

    #[test]
    fn a_watcher_joins_where_the_ring_reaches_and_goes_on_by_number() {
        let ring = ring(&[4, 0]);
        ring.append(vec![entry(0, 5), entry(1, 1)]);
        assert_eq!(find(&ring, None, &[3, 0]), None, "lane 0 begins behind 4");
        let (reached, number, has_more) = find(&ring, None, &[4, 0]).unwrap();
        assert_eq!((reached, has_more), (vec![5, 1], false));
        ring.append(vec![entry(0, 6)]);
        assert_eq!(find(&ring, Some(number), &[5, 1]), Some((vec![6, 1], number + 1, false)));
        assert_eq!(find(&ring, None, &[9, 9]).unwrap().0, [9, 9], "ahead of the ring");
    }

    #[test]
    fn who_falls_out_of_the_ring_is_told_so() {
        let ring = ring(&[0, 0]);
        let (_, number, _) = find(&ring, None, &[0, 0]).unwrap();
        let entries_max = i64::try_from(ENTRIES_MAX).unwrap();
        ring.append((1..=entries_max + 1).map(|position| entry(0, position)).collect());
        assert_eq!(find(&ring, Some(number), &[0, 0]), None, "the first one is gone");
        assert!(find(&ring, None, &[1, 0]).is_some(), "the second one is not");
    }

    #[test]
    fn a_ring_that_begins_anew_is_no_place_for_who_stood_at_its_end() {
        let ring = ring(&[0, 0]);
        ring.append(vec![entry(0, 1)]);
        let (_, number, _) = find(&ring, None, &[0, 0]).unwrap();
        ring.begin_at(&cursor(&[9, 0]));
        assert_eq!(find(&ring, Some(number), &[1, 0]), None, "2 to 9 are missing");
        assert!(find(&ring, None, &[9, 0]).is_some());
    }

    #[test]
    fn who_asks_for_one_member_joins_whatever_other_lanes_do() {
        let ring = ring(&[4, 9]);
        let member = Some((0, "member".to_owned()));
        let filter = Filter { member, ..Filter::default() };
        assert!(ring.find(None, &cursor(&[4, 0]), &filter, 10).is_some());
        assert!(ring.find(None, &cursor(&[3, 9]), &filter, 10).is_none());
    }

    #[test]
    fn everybody_is_woken_before_the_ring_has_turned() {
        let ring = ring(&[0, 0]);
        let sweeps = |range: std::ops::RangeInclusive<i64>| {
            range.filter(|position| ring.append(vec![entry(0, *position)]).is_sweep_due).count()
        };
        assert!(sweeps(1..=i64::try_from(ENTRIES_MAX).unwrap()) >= 3);
    }
}
