//! Commands that change something, ended and given again.

use std::path::Path;

use catenary_tests::consortium::CHAINS;
use catenary_tests::localnet::Account;
use serde_json::Value;

use super::memory::Memory;
use super::rig::{Rig, DEADLINE};
use super::table::{Row, When, ROWS};

/// Transactions of a path that is made once: two clients, a contract, a counterparty.
const PATH_CALLS: usize = 4;

/// Ends a command as a row says, gives it again, and looks what it did in all.
pub fn run(rig: &mut Rig, row: &Row) {
    match row.when {
        When::PathCreate => path_create(rig, row),
        When::TransferSend => transfer_send(rig, row),
        When::KeysNew => keys_new(rig, row),
        When::Backup => backup(rig, row),
        When::Restore => restore(rig, row),
        _ => unreachable!("{} is no command", row.name()),
    }
    eprintln!("crash: {:<28}         {}", row.name(), row.holds);
}

/// A word that no other row has.
fn word(row: &Row) -> String {
    let place = ROWS.iter().position(|other| other.name() == row.name()).unwrap();
    format!("crash-{place}")
}

/// Ends a command at the points of a row, one after the other.
fn end(rig: &mut Rig, row: &Row, config: &Path, args: &[&str]) {
    if let Some(first) = row.after {
        rig.alpha().cli_ended(config, args, first).unwrap();
    }
    rig.alpha().cli_ended(config, args, &format!("{}:{}", row.point, row.pass)).unwrap();
}

/// A path of its own, made with alpha's keys and in alpha's journal, for which alpha stops.
fn path_create(rig: &mut Rig, row: &Row) {
    rig.alpha().stop();
    let path = word(row);
    let old = rig.consortium.clients.clone();
    let whole = std::fs::read_to_string(rig.alpha().config_file()).unwrap();
    let whole = whole.replace("name = \"quorum-simd\"", &format!("name = \"{path}\""));
    let made = |line: &&str| !line.starts_with("client = ") && !line.starts_with("light_client");
    let bare: Vec<&str> = whole.lines().filter(made).collect();
    let config = rig.alpha().dir().join(format!("{path}.toml"));
    std::fs::write(&config, bare.join("\n")).unwrap();
    let args = ["path", "create", path.as_str()];
    end(rig, row, &config, &args);
    let created = rig.alpha().cli_with(&config, &args).unwrap();
    let memory = Memory::read(&rig.data_dir(0));
    assert!(memory.faults.is_empty(), "{}: {:#?}", row.name(), memory.faults);
    let calls: Vec<&String> = memory.calls.iter().filter(|(of, _)| *of == path).map(|(_, id)| id).collect();
    assert_eq!(calls.len(), PATH_CALLS, "{}: each step once: {calls:#?}", row.name());
    let value = |field: &str| created[field].as_str().unwrap_or_else(|| panic!("{field} of {created}")).to_owned();
    let full = whole
        .replace(&format!("client = \"{}\"", old.evm), &format!("client = \"{}\"", value("evm_client")))
        .replace(&format!("client = \"{}\"", old.cosmos), &format!("client = \"{}\"", value("cosmos_client")))
        .replace(&old.light_client, &value("light_client"))
        .replace(&old.light_client_code_hash, &value("light_client_code_hash"));
    std::fs::write(&config, full).unwrap();
    // What the command made is what a path is made of.
    rig.alpha().cli_with(&config, &["check", "--online"]).unwrap();
}

/// A backup beside a running node, taken over one of before: that one stays good whatever happens.
fn backup(rig: &mut Rig, row: &Row) {
    if !rig.alpha().is_up() {
        rig.start_alpha(None);
    }
    rig.alpha().wait_ready(DEADLINE).unwrap();
    let config = rig.alpha().config_file();
    let target = rig.alpha().dir().join(word(row)).display().to_string();
    let take = ["store", "backup", target.as_str()];
    let test = ["store", "restore", target.as_str(), "--verify"];
    let records = |value: &Value| value["records"].as_u64().unwrap();
    let before = records(&rig.alpha().cli(&take).unwrap());
    rig.send(2);
    end(rig, row, &config, &take);
    let left = records(&rig.alpha().cli(&test).unwrap()["backup"]);
    assert!(left >= before, "{}: {left} records, {before} before", row.name());
    let again = records(&rig.alpha().cli(&take).unwrap());
    assert_eq!(records(&rig.alpha().cli(&test).unwrap()["backup"]), again, "{}", row.name());
    assert!(again >= left, "{}: {again} records, {left} before", row.name());
    let shown = rig.alpha().metric("catenary_backup_last_bytes", &[]).is_ok();
    assert!(shown, "{}: the node is well", row.name());
    rig.all_end(&row.name());
}

