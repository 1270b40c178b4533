//! What a person should look at, and how long claims may take, in words.

use super::{Plan, Words, counted};
use crate::core::clocks::{ClockKind, ClockRule, Unit};
use crate::core::plan::CapPer;
use crate::core::rules::{Action, GoesWith, QuantityMax, Rule, Signs, Test, catalogue};

impl Words {
    /// One line for each action that some rule has, then one for the clocks.
    pub(super) fn rules_and_clocks(self, plan: &Plan) -> Vec<String> {
        let mut lines = Vec::new();
        for action in [Action::Deny, Action::Review, Action::Flag] {
            let of_action = plan.rules.iter().filter(|rule| rule.action == action);
            let rules: Vec<String> = of_action.map(|rule| self.rule(rule)).collect();
            if rules.is_empty() {
                continue;
            }
            let rules = self.parts(&rules);
            lines.push(match action {
                Action::Deny => self.of(format!("不予赔付：{rules}"), format!("denied: {rules}")),
                Action::Review => {
                    self.of(format!("人工审核：{rules}"), format!("reviewed: {rules}"))
                }
                Action::Flag => self.of(format!("仅标记：{rules}"), format!("noted: {rules}")),
            });
        }
        let clocks: Vec<String> = plan.clocks.clocks.iter().map(|it| self.clock(it)).collect();
        if !clocks.is_empty() {
            let calendar = plan.clocks.calendar.as_ref().map_or_else(String::new, |id| {
                self.of(format!("（工作日历 {id}）"), format!(" (calendar {id})"))
            });
            let clocks = self.parts(&clocks);
            lines.push(
                self.of(format!("时限{calendar}：{clocks}"), format!("clocks{calendar}: {clocks}")),
            );
        }
        lines
    }

    fn rule(self, rule: &Rule) -> String {
        let known = catalogue().into_iter().find(|it| it.test.code() == rule.test.code());
        let known = known.expect("every rule is in the catalogue");
        let name = self.of(known.name_zh.to_owned(), known.name.replace('_', " "));
        let thresholds = self.thresholds(&rule.test);
        if thresholds.is_empty() {
            return name;
        }
        self.of(format!("{name}（{thresholds}）"), format!("{name} ({thresholds})"))
    }

    fn thresholds(self, test: &Test) -> String {
        match test {
            Test::OverlappingStays { transfer_days } => self.of(
                format!("转院 {transfer_days} 天除外"),
                format!("beyond {} of transfer", days(*transfer_days)),
            ),
            Test::Readmission { days: within, transfer_days, exempt_diagnoses } => {
                let exempt = self.list(exempt_diagnoses);
                self.of(
                    format!("{within} 天内，转院 {transfer_days} 天除外，诊断 {exempt} 除外"),
                    format!(
                        "within {}, but not by transfer within {}, nor for {exempt}",
                        days(*within),
                        days(*transfer_days)
                    ),
                )
            }
            Test::LowIntensity { stay_days, share, charge_classes } => {
                let classes = self.list(charge_classes);
                self.of(
                    format!("住院 {stay_days} 天及以上，有收费类别 {classes} 的天数不足 {share}"),
                    format!(
                        "of {} or more, classes {classes} on less than {share} of them",
                        days(*stay_days)
                    ),
                )
            }
            Test::LengthOutlier { baseline, deviations }
            | Test::CostOutlier { baseline, deviations } => self.of(
                format!("超过基准 {baseline} 均值 {deviations} 个标准差"),
                format!("{deviations} standard deviations above the mean of {baseline}"),
            ),
            Test::CumulativeCeiling { amount } => {
                self.of(format!("年度超过 {amount}"), format!("above {amount} a year"))
            }
            Test::SexAge { conflicts } => self.each(conflicts, |it| self.goes_with(it)),
            Test::Quantity { items } => self.each(items, |it| self.quantity_max(it)),
            Test::Injury(signs) | Test::Maternity(signs) => self.signs(signs),
            Test::Death { discharge_ways } => {
                let ways = self.list(discharge_ways);
                self.of(format!("离院方式 {ways}"), format!("discharge way {ways}"))
            }
            Test::CrossRegion { home } if home.is_empty() => {
                self.of("平台所在市以外", "outside the platform's city").to_owned()
            }
            Test::CrossRegion { home } => {
                let home = self.list(home);
                self.of(format!("{home} 以外"), format!("outside {home}"))
            }
            Test::ManualReimbursement { pay_locations } => {
                let places = self.list(pay_locations);
                self.of(format!("支付地点 {places}"), format!("settled at {places}"))
            }
            Test::OutOfCatalogue { share } => {
                self.of(format!("超过 {share}"), format!("more than {share}"))
            }
            Test::SharedAccount { accounts, persons } => self.of(
                format!("{accounts}，超过 {persons} 人"),
                format!("{accounts}, more than {}", counted((*persons).into(), "person")),
            ),
            Test::LateNotice { days: after } => self.of(
                format!("出院 {after} 天后"),
                format!("more than {} after discharge", days(*after)),
            ),
            Test::SenderPayout { tolerance: Some(most) } => {
                self.of(format!("超过 {most}"), format!("by more than {most}"))
            }
            Test::SenderPayout { tolerance: None }
            | Test::DuplicateInvoice
            | Test::DuplicateStay
            | Test::NothingBilled
            | Test::ClassEnded
            | Test::WeakIdentity
            | Test::NameDiffers => String::new(),
        }
    }

