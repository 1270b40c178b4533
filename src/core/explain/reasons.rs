//! Why a person must look, in a sentence that shows what the rule saw.

use super::Language;
use crate::core::money::Fen;
use crate::core::route::{Reason, ReasonCode};

/// The sentence.
pub(super) fn text(reason: &Reason, language: Language) -> String {
    let saw = Saw(reason);
    let both = match reason.code {
        ReasonCode::AboveCeiling => above_ceiling(saw),
        ReasonCode::DuplicateInvoice
        | ReasonCode::DuplicateStay
        | ReasonCode::OverlappingStays
        | ReasonCode::Readmission => of_other_claims(saw),
        ReasonCode::LowIntensity | ReasonCode::LengthOutlier | ReasonCode::CostOutlier => {
            of_stay(saw)
        }
        ReasonCode::CumulativeCeiling
        | ReasonCode::Quantity
        | ReasonCode::OutOfCatalogue
        | ReasonCode::SharedAccount
        | ReasonCode::LateNotice => of_thresholds(saw),
        ReasonCode::SexAge
        | ReasonCode::Injury
        | ReasonCode::Maternity
        | ReasonCode::Death
        | ReasonCode::CrossRegion
        | ReasonCode::ManualReimbursement
        | ReasonCode::ClassEnded
        | ReasonCode::WeakIdentity => of_signs(saw),
        _ => plain(reason.code),
    };
    language.of(both.0, both.1)
}

type Both = (String, String);

fn both(zh: impl Into<String>, en: impl Into<String>) -> Both {
    (zh.into(), en.into())
}

/// What a rule saw.
#[derive(Clone, Copy)]
struct Saw<'a>(&'a Reason);

impl<'a> Saw<'a> {
    /// A value by its name; empty where a decision of an older engine did not keep it.
    fn get(self, name: &str) -> &'a str {
        let found = self.0.evidence.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    fn yuan(self, name: &str) -> String {
        let amount = self.get(name).parse().ok().and_then(Fen::new);
        amount.map_or_else(String::new, |amount| amount.to_string())
    }

    /// A share as people write it: `50%`.
    fn percent(self, name: &str) -> String {
        let rate = crate::core::money::Rate::parse(self.get(name));
        rate.map_or_else(String::new, |rate| rate.to_string())
    }
}

fn above_ceiling(saw: Saw<'_>) -> Both {
    if saw.get("ceiling_fen").is_empty() {
        return both("赔付金额超过绿色通道上限", "the payout is above the green channel's ceiling");
    }
    let (payout, ceiling) = (saw.yuan("payout_fen"), saw.yuan("ceiling_fen"));
    both(
        format!("赔付 {payout} 超过绿色通道上限 {ceiling}"),
        format!("the payout of {payout} is above the green channel's ceiling of {ceiling}"),
    )
}

fn of_other_claims(saw: Saw<'_>) -> Both {
    let (claim, days) = (saw.get("claim"), saw.get("days"));
    match saw.0.code {
        ReasonCode::DuplicateInvoice => both(
            format!("发票号与赔案 {claim} 相同，请核对原件，确认是否同一费用"),
            format!(
                "claim {claim} has the same invoice: see the original, and whether it is one bill"
            ),
        ),
        ReasonCode::DuplicateStay => both(
            format!("医院、住院日期和总额与赔案 {claim} 相同，请确认是否重复结算"),
            format!("claim {claim} has the same hospital, days and total: settled twice?"),
        ),
        ReasonCode::OverlappingStays => both(
            format!("与赔案 {claim} 的住院重叠 {days} 天，请与医院核对日期"),
            format!("the stay shares {days} days with that of claim {claim}: ask the hospitals"),
        ),
        _ => {
            let limit = saw.get("limit_days");
            both(
                format!(
                    "与赔案 {claim} 的住院相隔 {days} 天（规则 {limit} 天内），主要诊断同类，请核实是否分解住院"
                ),
                format!(
                    "{days} days from the stay of claim {claim} (rule: {limit}), with a related main \
                     diagnosis: one stay split in two?"
                ),
            )
        }
    }
}