/// A journal put back into an empty data directory, and gone on with.
fn restore(rig: &mut Rig, row: &Row) {
    rig.alpha().stop();
    let config = rig.alpha().config_file();
    let target = rig.alpha().dir().join(word(row)).display().to_string();
    let taken = rig.alpha().cli(&["store", "backup", &target]).unwrap();
    let data = rig.data_dir(0);
    std::fs::rename(&data, rig.alpha().dir().join(format!("{}-data", word(row)))).unwrap();
    let put_back = ["store", "restore", target.as_str()];
    end(rig, row, &config, &put_back);
    // Given again it does what is left to do, or says that it was done.
    match rig.alpha().cli(&put_back) {
        Ok(value) => assert_eq!(value["backup"]["records"], taken["records"], "{}", row.name()),
        Err(error) => assert!(error.to_string().contains("STORE-104"), "{}: {error}", row.name()),
    }
    let checked = rig.alpha().cli(&["store", "check", "--full"]).unwrap();
    let records = checked["journal"]["records"].as_u64().unwrap();
    assert_eq!(records, taken["records"].as_u64().unwrap() + 1, "{}: and that it was put back", row.name());
    reset_attestors(rig, "the backup was taken after the node had stopped");
    rig.settle(&row.name());
    rig.send(2);
    rig.all_end(&row.name());
}

/// Lets alpha's keys attest again.
pub fn reset_attestors(rig: &mut Rig, reason: &str) {
    let keys = rig.alpha().cli(&["keys", "list"]).unwrap();
    let ids = keys.as_array().unwrap().iter().filter_map(|key| key["id"].as_str());
    for id in ids.filter(|id| id.contains("-attests-")) {
        rig.alpha().cli(&["attestor", "reset", id, "--reason", reason]).unwrap();
    }
}

/// A user's transfer by hand, with a key and a journal beside the node's.
fn transfer_send(rig: &mut Rig, row: &Row) {
    let config = rig.alpha().config_file();
    let (from, to) = (rig.consortium.evm_user().clone(), rig.consortium.cosmos_user().cosmos_address.clone());
    let key = "crash-user";
    import(rig, key, &from);
    let before = rig.consortium.passages().unwrap().len();
    let token = rig.consortium.token();
    let path = catenary_tests::consortium::PATH;
    let args = ["transfer", "send", "--path", path, "--from", CHAINS[0], "--asset", &token, "--amount", "3"];
    let args = [&args[..], &["--receiver", &to, "--key", key, "--timeout-seconds", "3600"]].concat();
    end(rig, row, &config, &args);
    rig.alpha().cli_with(&config, &args).unwrap();
    let seen = || {
        let sent = rig.consortium.passages()?.len() - before;
        // The one that was given again, and the one before it where that one had left.
        let expect = 1 + usize::from(row.point == "transfer.sent");
        assert!(sent <= expect, "{}: {sent} transfers, {expect} were sent", row.name());
        Ok((sent == expect).then_some(()))
    };
    catenary_tests::localnet::wait_until("the transfers in the chain's events", DEADLINE, seen).unwrap();
}

/// Imports an account into alpha's keystore, once.
fn import(rig: &mut Rig, key: &str, account: &Account) {
    let keys = rig.alpha().cli(&["keys", "list"]).unwrap();
    if keys.as_array().unwrap().iter().any(|entry| entry["id"] == key) {
        return;
    }
    let file = rig.alpha().dir().join("import.hex");
    std::fs::write(&file, hex::encode(account.private_key)).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).unwrap();
    let path = file.display().to_string();
    let args = ["keys", "import", key, "--chain", CHAINS[0], "--purpose", "transactions", "--file", &path];
    rig.alpha().cli(&args).unwrap();
    std::fs::remove_file(&file).unwrap();
}

/// A key that is made once.
fn keys_new(rig: &mut Rig, row: &Row) {
    let config = rig.alpha().config_file();
    let key = word(row);
    let args = ["keys", "new", key.as_str(), "--chain", CHAINS[0], "--purpose", "transactions"];
    end(rig, row, &config, &args);
    let list = |rig: &mut Rig| {
        let keys = rig.alpha().cli(&["keys", "list"]).unwrap();
        keys.as_array().unwrap().iter().filter(|entry| entry["id"] == key.as_str()).count()
    };
    assert_eq!(list(rig), 0, "{}", row.name());
    rig.alpha().cli_with(&config, &args).unwrap();
    assert_eq!(list(rig), 1, "{}", row.name());
}
