//! Payouts (赔付): instructions to pay or to recover, each with a life of its own.

use serde::{Deserialize, Serialize};

use super::claim::ClaimId;
use super::day::Moment;
use super::money::Fen;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// Counted from 1 in the claim; `<claim id>/<number>` names the payout.
    pub number: u32,
    /// To whom the money moves.
    pub kind: PayoutKind,
    /// How much, above zero.
    pub amount: Fen,
    /// Where it stands.
    pub state: PayoutState,
    /// When it was instructed.
    pub create_time: Moment,
    /// What it was set off against; then it is [`PayoutState::Offset`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_with: Option<PayoutRef>,
}

/// Names a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PayoutRef {
    /// The claim.
    pub claim: ClaimId,
    /// Its number there.
    pub number: u32,
}

/// Which way the money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PayoutKind {
    /// To the payee.
    Payment,
    /// Back to the plan.
    Recovery,
}

/// Where a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PayoutState {
    /// Written with the decision, not sent yet.
    Instructed,
    /// Handed to the bank.
    Sent,
    /// The money has arrived.
    Settled,
    /// The bank refused it.
    Failed,
    /// It came back.
    Returned,
    /// Replaced before it was sent.
    Cancelled,
    /// Set off against one that goes the other way (冲抵): settled, and no money moves.
    Offset,
}

/// What must be instructed so that `target` is what the claim has paid in all.
///
/// Unsent payouts of a changed claim are cancelled and replaced by one; sent ones stay, and the
/// difference is one payment or recovery (`design.md` 5.3). Without a target (a claim that waits
/// for a person) unsent ones are cancelled and nothing is instructed. Returns the rows that are
/// new or changed; none when everything stands already.
pub fn instruct(existing: &[Payout], target: Option<Fen>, now: Moment) -> Vec<Payout> {
    let sum = |kind: PayoutKind, states: &[PayoutState]| -> Fen {
        let counts = |payout: &&Payout| payout.kind == kind && states.contains(&payout.state);
        existing.iter().filter(counts).map(|payout| payout.amount).sum()
    };
    let sent = [PayoutState::Sent, PayoutState::Settled, PayoutState::Offset];
    let (paid, recovered) = (sum(PayoutKind::Payment, &sent), sum(PayoutKind::Recovery, &sent));
    let unsent = [PayoutState::Instructed];
    let to_pay = paid + sum(PayoutKind::Payment, &unsent);
    let to_recover = recovered + sum(PayoutKind::Recovery, &unsent);
    if target.is_some_and(|target| target + to_recover == to_pay) {
        return Vec::new();
    }
    let is_unsent = |payout: &&Payout| payout.state == PayoutState::Instructed;
    let mut rows: Vec<Payout> = existing.iter().filter(is_unsent).cloned().collect();
    for payout in &mut rows {
        payout.state = PayoutState::Cancelled;
    }
    if let Some(target) = target {
        let (needed, done) = (target + recovered, paid);
        let (kind, amount) = if needed >= done {
            (PayoutKind::Payment, needed - done)
        } else {
            (PayoutKind::Recovery, done - needed)
        };
        if amount > Fen::ZERO {
            let number = existing.iter().map(|payout| payout.number).max().unwrap_or(0) + 1;
            let state = PayoutState::Instructed;
            let offset_with = None;
            rows.push(Payout { number, kind, amount, state, create_time: now, offset_with });
        }
    }
    rows
}

/// `existing` with `changes` taken in, by number.
pub fn merged(existing: &[Payout], changes: &[Payout]) -> Vec<Payout> {
    let mut all = existing.to_vec();
    for change in changes {
        match all.iter_mut().find(|payout| payout.number == change.number) {
            Some(known) => known.clone_from(change),
            None => all.push(change.clone()),
        }
    }
    all
}

/// What was really paid for a claim and has not come back: sent, settled or set off.
pub fn net_paid(payouts: &[Payout]) -> Fen {
    let sent = [PayoutState::Sent, PayoutState::Settled, PayoutState::Offset];
    let sum = |kind: PayoutKind| -> Fen {
        let counts = |it: &&Payout| it.kind == kind && sent.contains(&it.state);
        payouts.iter().filter(counts).map(|it| it.amount).sum()
    };
    sum(PayoutKind::Payment).minus_up_to(sum(PayoutKind::Recovery))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fen(fen: i64) -> Fen {
        Fen::new(fen).unwrap()
    }

    fn now() -> Moment {
        Moment::from_micros(0)
    }

    /// Instructs one target after the other and prints the rows; `sent` sends them in between.
    fn check(targets: &[Option<i64>], sent: bool) -> Vec<String> {
        let mut payouts = Vec::new();
        for target in targets {
            let changes = instruct(&payouts, target.map(fen), now());
            payouts = merged(&payouts, &changes);
            if sent {
                for payout in &mut payouts {
                    if payout.state == PayoutState::Instructed {
                        payout.state = PayoutState::Sent;
                    }
                }
            }
        }
        let show = |it: &Payout| format!("{:?} {} {:?}", it.kind, it.amount.fen(), it.state);
        payouts.iter().map(show).collect()
    }

    #[test]
    fn unsent_payouts_are_replaced_by_one() {
        let rows = check(&[Some(500), Some(500), Some(300)], false);
        assert_eq!(rows, ["Payment 500 Cancelled", "Payment 300 Instructed"]);
        assert_eq!(check(&[Some(500), None], false), ["Payment 500 Cancelled"]);
        assert_eq!(check(&[Some(0)], false), Vec::<String>::new());
    }

    #[test]
    fn sent_payouts_stay_and_the_difference_moves_once() {
        let rows = check(&[Some(500), Some(300), Some(300), Some(450)], true);
        assert_eq!(rows, ["Payment 500 Sent", "Recovery 200 Sent", "Payment 150 Sent"]);
        assert_eq!(check(&[Some(500), None], true), ["Payment 500 Sent"]);
    }
}
