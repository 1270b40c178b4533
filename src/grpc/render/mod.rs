//! Types of the core become answers. Decides nothing: every figure, code and word is the core's.

mod claim;
mod claim_event;
mod decision;
mod event;
mod intake;
mod member;
mod pull;
mod review;
mod settlement;

pub(super) use claim::{claim, claim_with_clocks};
pub(super) use claim_event::{changes, claim_event, impact};
pub(super) use intake::{document, parked, reject};
pub(super) use member::{balance, eligibility, member};
pub(super) use pull::pull;
pub(super) use review::{history, reserve};
pub(crate) use settlement::settlement;

use prost_types::Timestamp;

use crate::core::day::{Day, Moment};
use crate::core::personal::Personal;
use crate::ledger::PlanEntry;
use crate::pb;

fn timestamp(moment: Moment) -> Timestamp {
    let micros = moment.micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).expect("below a second");
    Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

fn day(day: Option<Day>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

fn revealed(text: Option<&Personal>) -> String {
    text.map(|text| text.reveal().to_owned()).unwrap_or_default()
}

/// A plan version with its document.
pub(super) fn plan(entry: &PlanEntry) -> pb::Plan {
    pb::Plan { document: entry.document.to_string(), ..listed_plan(entry) }
}

/// A plan version in a list, without its document.
pub(super) fn listed_plan(entry: &PlanEntry) -> pb::Plan {
    let plan = &entry.plan;
    pb::Plan {
        plan_id: plan.plan_id.clone(),
        version: plan.version.clone(),
        name: plan.name.clone(),
        start_date: plan.start_date.to_string(),
        document: String::new(),
        document_hash: plan.hash.clone(),
        publish_time: Some(timestamp(entry.publish_time)),
    }
}
