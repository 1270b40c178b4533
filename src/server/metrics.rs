//! What operators watch: how much waits, how much is rejected, and for how long.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::core::day::Moment;
use crate::core::decision::code;
use crate::ledger::{Ledger, PROFILE};
use crate::store::{Backlog, ClockRow, PullRow, ReserveRow, StoreError};
use crate::telemetry::{Figure, gauge};

/// A sender that has no profile. Whatever text it gave as its name stays out.
const WITHOUT_PROFILE: &str = "(without profile)";

/// How old the figures of senders may be; metrics are sent once a minute.
const REFRESH_EVERY: Duration = Duration::from_secs(10);

/// How many there are by sender and reason or kind, and since when the oldest.
type Groups = BTreeMap<(String, String), (i64, Moment)>;
/// Takes the groups that a gauge tells of out of everything.
type Choose = fn(&Backlog) -> &[(String, String, i64, Moment)];

/// Registers the gauges of a ledger.
pub(super) fn register(ledger: &Ledger) {
    let rejects: Choose = |backlog| &backlog.rejects;
    let parked: Choose = |backlog| &backlog.parked;
    let gauges = [
        ("greenlane.intake.rejects", "reason", rejects),
        ("greenlane.intake.parked", "kind", parked),
    ];
    for (name, label, choose) in gauges {
        let source = ledger.clone();
        let description = "messages that have not become a claim";
        gauge(name.to_owned(), "1", description, move || {
            figures(&groups(&source, choose), label, |(count, _)| count)
        });
        let source = ledger.clone();
        let description = "since when the oldest of them waits";
        gauge(format!("{name}.oldest_age"), "s", description, move || {
            let now = clock::now().micros();
            let age_s = |(_, oldest): (i64, Moment)| (now - oldest.micros()) / 1_000_000;
            figures(&groups(&source, choose), label, age_s)
        });
    }
}

/// Registers the gauges of senders that are fetched from, and keeps their figures fresh until the
/// ledger closes.
pub(super) fn register_pulls(ledger: &Ledger, closing: CancellationToken) {
    let known: Arc<RwLock<Vec<PullRow>>> = Arc::default();
    let gauges: [(&str, &str, &str, PullFigure); 4] = [
        ("greenlane.pull.lag", "s", "since when not everything that is there was fetched", lag_s),
        ("greenlane.pull.failures", "1", "attempts that failed in a row", |row, _| row.failures),
        ("greenlane.pull.records", "1", "records that were handed over", |row, _| row.records),
        ("greenlane.pull.paused", "1", "whether an operator has paused it", |row, _| {
            i64::from(row.pause_time.is_some())
        }),
    ];
    for (name, unit, description, figure) in gauges {
        let known = known.clone();
        gauge(name.to_owned(), unit, description, move || {
            let known = known.read().expect("nobody panics while holding it");
            let now = clock::now();
            known
                .iter()
                .map(|row| (vec![("sender", row.sender.clone())], figure(row, now)))
                .collect()
        });
    }
    let store = ledger.store().clone();
    let read = move || {
        let store = store.clone();
        async move {
            let mut rows = store.pulls().await?;
            // A name that was only paused may be a mistyped one.
            rows.retain(|row| !row.holder.is_empty());
            Ok(rows)
        }
    };
    keep_fresh(known, closing, read);
}

