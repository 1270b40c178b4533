//! The bill while it is divided: what the person bears of each fee line, by bucket.

use super::spread::spread;
use crate::core::money::Fen;
use crate::core::plan::{Bucket, CapPer, Exclusion, ItemCap, LineSelector, name_of};
use crate::core::settlement::{Line, Settlement};

/// In which order something is taken out of the buckets of a line: what insurance knows least of
/// first.
const OUTSIDE_FIRST: [Bucket; 5] = [
    Bucket::OutOfCatalogue,
    Bucket::OverLimit,
    Bucket::AdvanceSelfPay,
    Bucket::InScopeCopay,
    Bucket::BasicDeductible,
];

/// What was taken out of each row.
pub(super) type Taken = Vec<Fen>;

/// What the person bears, by row and bucket. There is a row for each fee line and one more for what
/// no line explains; without lines that is the whole bill.
pub(super) struct Bill<'a> {
    settlement: &'a Settlement,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Default)]
struct Row {
    /// What the row comes to, whoever bears it.
    total: Fen,
    /// What the person bears of it.
    borne: Fen,
    /// Of that what nothing has taken yet.
    left: [Fen; 5],
}

impl<'a> Bill<'a> {
    /// Divides `burden`, what the person bears of the settlement, among its lines. The parts of a
    /// line outside the scope are borne whole, its part in scope pro rata, because funds paid some
    /// of it. What is `excluded` comes first where the lines say more than the bill.
    pub(super) fn new(
        settlement: &'a Settlement,
        burden: Fen,
        exclusions: &[Exclusion],
    ) -> (Bill<'a>, Vec<usize>) {
        let buckets = settlement.buckets(burden);
        let whole = [
            buckets.out_of_catalogue,
            buckets.over_limit,
            buckets.advance_self_pay,
            buckets.basic_deductible,
            buckets.in_scope_copay,
        ];
        let total = settlement.amounts.total;
        if settlement.lines.is_empty() {
            let rows = vec![Row { total, borne: burden, left: whole }];
            return (Bill { settlement, rows }, Vec::new());
        }
        let is_excluded = |line: &Line| {
            let name = name_of(line);
            exclusions.iter().any(|it| it.lines.matches_named(line, name.as_deref()))
        };
        let excluded: Vec<usize> = (0..settlement.lines.len())
            .filter(|index| is_excluded(&settlement.lines[*index]))
            .collect();
        let parts: Vec<[Fen; 4]> = settlement.lines.iter().map(parts_of).collect();
        let mut rows = vec![Row::default(); parts.len() + 1];
        for bucket in 0..3 {
            let stated: Vec<Fen> = parts.iter().map(|parts| parts[bucket]).collect();
            for (row, part) in rows.iter_mut().zip(outside(whole[bucket], &stated, &excluded)) {
                row.left[bucket] = part;
            }
        }
        let in_scope = in_scope(settlement, buckets.in_scope(), &parts);
        let deductibles = spread(buckets.basic_deductible, &in_scope);
        for ((row, part), deductible) in rows.iter_mut().zip(in_scope).zip(deductibles) {
            row.left[Bucket::BasicDeductible as usize] = deductible;
            row.left[Bucket::InScopeCopay as usize] = part - deductible;
        }
        let mut unexplained = total;
        for (row, line) in rows.iter_mut().zip(&settlement.lines) {
            row.total = line.total;
            unexplained = unexplained.minus_up_to(line.total);
        }
        for row in &mut rows {
            row.borne = row.left.iter().copied().sum();
        }
        if let Some(rest) = rows.last_mut() {
            rest.total = unexplained.max(rest.borne);
        }
        (Bill { settlement, rows }, excluded)
    }

    /// Whether there are lines beside the whole.
    pub(super) fn has_lines(&self) -> bool {
        self.rows.len() > 1
    }

    /// What others than the person bear of each row.
    pub(super) fn paid_by_others(&self) -> Taken {
        self.rows.iter().map(|row| row.total.minus_up_to(row.borne)).collect()
    }

    /// Takes whole rows out.
    pub(super) fn take_rows(&mut self, rows: &[usize]) -> Taken {
        let mut taken = self.nothing();
        for index in rows {
            taken[*index] = self.rows[*index].take(&Bucket::ALL);
        }
        taken
    }

    /// Takes out what a cap does not count. Also the rows it looked at and what they came to.
    pub(super) fn cap(&mut self, cap: &ItemCap, days: u16) -> (Taken, Vec<usize>, Fen) {
        let meant: Vec<usize> = self.rows_of(&cap.lines);
        let sums: Vec<Fen> = meant.iter().map(|index| self.rows[*index].sum()).collect();
        let sum: Fen = sums.iter().copied().sum();
        let beyond = match cap.per {
            CapPer::Line => sums.iter().map(|sum| sum.minus_up_to(cap.amount)).collect(),
            CapPer::Day => spread_of(sum.minus_up_to(cap.amount.times(days)), &sums),
            CapPer::Claim => spread_of(sum.minus_up_to(cap.amount), &sums),
        };
        let mut taken = self.nothing();
        for (index, beyond) in meant.iter().zip(beyond) {
            self.rows[*index].take_up_to(beyond, &OUTSIDE_FIRST);
            taken[*index] = beyond;
        }
        (taken, meant, sum)
    }

