//! Any bytes as a message, by any of the shipped profiles: read or refused, never a panic.

#![no_main]

use std::sync::LazyLock;

use greenlane::core::settlement::{FollowUp, Settlement};
use greenlane::intake::{Message, Profile, Reading, read};
use libfuzzer_sys::fuzz_target;

const INFNOS: [Option<&str>; 8] = [
    None,
    Some("2303"),
    Some("2304"),
    Some("2305"),
    Some("5203"),
    Some("5204"),
    Some("4101"),
    Some("2301"),
];

const SEPARATOR: &[u8] = b"<<request>>";

/// The documents that are shipped, and one with every key.
const PROFILES: [&str; 5] = [
    include_str!("../../../deploy/profiles/national.toml"),
    include_str!("../../../deploy/profiles/account-among-funds.toml"),
    include_str!("../../../deploy/profiles/fund-names.toml"),
    include_str!("../../../deploy/profiles/echo-reversals.toml"),
    r#"
        profile_id = "all"
        version = "1"
        name = "n"
        source = "370200"
        fund_total_includes_account = true
        reversal = "negative"
        tolerance = "1.00"
        hospital_code = "H37029999001"
        institutions = [{ code = "H37029999001", level = "02", region = "370211" }]
        codes = { psn_cert_type = { "02" = "99" }, med_type = { "x" = "21" } }
    "#,
];

static READ: LazyLock<Vec<Profile>> =
    LazyLock::new(|| PROFILES.iter().map(|it| Profile::read(it).expect("is sound")).collect());

fuzz_target!(|input: &[u8]| {
    let [infno, how, bytes @ ..] = input else { return };
    let with_request = how % 2 == 1;
    let place = bytes.windows(SEPARATOR.len()).position(|it| it == SEPARATOR);
    let (payload, request_payload) = match place.filter(|_| with_request) {
        Some(place) => (&bytes[..place], Some(&bytes[place + SEPARATOR.len()..])),
        None => (bytes, None),
    };
    let infno = INFNOS[usize::from(*infno) % INFNOS.len()];
    let profile = &READ[usize::from(how / 2) % READ.len()];
    let message = Message { sender: "fuzz", payload, infno, request_payload };
    match read(&message, profile) {
        Ok(
            Reading::Settlement(settlement)
            | Reading::Quote(settlement)
            | Reading::TakenBack { settlement, .. },
        ) => look_at(&settlement),
        Ok(Reading::FollowUp(FollowUp::Supplement(supplement))) => {
            let facts = &supplement.facts;
            assert!(!facts.source.is_empty());
            assert!(!facts.settlement_id.is_empty() || facts.visit_id.is_some());
            look_at(facts);
        }
        Ok(Reading::FollowUp(FollowUp::Reversal(reversal))) => {
            let named = [&reversal.original_id, &reversal.reversal_id, &reversal.visit_id];
            assert!(named.iter().any(|id| id.is_some()));
            assert!(reversal.total.is_none_or(|total| !total.is_zero()));
        }
        Ok(Reading::NoSettlement { .. }) => {}
        Err(unreadable) => assert!(!unreadable.problems.is_empty()),
    }
});

fn look_at(settlement: &Settlement) {
    let burden = settlement.burden();
    let _ = settlement.contradictions();
    let _ = settlement.routes_disagree();
    let _ = settlement.burden_figures();
    if let Some(burden) = burden {
        assert!(burden <= settlement.amounts.total);
        assert_eq!(settlement.buckets(burden).burden(), burden);
    }
}
