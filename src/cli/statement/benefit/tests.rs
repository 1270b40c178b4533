//! The page as people read it, in both languages.

use expect_test::{Expect, expect};

use super::*;

fn step(responsibility: &str, code: &str, fen: [i64; 2], zh: &str, en: &str) -> pb::Step {
    pb::Step {
        code: code.to_owned(),
        responsibility: responsibility.to_owned(),
        before_fen: fen[0],
        after_fen: fen[1],
        operands: Vec::new(),
        text_zh: zh.to_owned(),
        text_en: en.to_owned(),
    }
}

fn adjustment(
    group: pb::AdjustmentGroup,
    reason: &str,
    carc: &str,
    amount_fen: i64,
) -> pb::Adjustment {
    pb::Adjustment {
        group: group.into(),
        reason_code: reason.to_owned(),
        carc: carc.to_owned(),
        amount_fen,
    }
}

fn counter(counter: &str, unit: &str, before: i64, after: i64) -> pb::CounterChange {
    pb::CounterChange {
        plan_id: "qingdao-rongjun".to_owned(),
        responsibility: "inpatient".to_owned(),
        period_start: "2024-01-01".to_owned(),
        counter: counter.to_owned(),
        unit: unit.to_owned(),
        before,
        after,
    }
}

fn decision() -> pb::Decision {
    use pb::AdjustmentGroup::{Co, Oa, Pr};
    let base = ["住院医疗费用：合规费用全部计入", "inpatient expense: all that counts"];
    let deductible = [
        "起付线 5,000.00，本年度已用 0.00，本次扣除 5,000.00，余 52,582.94，以后各次住院在本年度内不再扣除",
        "deductible of 5,000.00 a year, 0.00 already borne, 5,000.00 taken now; 52,582.94 is left",
    ];
    let days = ["住院津贴：每天 100.00，3 天", "daily benefit: 100.00 for each of 3 days"];
    pb::Decision {
        payout_fen: 5_288_294,
        burden_fen: 5_770_394,
        eligible_fen: 5_758_294,
        ineligible_fen: 12_100,
        deductible_fen: 500_000,
        patient_share_fen: 512_100,
        fixed_benefit_fen: 30_000,
        indemnity_fen: 5_258_294,
        period_start: "2024-01-01".to_owned(),
        period_end: "2024-12-31".to_owned(),
        attribution_date: "2024-10-19".to_owned(),
        steps: vec![
            step("", "PRIOR_PAYERS", [16_832_075, 5_770_394], "基金已支付", "funds have paid"),
            step("", "EXCLUDED_LINES", [5_770_394, 5_758_294], "陪护床", "the escort bed"),
            step("inpatient", "BASE", [5_758_294, 5_758_294], base[0], base[1]),
            step("inpatient", "DEDUCTIBLE", [5_758_294, 5_258_294], deductible[0], deductible[1]),
            step("daily", "PER_DIEM", [0, 30_000], days[0], days[1]),
            step("", "PAYOUT", [5_288_294, 5_288_294], "赔付金额", "the payout"),
        ],
        adjustments: vec![
            adjustment(Oa, "PRIOR_PAYER", "23", 11_011_180),
            adjustment(Co, "HOSPITAL_BORNE", "45", 50_501),
            adjustment(Pr, "NON_COVERED_ITEM", "96", 12_100),
            adjustment(Pr, "DEDUCTIBLE", "1", 500_000),
        ],
        lines: vec![pb::LineDecision {
            line_no: "F0001".to_owned(),
            total_fen: 12_100,
            payout_fen: 0,
            adjustments: vec![adjustment(Pr, "NON_COVERED_ITEM", "96", 12_100)],
        }],
        counters: vec![
            counter("deductible", "fen", 0, 500_000),
            counter("paid", "fen", 0, 5_258_294),
            counter("days", "day", 0, 3),
        ],
        ..pb::Decision::default()
    }
}

