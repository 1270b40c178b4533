//! What happens after the claims of a scenario have come in, and what each of them then comes to.

use std::sync::Arc;

use greenlane::core::book::{Book, Command, Seen};
use greenlane::core::claim::ClaimId;
use greenlane::core::day::Moment;
use greenlane::core::decision::Denial;
use greenlane::core::review::{Act, Actor, Deed, Texts};
use greenlane::core::settlement::{FollowUp, LatePayment, Reversal, Settlement, Supplement};

use super::file::{self, LaterTable, Scenario, What, fen};
use super::{lived, plan_id};

#[test]
fn what_happens_later_changes_every_claim_as_the_scenario_says() {
    let mut seen = 0;
    for scenario in file::all().iter().filter(|scenario| !scenario.later.is_empty()) {
        let (_, mut book, plans) = lived(scenario);
        let last = scenario.claims.iter().map(file::ClaimTable::received).max().unwrap();
        for (step, later) in (1..).zip(&scenario.later) {
            assert!(!later.why.is_empty(), "{}: says how it comes about", scenario.name);
            if let Some(command) = command(scenario, later, &book) {
                let now = Moment::from_micros(last.micros() + step);
                book.apply(&command, now, &plans).unwrap();
            }
            for (id, payout) in &later.payouts {
                let claim = &book.claims[place(&book, id)];
                let found = claim.payout();
                assert_eq!(found, fen(payout), "{}, {step}, {id}: {}", scenario.name, later.why);
            }
            assert_eq!(later.payouts.len(), scenario.claims.len(), "{}: all", scenario.name);
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} changes were found");
}

fn place(book: &Book, id: &str) -> usize {
    let id = id.replace(' ', "-");
    let found = book.claims.iter().position(|claim| claim.settlement.settlement_id == id);
    found.unwrap_or_else(|| panic!("no claim {id}"))
}

fn command(scenario: &Scenario, later: &LaterTable, book: &Book) -> Option<Command> {
    let claim = || &book.claims[place(book, later.claim.as_deref().expect("names a claim"))];
    let act = |claim_id: ClaimId, deed: Deed| Command::Review {
        claim_id,
        act: Arc::new(Act {
            actor: Actor { name: "reviewer".into(), is_asserted: true },
            deed,
            revision: None,
        }),
        texts: Arc::new(Texts::default()),
    };
    Some(match later.what {
        What::Nothing => return None,
        What::Reversed => {
            let settlement = &claim().settlement;
            Command::FollowUp(
                FollowUp::Reversal(Arc::new(Reversal {
                    source: settlement.source.clone(),
                    original_id: Some(settlement.settlement_id.clone()),
                    reversal_id: None,
                    visit_id: None,
                    total: None,
                    reverse_time: None,
                })),
                Seen::default(),
            )
        }
        What::Approved => {
            act(claim().id, Deed::Approve { amount: later.amount.as_deref().map(fen) })
        }
        What::Denied => act(claim().id, Deed::Deny { denial: Some(Denial::NotNecessary) }),
        What::PaidLate => {
            let known = &claim().settlement;
            let payment = LatePayment {
                payment_id: "P-1".into(),
                fund_code: "610100".into(),
                amount: fen(later.amount.as_deref().expect("an amount")),
            };
            let facts = Settlement {
                source: known.source.clone(),
                settlement_id: known.settlement_id.clone(),
                late_payments: vec![payment],
                ..Settlement::silent()
            };
            Command::FollowUp(FollowUp::Supplement(Arc::new(Supplement { facts })), Seen::default())
        }
        What::Class => {
            let class = later.class.as_deref().expect("a class");
            Command::Enrol { import: Arc::new(scenario.roster_with(&plan_id(scenario), class)) }
        }
    })
}
