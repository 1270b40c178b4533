use std::path::Path;

use expect_test::{Expect, expect};

use super::*;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn flags(arguments: &[&str]) -> Settings {
    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        settings: Settings,
    }
    let arguments = std::iter::once(&"greenlane").chain(arguments);
    <Command as clap::Parser>::try_parse_from(arguments)
        .unwrap_or_else(|error| panic!("{error}"))
        .settings
}

/// Writes a configuration file; it is gone when the directory is dropped.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("greenlane.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (home, path)
}

/// Resolves and prints the configuration or the error, the file's path as `FILE`.
fn printed(arguments: &[&str], variables: &[(&str, &str)], text: Option<&str>) -> String {
    let file = text.map(file);
    let mut settings = flags(arguments);
    settings.config = file.as_ref().map(|(_, path)| path.into());
    let printed = match Config::resolve(&settings, environment(variables)) {
        Ok(config) => config.to_string(),
        Err(error) => format!("{error}\n"),
    };
    let path = file.as_ref().map_or("FILE", |(_, path)| path);
    printed.replace(path, "FILE")
}

/// Resolves each list of flags and prints what comes of it.
#[track_caller]
fn check(cases: &[&[&str]], expected: &Expect) {
    let printed: String = cases.iter().map(|arguments| printed(arguments, &[], None)).collect();
    expected.assert_eq(&printed);
}