fn claim() -> pb::Claim {
    let fund = |code: &str, amount_fen| pb::FundPayment { fund_code: code.to_owned(), amount_fen };
    let settlement = pb::Settlement {
        source: "370200".to_owned(),
        settlement_id: "S-4".to_owned(),
        hospital_code: "H37029999001".to_owned(),
        admission_date: "2024-09-28".to_owned(),
        discharge_date: "2024-10-19".to_owned(),
        total_fen: 16_832_075,
        funds: vec![fund("390100", 11_000_000), fund("990077", 11_180)],
        hospital_borne_fen: Some(50_501),
        lines: vec![pb::Line {
            line_no: "F0001".to_owned(),
            item_name: "陪护床".to_owned(),
            total_fen: 12_100,
            ..pb::Line::default()
        }],
        ..pb::Settlement::default()
    };
    pb::Claim {
        claim_id: "3-18442".to_owned(),
        settlement: Some(settlement),
        member_id: "01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42".to_owned(),
        plan_id: "qingdao-rongjun".to_owned(),
        plan_version: "2023.1".to_owned(),
        state: pb::ClaimState::Approved.into(),
        route: pb::Route::Green.into(),
        decision: Some(decision()),
        payouts: vec![pb::Payout {
            payout_id: "3-18442/1".to_owned(),
            kind: pb::PayoutKind::Payment.into(),
            amount_fen: 5_288_294,
            state: pb::PayoutState::Instructed.into(),
            ..pb::Payout::default()
        }],
        next_step: pb::NextStep::AwaitTransfer.into(),
        ..pb::Claim::default()
    }
}

