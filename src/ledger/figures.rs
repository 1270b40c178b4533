//! Figures told from the whole book, to be published and looked at by routing rules.

use std::collections::BTreeMap;

use super::{Ledger, LedgerError, Publication};
use crate::core::day::Day;
use crate::core::decision::code;
use crate::core::figures::{
    Baseline, FigureKind, Norm, STAYS_MIN, Spread, render_accounts, render_baseline,
};

/// Stays that are read at a time.
const STAYS_AT_ONCE: u32 = 5_000;

/// Which figures.
#[derive(Debug, Clone, Copy)]
pub enum Refresh {
    /// What stays that ended in a span usually last and cost.
    Baseline {
        /// The first day.
        from: Day,
        /// The last day.
        until: Day,
    },
    /// Who shares an account.
    SharedAccounts,
}

/// Figures that were told.
#[derive(Debug, Clone)]
pub struct FiguresTold {
    /// The document.
    pub publication: Publication,
    /// Hospitals or accounts in it.
    pub entries: i64,
    /// Stays or persons that it was told from.
    pub sources: i64,
    /// Hospitals with too few stays.
    pub left_out: i64,
}

/// The sums of one hospital.
#[derive(Default)]
struct Sums {
    stays: u32,
    days: Sum,
    cost: Sum,
}

#[derive(Default)]
struct Sum {
    values: i128,
    squares: i128,
}

impl Sum {
    fn add(&mut self, value: i128) {
        self.values += value;
        self.squares += value * value;
    }
}

impl Ledger {
    /// Tells figures from the book as it stands.
    pub async fn tell_figures(
        &self,
        figures: Refresh,
        id: &str,
        version: &str,
    ) -> Result<FiguresTold, LedgerError> {
        match figures {
            Refresh::Baseline { from, until } => self.baseline((from, until), id, version).await,
            Refresh::SharedAccounts => self.shared_accounts(id, version).await,
        }
    }

    async fn baseline(
        &self,
        span: (Day, Day),
        id: &str,
        version: &str,
    ) -> Result<FiguresTold, LedgerError> {
        let mut hospitals: BTreeMap<String, Sums> = BTreeMap::new();
        let (mut after, mut sources) = (None, 0);
        loop {
            let rows = self.0.store.stays(span, after, STAYS_AT_ONCE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.claim_id);
            for row in rows {
                let (Some(first), Some(last)) = (row.admission, row.discharge) else { continue };
                let days = i128::from(last.days_since(first).max(1));
                let sums = hospitals.entry(row.hospital_code).or_default();
                sums.stays += 1;
                sums.days.add(days);
                sums.cost.add(i128::from(row.total.fen()) / days);
                sources += 1;
            }
        }
        let known = hospitals.len();
        let norm = |(hospital, sums): (String, Sums)| {
            let is_enough = sums.stays >= u32::from(STAYS_MIN);
            let stays = sums.stays.min(u32::from(u16::MAX));
            let spread = |sum: Sum| Spread::of(sums.stays, sum.values, sum.squares);
            let (days, cost_per_day) = (spread(sums.days)?, spread(sums.cost)?);
            is_enough.then_some((hospital, Norm { stays, days, cost_per_day }))
        };
        let hospitals: BTreeMap<String, Norm> = hospitals.into_iter().filter_map(norm).collect();
        let entries = count(hospitals.len());
        let baseline = Baseline { id: id.to_owned(), version: version.to_owned(), hospitals };
        let publication = Publication {
            kind: code(&FigureKind::Baseline),
            id: id.to_owned(),
            version: version.to_owned(),
            body: render_baseline(&baseline),
        };
        Ok(FiguresTold { publication, entries, sources, left_out: count(known) - entries })
    }

    async fn shared_accounts(&self, id: &str, version: &str) -> Result<FiguresTold, LedgerError> {
        let groups = self.0.store.shared_accounts(2).await?;
        let publication = Publication {
            kind: code(&FigureKind::SharedAccounts),
            id: id.to_owned(),
            version: version.to_owned(),
            body: render_accounts(id, version, &groups),
        };
        let sources = groups.iter().map(|members| count(members.len())).sum();
        Ok(FiguresTold { publication, entries: count(groups.len()), sources, left_out: 0 })
    }
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}