fn of_stay(saw: Saw<'_>) -> Both {
    match saw.0.code {
        ReasonCode::LowIntensity => {
            let (active, days) = (saw.get("active_days"), saw.get("days"));
            let share = saw.percent("share");
            both(
                format!("住院 {days} 天，仅 {active} 天有诊疗（规则至少 {share}），请核实是否挂床"),
                format!(
                    "something was done on {active} of {days} days (rule: at least {share}): was the \
                     person there?"
                ),
            )
        }
        ReasonCode::LengthOutlier => {
            let (days, usual) = (saw.get("days"), saw.get("usual_days"));
            let bound = saw.get("bound_days");
            both(
                format!(
                    "住院 {days} 天，该院平均 {usual} 天，超过上界 {bound} 天，请核实住院必要性"
                ),
                format!(
                    "{days} days; usual in this hospital {usual}, bound {bound}: was all of it needed?"
                ),
            )
        }
        _ => {
            let cost = saw.yuan("cost_per_day_fen");
            let (usual, bound) = (saw.yuan("usual_cost_per_day_fen"), saw.yuan("bound_fen"));
            both(
                format!("日均费用 {cost}，该院平均 {usual}，超过上界 {bound}，请核实费用清单"),
                format!(
                    "{cost} a day; usual in this hospital {usual}, bound {bound}: see the fee list"
                ),
            )
        }
    }
}

fn of_thresholds(saw: Saw<'_>) -> Both {
    match saw.0.code {
        ReasonCode::CumulativeCeiling => {
            let (paid, ceiling) = (saw.yuan("paid_in_period_fen"), saw.yuan("ceiling_fen"));
            both(
                format!("本年度累计赔付将达 {paid}，超过 {ceiling}"),
                format!("{paid} in the period with this claim, above {ceiling}"),
            )
        }
        ReasonCode::Quantity => {
            let (line, quantity, most) = (saw.get("line"), saw.get("quantity"), saw.get("most"));
            let item = saw.get("item");
            both(
                format!("{item}数量 {quantity}（明细 {line}），超过 {most}"),
                format!("{quantity} of {item} with line {line}, above {most}"),
            )
        }
        ReasonCode::OutOfCatalogue => {
            let (outside, total) = (saw.yuan("outside_fen"), saw.yuan("total_fen"));
            let share = saw.percent("share");
            both(
                format!("目录外费用 {outside}，占总额 {total} 超过 {share}"),
                format!("{outside} of {total} is out of the catalogue, more than {share}"),
            )
        }
        ReasonCode::SharedAccount => {
            let (persons, limit) = (saw.get("persons"), saw.get("limit_persons"));
            both(
                format!(
                    "收款账户由 {persons} 人共用（规则至多 {limit} 人），请核实收款人及委托关系"
                ),
                format!(
                    "{persons} persons have the payee's account (rule: {limit}): who is the payee?"
                ),
            )
        }
        _ => {
            let (days, limit) = (saw.get("days"), saw.get("limit_days"));
            both(
                format!("出院后 {days} 天才报案（规则 {limit} 天），请核实迟报原因"),
                format!("came in {days} days after discharge (rule: {limit}): ask why"),
            )
        }
    }
}

fn of_signs(saw: Saw<'_>) -> Both {
    match saw.0.code {
        ReasonCode::SexAge => {
            let is_sex = saw.get("sign") == "sex";
            let sign = if is_sex { ("性别", "sex") } else { ("年龄", "age") };
            let (zh, en) = place(saw);
            both(
                format!("{zh}与本人{}不符，请核对身份和病案", sign.0),
                format!("{en} does not go with the person's {}: whose stay was it?", sign.1),
            )
        }
        ReasonCode::Injury => both(
            format!("有外伤或工伤迹象（{}），请查明原因和责任方", signs(saw).0),
            format!("signs of an injury or a work injury ({}): ask for the cause", signs(saw).1),
        ),
        ReasonCode::Maternity => both(
            format!("有生育迹象（{}），请核实是否属于保险责任", signs(saw).0),
            format!("signs of a birth ({}): is it covered?", signs(saw).1),
        ),
        ReasonCode::Death => both(
            "参保对象已身故，请核实受益人和收款账户",
            "the person died: the money goes to others, so ask who they are",
        ),
        ReasonCode::CrossRegion => {
            let region = saw.get("region");
            both(
                format!("就医地 {region} 不在本地，请核对异地就医结算单"),
                format!("treated in region {region}, elsewhere: see the settlement sheet"),
            )
        }
        ReasonCode::ManualReimbursement => both(
            "经办中心零星报销，请核对票据原件",
            "settled at the centre from papers: see the originals",
        ),
        ReasonCode::ClassEnded => {
            let ended = saw.get("ended");
            let (zh, en) = if ended.is_empty() {
                (String::new(), String::new())
            } else {
                (format!("（{ended} 终止）"), format!(" (the last ended on {ended})"))
            };
            both(
                format!("结算日无有效优抚类别{zh}，请向主管部门核实"),
                format!("no class holds on the day{en}: ask the bureau"),
            )
        }
        _ => {
            let (zh, en) = match saw.get("fault") {
                "first_generation" => ("15 位旧号", "15 digits"),
                "checksum" => ("校验位不符", "its check character does not fit"),
                _ => ("格式不符", "it has another form"),
            };
            both(
                format!("身份证号码可疑（{zh}），请核对证件"),
                format!("the identity card number cannot be trusted ({en}): see the card"),
            )
        }
    }
}

