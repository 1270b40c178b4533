//! What plans say in words.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::summary;
use crate::core::explain::Language;
use crate::core::money::{Fen, Rate};
use crate::core::plan::arbitrary;
use crate::core::plan::document::{read, render};

const SHIPPED: &str = include_str!("../../../../deploy/plans/qingdao-rongjun.toml");

/// One of everything.
const WIDE: &str = r#"
plan_id = "p"
version = "1"
name = "N"
start_date = "2024-01-01"
end_date = "2024-12-31"
period_start = "07-01"
attribution = "admission"
payment_mode = "hospital_deducts"
rounding = "down"
account_money = "not_counted"
lines_absent = "review"
required_facts = ["stay", "diagnosis"]
filing_days = 730
renewal_gap_days = 1
later_payers = ["620100"]
routing.green_ceiling = "100000.00"
[[responsibilities]]
id = "in"
name = "R"
when = { medical_categories = ["21", "22"], hospital_levels = ["02"], hospital_codes = ["H1"], classes = [{ class = "a", grades = [1, 6] }, { class = "b" }] }
waiting = { days = 30, unless = { causes = ["accident"] } }
base = ["over_limit", "in_scope_copay"]
items = { item_codes = ["1", "2", "3", "4", "5", "6", "7", "8", "9"], keywords = ["k"] }
base_max = { amount = "50000.00", per = "period" }
deductible = { amount = "12000.00", per = "period", claim_free = [{ years = 1, amount = "11000.00" }, { years = 3, amount = "10000.00" }] }
tiers = [{ up_to = "5000.00", rate = "0.75" }, { rate = "0.85" }]
lower_rates = [{ rate = "0", when = { pre_existing = true, basic_insurance = false } }]
out_of_pocket_max = "20000.00"
limits = [{ amount = "300000.00", per = "lifetime", when = { not_regions = ["3702"], diagnoses = ["I50"] } }]
[[responsibilities]]
id = "out"
name = "R2"
base = ["out_of_catalogue"]
rate = "0.855"
[[responsibilities]]
id = "raise"
name = "R3"
when = { not_diagnoses = ["S72"] }
base = ["in_scope_copay"]
raise_to = "0.9"
[[responsibilities]]
id = "days"
name = "R4"
waiting = { days = 1 }
per_diem = { amount = "100.00", after_days = 1, day_limits = [{ days = 30, per = "cause" }] }
[[responsibilities]]
id = "event"
name = "R5"
when = { causes = ["disease", "accident"], circumstances = ["driving"] }
fixed_sum = { event = "disability", amount = "17000.00", grades = ["1", "0.9"] }
[[groups]]
id = "both"
name = "G"
responsibilities = ["out", "raise"]
deductible = { amount = "1.00", per = "stay" }
out_of_pocket_max = "2.00"
limits = [{ amount = "400000.00", per = "day" }]
[[exclusions]]
name = "E"
keywords = ["陪护"]
[[item_caps]]
name = "C"
charge_classes = ["01", "08"]
item_codes = ["X1"]
amount = "1500.00"
per = "line"
"#;

#[track_caller]
fn check(document: &str, language: Language, expected: &Expect) {
    let plan = read(document).unwrap();
    expected.assert_eq(&summary(&plan, language).join("\n"));
}

