//! The four layers of the configuration, each value with its origin. Knows names, not meanings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, Settings};

/// Every setting and its default, if there is a fixed one.
const SETTINGS: [(&str, Option<&str>); 13] = [
    ("allow_unauthenticated", Some("false")),
    ("database", Some("sqlite://greenlane.db")),
    ("directory_key_file", None),
    ("impact_claims_max", Some("100")),
    ("impact_yuan_max", Some("100000.00")),
    ("in_flight_max", Some("4096")),
    ("lanes", Some("8")),
    ("listen", Some("127.0.0.1:7443")),
    ("log", Some("info")),
    ("log_format", Some("text")),
    ("otlp_endpoint", None),
    ("pull", None),
    ("watches_max", Some("16384")),
];

const PREFIX: &str = "GREENLANE_";
const CONFIG_VARIABLE: &str = "GREENLANE_CONFIG";
/// Has no flag and no key: flags show in process lists, and files are copied about.
pub(super) const DIRECTORY_KEY_VARIABLE: &str = "GREENLANE_DIRECTORY_KEY";
/// Read by [`super::Client`]; known here because one environment may serve both.
const SERVER_VARIABLE: &str = "GREENLANE_SERVER";
/// Read by the commands of the review desk.
const ACTOR_VARIABLE: &str = "GREENLANE_ACTOR";
/// For `tests/run`, whose servers inherit it.
const TEST_PREFIX: &str = "GREENLANE_TEST_";

/// Who gave a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// A line of the configuration file, as `path:line`.
    File(String),
    /// A variable.
    Environment,
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(place) => write!(f, "file {place}"),
            Origin::Environment => f.write_str("environment"),
            Origin::Flag => f.write_str("flag"),
        }
    }
}

/// The effective text of each setting.
#[derive(Clone)]
pub(super) struct Layers {
    given: BTreeMap<&'static str, (String, Origin)>,
    directory_key: Option<String>,
}

/// Holds a database password and a key, so it shows names only.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.given.keys()).finish()
    }
}

/// The configuration file. The types are those a reader of TOML expects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    allow_unauthenticated: Option<Spanned<bool>>,
    database: Option<Spanned<String>>,
    directory_key_file: Option<Spanned<String>>,
    impact_claims_max: Option<Spanned<i64>>,
    impact_yuan_max: Option<Spanned<String>>,
    in_flight_max: Option<Spanned<i64>>,
    lanes: Option<Spanned<i64>>,
    listen: Option<Spanned<String>>,
    log: Option<Spanned<String>>,
    log_format: Option<Spanned<String>>,
    otlp_endpoint: Option<Spanned<String>>,
    pull: Option<Spanned<String>>,
    watches_max: Option<Spanned<i64>>,
}

