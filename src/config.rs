//! What the operator decides: default < file < `GREENLANE_*` < flag, checked as a whole before the
//! first socket. Limits that protect correctness are constants beside the code they protect.
//!
//! Reads no global: the environment is an argument, so a test is as good as a start.

mod database;
mod directory_key;
mod layers;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use self::database::Database;
pub use self::directory_key::{DirectoryKey, DirectoryKeySource};
use self::layers::Layers;
pub use self::layers::Origin;
use crate::core::money::Fen;

/// The exit code of a wrong setting (`EX_USAGE` of sysexits).
pub const EXIT_WRONG_SETTING: u8 = 64;

const LANES_MAX: u16 = 256;
/// More than this many calls or watches are a mistyped number, not a plan.
const CALLS_MAX: usize = 1_000_000;
const CALLS_RIGHT: &str = "a whole number from 1 to 1000000";

/// The settings of a server. Each is also a variable, `GREENLANE_` and its name (`--log-format` is
/// `GREENLANE_LOG_FORMAT`), and a key of the TOML file (`log_format`). A flag outranks a variable,
/// a variable the file.
#[derive(clap::Args, Clone, Default)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// A TOML file with settings (env: `GREENLANE_CONFIG`)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// `sqlite://<path>` or `postgres://<user>@<host>/<database>` (default: `sqlite://greenlane.db`)
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,

    /// The address and port to serve on (default: 127.0.0.1:7443)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,

    /// Serve beyond loopback although callers are not authenticated
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub allow_unauthenticated: Option<String>,

    /// The file with the key of the member directory, 64 hexadecimal digits. Made beside a new
    /// SQLite database; required with PostgreSQL. `GREENLANE_DIRECTORY_KEY` may hold the digits
    /// themselves (default: `<sqlite path>.key`)
    #[arg(long, value_name = "FILE")]
    pub directory_key_file: Option<String>,

    /// How many lanes a new database gets, 1 to 256; an existing one keeps its own (default: 8)
    #[arg(long, value_name = "COUNT")]
    pub lanes: Option<String>,

    /// How many calls may be in flight; more are told to come again (default: 4096)
    #[arg(long, value_name = "COUNT")]
    pub in_flight_max: Option<String>,

    /// How many watches may be open, counted apart from other calls (default: 16384)
    #[arg(long, value_name = "COUNT")]
    pub watches_max: Option<String>,

    /// How many claims a roster import or a plan version may change without `confirm_impact`
    /// (default: 100)
    #[arg(long, value_name = "COUNT")]
    pub impact_claims_max: Option<String>,

    /// By how many yuan payouts may change with them without `confirm_impact` (default: 100000.00)
    #[arg(long, value_name = "YUAN")]
    pub impact_yuan_max: Option<String>,

    /// What is logged: levels, also by module, such as `info,greenlane=debug` (default: info)
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,

    /// How log lines are written: text or json (default: text)
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,

    /// Where traces are sent by OTLP over gRPC, such as `http://127.0.0.1:4317` (default: nowhere)
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// A TOML file with senders to fetch settlements from, as for `greenlane pull` (default: none)
    #[arg(long, value_name = "FILE")]
    pub pull: Option<String>,
}

/// What a client command needs.
#[derive(clap::Args, Clone, Debug)]
pub struct Client {
    /// The server to call
    #[arg(
        long,
        env = "GREENLANE_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:7443",
        value_parser = parse_server
    )]
    pub server: String,
}

fn parse_server(text: &str) -> Result<String, &'static str> {
    if is_http(text) { Ok(text.to_owned()) } else { Err("must be like http://127.0.0.1:7443") }
}

/// Whether this is `http://` with a host. TLS is left to a proxy or an agent on the same machine.
fn is_http(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some())
}

/// A setting that is wrong, by the name under which it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// `--listen`, `GREENLANE_LISTEN` or `greenlane.toml:3: listen`.
    pub setting: String,
    /// What is wrong and what would be right. Never a secret.
    pub problem: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Every setting with its effective value, checked. Prints as a TOML file that names the origin of
/// each value and hides secrets.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the ledger is.
    pub database: Database,
    /// Where to serve.
    pub listen: SocketAddr,
    /// Whether callers may reach it from other machines.
    pub allow_unauthenticated: bool,
    /// Where the directory's key comes from; [`Config::directory_key`] fetches it.
    pub directory_key: DirectoryKeySource,
    /// How many lanes a new database gets.
    pub lanes: u16,
    /// How many calls may be in flight.
    pub in_flight_max: usize,
    /// How many watches may be open.
    pub watches_max: usize,
    /// How many claims a roster import or a plan version may change without being told so.
    pub impact_claims_max: u64,
    /// By how much payouts may change with them.
    pub impact_max: Fen,
    /// What is logged; a filter that was checked.
    pub log: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Where traces are sent.
    pub otlp_endpoint: Option<String>,
    /// Which senders to fetch from.
    pub pull: Option<PathBuf>,
    layers: Layers,
}