#[test]
fn the_shipped_plan_in_words() {
    check(
        SHIPPED,
        Language::Zh,
        &expect![[r#"
            荣军保（qingdao-rongjun 2023.1）：2023-07-01 起；按结算日归属；年度始于 01-01；快赔
            住院医疗费用补充保险金（inpatient）：限医疗类别 21、22、23、24、9902、9925；个人负担全额；年度起付线 5,000.00；赔付 100%；年度限额 300,000.00
            不予支付项目 7 类：陪护床 (名称含 陪护床、陪护费、陪床、陪人床、陪伴床、陪客床)、护工 (名称含 护工费、护工服务、护工陪、护工护理、生活护理员)、伙食 (名称含 伙食、膳食费、订餐、就餐)、取暖、空调、电视等生活服务 (名称含 取暖费、空调费、电视费、电视机、电话费、洗衣费)、病历复印 (名称含 病历复印、病案复印、复印费、病历工本费)、特需服务 (名称含 特需病房、特需床位、特需服务、特需诊、VIP病房、VIP床位)、挂号费 (名称含 挂号费)
            赔付超过 100,000.00 须人工审核
            人工审核：发票重复；重复住院；零金额；住院日期重叠（转院 1 天除外）；分解住院（15 天内，转院 1 天除外，诊断 Z49、Z51 除外）；挂床（住院 4 天及以上，有收费类别 05、06、09、10、11 的天数不足 50%）；超累计上限（年度超过 200,000.00）；性别年龄不符（O 仅限女、12–55 岁；C51、C52、C53、C54、C55、C56、C57、C58 等 12 项 仅限女；N7、N8、N90、N91、N92、N93、N94、N95 等 11 项 仅限女；C60、C61、C62、C63、N4、N50、N51 仅限男；P 仅限0–1 岁）；外伤或工伤（医疗类别 19、22，或诊断 S、T、V、W、X、Y，或基金 330200、390400、410100）；生育（医疗类别 51、52、53，或诊断 O，或基金 510100）；死亡（离院方式 5）；异地就医（3702 以外）；零星报销（支付地点 1）；优抚类别已终止；多人同一账户（qingdao，超过 2 人）；赔付差异；证件号码可疑；姓名不符
            仅标记：住院天数异常（超过基准 qingdao 均值 3 个标准差）；日均费用异常（超过基准 qingdao 均值 3 个标准差）；数量超限（床位费每日至多 1（收费类别 01）；护理费每日至多 4（收费类别 07））；目录外占比高（超过 50%）
            时限（工作日历 cn）：首次联系 72 小时，80% 时预警；小额案件（3,000.00 以内） 1 个工作日，80% 时预警；核定 30 天，80% 时预警；拒赔通知 3 天，80% 时预警；给付 10 天，80% 时预警"#]],
    );
    check(
        SHIPPED,
        Language::En,
        &expect![[r#"
            荣军保 (qingdao-rongjun 2023.1): from 2023-07-01; the day of settlement decides; years begin on 01-01; paid by transfer
            住院医疗费用补充保险金 (inpatient): for medical category 21, 22, 23, 24, 9902, 9925; of all that is borne; deductible 5,000.00 a year; pays 100%; limit 300,000.00 a year
            never paid, 7 exclusions: 陪护床 (names with 陪护床, 陪护费, 陪床, 陪人床, 陪伴床, 陪客床), 护工 (names with 护工费, 护工服务, 护工陪, 护工护理, 生活护理员), 伙食 (names with 伙食, 膳食费, 订餐, 就餐), 取暖、空调、电视等生活服务 (names with 取暖费, 空调费, 电视费, 电视机, 电话费, 洗衣费), 病历复印 (names with 病历复印, 病案复印, 复印费, 病历工本费), 特需服务 (names with 特需病房, 特需床位, 特需服务, 特需诊, VIP病房, VIP床位), 挂号费 (names with 挂号费)
            a person looks at a payout above 100,000.00
            reviewed: duplicate invoice; duplicate stay; nothing billed; overlapping stays (beyond 1 day of transfer); readmission (within 15 days, but not by transfer within 1 day, nor for Z49, Z51); low intensity (of 4 days or more, classes 05, 06, 09, 10, 11 on less than 50% of them); cumulative ceiling (above 200,000.00 a year); sex age (O only for women, ages 12 to 55; C51, C52, C53, C54, C55, C56, C57, C58, … (12 in all) only for women; N7, N8, N90, N91, N92, N93, N94, N95, … (11 in all) only for women; C60, C61, C62, C63, N4, N50, N51 only for men; P only for ages 0 to 1); injury (medical category 19, 22, or diagnosis S, T, V, W, X, Y, or fund 330200, 390400, 410100); maternity (medical category 51, 52, 53, or diagnosis O, or fund 510100); death (discharge way 5); cross region (outside 3702); manual reimbursement (settled at 1); class ended; shared account (qingdao, more than 2 persons); sender payout; weak identity; name differs
            noted: length outlier (3 standard deviations above the mean of qingdao); cost outlier (3 standard deviations above the mean of qingdao); quantity (床位费 up to 1 a day (charge classes 01); 护理费 up to 4 a day (charge classes 07)); out of catalogue (more than 50%)
            clocks (calendar cn): contact 72 hours, warns at 80%; small claim up to 3,000.00 1 working day, warns at 80%; decision 30 days, warns at 80%; refusal notice 3 days, warns at 80%; payment 10 days, warns at 80%"#]],
    );
}

#[test]
fn everything_in_words() {
    check(
        WIDE,
        Language::Zh,
        &expect![[r#"
            N（p 1）：2024-01-01 至 2024-12-31；按入院日归属；年度始于 07-01；直赔
            不足一分舍去；个人账户支付不计入；缺费用明细须人工审核；必备信息：入出院日期、诊断；出院后 730 天内申请；中断不超过 1 天视为续保；后位支付方：620100
            R（in）：限医疗类别 21、22且医院等级 02或医院 H1且优抚类别 a（1–6 级）、b；等待期 30 天（意外除外）；超限价、统筹后自付；仅计项目编码 1、2、3、4、5、6、7、8 等 9 项，或名称含 k；年度至多计入 50,000.00；年度起付线 12,000.00，连续 1 年无赔付为 11,000.00，连续 3 年无赔付为 10,000.00；年度分段赔付：5,000.00 以内 75%，以上 85%；既往症且未经医保结算为 0%；个人年度负担上限 20,000.00；终身限额 300,000.00（诊断 I50且非就医地 3702）
            R2（out）：全自费；赔付 85.5%
            R3（raise）：限非诊断 S72；统筹后自付；政策范围内报销比例补足至 90%
            R4（days）：等待期 1 天；住院每日 100.00，每次住院免赔 1 天；同一病因至多 30 天
            R5（event）：限疾病或意外且情形 driving；disability 给付 17,000.00，自 1 级起为 100%、90%
            G（both）：out、raise 共用；每次住院起付线 1.00；个人年度负担上限 2.00；每日限额 400,000.00
            不予支付项目 1 类：E (名称含 陪护)
            单项限额 C：每项至多计 1,500.00（项目编码 X1，或收费类别 01、08）
            赔付超过 100,000.00 须人工审核"#]],
    );
    check(
        WIDE,
        Language::En,
        &expect![[r#"
            N (p 1): from 2024-01-01 to 2024-12-31; the day of admission decides; years begin on 07-01; the hospital deducts the payout
            parts of a fen are cut off; money of the personal account is not counted; a person looks when fee lines are missing; needs the dates of the stay, a diagnosis; to be filed within 730 days of discharge; a gap of up to 1 day counts as renewed; pay after it: 620100
            R (in): for medical category 21, 22, hospital level 02 or hospital H1, class a grades 1 to 6, b; waits 30 days, but not for accident; of over the limit price, in-scope co-payment; only item codes 1, 2, 3, 4, 5, 6, 7, 8, … (9 in all), or names with k; at most 50,000.00 a year counts; deductible 12,000.00 a year, 11,000.00 after 1 year without a payout, 10,000.00 after 3 years without a payout; pays by tiers a year: 75% up to 5,000.00, 85% above; 0% for a pre-existing illness, bills without basic insurance; a person bears at most 20,000.00 a year; limit 300,000.00 in a lifetime for diagnosis I50, not region 3702
            R2 (out): of out of catalogue; pays 85.5%
            R3 (raise): for not diagnosis S72; of in-scope co-payment; raises what is reimbursed in scope to 90%
            R4 (days): waits 1 day; 100.00 a day in hospital after the first 1 day; at most 30 days a cause
            R5 (event): for illness or accident, circumstance driving; 17,000.00 for disability, from grade 1 on 100%, 90%
            G (both): out, raise share; deductible 1.00 a stay; a person bears at most 2.00 a year; limit 400,000.00 a day
            never paid, 1 exclusion: E (names with 陪护)
            C counts up to 1,500.00 a line (item codes X1, or charge classes 01, 08)
            a person looks at a payout above 100,000.00"#]],
    );
}

proptest! {
    /// A number that is not told would be approved unseen.
    #[test]
    fn every_amount_and_rate_is_told(plan in arbitrary::plan()) {
        let document = render(&plan);
        let texts = || document.split('"').skip(1).step_by(2);
        for language in [Language::Zh, Language::En] {
            let told = summary(&plan, language).join("\n");
            for text in texts().filter(|text| text.contains('.')) {
                let amount = Fen::parse_yuan(text).map(|amount| amount.to_string());
                let rate = Rate::parse(text).map(|rate| rate.to_string());
                // What is no money, a quantity say, is told as it is written.
                let is_told = told.contains(text)
                    || amount.is_ok_and(|it| told.contains(&it))
                    || rate.is_some_and(|it| told.contains(&it));
                prop_assert!(is_told, "{text} in\n{told}\n{document}");
            }
        }
    }
}