    fn each<T>(self, of: &[T], told: impl Fn(&T) -> String) -> String {
        let told: Vec<String> = of.iter().map(told).collect();
        self.parts(&told)
    }

    fn goes_with(self, it: &GoesWith) -> String {
        use crate::core::identity_card::Sex;
        let codes: Vec<&String> = it.diagnoses.iter().chain(&it.item_codes).collect();
        let codes = self.list(&codes);
        let sex = it.sex.map(|sex| match sex {
            Sex::Male => self.of("男", "men"),
            Sex::Female => self.of("女", "women"),
        });
        let ages = it.ages.map(|(first, last)| {
            self.of(format!("{first}–{last} 岁"), format!("ages {first} to {last}"))
        });
        let who: Vec<String> = sex.map(str::to_owned).into_iter().chain(ages).collect();
        let who = who.join(self.of("、", ", "));
        self.of(format!("{codes} 仅限{who}"), format!("{codes} only for {who}"))
    }

    fn quantity_max(self, it: &QuantityMax) -> String {
        let QuantityMax { name, lines, most, per } = it;
        let per = match per {
            CapPer::Line => self.of("每项", "a line"),
            CapPer::Day => self.of("每日", "a day"),
            CapPer::Claim => self.of("每次", "a claim"),
        };
        let lines = self.lines(lines);
        self.of(
            format!("{name}{per}至多 {most}（{lines}）"),
            format!("{name} up to {most} {per} ({lines})"),
        )
    }

    fn signs(self, signs: &Signs) -> String {
        let kinds = [
            (self.of("医疗类别", "medical category"), &signs.medical_categories),
            (self.of("诊断", "diagnosis"), &signs.diagnoses),
            (self.of("基金", "fund"), &signs.funds),
        ];
        let kinds = kinds.iter().filter(|(_, codes)| !codes.is_empty());
        let told: Vec<String> =
            kinds.map(|(name, codes)| format!("{name} {}", self.list(codes))).collect();
        told.join(self.of("，或", ", or "))
    }

    fn clock(self, rule: &ClockRule) -> String {
        let name = match rule.kind {
            ClockKind::Contact => self.of("首次联系", "contact"),
            ClockKind::SmallClaim => self.of("小额案件", "small claim"),
            ClockKind::Decision => self.of("核定", "decision"),
            ClockKind::RefusalNotice => self.of("拒赔通知", "refusal notice"),
            ClockKind::Payment => self.of("给付", "payment"),
        };
        let limit = rule.limit;
        let (zh, en) = match rule.unit {
            Unit::Hours => ("小时", "hour"),
            Unit::Days => ("天", "day"),
            Unit::WorkingDays => ("个工作日", "working day"),
        };
        let up_to = rule.up_to.map_or_else(String::new, |most| {
            self.of(format!("（{most} 以内）"), format!(" up to {most}"))
        });
        let warn = rule.warn_at;
        self.of(
            format!("{name}{up_to} {limit} {zh}，{warn} 时预警"),
            format!("{name}{up_to} {}, warns at {warn}", counted(limit.into(), en)),
        )
    }
}

fn days(count: u16) -> String {
    counted(count.into(), "day")
}