    /// Takes out an amount that belongs to no line in particular, what is in scope first.
    pub(super) fn take_amount(&mut self, amount: Fen) -> Taken {
        let mut wanted = amount;
        let mut taken = self.nothing();
        for bucket in OUTSIDE_FIRST.into_iter().rev() {
            let there: Vec<Fen> = self.rows.iter().map(|row| row.left[bucket as usize]).collect();
            let part = wanted.min(there.iter().copied().sum());
            for (index, part) in spread_of(part, &there).into_iter().enumerate() {
                self.rows[index].left[bucket as usize] = there[index] - part;
                taken[index] = taken[index] + part;
            }
            wanted = wanted - part;
        }
        taken
    }

    /// Takes out the base of a responsibility, so that no fen is counted twice.
    pub(super) fn take(&mut self, base: &[Bucket], items: Option<&LineSelector>) -> Taken {
        let Some(items) = items else {
            return self.rows.iter_mut().map(|row| row.take(base)).collect();
        };
        let mut taken = self.nothing();
        for index in self.rows_of(items) {
            taken[index] = self.rows[index].take(base);
        }
        taken
    }

    /// What nothing has taken, in all.
    pub(super) fn left(&self) -> Fen {
        self.rows.iter().map(Row::sum).sum()
    }

    fn rows_of(&self, lines: &LineSelector) -> Vec<usize> {
        let all = self.settlement.lines.iter().enumerate();
        all.filter(|(_, line)| lines.matches(line)).map(|(index, _)| index).collect()
    }

    fn nothing(&self) -> Taken {
        vec![Fen::ZERO; self.rows.len()]
    }
}

impl Row {
    fn sum(&self) -> Fen {
        self.left.iter().copied().sum()
    }

    fn take(&mut self, buckets: &[Bucket]) -> Fen {
        buckets.iter().map(|bucket| std::mem::take(&mut self.left[*bucket as usize])).sum()
    }

    fn take_up_to(&mut self, amount: Fen, order: &[Bucket]) {
        let mut wanted = amount;
        for bucket in order {
            let slot = &mut self.left[*bucket as usize];
            let part = wanted.min(*slot);
            *slot = *slot - part;
            wanted = wanted - part;
        }
    }
}

/// As [`spread`], for rows that may be none at all.
fn spread_of(amount: Fen, weights: &[Fen]) -> Vec<Fen> {
    if weights.is_empty() { Vec::new() } else { spread(amount, weights) }
}

/// The parts of a line: out of catalogue, over the limit price, paid in advance, in scope. Never
/// more than the line, whatever it says.
fn parts_of(line: &Line) -> [Fen; 4] {
    let mut left = line.total;
    let mut take = |stated: Fen| {
        let part = stated.min(left);
        left = left - part;
        part
    };
    [
        take(line.out_of_catalogue()),
        take(line.over_limit.unwrap_or_default()),
        take(line.advance_self_pay.unwrap_or_default()),
        take(line.in_scope.unwrap_or_default()),
    ]
}

/// Divides what the person bears in scope: pro rata, because funds paid some of every line. What no
/// line states belongs to the last row.
fn in_scope(settlement: &Settlement, borne: Fen, parts: &[[Fen; 4]]) -> Vec<Fen> {
    let mut weights: Vec<Fen> = parts.iter().map(|parts| parts[3]).collect();
    let stated: Fen = weights.iter().copied().sum();
    let whole = settlement.amounts.in_scope.unwrap_or(settlement.amounts.total);
    weights.push(whole.minus_up_to(stated));
    let there = borne.min(weights.iter().copied().sum());
    let mut divided = spread(there, &weights);
    if let Some(rest) = divided.last_mut() {
        *rest = *rest + (borne - there);
    }
    divided
}

/// Divides a bucket outside the scope: each line what it states, excluded lines first; what no line
/// states belongs to the last row.
fn outside(whole: Fen, stated: &[Fen], excluded: &[usize]) -> Vec<Fen> {
    let mut left = whole;
    let mut parts = vec![Fen::ZERO; stated.len() + 1];
    for index in excluded {
        parts[*index] = stated[*index].min(left);
        left = left - parts[*index];
    }
    let mut others = stated.to_vec();
    for index in excluded {
        others[*index] = Fen::ZERO;
    }
    let there = left.min(others.iter().copied().sum());
    for (part, more) in parts.iter_mut().zip(spread_of(there, &others)) {
        *part = *part + more;
    }
    if let Some(rest) = parts.last_mut() {
        *rest = left - there;
    }
    parts
}
