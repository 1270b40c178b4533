//! Settlements from files: the real `greenlane ingest`, as a process of its own, on the same ones
//! that the stream sent. The clock counts all of it: its start, reading, results on disk.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Map, Value};
use tokio::process::Command;

use super::figures::{Mode, Tally};
use super::process::{Process, without_settings};
use super::workload::Workload;
use crate::cli::Failure;
use crate::core::day::{Day, Moment};
use crate::core::money::Fen;
use crate::core::personal::Personal;
use crate::core::settlement::Settlement;

/// Sends so many settlements of the workload from a file. Every one must be accepted.
pub(super) async fn ingest(
    process: &Process,
    workload: &Workload,
    count: u64,
    mode: Mode,
) -> Result<Tally, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::told)?;
    let (name, text) = match mode {
        Mode::IngestCsv => ("stays.csv", table(workload, count)),
        _ => ("stays.ndjson", lines(workload, count)),
    };
    std::fs::write(folder.path().join(name), text).map_err(Failure::told)?;
    let program = std::env::current_exe().map_err(Failure::told)?;
    let mut command = Command::new(program);
    command.args(["ingest", name, "--server", process.address()]);
    without_settings(&mut command);
    command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let start = Instant::now();
    let ended = command.output().await.map_err(Failure::told)?;
    let elapsed = start.elapsed();
    if !ended.status.success() {
        let why = String::from_utf8_lossy(&ended.stderr).into_owned();
        return Err(Failure::Told(format!("an ingest failed: {}", why.trim_end())));
    }
    let approved = approved(&folder.path().join(format!("{name}.results.ndjson")))?;
    Ok(Tally { claims: count, approved, elapsed, ..Tally::default() })
}

/// How many claims the results say are approved.
fn approved(results: &Path) -> Result<u64, Failure> {
    let text = std::fs::read_to_string(results).map_err(Failure::told)?;
    let rows = text.lines().filter_map(|row| serde_json::from_str::<Value>(row).ok());
    Ok(rows.filter(|row| row["state"] == "APPROVED").count() as u64)
}

fn lines(workload: &Workload, count: u64) -> String {
    let mut text = String::new();
    for _ in 0..count {
        let facts = facts(&workload.take());
        let object: Map<String, Value> =
            facts.into_iter().map(|(name, cell)| (name.to_owned(), cell.into())).collect();
        // Writing into memory does not fail.
        let _ = writeln!(text, "{}", Value::Object(object));
    }
    text
}

fn table(workload: &Workload, count: u64) -> String {
    let mut text = String::new();
    for number in 0..count {
        let (names, cells): (Vec<&str>, Vec<String>) = facts(&workload.take()).into_iter().unzip();
        if number == 0 {
            let _ = writeln!(text, "{}", names.join(","));
        }
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

/// A settlement as a bureau exports it: national names, and no cell that needs quotes.
fn facts(settlement: &Settlement) -> Vec<(&'static str, String)> {
    let Settlement { person, amounts, .. } = settlement;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let personal =
        |it: &Option<Personal>| it.as_ref().map(|it| it.reveal().to_owned()).unwrap_or_default();
    let plain = |amount: Fen| format!("{}.{:02}", amount.fen() / 100, amount.fen() % 100);
    let yuan = |amount: Option<Fen>| amount.map(plain).unwrap_or_default();
    let fund = |code: &str| {
        yuan(settlement.funds.iter().find(|it| it.fund_code == code).map(|it| it.amount))
    };
    let day = |day: Option<Day>| day.map(|it| it.to_string()).unwrap_or_default();
    let diagnosis = settlement.diagnoses.first();
    vec![
        ("setl_id", settlement.settlement_id.clone()),
        ("mdtrtarea_admvs", text(&settlement.region)),
        ("insuplc_admdvs", text(&settlement.insured_region)),
        ("fixmedins_code", text(&settlement.hospital_code)),
        ("hosp_lv", text(&settlement.hospital_level)),
        ("mdtrt_id", text(&settlement.visit_id)),
        ("psn_no", personal(&person.psn_no)),
        ("psn_name", personal(&person.name)),
        ("psn_cert_type", text(&person.cert_type)),
        ("certno", personal(&person.cert_no)),
        ("insutype", text(&settlement.insurance_type)),
        ("med_type", text(&settlement.medical_category)),
        ("begndate", day(settlement.admission_date)),
        ("enddate", day(settlement.discharge_date)),
        ("setl_time", settlement.settle_time.map(Moment::local).unwrap_or_default()),
        ("invono", text(&settlement.invoice_no)),
        ("dise_codg", diagnosis.map(|it| it.code.reveal().to_owned()).unwrap_or_default()),
        ("dise_name", diagnosis.map(|it| it.name.reveal().to_owned()).unwrap_or_default()),
        ("medfee_sumamt", yuan(Some(amounts.total))),
        ("fulamt_ownpay_amt", yuan(amounts.out_of_catalogue)),
        ("overlmt_selfpay", yuan(amounts.over_limit)),
        ("preselfpay_amt", yuan(amounts.advance_self_pay)),
        ("inscp_scp_amt", yuan(amounts.in_scope)),
        ("act_pay_dedc", yuan(amounts.basic_deductible)),
        ("hifp_pay", fund("390100")),
        ("hifmi_pay", fund("390200")),
        ("maf_pay", fund("610100")),
        ("fund_pay_sumamt", yuan(amounts.fund_total)),
        ("hosp_part_amt", yuan(amounts.hospital_borne)),
        ("psn_part_amt", yuan(amounts.personal_total)),
        ("acct_pay", yuan(amounts.account)),
        ("psn_cash_pay", yuan(amounts.cash)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Message, Profile, Reading, read};

    /// What is read from the file must be what the stream sends, or they are not compared.
    #[test]
    fn a_settlement_in_a_file_is_the_one_of_the_stream() {
        let line = lines(&Workload::new(7, 50, 10), 1);
        let (sender, payload) = ("", line.as_bytes());
        let message = Message { sender, payload, infno: None, request_payload: None };
        let Ok(Reading::Settlement(found)) = read(&message, &Profile::national()) else {
            panic!("it is a settlement")
        };
        let sent = Workload::new(7, 50, 10).take();
        assert_eq!(found.amounts, sent.amounts);
        assert_eq!(found.person, sent.person);
        assert_eq!(found.settle_time, sent.settle_time);
        assert_eq!((&found.source, &found.settlement_id), (&sent.source, &sent.settlement_id));
        let sum = |it: &Settlement| it.funds.iter().map(|fund| fund.amount).sum::<Fen>();
        assert_eq!(sum(&found), sum(&sent));
        assert!(found.contradictions().is_empty());
        let csv = table(&Workload::new(7, 50, 10), 2);
        assert_eq!(csv.lines().count(), 3);
        assert!(!csv.contains('"'));
    }
}
