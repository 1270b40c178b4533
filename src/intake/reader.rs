//! The way from bytes to a reading: parse, find the parts, tell the kind, read by it.

use super::findings::Findings;
use super::kind::{self, Kind, Reason};
use super::part::{Part, Places};
use super::parts::Parts;
use super::profile::Profile;
use super::{
    About, Message, Reading, Topic, Unreadable, about, names, reversal, settlement, supplement,
};
use crate::core::checks::Checks;
use crate::core::settlement::FollowUp;

/// Reads a message by its sender's profile.
pub(super) fn read(message: &Message<'_>, profile: &Profile) -> Result<Reading, Unreadable> {
    let mut findings = Findings::new(profile);
    let checks = &mut findings.checks;
    let Some(root) = Part::document(message.payload, "payload", "", checks) else {
        return refused(findings, About::default());
    };
    if let Some(detail) = failure(&root, checks) {
        return Ok(Reading::NoSettlement { detail });
    }
    let request = match message.request_payload.filter(|bytes| !bytes.is_empty()) {
        Some(bytes) => Part::document(bytes, "request_payload", "request_payload", checks),
        None => None,
    };
    let embedded = root.embedded("output");
    let parts = Parts::of(root, embedded.as_deref(), request, checks);
    let Some(parts) = parts else { return refused(findings, About::default()) };
    let Some((transaction, kind)) = kind::of(&parts, message.infno, checks) else {
        let about = about::of(&parts, profile);
        return refused(findings, about);
    };
    let topic = match kind {
        Kind::Settlement | Kind::Quote => Topic::Settlement,
        Kind::Reversal(_) => Topic::Reversal,
        Kind::Supplement | Kind::List => Topic::Supplement,
    };
    let reading = match kind {
        Kind::Settlement | Kind::Quote => settlement::read(&parts, kind, &mut findings),
        Kind::Reversal(reason) => {
            let reading = reversal::read(&parts, transaction, reason, &mut findings);
            match reason {
                Reason::Reverses => reading,
                Reason::WasReversed => with_settlement(reading, &parts, profile),
            }
        }
        Kind::Supplement => supplement::read(&parts, &mut findings),
        Kind::List => supplement::read_list(&parts, &mut findings),
    };
    let read = findings.checks.done(reading);
    read.map_err(|problems| {
        let about = About { topic: Some(topic), ..about::of(&parts, profile) };
        Unreadable { problems, about }
    })
}

/// A reversal with the settlement in whose own row it stands, where that can be read as one.
fn with_settlement(reading: Reading, parts: &Parts<'_>, profile: &Profile) -> Reading {
    let Reading::FollowUp(FollowUp::Reversal(reversal)) = reading else { return reading };
    let mut findings = Findings::new(profile);
    let settled = settlement::read(parts, Kind::Settlement, &mut findings);
    match findings.checks.done(settled) {
        Ok(Reading::Settlement(settlement)) => Reading::TakenBack { settlement, reversal },
        _ => Reading::FollowUp(FollowUp::Reversal(reversal)),
    }
}

fn refused(findings: Findings<'_>, about: About) -> Result<Reading, Unreadable> {
    let unknown = Reading::NoSettlement { detail: String::new() };
    findings.checks.done(unknown).map_err(|problems| Unreadable { problems, about })
}

/// What the platform answered if it did not settle. Its `err_msg` stays out: it names persons.
pub(super) fn failure(root: &Part<'_>, checks: &mut Checks) -> Option<String> {
    let (_, infcode) = Places(&[root]).short(names::INFCODE, checks)?;
    let digits = infcode.strip_prefix('-').unwrap_or(&infcode);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match &*infcode {
        _ if number && digits.bytes().all(|byte| byte == b'0') => None,
        // A code is short; a longer number may be anything, an identity card included.
        code if number && digits.len() <= 5 => {
            Some(format!("the platform answered infcode {code}"))
        }
        _ => Some("the platform answered an infcode that is not 0".to_owned()),
    }
}
