//! PostgreSQL: a pool of writers for the lanes, a pool of readers beside it, and the guard that
//! keeps an abandoned transaction from coming back.

use std::str::FromStr;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::conn::Conn;
use super::error::StoreError;
use super::{Identity, Options, identify};

/// `server_version_num` of the oldest supported server.
const VERSION_MIN: u32 = 150_000;

/// How long a caller waits for a connection. Longer than any batch, shorter than a caller's
/// patience.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections beside one for each lane: directory, publishing, operations.
const WRITERS_EXTRA: u32 = 3;

/// Sessions of both pools.
///
/// Rows are found by key, never by going through a table. A plan made while the tables are empty,
/// and kept, prefers a scan or a hash of a whole table; without those only the way by index is
/// left, so that a plan made once is good for ever.
const SESSION: [(&str, &str); 8] = [
    // No statement here takes long on purpose: one that does is better cut off than waited for.
    ("statement_timeout", "30s"),
    // A server that hangs in a transaction must not hold a lane against all the others.
    ("idle_in_transaction_session_timeout", "10s"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Planning the look-up of one claim takes five times as long as running it.
    ("plan_cache_mode", "force_generic_plan"),
    // Compiling never pays for statements of milliseconds.
    ("jit", "off"),
];

/// A batch holds its lane for milliseconds; who waits this long waits for something stuck.
const WRITER: [(&str, &str); 1] = [("lock_timeout", "5s")];

/// Whatever a reader is asked, it changes nothing.
const READER: [(&str, &str); 1] = [("default_transaction_read_only", "on")];

/// Opens and migrates a database, which must exist.
pub(super) async fn open(
    url: &str,
    options: &Options,
) -> Result<(PgPool, PgPool, Identity), StoreError> {
    let mut connect = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::BadUrl("must be such as postgres://user@host:5432/greenlane"))?;
    if connect.get_application_name().is_none() {
        connect = connect.application_name("greenlane");
    }
    let identity = prepare(&connect, options).await?;
    let connect = connect.options(SESSION);
    let pool = |connections: u32| {
        PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT)
    };
    let writer = pool(u32::from(identity.lanes) + WRITERS_EXTRA)
        .after_release(release_guard)
        .connect_with(connect.clone().options(WRITER))
        .await?;
    // Readers begin no transactions, so none can be left behind: no guard.
    let reader = pool(options.readers_max.max(1)).connect_with(connect.options(READER)).await?;
    Ok((writer, reader, identity))
}

/// On a session of its own: a migration may take longer than any other statement.
async fn prepare(connect: &PgConnectOptions, options: &Options) -> Result<Identity, StoreError> {
    let mut conn = connect.connect().await?;
    let version = conn.server_version_num().unwrap_or_default();
    if version < VERSION_MIN {
        let (what, needed) = ("the PostgreSQL server", "15 or newer");
        let found = format!("version {}", version / 10_000);
        return Err(StoreError::Unsupported { what, found, needed });
    }
    // Under an advisory lock: of several servers that start together one migrates.
    sqlx::migrate!("migrations/postgres").run(&mut conn).await.map_err(StoreError::Migration)?;
    let identity = identify(Conn::Postgres(&mut conn), options).await?;
    conn.close().await?;
    Ok(identity)
}

/// Closes a connection that comes back to its pool in a transaction.
///
/// In sqlx 0.9.0 a future dropped inside `pool.begin()` has sent its `BEGIN` but not counted it,
/// so nobody rolls it back: the next user's statements, outside a transaction as they believe,
/// would be acknowledged and then lost. Only the server knows. `begin_with` tells what the server
/// says after a statement that begins nothing: success means that there was a transaction already.
pub fn release_guard(
    conn: &mut PgConnection,
    _: PoolConnectionMetadata,
) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    Box::pin(async move {
        match conn.begin_with("select 1").await {
            Ok(_abandoned) => Ok(false),
            Err(sqlx::Error::BeginFailed) => Ok(true),
            // A transaction that failed refuses even this; so does a broken connection.
            Err(error) => Err(error),
        }
    })
}