#[test]
fn without_settings_everything_has_a_default() {
    check(
        &[&[]],
        &expect![[r#"
        database = "sqlite://greenlane.db" # default
        listen = "127.0.0.1:7443" # default
        allow_unauthenticated = false # default
        lanes = 8 # default
        in_flight_max = 4096 # default
        watches_max = 16384 # default
        impact_claims_max = 100 # default
        impact_yuan_max = "100000.00" # default
        log = "info" # default
        log_format = "text" # default
        directory_key_file = "greenlane.db.key" # default
    "#]],
    );
}

#[test]
fn a_flag_outranks_a_variable_outranks_the_file_outranks_the_default() {
    let text = "lanes = 2\nin_flight_max = 2\nlog = \"warn\"\n";
    let variables = [("GREENLANE_IN_FLIGHT_MAX", "3"), ("GREENLANE_LOG", "error")];
    expect![[r#"
        database = "sqlite://greenlane.db" # default
        listen = "127.0.0.1:7443" # default
        allow_unauthenticated = false # default
        lanes = 2 # file FILE:1
        in_flight_max = 3 # environment
        watches_max = 16384 # default
        impact_claims_max = 100 # default
        impact_yuan_max = "100000.00" # default
        log = "debug" # flag
        log_format = "text" # default
        directory_key_file = "greenlane.db.key" # default
    "#]]
    .assert_eq(&printed(&["--log=debug"], &variables, Some(text)));
}

#[test]
fn the_printed_configuration_is_one() {
    let settings = flags(&["--lanes=16", "--log-format=json", "--allow-unauthenticated"]);
    let first = Config::resolve(&settings, []).unwrap().to_string();
    // The key beside the database is named but not made yet.
    let readable = first.replace("directory_key_file", "# directory_key_file");
    let (_home, path) = file(&readable);
    let again = Config::resolve(&Settings { config: Some(path.into()), ..flags(&[]) }, []);
    let without_origin = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" # ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(without_origin(&first), without_origin(&again.unwrap().to_string()));
}

#[test]
fn a_variable_may_name_the_file_and_a_flag_another() {
    let ((_home, two), (_other, three)) = (file("lanes = 2\n"), file("lanes = 3\n"));
    let variables = environment(&[("GREENLANE_CONFIG", &two)]);
    assert_eq!(Config::resolve(&flags(&[]), variables.clone()).unwrap().lanes, 2);
    assert_eq!(Config::resolve(&flags(&["--config", &three]), variables).unwrap().lanes, 3);
    let error = Config::resolve(&flags(&["--config", "/no/such/file"]), []).unwrap_err();
    assert_eq!(error.setting, "--config");
    let missing = environment(&[("GREENLANE_CONFIG", "/no/such/file")]);
    let error = Config::resolve(&flags(&[]), missing).unwrap_err();
    assert_eq!(error.setting, "GREENLANE_CONFIG");
}

#[test]
fn an_unknown_name_is_an_error() {
    let files = ["lanes = 2\nlane = 3\n", "directory_key = \"secret\"\n", "lanes = \n"];
    let files: String = files.map(|text| printed(&[], &[], Some(text))).concat();
    expect![[r#"
        FILE:2: lane: unknown field `lane`, expected one of `allow_unauthenticated`, `database`, `directory_key_file`, `impact_claims_max`, `impact_yuan_max`, `in_flight_max`, `lanes`, `listen`, `log`, `log_format`, `otlp_endpoint`, `pull`, `watches_max`
        FILE:1: directory_key: unknown field `directory_key`, expected one of `allow_unauthenticated`, `database`, `directory_key_file`, `impact_claims_max`, `impact_yuan_max`, `in_flight_max`, `lanes`, `listen`, `log`, `log_format`, `otlp_endpoint`, `pull`, `watches_max`
        FILE:1: lanes: string values must be quoted, expected literal string
    "#]].assert_eq(&files);
    expect![[r#"
        GREENLANE_LISTN: is no setting; there are GREENLANE_ACTOR, GREENLANE_ALLOW_UNAUTHENTICATED, GREENLANE_CONFIG, GREENLANE_DATABASE, GREENLANE_DIRECTORY_KEY, GREENLANE_DIRECTORY_KEY_FILE, GREENLANE_IMPACT_CLAIMS_MAX, GREENLANE_IMPACT_YUAN_MAX, GREENLANE_IN_FLIGHT_MAX, GREENLANE_LANES, GREENLANE_LISTEN, GREENLANE_LOG, GREENLANE_LOG_FORMAT, GREENLANE_OTLP_ENDPOINT, GREENLANE_PULL, GREENLANE_SERVER, GREENLANE_WATCHES_MAX
    "#]].assert_eq(&printed(&[], &[("GREENLANE_LISTN", "127.0.0.1:1")], None));
}

#[test]
fn variables_of_others_are_left_alone() {
    let variables = environment(&[
        ("GREENLANE_SERVICE_HOST", "10.0.0.1"),
        ("GREENLANE_PORT", "tcp://10.0.0.1:7443"),
        ("GREENLANE_PORT_7443_TCP_ADDR", "10.0.0.1"),
        ("GREENLANE_POSTGRES_SERVICE_PORT_SQL", "5432"),
        ("GREENLANE_TEST_REQUIRE_POSTGRES", "1"),
        ("GREENLANE_SERVER", "http://127.0.0.1:7443"),
        ("GREENLANE_ACTOR", "adjuster-7"),
        ("RUST_LOG", "nonsense"),
    ]);
    Config::resolve(&flags(&[]), variables).unwrap();
}

#[test]
fn each_wrong_value_names_its_setting_and_what_would_be_right() {
    check(
        &[
            &["--database=mysql://u:secret@h/db"],
            &["--listen=localhost"],
            &["--allow-unauthenticated=yes"],
            &["--directory-key-file=/no/such/file"],
            &["--directory-key-file="],
            &["--lanes=0"],
            &["--lanes=257"],
            &["--in-flight-max=many"],
            &["--log=inf0"],
            &["--log=info,greenlane=loud"],
            &["--log-format=xml"],
            &["--otlp-endpoint=collector:4317"],
        ],
        &expect![[r#"
            --database: must be sqlite://<path> or postgres://<user>@<host>/<database>
            --listen: must be an address and port such as 127.0.0.1:7443, not "localhost"
            --allow-unauthenticated: must be true or false, not "yes"
            --directory-key-file: cannot read /no/such/file: No such file or directory (os error 2)
            --directory-key-file: must be a path, not ""
            --lanes: must be a whole number from 1 to 256, not "0"
            --lanes: must be a whole number from 1 to 256, not "257"
            --in-flight-max: must be a whole number from 1 to 1000000, not "many"
            --log: must be levels such as info or info,greenlane=debug, not "inf0"
            --log: must be levels such as info or info,greenlane=debug, not "info,greenlane=loud"
            --log-format: must be text or json, not "xml"
            --otlp-endpoint: must be a URL such as http://127.0.0.1:4317, not "collector:4317"
        "#]],
    );
    let variables = [("GREENLANE_LANES", ""), ("GREENLANE_DIRECTORY_KEY", "secret")];
    let variables: String = variables.map(|it| printed(&[], &[it], None)).concat();
    expect![[r#"
        GREENLANE_LANES: must be a whole number from 1 to 256, not ""
        GREENLANE_DIRECTORY_KEY: must be 64 hexadecimal digits
    "#]]
    .assert_eq(&variables);
    let files = ["\n\nlanes = 0\n", "lanes = \"8\"\n", "log = \"inf0\""];
    let files: String = files.map(|text| printed(&[], &[], Some(text))).concat();
    expect![[r#"
        FILE:3: lanes: must be a whole number from 1 to 256, not "0"
        FILE:1: lanes: invalid type: string "8", expected i64
        FILE:1: log: must be levels such as info or info,greenlane=debug, not "inf0"
    "#]]
    .assert_eq(&files);
}

#[test]
fn only_loopback_is_served_without_authentication() {
    check(
        &[&["--listen=0.0.0.0:7443"], &["--listen=[::]:7443"]],
        &expect![[r#"
        --listen: other machines can reach 0.0.0.0:7443, and callers are not authenticated: listen on loopback, or say --allow-unauthenticated (GREENLANE_ALLOW_UNAUTHENTICATED=true)
        --listen: other machines can reach [::]:7443, and callers are not authenticated: listen on loopback, or say --allow-unauthenticated (GREENLANE_ALLOW_UNAUTHENTICATED=true)
    "#]],
    );
    for listen in ["--listen=127.0.0.2:0", "--listen=[::1]:7443", "--listen=[::ffff:127.0.0.1]:1"] {
        Config::resolve(&flags(&[listen]), []).unwrap();
    }
    let open = Config::resolve(&flags(&["--listen=0.0.0.0:1", "--allow-unauthenticated"]), []);
    assert!(open.unwrap().allow_unauthenticated);
    let variables = environment(&[("GREENLANE_ALLOW_UNAUTHENTICATED", "true")]);
    Config::resolve(&flags(&["--listen=0.0.0.0:1"]), variables.clone()).unwrap();
    let no = flags(&["--listen=0.0.0.0:1", "--allow-unauthenticated=false"]);
    Config::resolve(&no, variables).unwrap_err();
}

#[test]
fn postgresql_needs_a_shared_key() {
    let postgres = "--database=postgres://u:secret@h/db";
    check(
        &[&[postgres]],
        &expect![[r#"
        GREENLANE_DIRECTORY_KEY_FILE (--directory-key-file): is required with PostgreSQL, because servers that share a database must share the key: name a file with 64 hexadecimal digits (openssl rand -hex 32), or set GREENLANE_DIRECTORY_KEY
    "#]],
    );
    expect![[r#"
        database = "postgres://u:***@h/db" # flag
        listen = "127.0.0.1:7443" # default
        allow_unauthenticated = false # default
        lanes = 8 # default
        in_flight_max = 4096 # default
        watches_max = 16384 # default
        impact_claims_max = 100 # default
        impact_yuan_max = "100000.00" # default
        log = "info" # default
        log_format = "text" # default
        # GREENLANE_DIRECTORY_KEY is set and not shown
    "#]]
    .assert_eq(&printed(&[postgres], &[("GREENLANE_DIRECTORY_KEY", KEY)], None));
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    let named = format!("--directory-key-file={}", path.display());
    let config = Config::resolve(&flags(&[postgres, &named]), []).unwrap();
    assert_eq!(config.directory_key().unwrap(), DirectoryKey::from_hex(KEY).unwrap());
    let both = environment(&[("GREENLANE_DIRECTORY_KEY", KEY)]);
    let error = Config::resolve(&flags(&[postgres, &named]), both).unwrap_err();
    assert_eq!(error.setting, "--directory-key-file");
}

#[test]
fn sqlite_gets_its_key_when_it_is_used_not_when_it_is_printed() {
    let home = tempfile::tempdir().unwrap();
    let database = format!("--database=sqlite://{}", home.path().join("ledger.db").display());
    let config = Config::resolve(&flags(&[&database]), []).unwrap();
    let path = home.path().join("ledger.db.key");
    assert!(config.to_string().contains("ledger.db.key") && !path.exists());
    let key = config.directory_key().unwrap();
    assert!(Path::new(&path).exists());
    assert_eq!(config.directory_key().unwrap(), key);
}

#[test]
fn secrets_are_in_no_output() {
    let settings = flags(&["--database=postgres://u:hunter2@h/db"]);
    let config =
        Config::resolve(&settings, environment(&[("GREENLANE_DIRECTORY_KEY", KEY)])).unwrap();
    let shown = format!("{config} {config:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
}

#[test]
fn a_server_is_named_by_its_url() {
    assert!(parse_server("http://127.0.0.1:7443").is_ok());
    for text in ["127.0.0.1:7443", "https://h", "http://", ""] {
        assert!(parse_server(text).is_err(), "{text}");
    }
}
