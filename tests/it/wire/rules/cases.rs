//! One rule a case, with a stay on either side of its threshold.

use greenlane::pb;
use serde_json::json;

use super::diagnosis;

pub(super) type Change = fn(&mut pb::Settlement);
pub(super) type RosterChange = fn(&mut serde_json::Value);

/// One rule with the two stays on either side of its threshold. Each is of a person of their own.
pub(super) struct Case {
    /// As the plan has it.
    pub(super) rule: &'static str,
    pub(super) code: &'static str,
    /// What came in before, of the same person; perhaps nothing.
    pub(super) before: Option<Change>,
    pub(super) passes: Change,
    pub(super) hits: Change,
    /// Of what is told of the hit, with the person's earlier claim as `claim`.
    pub(super) evidence: &'static [(&'static str, &'static str)],
    /// Of the roster, for the stay that passes and for the one that hits.
    pub(super) roster: [RosterChange; 2],
    /// The first 17 digits of either person's card.
    pub(super) cards: [&'static str; 2],
}

/// Men and women born in 1950.
const MEN: [&str; 2] = ["37029919500101011", "37029919500101013"];
const WOMEN: [&str; 2] = ["37029919500101012", "37029919500101014"];

pub(super) fn as_it_is(_: &mut pb::Settlement) {}
fn as_the_roster_has_it(_: &mut serde_json::Value) {}

impl Case {
    fn new(rule: &'static str, code: &'static str, passes: Change, hits: Change) -> Case {
        Case {
            rule,
            code,
            before: None,
            passes,
            hits,
            evidence: &[],
            roster: [as_the_roster_has_it; 2],
            cards: MEN,
        }
    }

    fn after(self, before: Change) -> Case {
        Case { before: Some(before), ..self }
    }

    fn told(self, evidence: &'static [(&'static str, &'static str)]) -> Case {
        Case { evidence, ..self }
    }

    fn on_roster(self, passes: RosterChange, hits: RosterChange) -> Case {
        Case { roster: [passes, hits], ..self }
    }

