//! The six guarantees as judges: each reads what a watcher saw and what is stored, and says what is
//! wrong.

use std::collections::{BTreeMap, BTreeSet};

use greenlane::pb;

use super::client::Stored;

/// What one watcher saw, connection after connection.
#[derive(Debug, Clone)]
pub struct Life {
    pub filter: pb::ClaimEventFilter,
    pub seen: Vec<Seen>,
}

/// One thing that a watcher saw. Tokens are given as how far they go in each lane.
#[derive(Debug, Clone)]
pub enum Seen {
    /// It began, or came back with a token.
    Connected {
        from: Vec<i64>,
    },
    Event {
        lane: u16,
        position: i64,
        token: Vec<i64>,
    },
    Progress {
        token: Vec<i64>,
    },
}

/// What there was to see, by lane.
pub struct Truth {
    fitting: Vec<Vec<i64>>,
}

impl Truth {
    pub fn of(stored: &[Stored], filter: &pb::ClaimEventFilter, lanes: usize) -> Truth {
        let mut fitting = vec![Vec::new(); lanes];
        for event in stored.iter().filter(|event| event.fits(filter)) {
            fitting[usize::from(event.lane)].push(event.position);
        }
        Truth { fitting }
    }

    /// How many fitting events lie at or before a position of a lane.
    fn count(&self, lane: usize, position: i64) -> usize {
        self.fitting[lane].partition_point(|it| *it <= position)
    }
}

/// A guarantee by its name, and the judge that holds a life to it.
pub type Judge = (&'static str, fn(&Truth, &Life) -> Result<(), String>);

pub const JUDGES: [Judge; 6] = [
    ("ordered", ordered),
    ("unique", unique),
    ("reliable", reliable),
    ("resumable", resumable),
    ("bookmarkable", bookmarkable),
    ("honest", honest),
];

/// The names of the guarantees that a life breaks, with why.
pub fn broken(truth: &Truth, life: &Life) -> BTreeMap<&'static str, String> {
    let judged = JUDGES.iter().map(|(name, judge)| (*name, judge(truth, life)));
    judged.filter_map(|(name, verdict)| Some((name, verdict.err()?))).collect()
}

fn events(life: &Life) -> impl Iterator<Item = (usize, i64)> {
    life.seen.iter().filter_map(|seen| match seen {
        Seen::Event { lane, position, .. } => Some((usize::from(*lane), *position)),
        _ => None,
    })
}

/// The events of a lane, and so those of each member and claim, come in the order they were
/// recorded.
fn ordered(_: &Truth, life: &Life) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for (lane, position) in events(life) {
        let before = last.insert(lane, position).unwrap_or(0);
        if position < before {
            return Err(format!("{lane}/{position} came after {lane}/{before}"));
        }
    }
    Ok(())
}

/// No event comes twice.
fn unique(_: &Truth, life: &Life) -> Result<(), String> {
    let mut known = BTreeSet::new();
    match events(life).find(|event| !known.insert(*event)) {
        Some((lane, position)) => Err(format!("{lane}/{position} came twice")),
        None => Ok(()),
    }
}

/// Everything that fits was told by the end, and nothing else.
fn reliable(truth: &Truth, life: &Life) -> Result<(), String> {
    let told: BTreeSet<_> = events(life).collect();
    let lanes = truth.fitting.iter().enumerate();
    let all: BTreeSet<_> =
        lanes.flat_map(|(lane, positions)| positions.iter().map(move |it| (lane, *it))).collect();
    if let Some(missing) = all.difference(&told).next() {
        let count = all.difference(&told).count();
        return Err(format!("{count} events were never told, the first is {missing:?}"));
    }
    match told.difference(&all).next() {
        Some(stray) => Err(format!("{stray:?} does not fit the filter")),
        None => Ok(()),
    }
}

/// A connection goes on with the very next event of each lane.
fn resumable(truth: &Truth, life: &Life) -> Result<(), String> {
    let mut place = vec![0; truth.fitting.len()];
    for seen in &life.seen {
        match seen {
            Seen::Connected { from } => place.clone_from(from),
            Seen::Event { lane, position, .. } => {
                let lane = usize::from(*lane);
                let next = truth.fitting[lane].get(truth.count(lane, place[lane]));
                if next != Some(position) {
                    let from = place[lane];
                    return Err(format!("{lane}/{position} came behind {from}, not {next:?}"));
                }
                place[lane] = *position;
            }
            Seen::Progress { .. } => {}
        }
    }
    Ok(())
}

/// A token, above all that of a progress, is never ahead of what was told, and progress comes.
fn bookmarkable(truth: &Truth, life: &Life) -> Result<(), String> {
    let mut told = vec![0; truth.fitting.len()];
    let mut has_progress = false;
    for seen in &life.seen {
        let token = match seen {
            Seen::Connected { .. } => continue,
            Seen::Event { lane, token, .. } => {
                told[usize::from(*lane)] += 1;
                token
            }
            Seen::Progress { token } => {
                has_progress = true;
                token
            }
        };
        for (lane, position) in token.iter().enumerate() {
            let due = truth.count(lane, *position);
            if due > told[lane] {
                let told = told[lane];
                return Err(format!("a token is at {lane}/{position}: {told} of {due} were told"));
            }
        }
    }
    if has_progress { Ok(()) } else { Err("no progress ever came".to_owned()) }
}

/// A connection never begins before the place that was asked for, and its tokens never go back.
fn honest(_: &Truth, life: &Life) -> Result<(), String> {
    let mut place = Vec::new();
    for seen in &life.seen {
        let token = match seen {
            Seen::Connected { from } => {
                place.clone_from(from);
                continue;
            }
            Seen::Event { lane, position, token } => {
                if *position <= place[usize::from(*lane)] {
                    return Err(format!("{lane}/{position} lies before what was asked for"));
                }
                token
            }
            Seen::Progress { token } => token,
        };
        if token.iter().zip(&place).any(|(now, before)| now < before) {
            return Err(format!("the place went back from {place:?} to {token:?}"));
        }
        place.clone_from(token);
    }
    Ok(())
}
