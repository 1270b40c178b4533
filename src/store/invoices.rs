//! Invoices across all lanes: who has one, and who may look next.

use super::conn::{Conn, Sql, bulk};
use super::error::StoreError;
use super::read;
use super::rows::InvoiceRow;
use crate::core::claim::ClaimId;
use crate::core::day::Moment;

/// Told from other uses of advisory locks.
const HOLD: &str = "select count(pg_advisory_xact_lock(1735549300, hashtext(v.invoice_no))) \
     from (select invoice_no from unnest($1::text[]) u (invoice_no) order by hashtext(invoice_no)) v";

const CLAIMS: Sql = Sql {
    sqlite: "select c.invoice_no, c.lane, c.claim_no, c.create_time_us \
             from jsonb_each($1) k cross join claim c on c.invoice_no = k.value ->> 0 \
             where c.state <> 'VOIDED'",
    postgres: "select c.invoice_no, c.lane, c.claim_no, c.create_time_us \
               from unnest($1::text[]) k (invoice_no) \
               join claim c on c.invoice_no = k.invoice_no where c.state <> 'VOIDED'",
};

/// Waits until no other transaction holds one of them. In one order everywhere.
pub(super) async fn hold(conn: Conn<'_>, numbers: &[&str]) -> Result<(), StoreError> {
    match conn {
        // There is one writer.
        Conn::Sqlite(_) => {}
        Conn::Postgres(conn) => {
            sqlx::query(HOLD).bind(numbers).execute(conn).await?;
        }
    }
    Ok(())
}

/// Claims that count with one of these invoices.
pub(super) async fn claims(
    conn: Conn<'_>,
    numbers: &[&str],
) -> Result<Vec<InvoiceRow>, StoreError> {
    let rows: Vec<(String, i32, i64, i64)> = bulk!(read CLAIMS, conn, numbers, |number| [*number])?;
    let row = |(invoice_no, lane, number, time)| {
        let claim_id = ClaimId { lane: read::lane(lane, "claim")?, number };
        let create_time = Moment::from_micros(time);
        Ok(InvoiceRow { invoice_no, claim_id, create_time })
    };
    rows.into_iter().map(row).collect()
}
