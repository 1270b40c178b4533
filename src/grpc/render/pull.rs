//! Who fetches from which sender, as the wire knows it.

use super::timestamp;
use crate::core::day::Moment;
use crate::pb;
use crate::store::PullRow;

/// A sender that is fetched from, as it stands at `now`.
pub(in crate::grpc) fn pull(row: &PullRow, now: Moment) -> pb::Pull {
    let is_leased = !row.lease_id.is_empty() && now < row.lease_expire_time;
    let state = match row.pause_time {
        Some(_) => pb::PullState::Paused,
        None if is_leased => pb::PullState::Leased,
        None => pb::PullState::Idle,
    };
    pb::Pull {
        sender: row.sender.clone(),
        state: state.into(),
        holder: row.holder.clone(),
        lease_expire_time: is_leased.then(|| timestamp(row.lease_expire_time)),
        create_time: Some(timestamp(row.create_time)),
        caught_up_time: row.caught_up_time.map(timestamp),
        pause_time: row.pause_time.map(timestamp),
        failure: row.failure.clone(),
        failure_count: i32::try_from(row.failures).unwrap_or(i32::MAX),
        record_count: row.records,
        update_time: Some(timestamp(row.update_time)),
    }
}
