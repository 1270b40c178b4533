//! Questions of connectors and operators about fetching from senders.

use super::query::uuid;
use super::{Problems, limits as own};
use crate::core::checks::Checks;
use crate::pb;

const HOLDER_MAX: usize = 100;
const FAILURE_MAX: usize = 200;
const CURSOR_BYTES_MAX: usize = 16 * 1024;

/// A sender's name.
pub(in crate::grpc) fn pull_sender(sender: &str) -> Result<(), Problems> {
    let mut checks = Checks::default();
    require(&mut checks, "sender", sender, own::SENDER_MAX);
    checks.done(())
}

/// The lease that is to be renewed, if one is.
pub(in crate::grpc) fn pull_lease(
    request: &pb::LeasePullRequest,
) -> Result<Option<String>, Problems> {
    let mut checks = Checks::default();
    require(&mut checks, "sender", &request.sender, own::SENDER_MAX);
    require(&mut checks, "holder", &request.holder, HOLDER_MAX);
    let lease_id = uuid(&mut checks, "lease_id", &request.lease_id);
    checks.done(lease_id)
}

/// A sender and the lease of it.
pub(in crate::grpc) fn pull_held(sender: &str, lease_id: &str) -> Result<(), Problems> {
    let mut checks = Checks::default();
    held(&mut checks, sender, lease_id);
    checks.done(())
}

/// What the holder of a lease tells.
pub(in crate::grpc) fn pull_progress(request: &pb::RecordPullRequest) -> Result<(), Problems> {
    let mut checks = Checks::default();
    held(&mut checks, &request.sender, &request.lease_id);
    if request.cursor.len() > CURSOR_BYTES_MAX || request.cursor.contains('\0') {
        checks.refuse("cursor", format!("must be a text of at most {CURSOR_BYTES_MAX} bytes"));
    }
    checks.text("failure", &request.failure, FAILURE_MAX);
    if request.record_count < 0 {
        checks.refuse("record_count", "must not be negative");
    }
    checks.done(())
}

fn held(checks: &mut Checks, sender: &str, lease_id: &str) {
    require(checks, "sender", sender, own::SENDER_MAX);
    if lease_id.is_empty() {
        checks.refuse("lease_id", "is required");
    }
    uuid(checks, "lease_id", lease_id);
}

fn require(checks: &mut Checks, field: &str, text: &str, chars_max: usize) {
    if text.is_empty() {
        checks.refuse(field, "is required");
    }
    checks.text(field, text, chars_max);
}
