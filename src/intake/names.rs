//! The names by which messages call their facts: the national one first, then what else was seen
//! (`domain.md` 1.8). Case and underscores make no other name. A new alias is a new word here and
//! nothing else.

/// All names of one fact, in order of preference.
pub(super) type Names = &'static [&'static str];

// The envelope of an answer and of a request.
pub(super) const INFNO: Names = &["infno"];
pub(super) const INFCODE: Names = &["infcode"];
pub(super) const ANSWER_ID: Names = &["inf_refmsgid"];
pub(super) const ANSWER_TIME: Names = &["refmsg_time", "respond_time"];
pub(super) const RECORD_TYPE: Names = &["record_type"];

// Where: the institution's home region (`fixmedins_poolarea`) is another fact, not an alias.
pub(super) const REGION: Names = &["mdtrtarea_admvs", "mdtrtarea_admdvs"];
pub(super) const INSURED_REGION: Names =
    &["insuplc_admdvs", "insuplc_admvs", "insu_admdvs", "insu_optins", "insuplc"];
pub(super) const HOSPITAL_CODE: Names = &["fixmedins_code"];
pub(super) const HOSPITAL_LEVEL: Names = &["hosp_lv"];
pub(super) const SENDER_ID: Names = &["medins_setl_id"];

// Which settlement, of what kind.
pub(super) const SETTLEMENT_ID: Names = &["setl_id"];
pub(super) const ORIGINAL_ID: Names = &["init_setl_id"];
pub(super) const REFUND_FLAG: Names = &["refd_setl_flag"];
pub(super) const INTERIM_FLAG: Names = &["mid_setl_flag"];
pub(super) const VISIT_ID: Names = &["mdtrt_id"];
pub(super) const INSURANCE_TYPE: Names = &["insutype"];
pub(super) const MEDICAL_CATEGORY: Names = &["med_type"];
pub(super) const SETTLE_TIME: Names = &["setl_time"];

// The stay. `setl_begn_date` and `setl_end_date` span the settlement, not the stay.
pub(super) const ADMISSION: Names = &["begntime", "adm_time", "begndate"];
pub(super) const DISCHARGE: Names = &["endtime", "dscg_time", "enddate"];
pub(super) const DISCHARGE_WAY: Names = &["dscg_way"];
pub(super) const PAY_LOCATION: Names = &["pay_loc"];
pub(super) const INVOICE_NO: Names = &["invono", "bill_no"];

// The main diagnosis, and one row of `diseinfo`.
pub(super) const DIAGNOSIS_CODE: Names = &["dscg_maindiag_code", "dise_codg", "dise_no"];
pub(super) const DIAGNOSIS_NAME: Names = &["dscg_maindiag_name", "dise_name"];
pub(super) const LISTED_CODE: Names = &["diag_code"];
pub(super) const LISTED_NAME: Names = &["diag_name"];
pub(super) const MAIN_FLAG: Names = &["maindiag_flag"];

// Whose.
pub(super) const CERT_TYPE: Names = &["psn_cert_type"];
pub(super) const CERT_NO: Names = &["certno"];
pub(super) const PERSON_NAME: Names = &["psn_name"];
pub(super) const PERSON_NO: Names = &["psn_no"];

// How much.
pub(super) const TOTAL: Names = &["medfee_sumamt"];
pub(super) const OUT_OF_CATALOGUE: Names = &["fulamt_ownpay_amt", "ownpay_amt"];
pub(super) const OVER_LIMIT: Names = &["overlmt_selfpay", "overlmt_amt"];
pub(super) const ADVANCE_SELF_PAY: Names = &["preselfpay_amt"];
pub(super) const IN_SCOPE: Names = &["inscp_scp_amt", "inscp_amt"];
pub(super) const BASIC_DEDUCTIBLE: Names = &["act_pay_dedc"];
pub(super) const FUND_TOTAL: Names = &["fund_pay_sumamt"];
pub(super) const HOSPITAL_BORNE: Names = &["hosp_part_amt", "ownpay_hosp_part"];
pub(super) const PERSONAL_TOTAL: Names = &["psn_part_amt", "psn_part_am", "psn_pay"];
pub(super) const ACCOUNT: Names = &["acct_pay"];
pub(super) const CASH: Names = &["psn_cash_pay", "cash_payamt"];

/// The sums per fund that make up [`FUND_TOTAL`] (identity I4).
pub(super) const FUND_SUMS: [Names; 8] = [
    &["hifp_pay"],
    &["cvlserv_pay"],
    &["hifes_pay"],
    &["hifmi_pay"],
    &["hifob_pay"],
    &["hifdm_pay"],
    &["maf_pay"],
    &["oth_pay", "othfund_pay"],
];

// What a bureau computed itself, in its push to insurers (`domain.md` 4.1).
pub(super) const PAYOUT_TOTAL: Names = &["sett_cla_sumamt"];
pub(super) const PAYOUT_IN_CATALOGUE: Names = &["sett_cla_in_pay"];
pub(super) const PAYOUT_OUT_OF_CATALOGUE: Names = &["sett_cla_out_pay"];
pub(super) const IN_CATALOGUE_DEDUCTIBLE: Names = &["dedc_in_std"];
pub(super) const OUT_OF_CATALOGUE_DEDUCTIBLE: Names = &["dedc_out_std"];

// One row of `setldetail`. A platform without codes sends names.
pub(super) const FUND_CODE: Names = &["fund_pay_type", "fund_pay_type_name"];
pub(super) const FUND_AMOUNT: Names = &["fund_payamt"];

// One fee line; its split has the names above.
pub(super) const LINE_NO: Names = &["feedetl_sn"];
pub(super) const ITEM_CODE: Names = &["med_list_codg"];
pub(super) const ITEM_NAME: Names = &["medins_list_name"];
pub(super) const CHARGE_CLASS: Names = &["med_chrgitm_type"];
pub(super) const CATALOGUE_LEVEL: Names = &["chrgitm_lv"];
pub(super) const SERVICE_TIME: Names = &["fee_ocur_time"];
pub(super) const QUANTITY: Names = &["cnt"];
pub(super) const LINE_TOTAL: Names = &["det_item_fee_sumamt"];