impl Config {
    /// Puts the layers on top of each other and checks every value. `environment` is all of it:
    /// an unknown `GREENLANE_*` variable is an error.
    ///
    /// Reads the configuration file and a key file that was named; makes nothing.
    pub fn resolve(
        settings: &Settings,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Config, ConfigError> {
        let layers = Layers::read(settings, environment)?;
        let database = layers.value("database", Database::RIGHT, Database::parse)?;
        let config = Config {
            listen: layers.value("listen", "an address and port such as 127.0.0.1:7443", number)?,
            allow_unauthenticated: layers.value(
                "allow_unauthenticated",
                "true or false",
                number,
            )?,
            directory_key: directory_key(&layers, &database)?,
            lanes: layers.value("lanes", "a whole number from 1 to 256", |text| {
                number(text).filter(|lanes| (1..=LANES_MAX).contains(lanes))
            })?,
            in_flight_max: layers.value("in_flight_max", CALLS_RIGHT, calls)?,
            watches_max: layers.value("watches_max", CALLS_RIGHT, calls)?,
            impact_claims_max: layers.value(
                "impact_claims_max",
                "a whole number such as 100",
                number,
            )?,
            impact_max: layers.value("impact_yuan_max", "yuan such as 100000.00", |text| {
                Fen::parse_yuan(text).ok()
            })?,
            log: layers.value("log", "levels such as info or info,greenlane=debug", filter)?,
            log_format: layers.value("log_format", "text or json", |text| match text {
                "text" => Some(LogFormat::Text),
                "json" => Some(LogFormat::Json),
                _ => None,
            })?,
            otlp_endpoint: layers.optional(
                "otlp_endpoint",
                "a URL such as http://127.0.0.1:4317",
                |text| is_http(text).then(|| text.to_owned()),
            )?,
            pull: layers.optional("pull", "a path", path)?,
            database,
            layers,
        };
        config.check_reach()?;
        Ok(config)
    }

    fn check_reach(&self) -> Result<(), ConfigError> {
        if self.listen.ip().to_canonical().is_loopback() || self.allow_unauthenticated {
            return Ok(());
        }
        let problem = format!(
            "other machines can reach {}, and callers are not authenticated: listen on loopback, \
             or say --allow-unauthenticated (GREENLANE_ALLOW_UNAUTHENTICATED=true)",
            self.listen
        );
        Err(self.layers.error("listen", problem))
    }

    /// The directory's key. Makes one beside a SQLite database that does not exist yet, so call it
    /// before the database is opened.
    pub fn directory_key(&self) -> Result<DirectoryKey, ConfigError> {
        match &self.directory_key {
            DirectoryKeySource::Known(key) => Ok(key.clone()),
            DirectoryKeySource::BesideDatabase(path) => {
                let database = self.database.sqlite_path().expect("only SQLite has files");
                directory_key::read_or_make(path, database)
                    .map_err(|problem| self.layers.error("directory_key_file", problem))
            }
        }
    }
}

fn directory_key(layers: &Layers, database: &Database) -> Result<DirectoryKeySource, ConfigError> {
    let file = layers.optional("directory_key_file", "a path", path)?;
    match (layers.directory_key(), file, database.sqlite_path()) {
        (Some(_), Some(_), _) => Err(layers.error(
            "directory_key_file",
            format!("is given beside {}: give one of the two", layers::DIRECTORY_KEY_VARIABLE),
        )),
        (Some(key), None, _) => {
            let key = DirectoryKey::from_hex(key).ok_or_else(|| ConfigError {
                setting: layers::DIRECTORY_KEY_VARIABLE.into(),
                problem: "must be 64 hexadecimal digits".into(),
            })?;
            Ok(DirectoryKeySource::Known(key))
        }
        (None, Some(path), _) => directory_key::read(&path)
            .map(DirectoryKeySource::Known)
            .map_err(|problem| layers.error("directory_key_file", problem)),
        (None, None, Some(path)) => {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".key");
            Ok(DirectoryKeySource::BesideDatabase(beside.into()))
        }
        (None, None, None) => Err(layers.error(
            "directory_key_file",
            format!(
                "is required with PostgreSQL, because servers that share a database must share \
                 the key: name a file with 64 hexadecimal digits (openssl rand -hex 32), or set {}",
                layers::DIRECTORY_KEY_VARIABLE
            ),
        )),
    }
}

/// Yuan as a setting has them, without separators.
fn yuan(amount: Fen) -> String {
    format!("{}.{:02}", amount.fen() / 100, amount.fen() % 100)
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn calls(text: &str) -> Option<usize> {
    number(text).filter(|calls| (1..=CALLS_MAX).contains(calls))
}

/// A bare word that is no level would be read as the name of a module and silence all others.
fn filter(text: &str) -> Option<String> {
    let is_level = |part: &str| part.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let is_plausible = |part: &str| part.contains(['=', '[']) || is_level(part);
    let is_read = tracing_subscriber::EnvFilter::builder().parse(text).is_ok();
    (is_read && text.split(',').all(is_plausible)).then(|| text.to_owned())
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: String| toml::Value::String(text).to_string();
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let mut line =
            |key: &str, value: String| writeln!(f, "{key} = {value} # {}", self.layers.origin(key));
        line("database", quoted(self.database.to_string()))?;
        line("listen", quoted(self.listen.to_string()))?;
        line("allow_unauthenticated", self.allow_unauthenticated.to_string())?;
        line("lanes", self.lanes.to_string())?;
        line("in_flight_max", self.in_flight_max.to_string())?;
        line("watches_max", self.watches_max.to_string())?;
        line("impact_claims_max", self.impact_claims_max.to_string())?;
        line("impact_yuan_max", quoted(yuan(self.impact_max)))?;
        line("log", quoted(self.log.clone()))?;
        line("log_format", quoted(format.into()))?;
        if let Some(endpoint) = &self.otlp_endpoint {
            line("otlp_endpoint", quoted(endpoint.clone()))?;
        }
        if let Some(path) = &self.pull {
            line("pull", quoted(path.display().to_string()))?;
        }
        match (&self.directory_key, self.layers.text("directory_key_file")) {
            (_, Some(path)) => line("directory_key_file", quoted(path.to_owned())),
            (DirectoryKeySource::BesideDatabase(path), None) => {
                line("directory_key_file", quoted(path.display().to_string()))
            }
            (DirectoryKeySource::Known(_), None) => {
                writeln!(f, "# {} is set and not shown", layers::DIRECTORY_KEY_VARIABLE)
            }
        }
    }
}
