//! What operators watch: how much waits, how much is rejected, and for how long.

use std::collections::BTreeMap;

use crate::clock;
use crate::core::day::Moment;
use crate::ledger::{Ledger, PROFILE};
use crate::store::Backlog;
use crate::telemetry::{Figure, gauge};

/// A sender that has no profile. Whatever text it gave as its name stays out.
const WITHOUT_PROFILE: &str = "(without profile)";

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
