//! `superstep devices`.

use super::Folder;
use serde_json::Value;

#[test]
fn lists_the_cpu_first_and_every_adapter_by_its_number() {
    let json: Value = serde_json::from_str(&Folder::new().done("devices --json").stdout).expect("one JSON object");
    let devices = json["devices"].as_array().expect("devices");
    assert_eq!((&devices[0]["device"], &devices[0]["kind"]), (&"cpu".into(), &"cpu".into()));
    for (number, device) in devices.iter().skip(1).enumerate() {
        assert_eq!(device["device"], format!("gpu:{number}"));
        assert!(device["max_binding_bytes"].is_u64() && device["max_buffer_bytes"].is_u64(), "{device}");
        assert!(["name", "kind", "interface", "driver"].iter().all(|key| device[key].is_string()), "{device}");
    }
}

#[test]
fn the_table_says_what_a_software_adapter_is() {
    let folder = Folder::new();
    let json: Value = serde_json::from_str(&folder.done("devices --json").stdout).expect("one JSON object");
    let devices = json["devices"].as_array().expect("devices");
    let table = folder.done("devices").stdout;
    assert_eq!(table.lines().count(), devices.len() + 1);
    for (line, device) in table.lines().skip(1).zip(devices) {
        let software = device["kind"] == "software-adapter";
        assert_eq!(line.contains("software adapter, not a GPU"), software, "{line}");
    }
}
