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

/// Sessions of both pools. No statement here takes long on purpose: one that does is better cut
/// off than waited for. Compiling (jit) never pays for statements of milliseconds.
const SESSION: [(&str, &str); 2] = [("statement_timeout", "30s"), ("jit", "off")];

/// Writers only look rows up by key. A plan made while the tables are empty, and kept, prefers a
/// scan or a hash of a whole table; without those only the look-up by index is left, so that a
/// plan made once is good for ever and need not be made for each batch.
const WRITER: [(&str, &str); 7] = [
    // A batch holds its lane for milliseconds; who waits this long waits for something stuck.
    ("lock_timeout", "5s"),
    // A server that hangs in a transaction must not hold a lane against all the others.
    ("idle_in_transaction_session_timeout", "10s"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// Readers ask what a caller filters by, so each question needs its own plan.
const READER: [(&str, &str); 3] = [
    ("default_transaction_read_only", "on"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("plan_cache_mode", "force_custom_plan"),
];

/// Opens and migrates a database, which must exist.
pub(super) async fn open(
    url: &str,
    options: &Options,
) -> Result<(PgPool, PgPool, Identity), StoreError> {
    let connect = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::BadUrl("must be such as postgres://user@host:5432/greenlane"))?
        .application_name("greenlane");
    let identity = prepare(&connect, options).await?;
    let connect = connect.options(SESSION);
    let pool = |connections: u32, connect: PgConnectOptions| {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_release(release_guard)
            .connect_with(connect)
    };
    let writers = u32::from(identity.lanes) + WRITERS_EXTRA;
    let writer = pool(writers, connect.clone().options(WRITER)).await?;
    let reader = pool(options.readers_max.max(1), connect.options(READER)).await?;
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
