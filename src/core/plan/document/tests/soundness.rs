//! What a plan must not be.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::SMALL;
use crate::core::plan::document::read;

/// One of everything that a second responsibility can be, to be spoilt.
const SECOND: &str = r#"[[responsibilities]]
id = "second"
name = "S"
base = ["out_of_catalogue"]
rate = "0.8"
"#;

/// Adds to [`SMALL`], or changes it, and prints every problem.
#[track_caller]
fn check_unsound(cases: &[(&str, &str, &str)], expected: &Expect) {
    let mut printed = String::new();
    for (what, from, to) in cases {
        let document = format!("{SMALL}{SECOND}");
        assert!(document.contains(from), "{from}");
        let document = document.replacen(from, to, 1);
        writeln!(printed, "{what}:").unwrap();
        match read(&document) {
            Ok(_) => printed += "  is sound\n",
            Err(problems) => {
                for problem in problems {
                    writeln!(printed, "  {problem}").unwrap();
                }
            }
        }
    }
    expected.assert_eq(&printed);
}

/// What is spoilt, and how.
const SPOILT: &[(&str, &str, &str)] = &[
    ("nothing changed", "id = \"second\"", "id = \"second\""),
    ("the same id", "id = \"second\"", "id = \"inpatient\""),
    ("the same base", "[\"out_of_catalogue\"]", "[\"in_scope_copay\"]"),
    (
        "the same base by a condition of its own",
        "[\"out_of_catalogue\"]",
        "[\"in_scope_copay\"]\nwhen = { medical_categories = [\"22\"] }",
    ),
    ("ends before it begins", "name = \"N\"", "name = \"N\"\nend_date = \"2023-12-31\""),
    ("pays nothing", "rate = \"0.8\"", "rate = \"0\""),
    ("limited to nothing", "\"300000.00\"", "\"0.00\""),
    (
        "a base below the deductible",
        "rate = \"1\"",
        "rate = \"1\"\nbase_max = { amount = \"5000.00\", per = \"period\" }",
    ),
    (
        "a base by claim below the deductible of a period, which pays later",
        "rate = \"1\"",
        "rate = \"1\"\nbase_max = { amount = \"3000.00\", per = \"claim\" }",
    ),
    (
        "a base of a period below the deductible of each claim",
        "per = \"period\" }\nrate = \"1\"",
        "per = \"claim\" }\nrate = \"1\"\nbase_max = { amount = \"3000.00\", per = \"period\" }",
    ),
    ("raised to nothing", "rate = \"1\"", "raise_to = \"0\""),
    (
        "circumstances of a bill's limit",
        "per = \"period\" }]",
        "per = \"period\", when = { circumstances = [\"driving\"] } }]",
    ),
    (
        "overlapping tiers",
        "rate = \"0.8\"",
        "tiers = [{ up_to = \"200.00\", rate = \"0.5\" }, { up_to = \"100.00\", rate = \"0.6\" }, \
     { rate = \"0.7\" }]",
    ),
    ("tiers with an end", "rate = \"0.8\"", "tiers = [{ up_to = \"200.00\", rate = \"0.5\" }]"),
    (
        "a tier without end in between",
        "rate = \"0.8\"",
        "tiers = [{ rate = \"0.5\" }, { rate = \"0.6\" }]",
    ),
    ("no share", "rate = \"0.8\"", ""),
    ("two shares", "rate = \"0.8\"", "rate = \"0.8\"\nraise_to = \"0.9\""),
    ("raises what it does not look at", "rate = \"0.8\"", "raise_to = \"0.9\""),
    (
        "a lower rate that is not lower",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nlower_rates = [{ rate = \"0.8\", when = { regions = [\"11\"] } }]",
    ),
    (
        "a lower rate for all",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nlower_rates = [{ rate = \"0.5\" }]",
    ),
    (
        "pre-existing without diagnosis",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nlower_rates = [{ rate = \"0.5\", when = { pre_existing = true } }]",
    ),
    (
        "claim-free for nothing",
        "per = \"period\" }\nrate",
        "per = \"period\", claim_free = [{ years = 2, amount = \"5000.00\" }] }\nrate",
    ),
    (
        "claim-free by stay",
        "per = \"period\" }\nrate",
        "per = \"stay\", claim_free = [{ years = 2, amount = \"4000.00\" }] }\nrate",
    ),
    (
        "by day without a stay",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nlimits = [{ amount = \"1.00\", per = \"day\" }]",
    ),
    (
        "by cause without a diagnosis",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nlimits = [{ amount = \"1.00\", per = \"cause\" }]",
    ),
    ("a deductible of a lifetime", "per = \"period\" }\nrate", "per = \"lifetime\" }\nrate"),
    (
        "the same limit twice",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nlimits = [{ amount = \"2.00\", per = \"claim\" }, \
     { amount = \"1.00\", per = \"claim\" }]",
    ),
    (
        "the most below the deductible",
        "rate = \"1\"",
        "rate = \"1\"\nout_of_pocket_max = \"4999.99\"",
    ),
    (
        "wants what it rules out",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nwhen = { regions = [\"3702\"], not_regions = [\"37\"] }",
    ),
    (
        "grades upside down",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nwhen = { classes = [{ class = \"a\", grades = [6, 1] }] }",
    ),
    (
        "circumstances of a bill",
        "rate = \"0.8\"",
        "rate = \"0.8\"\nwhen = { circumstances = [\"driving\"] }",
    ),
    (
        "an event with a hospital",
        "base = [\"out_of_catalogue\"]\nrate = \"0.8\"",
        "fixed_sum = { event = \"death\", amount = \"1.00\" }\n\
     when = { hospital_levels = [\"02\"] }",
    ),
    ("two kinds at once", "rate = \"0.8\"", "rate = \"0.8\"\nper_diem = { amount = \"1.00\" }"),
    ("waits for nobody", "rate = \"0.8\"", "rate = \"0.8\"\nwaiting = { days = 30, unless = {} }"),
    ("a gap that nobody looks at", "name = \"N\"", "name = \"N\"\nrenewal_gap_days = 3"),
    ("a fund by name", "name = \"N\"", "name = \"N\"\nlater_payers = [\"other\"]"),
];

#[test]
fn what_can_never_pay_bind_or_be_counted_is_refused() {
    check_unsound(
        SPOILT,
        &expect![[r#"
            nothing changed:
              is sound
            the same id:
              line 21: responsibilities[1].id: is the id of an earlier one (counters are kept by id)
            the same base:
              line 20: responsibilities[1]: can never be reached (earlier responsibilities take all of its base: give it a bucket, items or a condition of its own, or put it first)
            the same base by a condition of its own:
              line 20: responsibilities[1]: can never be reached (earlier responsibilities take all of its base: give it a bucket, items or a condition of its own, or put it first)
            ends before it begins:
              line 4: end_date: lies before start_date (the last day is the later one)
            pays nothing:
              line 24: responsibilities[1].rate: can never pay
            limited to nothing:
              line 16: responsibilities[0].limits[0].amount: must be more than 0.00 (leave it out where there is none)
            a base below the deductible:
              line 16: responsibilities[0].base_max: is not above the deductible (what counts must be more than what stays with the person)
            a base by claim below the deductible of a period, which pays later:
              is sound
            a base of a period below the deductible of each claim:
              line 16: responsibilities[0].base_max: is not above the deductible (what counts must be more than what stays with the person)
            raised to nothing:
              line 15: responsibilities[0].raise_to: can never pay
            circumstances of a bill's limit:
              line 16: responsibilities[0].limits[0].when.circumstances: can never hold (only events of a fixed_sum have circumstances)
            overlapping tiers:
              line 24: responsibilities[1].tiers[1].up_to: overlaps the tier before (each tier ends above the one before it)
            tiers with an end:
              line 24: responsibilities[1].tiers[0].up_to: leaves what is above unpaid (leave up_to out of the last tier)
            a tier without end in between:
              line 24: responsibilities[1].tiers[0]: has no end and is not the last (write up_to)
            no share:
              line 20: responsibilities[1]: does not say what share it pays (write one of rate, tiers and raise_to)
            two shares:
              line 20: responsibilities[1]: says twice what share it pays (keep one of rate, tiers and raise_to)
            raises what it does not look at:
              line 23: responsibilities[1].base: lacks what raise_to looks at (it raises what is reimbursed in scope: add "in_scope_copay")
            a lower rate that is not lower:
              line 25: responsibilities[1].lower_rates[0].rate: lowers nothing (it must be below the rate)
            a lower rate for all:
              line 25: responsibilities[1].lower_rates[0]: always applies (without a condition the rate itself is never used)
            pre-existing without diagnosis:
              line 25: responsibilities[1].lower_rates[0].when: needs the fact diagnosis, which claims may lack (add "diagnosis" to required_facts)
            claim-free for nothing:
              line 14: responsibilities[0].deductible.claim_free[0]: gives nothing more than what stands before (years grow and amounts fall from entry to entry)
            claim-free by stay:
              line 14: responsibilities[0].deductible.claim_free: needs per = "period" (claim-free periods lower a deductible of the period)
            by day without a stay:
              line 25: responsibilities[1].limits[0].per: needs the fact stay, which claims may lack (add "stay" to required_facts)
            by cause without a diagnosis:
              line 25: responsibilities[1].limits[0].per: needs the fact diagnosis, which claims may lack (add "diagnosis" to required_facts)
            a deductible of a lifetime:
              line 14: responsibilities[0].deductible.per: is not counted here (possible here: claim, stay, cause, period)
            the same limit twice:
              line 25: responsibilities[1].limits[1]: limits the same thing twice (keep the smaller one)
            the most below the deductible:
              line 16: responsibilities[0].out_of_pocket_max: is below the deductible (the deductible alone would be more than the most a person bears)
            wants what it rules out:
              line 25: responsibilities[1].when: can never hold (it wants what it rules out)
            grades upside down:
              line 25: responsibilities[1].when.classes[0].grades: must be the first and the last grade, the first not above it (write [1, 6])
            circumstances of a bill:
              line 25: responsibilities[1].when.circumstances: can never hold (only events of a fixed_sum have circumstances)
            an event with a hospital:
              line 24: responsibilities[1].when: asks what no event states (an event states causes and circumstances, a member has classes)
            two kinds at once:
              line 25: responsibilities[1].per_diem: stands beside keys of an indemnity (name base and rate, per_diem, or fixed_sum)
            waits for nobody:
              line 25: responsibilities[1].waiting.unless: excepts everything (name what is paid for from the first day)
            a gap that nobody looks at:
              line 4: renewal_gap_days: is of no use in this plan (it serves waiting periods, claim_free and pre_existing only)
            a fund by name:
              line 4: later_payers[0]: must be digits (codes are digits such as "370200" or "620100")
        "#]],
    );
}

#[test]
fn a_group_shares_something_that_its_members_have_from_nowhere_else() {
    let group = |text: &str| format!("[[groups]]\nid = \"g\"\nname = \"G\"\n{text}\n{SECOND}");
    let both = "responsibilities = [\"inpatient\", \"second\"]\n";
    let limits = "limits = [{ amount = \"1.00\", per = \"period\" }]";
    let cases = [
        ("sound", format!("{both}{limits}")),
        ("shares nothing", both.to_owned()),
        ("one alone", format!("responsibilities = [\"second\"]\n{limits}")),
        ("unknown and repeated", format!("responsibilities = [\"x\", \"second\", \"second\"]\n{limits}")),
        (
            "a second deductible",
            format!("{both}deductible = {{ amount = \"9.00\", per = \"period\" }}"),
        ),
        (
            "a most below its deductible",
            "responsibilities = [\"second\", \"third\"]\nout_of_pocket_max = \"1.00\"\n\
             deductible = { amount = \"9.00\", per = \"period\" }\n\
             [[responsibilities]]\nid = \"third\"\nname = \"T\"\nbase = [\"over_limit\"]\nrate = \"1\""
                .to_owned(),
        ),
    ];
    let cases: Vec<_> = cases.iter().map(|(what, text)| (*what, SECOND, group(text))).collect();
    let cases: Vec<_> = cases.iter().map(|(what, from, to)| (*what, *from, to.as_str())).collect();
    check_unsound(
        &cases,
        &expect![[r#"
        sound:
          is sound
        shares nothing:
          line 20: groups[0]: shares nothing (name deductible, out_of_pocket_max or limits)
        one alone:
          line 23: groups[0].responsibilities: must name at least two (one alone has keys of its own)
        unknown and repeated:
          line 23: groups[0].responsibilities[0]: is no responsibility of this plan
          line 23: groups[0].responsibilities[2]: is named twice
        a second deductible:
          line 23: groups[0].responsibilities[0]: has another deductible (keep one)
        a most below its deductible:
          line 24: groups[0].out_of_pocket_max: is below the deductible (the deductible alone would be more than the most a person bears)
    "#]],
    );
}