/// Which diagnosis or line a rule means, without what it is.
fn place(saw: Saw<'_>) -> Both {
    let (diagnosis, line) = (saw.get("diagnosis"), saw.get("line"));
    if diagnosis.is_empty() {
        both(format!("明细 {line}"), format!("line {line}"))
    } else {
        both(format!("第 {diagnosis} 诊断"), format!("diagnosis {diagnosis}"))
    }
}

/// The signs that were seen.
fn signs(saw: Saw<'_>) -> Both {
    let names = [
        ("medical_category", "医疗类别", "medical category"),
        ("diagnosis", "诊断序号", "diagnosis no."),
        ("fund", "基金", "fund"),
    ];
    let seen = names.into_iter().filter(|(name, ..)| !saw.get(name).is_empty());
    let (zh, en): (Vec<String>, Vec<String>) = seen
        .map(|(name, zh, en)| {
            (format!("{zh} {}", saw.get(name)), format!("{en} {}", saw.get(name)))
        })
        .unzip();
    both(zh.join("，"), en.join(", "))
}

/// What the code alone says.
fn plain(code: ReasonCode) -> Both {
    let (zh, en) = match code {
        ReasonCode::PersonUnclear => {
            ("证件与人员编号指向不同的人", "certificate and numbers name different persons")
        }
        ReasonCode::AmountsContradict => {
            ("结算金额互相矛盾", "the stated amounts contradict each other")
        }
        ReasonCode::FactMissing => {
            ("缺少理算所需的信息", "a fact needed for the decision is missing")
        }
        ReasonCode::PayeeMissing => ("缺少收款账户", "no payee is known"),
        ReasonCode::EventReported => {
            ("保险事故须核对材料", "the documents of the event must be looked at")
        }
        ReasonCode::LinesExceedBill => {
            ("费用明细合计大于账单总额", "the fee lines come to more than the bill")
        }
        ReasonCode::LinesMissing => (
            "缺少费用明细，无法扣除不予支付项目",
            "without fee lines excluded items cannot be told",
        ),
        ReasonCode::SenderPayoutDiffers => {
            ("上报方计算的赔付与本系统不一致", "the sender computed another payout")
        }
        ReasonCode::DecisionWithdrawn => (
            "后到信息推翻了原决定，需人工确认",
            "later facts take back a decision that stood; a person must confirm",
        ),
        ReasonCode::FigureChanged => (
            "人工核定后，规则理算的金额已变化",
            "the rules give another figure than the one a reviewer changed",
        ),
        ReasonCode::Reopened => ("审核人员要求重新审核", "a reviewer reopened it"),
        ReasonCode::InformationProvided => ("补充材料已提交", "the information asked for is there"),
        ReasonCode::NothingBilled => {
            ("账单金额为零，请与医院核实", "the bill comes to nothing: ask the hospital")
        }
        ReasonCode::NameDiffers => (
            "姓名与名册不一致，请核对证件",
            "the settlement has another name than the roster: see the card",
        ),
        // The others have words of their own.
        _ => ("请人工审核", "a person must look"),
    };
    both(zh, en)
}
