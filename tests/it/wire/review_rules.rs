//! What the desk guards: two pairs of eyes, claims without a figure, many acts at once, and what
//! watchers and the history tell of all that.

use greenlane::ledger::{ImpactBound, Mode};
use greenlane::pb;
use greenlane::pb::ClaimState as State;
use greenlane::pb::review_claims_item::Act;
use greenlane::server::Limits;
use tonic::Code;

use super::desk::{
    ABOVE_CEILING_PAYS, act, answer, approve, approve_amount, ask, assign, by, changed, claim_of,
    comment, deny, done, payout_of, pended, read, reason_of, reasons, reopen, request_id,
};
use crate::serving::{CERT_A, CERT_B, Served, cert, persons, refused, stay};
use crate::support::{Database, on_every_backend};
use crate::watch::client::{Watching, from_now};
use crate::world::{enrolled, open_ledger, shipped_plan};

/// A server whose plan wants two persons above 50,000.00.
async fn with_four_eyes(database: &Database) -> Served {
    let plan = shipped_plan()
        .replace("plan_id = \"qingdao-rongjun\"", "plan_id = \"two-persons\"")
        .replace(
            "green_ceiling = \"100000.00\"",
            "green_ceiling = \"10000.00\"\nfour_eyes_above = \"50000.00\"",
        );
    assert!(plan.contains("four_eyes_above"));
    let ledger = open_ledger(database, &[]).await;
    ledger.publish(plan, Mode::Record, ImpactBound::NONE).await.unwrap();
    for (n, cert_no) in [CERT_A, CERT_B].into_iter().enumerate() {
        let mut person = enrolled(&format!("RJ-{n}"), cert_no);
        person.coverages[0].plan_id = "two-persons".into();
        ledger.enrol(person, Mode::Record).await.unwrap().outcome().await.unwrap();
    }
    Served::of(ledger, Limits::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_amount_for_two_persons_another_one_approves_the_same_amount() {
    on_every_backend(async |database| {
        let served = with_four_eyes(&database).await;
        let claim = claim_of(&served, stay("a", CERT_A, 6_000_000)).await;
        let taken = done(&served, "li", Act::Assign(assign(&claim))).await;
        let proposed = done(&served, "li", Act::Approve(approve(&taken))).await;
        assert_eq!((proposed.state(), &proposed.payouts[..]), (State::Pended, &[][..]));
        let review = proposed.review.as_ref().unwrap();
        assert_eq!(review.assignee, "", "free for the second pair of eyes");
        let proposal = review.proposal.clone().unwrap();
        let first = proposal.actor.unwrap();
        assert_eq!((&*first.name, first.is_asserted), ("li", true));
        assert_eq!(proposal.payout_fen, 5_500_000);
        let told = reason_of(&served, "li", Act::Approve(approve(&proposed))).await;
        assert_eq!(
            (told.code, &*told.reason),
            (Code::FailedPrecondition, "SECOND_PERSON_REQUIRED")
        );
        let next = || pb::AssignClaimRequest { request_id: request_id(), ..Default::default() };
        let nothing = act(&served, "li", Act::Assign(next())).await.unwrap();
        assert_eq!(nothing.claim, None, "whoever proposed it is not its second pair of eyes");

        let other = done(&served, "wang", Act::Approve(approve_amount(&proposed, 5_400_000))).await;
        let proposal = other.review.as_ref().unwrap().proposal.clone().unwrap();
        assert_eq!((other.state(), proposal.payout_fen), (State::Pended, 5_400_000));
        assert_eq!(proposal.actor.unwrap().name, "wang");
        assert_eq!(payout_of(&other), 5_500_000, "it holds what the rules give");
        let taken = done(&served, "li", Act::Assign(next())).await;
        assert_eq!(taken.review.as_ref().unwrap().proposal, other.review.unwrap().proposal);
        let approved = done(&served, "li", Act::Approve(approve_amount(&taken, 5_400_000))).await;
        assert_eq!((approved.state(), payout_of(&approved)), (State::Approved, 5_400_000));
        assert_eq!(approved.payouts[0].amount_fen, 5_400_000);
        assert!(approved.review.unwrap().proposal.is_none());

        let small = claim_of(&served, stay("b", CERT_B, 5_500_000)).await;
        assert_eq!(small.state(), State::Pended);
        let approved = done(&served, "li", Act::Approve(approve(&small))).await;
        assert_eq!(approved.state(), State::Approved, "up to the amount one person is enough");
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// Somebody approved another figure than the one that would be paid now.
#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_falls_with_the_figure_it_was_about() {
    on_every_backend(async |database| {
        let served = with_four_eyes(&database).await;
        let early = claim_of(&served, stay("early", CERT_A, 600_000)).await;
        let claim = claim_of(&served, stay("a", CERT_A, 6_000_000)).await;
        let proposed = done(&served, "li", Act::Approve(approve(&claim))).await;
        let noted = done(&served, "wang", Act::Comment(comment(&proposed))).await;
        assert!(noted.review.unwrap().proposal.is_some());
        let request = super::desk::reversal(early.settlement.as_ref().unwrap());
        let answer = served.settlements().reverse_settlement(request).await.unwrap().into_inner();
        assert_eq!(changed(&answer.changes), [("a", 6_000_000, 5_500_000)]);
        let claim = read(&served, &claim.claim_id).await;
        assert!(claim.review.as_ref().unwrap().proposal.is_none());
        let first = done(&served, "wang", Act::Approve(approve(&claim))).await;
        assert_eq!(first.state(), State::Pended);
        let approved = done(&served, "li", Act::Approve(approve(&first))).await;
        assert_eq!((approved.state(), payout_of(&approved)), (State::Approved, 5_500_000));
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_without_a_figure_is_approved_with_an_amount_only() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(3)).await;
        claim_of(&served, stay("p", &cert(0), 100)).await;
        // The certificate of one, the number of another.
        let number = |n: usize, psn_no: &str, settlement: pb::Settlement| {
            let member = Some(pb::MemberIdentity {
                cert_no: cert(n),
                psn_no: psn_no.into(),
                ..Default::default()
            });
            pb::Settlement { member, ..settlement }
        };
        claim_of(&served, number(1, "37020000001", stay("n", &cert(1), 100))).await;
        let unclear = number(0, "37020000001", stay("a", &cert(0), 600_000));
        let unclear = claim_of(&served, unclear).await;
        let contradicts =
            pb::Settlement { fund_total_fen: Some(900), ..stay("b", &cert(2), 600_000) };
        let contradicts = claim_of(&served, contradicts).await;
        for (claim, reason) in [(unclear, "PERSON_UNCLEAR"), (contradicts, "AMOUNTS_CONTRADICT")] {
            assert_eq!((claim.state(), reasons(&claim)), (State::Pended, vec![reason]));
            assert_eq!(claim.decision, None);
            let told = reason_of(&served, "li", Act::Approve(approve(&claim))).await;
            assert_eq!(told.reason, "CLAIM_NOT_APPROVABLE");
            assert_eq!(told.code, Code::FailedPrecondition);
            assert_eq!(told.metadata["reasons"], "NO_FIGURE");
            let tried =
                pb::ApproveClaimRequest { validate_only: true, ..approve_amount(&claim, 90_000) };
            let tried = act(&served, "li", Act::Approve(tried)).await.unwrap().claim.unwrap();
            assert_eq!((tried.state(), payout_of(&tried)), (State::Approved, 90_000), "{reason}");
            assert_eq!(read(&served, &claim.claim_id).await, claim, "only tried");
            let approved = done(&served, "li", Act::Approve(approve_amount(&claim, 90_000))).await;
            assert_eq!((approved.state(), payout_of(&approved)), (State::Approved, 90_000));
            assert_eq!(approved.payouts[0].amount_fen, 90_000);
            let accepted = approved.review.unwrap().accepted_reason_codes;
            assert!(accepted.iter().any(|it| it == reason), "{accepted:?}");
        }
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

/// Money is due and nobody knows whose account it goes to: that has to be mended.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_let_pass_by_nobody() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let nameless = greenlane::core::member::Roster { payee: None, ..enrolled("RJ-1", CERT_A) };
        served.enrol(nameless).await;
        let claim = claim_of(&served, stay("a", CERT_A, 600_000)).await;
        assert_eq!((claim.state(), reasons(&claim)), (State::Pended, vec!["PAYEE_MISSING"]));
        for item in [approve(&claim), approve_amount(&claim, 50_000)] {
            let told = reason_of(&served, "li", Act::Approve(item)).await;
            assert_eq!(told.reason, "CLAIM_NOT_APPROVABLE");
            assert_eq!(told.metadata["reasons"], "PAYEE_MISSING");
        }
        served.enrol(enrolled("RJ-1", CERT_A)).await;
        assert_eq!(read(&served, &claim.claim_id).await.state(), State::Approved);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_acts_each_stands_by_itself() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(4)).await;
        let a = pended(&served, "a", &cert(0)).await;
        claim_of(&served, stay("b", &cert(0), 300_000)).await;
        let c = pended(&served, "c", &cert(1)).await;
        let items = [
            Some(Act::Deny(deny(&a))),
            Some(Act::Comment(pb::CommentClaimRequest { note: String::new(), ..comment(&c) })),
            None,
            Some(Act::Approve(approve(&a))),
            Some(Act::Assign(pb::AssignClaimRequest {
                request_id: request_id(),
                ..Default::default()
            })),
            Some(Act::Assign(pb::AssignClaimRequest {
                request_id: request_id(),
                ..Default::default()
            })),
            Some(Act::Approve(approve(&c))),
        ];
        let items = items.map(|act| pb::ReviewClaimsItem { act }).to_vec();
        let request = pb::ReviewClaimsRequest { items };
        let answer = served.reviews().review_claims(by("li", request.clone())).await;
        let results = answer.unwrap().into_inner().results;
        let ids: Vec<&str> = results.iter().map(|it| it.claim_id.as_str()).collect();
        let (of_a, of_c) = (&*a.claim_id, &*c.claim_id);
        assert_eq!(ids, [of_a, of_c, "", of_a, "", "", of_c]);
        let short: Vec<String> = results.iter().map(short).collect();
        let expected = [
            "Denied, 1 changed",
            "InvalidField",
            "InvalidField",
            "ClaimChanged",
            "Pended, 0 changed",
            "nothing",
            "ClaimChanged",
        ];
        assert_eq!(short, expected);
        let again = served.reviews().review_claims(by("li", request)).await.unwrap().into_inner();
        let Some(pb::review_claims_result::Outcome::Reviewed(first)) = &again.results[0].outcome
        else {
            panic!("{again:?}")
        };
        assert!(first.replayed && first.changes.len() == 1, "{first:?}");
        for count in [0, 501] {
            let items = vec![pb::ReviewClaimsItem::default(); count];
            let request = by("li", pb::ReviewClaimsRequest { items });
            let answer = served.reviews().review_claims(request).await;
            let invalid = (Code::InvalidArgument, "INVALID_FIELD".to_owned());
            assert_eq!(refused(answer), invalid, "{count}");
        }
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

fn short(result: &pb::ReviewClaimsResult) -> String {
    match result.outcome.as_ref().unwrap() {
        pb::review_claims_result::Outcome::Refused(refusal) => format!("{:?}", refusal.reason()),
        pb::review_claims_result::Outcome::Reviewed(it) => match &it.claim {
            Some(claim) => format!("{:?}, {} changed", claim.state(), it.changes.len()),
            None => "nothing".to_owned(),
        },
    }
}

/// Every act on one claim, in an order in which each is allowed; gives the claim after each.
async fn a_whole_life(served: &Served, claim: &pb::Claim) -> Vec<pb::Claim> {
    let mut after = vec![done(served, "li", Act::Assign(assign(claim))).await];
    let last = |after: &[pb::Claim]| after.last().unwrap().clone();
    after.push(done(served, "li", Act::RequestInformation(ask(&last(&after)))).await);
    let told = pb::ProvideInformationRequest {
        documents: vec!["oss://claims/测试员/summary.pdf".into()],
        ..answer(&last(&after))
    };
    after.push(done(served, "hospital", Act::ProvideInformation(told)).await);
    after.push(done(served, "li", Act::Approve(approve_amount(&last(&after), 4_000_000))).await);
    after.push(done(served, "wang", Act::Reopen(reopen(&last(&after)))).await);
    after.push(done(served, "wang", Act::Comment(comment(&last(&after)))).await);
    let note = "与病情不符".to_owned();
    let denial = pb::DenyClaimRequest { note, ..deny(&last(&after)) };
    after.push(done(served, "wang", Act::Deny(denial)).await);
    after
}

const DEEDS: [pb::ReviewDeed; 7] = [
    pb::ReviewDeed::Assign,
    pb::ReviewDeed::RequestInformation,
    pb::ReviewDeed::ProvideInformation,
    pb::ReviewDeed::Approve,
    pb::ReviewDeed::Reopen,
    pb::ReviewDeed::Comment,
    pb::ReviewDeed::Deny,
];

/// Watchers are told who did what, and the figures, and never the words.
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_told_of_every_act_without_its_words() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let claim = pended(&served, "a", &cert(0)).await;
        let mut watching = Watching::open(&served.channel, from_now()).await.unwrap();
        watching.until_progress().await;
        let after = a_whole_life(&served, &claim).await;
        let events = watching.events(DEEDS.len()).await;
        let mut before = &claim;
        for ((event, deed), after) in events.iter().zip(DEEDS).zip(&after) {
            let act = event.act.as_ref().unwrap();
            assert_eq!((event.cause(), act.deed()), (pb::ClaimEventCause::Reviewed, deed));
            assert!((&act.note, act.items.len(), act.documents.len()) == (&String::new(), 0, 0));
            let actor = act.actor.as_ref().unwrap();
            assert!(actor.is_asserted && ["li", "hospital", "wang"].contains(&&*actor.name));
            assert_eq!((&event.claim_id, &event.revision), (&after.claim_id, &after.revision));
            assert_eq!((event.state_before(), event.state()), (before.state(), after.state()));
            assert_eq!(event.payout_before_fen, Some(payout_of(before)), "{deed:?}");
            assert_eq!(event.payout_fen, Some(payout_of(after)), "{deed:?}");
            assert_eq!(event.review_reason_codes, reasons(after), "{deed:?}");
            assert_eq!(event.trigger(), pb::ClaimEventTrigger::Unspecified);
            before = after;
        }
        let acts: Vec<&pb::ReviewAct> = events.iter().map(|it| it.act.as_ref().unwrap()).collect();
        assert_eq!((&*acts[0].assignee, acts[3].set_fen), ("li", Some(4_000_000)));
        assert_eq!(acts[6].denial_reason, "NOT_NECESSARY");
        assert_eq!(events[3].payouts[0].amount_fen, 4_000_000);
        drop(watching);
        served.stop().await;
        crate::audit::audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_claim_tells_every_step_with_its_decision_and_the_words() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let claim = pended(&served, "a", &cert(0)).await;
        let after = a_whole_life(&served, &claim).await;
        let asked = |include_history| pb::GetClaimRequest {
            claim_id: claim.claim_id.clone(),
            include_history,
        };
        let plain = served.claims().get_claim(asked(false)).await.unwrap().into_inner();
        assert_eq!(plain.history, []);
        let whole = served.claims().get_claim(asked(true)).await.unwrap().into_inner();
        assert_eq!(whole.claim.as_ref(), after.last());
        let states: Vec<&pb::Claim> = [&claim].into_iter().chain(&after).collect();
        assert_eq!(whole.history.len(), states.len());
        for (entry, stood) in whole.history.iter().zip(&states) {
            let event = entry.event.as_ref().unwrap();
            assert_eq!((&event.revision, event.state()), (&stood.revision, stood.state()));
            assert_eq!(entry.decision, stood.decision, "{:?}", event.act);
            assert_eq!(entry.review_reasons, stood.review_reasons);
            assert!(event.act.as_ref().is_none_or(|act| act.note.is_empty()));
        }
        assert_eq!(payout_of(states[0]), ABOVE_CEILING_PAYS);
        assert_eq!(whole.history[0].act, None);
        let acts: Vec<&pb::ReviewAct> =
            whole.history[1..].iter().map(|it| it.act.as_ref().unwrap()).collect();
        assert_eq!(acts.iter().map(|act| act.deed()).collect::<Vec<_>>(), DEEDS);
        let notes: Vec<&str> = acts.iter().map(|act| act.note.as_str()).collect();
        let expected = ["", "", "已补齐", "按协议赔付", "复议", "已电话核实", "与病情不符"];
        assert_eq!(notes, expected);
        assert_eq!(acts[1].items, ["出院小结", "费用清单"]);
        assert_eq!(acts[2].documents, ["oss://claims/测试员/summary.pdf"]);
        served.stop().await;
    })
    .await;
}