    fn of(self, cards: [&'static str; 2]) -> Case {
        Case { cards, ..self }
    }
}

pub(super) fn dates(settlement: &mut pb::Settlement, first: &str, last: &str) {
    settlement.admission_date = first.into();
    settlement.discharge_date = last.into();
}

fn bill(settlement: &mut pb::Settlement, fen: i64) {
    settlement.total_fen = fen;
    settlement.personal_total_fen = Some(fen);
}

fn line(no: &str, class: &str, day: &str, quantity: &str, fen: i64) -> pb::Line {
    pb::Line {
        line_no: no.into(),
        charge_class: class.into(),
        service_date: day.into(),
        quantity: quantity.into(),
        total_fen: fen,
        ..Default::default()
    }
}

/// A bed each day, and medicine on these.
fn treated(settlement: &mut pb::Settlement, days: &[&str]) {
    let bed = |day: u32| line(&format!("B{day}"), "01", &format!("2026-03-{day:02}"), "1", 50_000);
    let mut lines: Vec<pb::Line> = (2..10).map(bed).collect();
    lines.extend(days.iter().map(|day| line(&format!("M{day}"), "09", day, "1", 1)));
    let total = lines.iter().map(|line| line.total_fen).sum();
    bill(settlement, total);
    settlement.lines = lines;
}

pub(super) fn of_stays() -> Vec<Case> {
    vec![
        Case::new("[rules.duplicate_stay]", "DUPLICATE_STAY", |it| bill(it, 1_000_001), as_it_is)
            .after(as_it_is),
        Case::new(
            "[rules.overlapping_stays]\ntransfer_days = 1",
            "OVERLAPPING_STAYS",
            |it| dates(it, "2026-03-10", "2026-03-15"),
            |it| dates(it, "2026-03-09", "2026-03-15"),
        )
        .after(as_it_is)
        .told(&[("days", "2")]),
        Case::new(
            "[rules.readmission]\ndays = 15",
            "READMISSION",
            |it| dates(it, "2026-03-26", "2026-03-30"),
            |it| dates(it, "2026-03-25", "2026-03-30"),
        )
        .after(as_it_is)
        .told(&[("days", "15"), ("limit_days", "15")]),
        // The same window the other way round: what came first may have been later.
        Case::new(
            "[rules.readmission]\ndays = 15",
            "READMISSION",
            |it| dates(it, "2026-02-01", "2026-02-14"),
            |it| dates(it, "2026-02-01", "2026-02-15"),
        )
        .after(as_it_is)
        .told(&[("days", "15")]),
        Case::new(
            "[rules.low_intensity]",
            "LOW_INTENSITY",
            |it| treated(it, &["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]),
            |it| treated(it, &["2026-03-02", "2026-03-03", "2026-03-05"]),
        )
        .told(&[("active_days", "3"), ("days", "8")]),
        Case::new(
            "[rules.length_outlier]\naction = \"review\"\nbaseline = \"city\"",
            "LENGTH_OUTLIER",
            |it| dates(it, "2026-02-24", "2026-03-10"),
            |it| dates(it, "2026-02-23", "2026-03-10"),
        )
        .told(&[("days", "15"), ("bound_days", "14")]),
        Case::new(
            "[rules.cost_outlier]\naction = \"review\"\nbaseline = \"city\"",
            "COST_OUTLIER",
            |it| bill(it, 1_040_000),
            |it| bill(it, 1_040_008),
        )
        .told(&[("cost_per_day_fen", "130001"), ("bound_fen", "130000")]),
        Case::new(
            "[rules.death]",
            "DEATH",
            |it| it.discharge_way = "4".into(),
            |it| it.discharge_way = "5".into(),
        )
        .told(&[("sign", "discharge_way")]),
        Case::new("[rules.death]", "DEATH", as_it_is, as_it_is)
            .on_roster(
                |it| it["death_date"] = json!("2026-03-11"),
                |it| it["death_date"] = json!("2026-03-10"),
            )
            .told(&[("sign", "death_date")]),
        Case::new(
            "[rules.cross_region]\nhome = [\"3702\"]",
            "CROSS_REGION",
            |it| it.region = "370285".into(),
            |it| it.region = "370100".into(),
        )
        .told(&[("region", "370100")]),
        Case::new("[rules.late_notice]\ndays = 10", "LATE_NOTICE", as_it_is, |it| {
            dates(it, "2026-03-01", "2026-03-09");
        })
        .told(&[("days", "11"), ("limit_days", "10")]),
    ]
}

pub(super) fn of_bills() -> Vec<Case> {
    vec![
        Case::new(
            "[rules.duplicate_invoice]",
            "DUPLICATE_INVOICE",
            |it| it.invoice_no = "INV-8".into(),
            |it| it.invoice_no = "INV-9".into(),
        )
        .after(|it| it.invoice_no = "INV-9".into()),
        Case::new("", "AMOUNTS_CONTRADICT", |it| it.total_fen += 1, |it| it.total_fen += 2),
        Case::new("[rules.nothing_billed]", "NOTHING_BILLED", |it| bill(it, 1), |it| bill(it, 0)),
        Case::new("", "ABOVE_CEILING", |it| bill(it, 10_500_000), |it| bill(it, 10_500_001))
            .told(&[("payout_fen", "10000001"), ("ceiling_fen", "10000000")]),
        // The stay before it paid 90,000.00.
        Case::new(
            "[rules.cumulative_ceiling]\namount = \"100000.00\"",
            "CUMULATIVE_CEILING",
            |it| bill(it, 1_000_000),
            |it| bill(it, 1_000_001),
        )
        .after(|it| bill(it, 9_500_000))
        .told(&[("paid_in_period_fen", "10000001")]),
        Case::new(
            "[rules.quantity]\naction = \"review\"\nitems = [{ name = \"床位\", \
             charge_classes = [\"01\"], most = \"2\", per = \"day\" }]",
            "QUANTITY",
            |it| {
                it.lines = vec![
                    line("1", "01", "2026-03-02", "1.5", 100),
                    line("2", "01", "2026-03-02", "0.5", 100),
                    line("3", "01", "2026-03-03", "2", 100),
                    // Of no day that is known.
                    line("4", "01", "", "9", 100),
                ];
            },
            |it| {
                it.lines = vec![
                    line("1", "01", "2026-03-02", "1.5", 100),
                    line("2", "01", "2026-03-02", "0.5001", 100),
                ];
            },
        )
        .told(&[("line", "1"), ("quantity", "2.0001"), ("most", "2")]),
        Case::new(
            "[rules.injury]",
            "INJURY",
            |it| it.diagnoses = vec![diagnosis("R99"), diagnosis("U07.1")],
            |it| it.diagnoses = vec![diagnosis("I50.9"), diagnosis("s72.000")],
        )
        .told(&[("diagnosis", "2")]),
        Case::new(
            "[rules.injury]",
            "INJURY",
            |it| it.medical_category = "21".into(),
            |it| it.medical_category = "2201".into(),
        )
        .told(&[("medical_category", "2201")]),
        Case::new(
            "[rules.injury]",
            "INJURY",
            |it| paid_by(it, "610100"),
            |it| paid_by(it, "410100"),
        )
        .told(&[("fund", "410100")]),
        Case::new(
            "[rules.maternity]",
            "MATERNITY",
            |it| it.diagnoses = vec![diagnosis("N93.9")],
            |it| it.diagnoses = vec![diagnosis("O80.0")],
        )
        .of(WOMEN)
        .told(&[("diagnosis", "1")]),
        Case::new(
            "[rules.manual_reimbursement]",
            "MANUAL_REIMBURSEMENT",
            |it| it.pay_location = "2".into(),
            |it| it.pay_location = "1".into(),
        ),
        Case::new(
            "[rules.out_of_catalogue]\naction = \"review\"",
            "OUT_OF_CATALOGUE",
            |it| outside(it, 400_000, 100_000),
            |it| outside(it, 400_000, 100_001),
        )
        .told(&[("outside_fen", "500001"), ("total_fen", "1000000")]),
        Case::new(
            "[rules.sender_payout]\ntolerance = \"1.00\"",
            "SENDER_PAYOUT_DIFFERS",
            |it| computed(it, 500_100),
            |it| computed(it, 500_101),
        )
        .told(&[("payout_fen", "500000"), ("sender_payout_fen", "500101")]),
        // Without the rule the sender's own tolerance holds: one fen.
        Case::new(
            "",
            "SENDER_PAYOUT_DIFFERS",
            |it| computed(it, 500_001),
            |it| computed(it, 500_002),
        ),
    ]
}

fn paid_by(settlement: &mut pb::Settlement, fund: &str) {
    settlement.total_fen = 1_000_100;
    settlement.fund_total_fen = Some(100);
    settlement.funds = vec![pb::FundPayment { fund_code: fund.into(), amount_fen: 100 }];
}

fn outside(settlement: &mut pb::Settlement, out_of_catalogue: i64, over_limit: i64) {
    settlement.out_of_catalogue_fen = Some(out_of_catalogue);
    settlement.over_limit_fen = Some(over_limit);
    settlement.in_scope_fen = Some(1_000_000 - out_of_catalogue - over_limit);
}

fn computed(settlement: &mut pb::Settlement, fen: i64) {
    settlement.sender_payout = Some(pb::SenderPayout { total_fen: fen, ..Default::default() });
}

pub(super) fn of_persons() -> Vec<Case> {
    let sex_and_age = "[rules.sex_age]\nconflicts = [{ diagnoses = [\"N80\"], sex = \"female\", \
                       ages = [12, 55] }, { item_codes = [\"X1\"], sex = \"male\" }]";
    vec![
        Case::new(
            sex_and_age,
            "SEX_AGE",
            |it| it.diagnoses = vec![diagnosis("N80.1")],
            |it| it.diagnoses = vec![diagnosis("I10"), diagnosis("N80.1")],
        )
        .of(["37029919800101012", "37029919800101013"])
        .told(&[("diagnosis", "2"), ("sign", "sex")]),
        // 55 on the day of admission, and 56.
        Case::new(
            sex_and_age,
            "SEX_AGE",
            |it| it.diagnoses = vec![diagnosis("N80.1")],
            |it| it.diagnoses = vec![diagnosis("N80.1")],
        )
        .of(["37029919700303012", "37029919700302012"])
        .told(&[("sign", "age")]),
        Case::new(
            sex_and_age,
            "SEX_AGE",
            |it| it.lines = vec![pb::Line { item_code: "X19".into(), ..line("1", "", "", "", 1) }],
            |it| it.lines = vec![pb::Line { item_code: "X19".into(), ..line("1", "", "", "", 1) }],
        )
        .of([MEN[0], WOMEN[0]])
        .told(&[("line", "1"), ("sign", "sex")]),
        Case::new("[rules.class_ended]", "CLASS_ENDED", as_it_is, as_it_is)
            .on_roster(
                |it| it["classes"][0]["end"] = json!("2026-03-10"),
                |it| it["classes"][0]["end"] = json!("2026-03-09"),
            )
            .told(&[("ended", "2026-03-09")]),
        Case::new("[rules.weak_identity]", "WEAK_IDENTITY", as_it_is, |it| {
            it.member.as_mut().unwrap().cert_no = "370299500101017".into();
        })
        .on_roster(as_the_roster_has_it, |it| it["cert_no"] = json!("370299500101017"))
        .told(&[("fault", "first_generation")]),
        Case::new("[rules.weak_identity]", "WEAK_IDENTITY", as_it_is, |it| {
            it.member.as_mut().unwrap().cert_no = "370299195001010170".into();
        })
        .on_roster(as_the_roster_has_it, |it| it["cert_no"] = json!("370299195001010170"))
        .told(&[("fault", "checksum")]),
        Case::new(
            "[rules.name_differs]",
            "NAME_DIFFERS",
            |it| it.member.as_mut().unwrap().name = "阿依古丽 . 买买提".into(),
            |it| it.member.as_mut().unwrap().name = "阿依古丽买提".into(),
        )
        .on_roster(
            |it| it["name"] = json!("阿依古丽·买买提"),
            |it| it["name"] = json!("阿依古丽·买买提"),
        ),
    ]
}