/// Registers the gauges of what waits for a person, and keeps their figures fresh until the ledger
/// closes.
pub(super) fn register_reviews(ledger: &Ledger, closing: CancellationToken) {
    let known: Arc<RwLock<Vec<ReserveRow>>> = Arc::default();
    let gauges: [(&str, &str, &str, ReserveFigure); 5] = [
        ("greenlane.review.claims", "1", "claims that wait for a person", |row, _| row.claims),
        ("greenlane.review.assigned", "1", "of them those that somebody works on", |row, _| {
            row.assigned
        }),
        ("greenlane.review.reserved", "fen", "what they would pay", |row, _| row.reserved.fen()),
        ("greenlane.review.at_risk", "fen", "what was let through on top of that", |row, _| {
            row.resting.fen()
        }),
        ("greenlane.review.oldest_age", "s", "since when the oldest waits", |row, now| {
            (now.micros() - row.oldest.micros()).max(0) / 1_000_000
        }),
    ];
    for (name, unit, description, figure) in gauges {
        let known = known.clone();
        gauge(name.to_owned(), unit, description, move || {
            let known = known.read().expect("nobody panics while holding it");
            let now = clock::now();
            let plan = |row: &ReserveRow| row.plan_id.clone().unwrap_or_default();
            known.iter().map(|row| (vec![("plan", plan(row))], figure(row, now))).collect()
        });
    }
    let ledger = ledger.clone();
    let read = move || {
        let ledger = ledger.clone();
        async move { ledger.store().reserves().await }
    };
    keep_fresh(known, closing, read);
}

/// Has the clocks of claims told: by the clock that runs out first, how many run, are close to their
/// end, or have run out.
pub(super) fn register_clocks(ledger: &Ledger, closing: CancellationToken) {
    let known: Arc<RwLock<Vec<ClockRow>>> = Arc::default();
    let description = "claims by the clock that runs out first, and how it stands";
    let shown = known.clone();
    gauge("greenlane.claim.clocks".to_owned(), "{claim}", description, move || {
        let known = shown.read().expect("nobody panics while holding it");
        let figures = known.iter().flat_map(|row| {
            let running = row.claims - row.warned - row.breached;
            let states =
                [("running", running), ("warning", row.warned), ("breached", row.breached)];
            states.map(|(state, count)| {
                (vec![("clock", code(&row.clock)), ("state", state.to_owned())], count)
            })
        });
        figures.collect()
    });
    let ledger = ledger.clone();
    let read = move || {
        let ledger = ledger.clone();
        async move { ledger.store().clock_figures(ledger.now()).await }
    };
    keep_fresh(known, closing, read);
}

/// Reads figures again and again, until the server closes.
fn keep_fresh<T: Send + Sync + 'static, R>(
    known: Arc<RwLock<T>>,
    closing: CancellationToken,
    read: impl Fn() -> R + Send + 'static,
) where
    R: Future<Output = Result<T, StoreError>> + Send,
{
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(REFRESH_EVERY);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = closing.cancelled() => return,
            }
            // What cannot be read now stays as it was; the ledger itself says what is wrong.
            if let Ok(figures) = read().await {
                *known.write().expect("nobody panics while holding it") = figures;
            }
        }
    });
}

/// One figure of what claims under review hold.
type ReserveFigure = fn(&ReserveRow, Moment) -> i64;

/// One figure of a sender.
type PullFigure = fn(&PullRow, Moment) -> i64;

/// How long ago everything had been fetched, in s; of a sender that was never so far, since when it
/// is fetched from.
fn lag_s(row: &PullRow, now: Moment) -> i64 {
    let since = row.caught_up_time.unwrap_or(row.create_time);
    (now.micros() - since.micros()).max(0) / 1_000_000
}

fn figures(
    groups: &Groups,
    label: &'static str,
    figure: impl Fn((i64, Moment)) -> i64,
) -> Vec<Figure> {
    let labelled = |((sender, kind), group): (&(String, String), &(i64, Moment))| {
        (vec![("sender", sender.clone()), (label, kind.clone())], figure(*group))
    };
    groups.iter().map(labelled).collect()
}

/// What the last sweep found, by senders that have a profile.
fn groups(ledger: &Ledger, choose: Choose) -> Groups {
    let documents = ledger.documents();
    let is_known = |sender: &str| {
        documents.iter().any(|document| document.kind == PROFILE && document.id == sender)
    };
    let mut groups = Groups::new();
    for (sender, kind, count, oldest) in choose(&ledger.backlog()) {
        let sender = if is_known(sender) { sender } else { WITHOUT_PROFILE };
        let group = groups.entry((sender.to_owned(), kind.clone())).or_insert((0, *oldest));
        *group = (group.0 + count, group.1.min(*oldest));
    }
    groups
}
