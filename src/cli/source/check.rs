//! `greenlane source check`: a profile tried on files of messages. Prints what is understood, never
//! whom it is about.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::Failure;
use super::table::{Row, Standing, report};
use crate::core::money::Fen;
use crate::core::settlement::{FollowUp, Person, Settlement, UnknownCode};
use crate::intake::{self, Message, Profile, Reading, Unreadable};

/// A code longer than any of the dictionaries' may be something else, a number of a person included.
const CODE_DIGITS_MAX: usize = 8;

/// What to check.
#[derive(Args)]
pub(in crate::cli) struct Check {
    /// The profile, TOML.
    profile: PathBuf,
    /// Files of one message each, `.ndjson` files of one a line, or folders of both.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Check {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let profile = read_profile(&self.profile)?;
        let mut rows = Vec::new();
        for path in &self.paths {
            for file in files(path) {
                rows.extend(check_file(&file, &profile));
            }
        }
        print!("{}", report(&rows));
        let wrong = rows.iter().filter(|row| row.standing != Standing::Sound).count();
        if wrong == 0 {
            return Ok(());
        }
        let problem = "refused, or their amounts contradict each other";
        Err(Failure::told(format!("{wrong} of {} messages are {problem}", rows.len())))
    }
}

fn read_profile(path: &Path) -> Result<Profile, Failure> {
    let shown = path.display();
    let document = fs::read_to_string(path)
        .map_err(|error| Failure::WrongDocument(format!("{shown}: {error}")))?;
    Profile::read(&document).map_err(|problems| {
        let told =
            problems.iter().map(|it| format!("{shown}:{}: {}: {}", it.line, it.key, it.told()));
        Failure::WrongDocument(told.collect::<Vec<_>>().join("\n"))
    })
}

/// A file itself, or the files of messages in a folder and in those inside it, in order.
fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return vec![path.to_owned()] };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let is_message = |path: &Path| {
        let extension = path.extension();
        extension.is_some_and(|extension| extension == "json" || extension == "ndjson")
    };
    paths.retain(|path| path.is_dir() || is_message(path));
    paths.iter().flat_map(|path| files(path)).collect()
}

fn check_file(file: &Path, profile: &Profile) -> Vec<Row> {
    let name = file.display().to_string();
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => return vec![Row::refused(name, vec![format!("cannot be read: {error}")])],
    };
    if file.extension().is_none_or(|extension| extension != "ndjson") {
        return vec![check(name, &bytes, profile)];
    }
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines.map(|(index, line)| check(format!("{name}:{}", index + 1), line, profile)).collect()
}

/// Reads one message as its sender's profile says.
fn check(name: String, payload: &[u8], profile: &Profile) -> Row {
    let sender = &profile.profile_id;
    let message = Message { sender, payload, infno: None, request_payload: None };
    match intake::read(&message, profile) {
        Ok(Reading::Settlement(settlement)) => of_settlement(name, "settlement", &settlement),
        Ok(Reading::Quote(quote)) => of_settlement(name, "quote", &quote),
        Ok(Reading::FollowUp(FollowUp::Supplement(supplement))) => {
            of_facts(name, &supplement.facts)
        }
        Ok(
            Reading::FollowUp(FollowUp::Reversal(reversal)) | Reading::TakenBack { reversal, .. },
        ) => Row {
            settlement_id: reversal
                .original_id
                .clone()
                .or(reversal.reversal_id.clone())
                .unwrap_or_default(),
            ..Row::sound(name, "reversal")
        },
        Ok(Reading::NoSettlement { .. }) => Row::sound(name, "no settlement"),
        Err(Unreadable { problems, about }) => Row {
            settlement_id: about.settlement_id.unwrap_or_default(),
            ..Row::refused(name, problems.iter().map(ToString::to_string).collect())
        },
    }
}

fn of_settlement(name: String, kind: &'static str, settlement: &Settlement) -> Row {
    let details = differences(settlement);
    let burden = settlement.burden();
    let standing = if details.is_empty() { Standing::Sound } else { Standing::Differs };
    Row {
        settlement_id: settlement.settlement_id.clone(),
        burden: burden.as_ref().map(Fen::to_string).unwrap_or_default(),
        routes: match (standing, burden) {
            (Standing::Differs, _) => "differ",
            (_, Some(_)) => "agree",
            (_, None) => "none stated",
        },
        unknown_codes: unknown_codes(&settlement.sender.unknown_codes),
        standing,
        details,
        ..Row::sound(name, kind)
    }
}

/// What kind of facts came apart from their settlement. Only a settlement list names a person.
fn of_facts(name: String, facts: &Settlement) -> Row {
    let kind = if facts.person != Person::default() {
        "settlement list"
    } else if facts.lines.is_empty() {
        "stay"
    } else {
        "fee lines"
    };
    Row {
        settlement_id: facts.settlement_id.clone(),
        unknown_codes: unknown_codes(&facts.sender.unknown_codes),
        ..Row::sound(name, kind)
    }
}

/// Where the amounts contradict each other: the burden by each route, and each broken identity.
fn differences(settlement: &Settlement) -> Vec<String> {
    let mut told = Vec::new();
    if settlement.routes_disagree() {
        let figures = settlement.burden_figures().into_iter().map(|(name, fen)| {
            format!("{} {}", name.strip_suffix("_fen").unwrap_or(name), yuan(fen))
        });
        told.push(format!("burden: {}", figures.collect::<Vec<_>>().join(", ")));
    }
    told.extend(settlement.contradictions().into_iter().map(|found| {
        let computed = yuan(found.computed_fen);
        format!("{}: stated {}, computed {computed}", found.identity, found.stated)
    }));
    told
}

fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let amount = i64::try_from(fen.unsigned_abs()).ok().and_then(Fen::new).unwrap_or_default();
    format!("{sign}{amount}")
}

fn unknown_codes(codes: &[UnknownCode]) -> String {
    let told = codes.iter().map(|UnknownCode { field, code }| {
        let digits = code.bytes().filter(u8::is_ascii_digit).count();
        let shown = if digits > CODE_DIGITS_MAX { "***" } else { code };
        format!("{field} {shown}")
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_told_in_a_table() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/messages");
        let rows: Vec<Row> = files(&folder)
            .into_iter()
            .flat_map(|file| check_file(&file, &Profile::national()))
            .map(|row| Row { name: row.name.rsplit('/').next().unwrap().to_owned(), ..row })
            .collect();
        let told = report(&rows);
        for personal in ["测试员", "3702991949", "37020099900", "主动脉"] {
            assert!(!told.contains(personal), "{told}");
        }
        expect_test::expect![[r#"
            message                                  understood as  settlement            burden      routes  unknown codes
            00_2304_request_envelope.json            refused
            01_2304_case_a_stay1.json                settlement     370200G0000008800001  37,207.18   agree
            02_2304_case_a_stay2.json                settlement     370200G0000008800002  48,187.24   agree
            03_2304_case_a_stay3.json                settlement     370200G0000008800003  40,605.58   agree
            04_2304_case_b.json                      settlement     370200G0000008800004  57,703.94   agree
            04b_5204_feedetail_case_b.json           fee lines      370200G0000008800004
            05a_2304_original_to_be_reversed.json    settlement     370200G0000008800005  10,679.22   agree
            05b_2305_reversal_negative_amounts.json  reversal       370200G0000008800105
            06_5203_cross_region.json                settlement     110000G0000008800006  60,821.55   agree
            09_2304_error_response.json              no settlement
            17_2304_duplicate_resend_of_02.json      settlement     370200G0000008800002  48,187.24   agree
            18_composite_ingest_case_a_stay1.json    settlement     370200G0000008800001  37,207.18   agree
            18b_composite_case_a_stay2.json          settlement     370200G0000008800002  48,187.24   agree
            18c_composite_case_a_stay3.json          settlement     370200G0000008800003  40,605.58   agree
            18d_composite_case_b_with_lines.json     settlement     370200G0000008800004  57,703.94   agree
            20_2304_person_without_coverage.json     settlement     370200G0000008800020  37,207.18   agree
            21_2304_above_green_ceiling.json         settlement     370200G0000008800021  140,000.00  agree

            00_2304_request_envelope.json
              output is required: this is a request, and only its answer says what was settled

            messages 17: fee lines 1, no settlement 1, refused 1, reversal 1, settlement 13; contradicting themselves 0
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn amounts_that_contradict_each_other_are_told() {
        let text = r#"{"infcode": 0, "inf_refmsgid": "370200", "output": {"setlinfo": {
            "setl_id": "1", "psn_no": "p", "medfee_sumamt": "100.00", "fund_pay_sumamt": "120.00",
            "psn_part_amt": "50.00", "psn_pay": "40.00", "psn_cash_pay": "50.00",
            "insutype": "888", "med_type": "123456"}}}"#;
        let row = check("m".into(), text.as_bytes(), &Profile::national());
        expect_test::expect![[r#"
            message  understood as  settlement  burden  routes  unknown codes
            m        settlement     1           50.00   differ  insutype 888

            m
              burden: personal_total 50.00, personal_again 40.00, total_less_funds -20.00, account_and_cash 50.00
              I1: stated 100.00, computed 170.00

            messages 1: settlement 1; contradicting themselves 1
        "#]]
        .assert_eq(&report(&[row]));
        let long = UnknownCode { field: "fund_pay_type".into(), code: "370299194903120017".into() };
        assert_eq!(unknown_codes(&[long]), "fund_pay_type ***");
    }

    #[test]
    fn each_line_of_a_file_of_lines_is_a_message() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("many.ndjson");
        fs::write(&file, "{\"infcode\": -1}\n\n[]\n").unwrap();
        fs::write(folder.path().join("ignored.txt"), "x").unwrap();
        let rows: Vec<Row> = files(folder.path())
            .iter()
            .flat_map(|file| check_file(file, &Profile::national()))
            .collect();
        let told: Vec<_> = rows.iter().map(|row| (row.name.rsplit(':').next(), row.kind)).collect();
        assert_eq!(told, [(Some("1"), "no settlement"), (Some("3"), "refused")]);
        let gone = check_file(&folder.path().join("gone.json"), &Profile::national());
        assert_eq!(gone[0].standing, Standing::Refused);
    }

    #[test]
    fn a_wrong_profile_is_told_at_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let profile = folder.path().join("p.toml");
        fs::write(&profile, "profile_id = \"p\"\nversion = 1\n").unwrap();
        let check = Check { profile, paths: vec![folder.path().to_owned()] };
        let Err(Failure::WrongDocument(told)) = check.run() else { panic!("is wrong") };
        assert!(told.contains("p.toml:2: version: is a whole number"), "{told}");
    }
}