impl Layers {
    pub(super) fn read(
        settings: &Settings,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Layers, ConfigError> {
        let mut environment = read_environment(environment)?;
        let mut layers = Layers { given: BTreeMap::new(), directory_key: None };
        for (key, default) in SETTINGS {
            layers.give(key, default.map(str::to_owned), Origin::Default);
        }
        let variable = environment.remove(CONFIG_VARIABLE);
        if let Some(path) = &settings.config {
            layers.read_file(path, "--config")?;
        } else if let Some(path) = variable {
            layers.read_file(Path::new(&path), CONFIG_VARIABLE)?;
        }
        for (key, _) in SETTINGS {
            layers.give(key, environment.remove(&variable_of(key)), Origin::Environment);
        }
        layers.directory_key = environment.remove(DIRECTORY_KEY_VARIABLE);
        layers.read_flags(settings);
        Ok(layers)
    }

    fn give(&mut self, key: &'static str, text: Option<String>, origin: Origin) {
        if let Some(text) = text {
            self.given.insert(key, (text, origin));
        }
    }

    fn read_file(&mut self, path: &Path, named_by: &str) -> Result<(), ConfigError> {
        let document = std::fs::read_to_string(path).map_err(|error| ConfigError {
            setting: named_by.to_owned(),
            problem: format!("cannot read {}: {error}", path.display()),
        })?;
        let line_of = |offset| document.get(..offset).unwrap_or_default().matches('\n').count();
        let place = |line: usize| format!("{}:{}", path.display(), line + 1);
        let file: Document = toml::from_str(&document).map_err(|error| {
            let line = line_of(error.span().map_or(0, |span| span.start));
            // An unknown key is named by the message, a value of the wrong type is not.
            let key = document.lines().nth(line).and_then(|text| text.split_once('='));
            let key = key.map_or_else(String::new, |(key, _)| format!(": {}", key.trim()));
            let problem = error.message().trim().replace('\n', ", ");
            ConfigError { setting: place(line) + &key, problem }
        })?;
        let mut give = |key, text: Option<(usize, String)>| {
            if let Some((offset, text)) = text {
                self.give(key, Some(text), Origin::File(place(line_of(offset))));
            }
        };
        give("allow_unauthenticated", text_of(file.allow_unauthenticated));
        give("database", text_of(file.database));
        give("directory_key_file", text_of(file.directory_key_file));
        give("impact_claims_max", text_of(file.impact_claims_max));
        give("impact_yuan_max", text_of(file.impact_yuan_max));
        give("in_flight_max", text_of(file.in_flight_max));
        give("lanes", text_of(file.lanes));
        give("listen", text_of(file.listen));
        give("log", text_of(file.log));
        give("log_format", text_of(file.log_format));
        give("otlp_endpoint", text_of(file.otlp_endpoint));
        give("pull", text_of(file.pull));
        give("watches_max", text_of(file.watches_max));
        Ok(())
    }

    fn read_flags(&mut self, settings: &Settings) {
        let mut give = |key, flag: &Option<String>| self.give(key, flag.clone(), Origin::Flag);
        give("allow_unauthenticated", &settings.allow_unauthenticated);
        give("database", &settings.database);
        give("directory_key_file", &settings.directory_key_file);
        give("impact_claims_max", &settings.impact_claims_max);
        give("impact_yuan_max", &settings.impact_yuan_max);
        give("in_flight_max", &settings.in_flight_max);
        give("lanes", &settings.lanes);
        give("listen", &settings.listen);
        give("log", &settings.log);
        give("log_format", &settings.log_format);
        give("otlp_endpoint", &settings.otlp_endpoint);
        give("pull", &settings.pull);
        give("watches_max", &settings.watches_max);
    }

    /// The value of a setting that has a default. `right` says what it must be.
    pub(super) fn value<T>(
        &self,
        key: &'static str,
        right: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let value = self.optional(key, right, read)?;
        value.ok_or_else(|| self.error(key, format!("must be {right}")))
    }

    /// The value of a setting, if it was given.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        right: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        // A wrong database URL is not repeated: it may hold a password.
        let not = if key == "database" { String::new() } else { format!(", not {text:?}") };
        let value = read(text).ok_or_else(|| self.error(key, format!("must be {right}{not}")))?;
        Ok(Some(value))
    }

    /// The text of a setting, if it was given or has a default.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.given.get(key).map(|(text, _)| text.as_str())
    }

    /// Who gave it.
    pub(super) fn origin(&self, key: &str) -> &Origin {
        self.given.get(key).map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// The key given by value.
    pub(super) fn directory_key(&self) -> Option<&str> {
        self.directory_key.as_deref()
    }

    /// A problem under the name that its giver used.
    pub(super) fn error(&self, key: &str, problem: String) -> ConfigError {
        let flag = format!("--{}", key.replace('_', "-"));
        let setting = match self.origin(key) {
            Origin::Default => format!("{} ({flag})", variable_of(key)),
            Origin::File(place) => format!("{place}: {key}"),
            Origin::Environment => variable_of(key),
            Origin::Flag => flag,
        };
        ConfigError { setting, problem }
    }
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

fn text_of<T: ToString>(value: Option<Spanned<T>>) -> Option<(usize, String)> {
    value.map(|value| (value.span().start, value.get_ref().to_string()))
}

/// Our variables, each of which must be known: a misspelled one would be silently without effect.
fn read_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut known: Vec<String> = SETTINGS.iter().map(|(key, _)| variable_of(key)).collect();
    let apart = [ACTOR_VARIABLE, CONFIG_VARIABLE, DIRECTORY_KEY_VARIABLE, SERVER_VARIABLE];
    known.extend(apart.map(str::to_owned));
    known.sort();
    let mut ours = BTreeMap::new();
    for (name, value) in environment {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) || name.starts_with(TEST_PREFIX) || is_service_link(&name) {
            continue;
        }
        if !known.contains(&name) {
            let problem = format!("is no setting; there are {}", known.join(", "));
            return Err(ConfigError { setting: name, problem });
        }
        let Ok(value) = value.into_string() else {
            return Err(ConfigError { setting: name, problem: "must be UTF-8".into() });
        };
        ours.insert(name, value);
    }
    Ok(ours)
}

/// Whether Kubernetes made it: a service named `greenlane` puts `GREENLANE_SERVICE_HOST`,
/// `GREENLANE_PORT_7443_TCP_ADDR` and their like into every container beside it.
fn is_service_link(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"].iter().any(|part| name.contains(part))
        || name.ends_with("_PORT")
}
