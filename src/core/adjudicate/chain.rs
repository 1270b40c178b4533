//! A decision while it grows: steps, and the parts of the bill with the reason for each.

use super::bill::{Bill, Taken};
use super::spread::spread;
use crate::core::decision::{
    Adjustment, AdjustmentGroup, AdjustmentReason, LineDecision, Step, Why,
};
use crate::core::money::Fen;
use crate::core::settlement::{Line, Settlement};

/// A decision while it grows.
#[derive(Default)]
pub(super) struct Chain {
    steps: Vec<Step>,
    pieces: Vec<Piece>,
}

/// A piece of the bill that was taken out of it together, with what becomes of it. The parts add up
/// to what was taken.
struct Piece {
    taken: Taken,
    parts: Vec<Part>,
    /// For lines that come to more than their bill: what is left of them then has this reason.
    rest: Option<AdjustmentReason>,
}

/// What becomes of a part: paid by the plan, or not for a reason.
struct Part {
    reason: Option<AdjustmentReason>,
    amount: Fen,
}

impl Chain {
    /// With room for the chains of that many responsibilities.
    pub(super) fn for_responsibilities(count: usize) -> Chain {
        Chain { steps: Vec::with_capacity(2 + 4 * count), pieces: Vec::with_capacity(2 + count) }
    }

    pub(super) fn step(&mut self, before: Fen, after: Fen, why: Why) {
        self.steps.push(Step { before, after, why });
    }

    /// Opens a piece of the bill.
    pub(super) fn open(&mut self, taken: Taken) {
        self.pieces.push(Piece { taken, parts: Vec::with_capacity(3), rest: None });
    }

    /// Opens the piece that others than the person bore.
    pub(super) fn open_others(&mut self, taken: Taken) {
        let rest = Some(AdjustmentReason::PriorPayer);
        self.pieces.push(Piece { taken, parts: Vec::with_capacity(2), rest });
    }

    /// Says why a part of the open piece is not paid.
    pub(super) fn adjust(&mut self, reason: AdjustmentReason, amount: Fen) {
        self.part(Some(reason), amount);
    }

    /// Says what is paid of the open piece.
    pub(super) fn pay(&mut self, amount: Fen) {
        self.part(None, amount);
    }

    /// A whole piece that is not paid for one reason.
    pub(super) fn refuse(&mut self, reason: AdjustmentReason, taken: Taken) {
        let amount = taken.iter().copied().sum();
        self.open(taken);
        self.adjust(reason, amount);
    }

    fn part(&mut self, reason: Option<AdjustmentReason>, amount: Fen) {
        if let Some(piece) = self.pieces.last_mut()
            && amount > Fen::ZERO
        {
            piece.parts.push(Part { reason, amount });
        }
    }

    /// Counts what later payers have paid against what would stay with the person, the last piece
    /// first: it is in the bases, but no person bears it.
    pub(super) fn count_later_payers(&mut self, amount: Fen) {
        let mut left = amount;
        for piece in self.pieces.iter_mut().rev() {
            let mut moved = Fen::ZERO;
            for part in piece.parts.iter_mut().rev() {
                let is_borne =
                    part.reason.is_some_and(|reason| reason.group() == AdjustmentGroup::Pr);
                if is_borne {
                    let more = part.amount.min(left);
                    part.amount = part.amount - more;
                    left = left - more;
                    moved = moved + more;
                }
            }
            piece.parts.retain(|part| !part.amount.is_zero());
            if moved > Fen::ZERO {
                let reason = Some(AdjustmentReason::PriorPayer);
                piece.parts.push(Part { reason, amount: moved });
            }
        }
    }

    /// The steps, and who bears what: of the claim, and of each line.
    pub(super) fn finish(
        self,
        settlement: &Settlement,
        bill: &Bill<'_>,
    ) -> (Vec<Step>, Vec<Adjustment>, Vec<LineDecision>) {
        let mut adjustments = Vec::with_capacity(4);
        for part in self.pieces.iter().flat_map(|piece| &piece.parts) {
            add(&mut adjustments, part.reason, part.amount);
        }
        let lines = if bill.has_lines() { self.of_lines(settlement) } else { Vec::new() };
        (self.steps, adjustments, lines)
    }

    /// Divides every part among the lines of its piece in proportion to what is left of them, so
    /// that each line adds up, and all lines together with what no line explains give the claim.
    fn of_lines(&self, settlement: &Settlement) -> Vec<LineDecision> {
        let line = |line: &Line| LineDecision {
            line_no: line.line_no.clone(),
            payout: Fen::ZERO,
            adjustments: Vec::new(),
        };
        let mut lines: Vec<LineDecision> = settlement.lines.iter().map(line).collect();
        for piece in &self.pieces {
            // Most pieces come from few lines, and a part of nothing is nothing.
            let (rows, mut left): (Vec<usize>, Vec<Fen>) = piece
                .taken
                .iter()
                .copied()
                .enumerate()
                .filter(|(_, taken)| !taken.is_zero())
                .unzip();
            if let [row] = rows[..] {
                // Nothing to divide: the line has the parts of its piece.
                if let Some(line) = lines.get_mut(row) {
                    for part in &piece.parts {
                        give(line, part.reason, part.amount);
                        left[0] = left[0] - part.amount;
                    }
                    add(&mut line.adjustments, piece.rest, left[0]);
                }
                continue;
            }
            for part in &piece.parts {
                for (index, share) in spread(part.amount, &left).into_iter().enumerate() {
                    left[index] = left[index] - share;
                    let Some(line) = lines.get_mut(rows[index]) else { continue };
                    give(line, part.reason, share);
                }
            }
            for (index, left) in rows.into_iter().zip(left) {
                let Some(line) = lines.get_mut(index) else { continue };
                add(&mut line.adjustments, piece.rest, left);
            }
        }
        lines
    }
}

/// Gives a line its share of a part: paid without a reason, not paid for one.
fn give(line: &mut LineDecision, reason: Option<AdjustmentReason>, share: Fen) {
    match reason {
        None => line.payout = line.payout + share,
        reason => add(&mut line.adjustments, reason, share),
    }
}

fn add(adjustments: &mut Vec<Adjustment>, reason: Option<AdjustmentReason>, amount: Fen) {
    let Some(reason) = reason.filter(|_| !amount.is_zero()) else { return };
    match adjustments.iter_mut().find(|known| known.reason == reason) {
        Some(known) => known.amount = known.amount + amount,
        None => adjustments.push(Adjustment { reason, amount }),
    }
}
