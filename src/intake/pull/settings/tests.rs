//! The file of senders: every key, and every problem at its line.

use super::*;

const EVERYTHING: &str = r#"
[[senders]]
sender = "a"
every_seconds = 5
[senders.endpoint]
url = "https://platform.example:8443/5203"
region = "370200"
insured_region = "370200"
institution_code = "Z37020000001"
institution_name = "某公司"
receiver = "YBXT"
interface_version = "V1.0"
operator = "greenlane"
from_date = "2024-01-01"
paged_by = "setl_time"
page_size = 100
overlap_minutes = 30
look_back_days = 0
timeout_seconds = 20
ca_file = "ca.pem"
client_certificate_file = "us.pem"
header_files = { Authorization = "secret" }
signature = { kind = "SM2", sign = ["/bin/sign"], verify = ["/bin/verify"] }
encryption = { kind = "SM4", encrypt = ["/bin/sm4"], decrypt = ["/bin/sm4", "-d"] }
[[senders]]
sender = "b"
[senders.folder]
path = "in"
working = "working"
done = "done"
failed = "failed"
settle_seconds = 3
"#;

fn problems(document: &str) -> Vec<String> {
    let problems = Senders::read(document).err().unwrap_or_default();
    problems.iter().map(|it| format!("{} {} {}", it.line, it.key, it.problem)).collect()
}

#[test]
fn every_key_is_read_and_described() {
    let senders = Senders::read(EVERYTHING).unwrap().0;
    let Way::Endpoint(endpoint) = &senders[0].way else { panic!("an endpoint") };
    assert_eq!(endpoint.header_files.keys().collect::<Vec<_>>(), ["authorization"]);
    assert_eq!((endpoint.paged_by, endpoint.page_size), (PagedBy::SetlTime, 100));
    assert_eq!(endpoint.look_back, Duration::ZERO);
    let Way::Folder(folder) = &senders[1].way else { panic!("a folder") };
    assert_eq!((folder.done.to_str(), folder.settle.as_secs()), (Some("done"), 3));
    for page in [
        include_str!("../../../../deploy/senders/README.md"),
        include_str!("../../../../deploy/senders/README.zh-CN.md"),
    ] {
        for line in EVERYTHING.lines().filter_map(|line| line.split_once(" = ")) {
            assert!(page.contains(&format!("`{}`", line.0)), "{}", line.0);
        }
    }
    let shipped = include_str!("../../../../deploy/senders/pull/senders.toml");
    assert_eq!(problems(shipped), Vec::<String>::new());
}

#[test]
fn every_problem_is_told_at_its_line() {
    let with = |from: &str, to: &str| problems(&EVERYTHING.replace(from, to));
    let url = "must be https://…, or http:// on this machine";
    for wrong in [
        "http://platform.example",
        "ftp://127.0.0.1",
        "https://a@b",
        "https://",
        "x",
        "http://127.evil.example",
    ] {
        let changed = with("https://platform.example:8443/5203", wrong);
        assert_eq!(changed, [format!("6 senders[0].endpoint.url {url}")], "{wrong}");
    }
    for right in ["http://127.0.0.1:80/x", "http://localhost/", "http://[::1]:8/", "https://[::2]"]
    {
        let changed = with("https://platform.example:8443/5203", right);
        assert_eq!(changed, Vec::<String>::new(), "{right}");
    }
    let program = "must begin with the absolute path of a program";
    let changed = with("[\"/bin/sign\"]", "[\"sign\"]");
    assert_eq!(changed, [format!("23 senders[0].endpoint.signature.sign {program}")]);
    let changed = with("sender = \"b\"", "sender = \"a\"");
    assert_eq!(changed, ["26 senders[1].sender is listed twice"]);
    let changed = with("[senders.folder]", "endpoint = {}\n[senders.folder]");
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(changed[0].ends_with("has an endpoint and a folder"), "{changed:?}");
    assert_eq!(problems(""), ["1 senders is missing"]);
    assert_eq!(with("page_size = 100", "page_size = 0").len(), 1);
}