fn event_claim() -> pb::Claim {
    pb::Claim {
        claim_id: "3-7".to_owned(),
        event: Some(pb::InsuredEvent {
            source: "370200".to_owned(),
            event_id: "E-1".to_owned(),
            kind: "death".to_owned(),
            event_date: "2024-09-11".to_owned(),
            ..pb::InsuredEvent::default()
        }),
        state: pb::ClaimState::Pended.into(),
        review_reasons: vec![pb::ReviewReason {
            code: "EVENT_REPORTED".to_owned(),
            evidence: vec![pb::Evidence { key: "documents".to_owned(), value: "1".to_owned() }],
            text_zh: "保险事故须核对材料".to_owned(),
            text_en: "the documents of the event must be looked at".to_owned(),
        }],
        next_step: pb::NextStep::AwaitReview.into(),
        ..pb::Claim::default()
    }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that a call reads like a table")]
fn check(claim: &pb::Claim, language: Language, expected: Expect) {
    let page = of_claim_in_full(claim, language);
    for line in page.lines() {
        assert!(super::super::columns::width(line) <= 100, "{line}");
        assert_eq!(line, line.trim_end());
    }
    expected.assert_eq(&page);
}

#[test]
fn a_claim_in_english() {
    check(
        &claim(),
        Language::En,
        expect![[r#"
            Explanation of benefit
              claim         3-18442
              settlement    370200/S-4
              standing      APPROVED by the green channel
              member        01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42
              admission     2024-09-28
              discharge     2024-10-19
              hospital      H37029999001
              plan          qingdao-rongjun 2023.1
              decided as of 2024-10-19
              period        2024-01-01 to 2024-12-31

            Prior payers
                   110,000.00  390100  residents' basic fund
                       111.80  990077
                       505.01  borne by the hospital

            From the bill to what counts
                   168,320.75 →     57,703.94  funds have paid
                    57,703.94 →     57,582.94  the escort bed

            Responsibility inpatient
                    57,582.94 →     57,582.94  inpatient expense: all that counts
                    57,582.94 →     52,582.94  deductible of 5,000.00 a year, 0.00 already borne, 5,000.00 taken
                                               now; 52,582.94 is left

            Responsibility daily
                         0.00 →        300.00  daily benefit: 100.00 for each of 3 days

            Sum
                    52,882.94 →     52,882.94  the payout

            Who bears the bill
                   110,111.80  OA other payer PRIOR_PAYER           CARC 23   paid by others
                       505.01  CO hospital    HOSPITAL_BORNE        CARC 45   borne by the hospital
                       121.00  PR person      NON_COVERED_ITEM      CARC 96   excluded item
                     5,000.00  PR person      DEDUCTIBLE            CARC 1    deductible
                    52,582.94  the plan
              ---------------
                   168,320.75  the bill
                     5,121.00  of it the person's share
                       300.00  beside it in fixed sums, whatever the bill says

            Lines: amount, paid
                       121.00            0.00  F0001 陪护床
                                       121.00  PR person      NON_COVERED_ITEM      CARC 96   excluded item

            Counters: before → after
                         0.00 →      5,000.00  inpatient deductible
                         0.00 →     52,582.94  inpatient paid
                            0 →             3  inpatient days

            Payouts
                    52,882.94  PAYMENT INSTRUCTED 3-18442/1

            Next
              collect the burden; the payout is transferred
        "#]],
    );
}

#[test]
fn a_claim_in_chinese() {
    check(
        &claim(),
        Language::Zh,
        expect![[r#"
            理算说明
              赔案          3-18442
              结算          370200/S-4
              状态          绿色通道通过
              参保对象      01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42
              入院日期      2024-09-28
              出院日期      2024-10-19
              医院          H37029999001
              方案版本      qingdao-rongjun 2023.1
              归属日期      2024-10-19
              保单年度      2024-01-01 至 2024-12-31

            先行支付
                   110,000.00  390100  城乡居民基本医疗保险统筹基金
                       111.80  990077
                       505.01  医院负担

            从账单到合规费用
                   168,320.75 →     57,703.94  基金已支付
                    57,703.94 →     57,582.94  陪护床

            保险责任 inpatient
                    57,582.94 →     57,582.94  住院医疗费用：合规费用全部计入
                    57,582.94 →     52,582.94  起付线 5,000.00，本年度已用 0.00，本次扣除 5,000.00，余
                                               52,582.94，以后各次住院在本年度内不再扣除

            保险责任 daily
                         0.00 →        300.00  住院津贴：每天 100.00，3 天

            合计
                    52,882.94 →     52,882.94  赔付金额

            账单由谁承担
                   110,111.80  OA 其他支付方  PRIOR_PAYER           CARC 23   先行支付
                       505.01  CO 医院        HOSPITAL_BORNE        CARC 45   医院负担
                       121.00  PR 个人        NON_COVERED_ITEM      CARC 96   不予支付项目
                     5,000.00  PR 个人        DEDUCTIBLE            CARC 1    起付线
                    52,582.94  本方案赔付
              ---------------
                   168,320.75  账单合计
                     5,121.00  其中由个人承担
                       300.00  另付定额给付，与账单无关

            费用明细：金额、赔付
                       121.00            0.00  F0001 陪护床
                                       121.00  PR 个人        NON_COVERED_ITEM      CARC 96   不予支付项目

            累计：之前 → 之后
                         0.00 →      5,000.00  inpatient 免赔额
                         0.00 →     52,582.94  inpatient 已赔付
                            0 →             3  inpatient 给付天数

            赔付指令
                    52,882.94  PAYMENT INSTRUCTED 3-18442/1

            下一步
              个人先付清，赔付将转入其账户
        "#]],
    );
}

#[test]
fn an_event_has_no_bill() {
    check(
        &event_claim(),
        Language::En,
        expect![[r#"
        Explanation of benefit
          claim         3-7
          event         370200/E-1
          standing      PENDED for review
          happened on   2024-09-11
          kind          death

        Why a person must look
          EVENT_REPORTED  the documents of the event must be looked at
            documents 1

        Next
          a person looks at the documents
    "#]],
    );
}
