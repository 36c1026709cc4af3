//! Another process on the same store: this very binary, started again with one test and a task in its environment.

use std::env;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use campanile::kv::KvError;
use campanile::kv::engine::Engine;
use campanile::kv::memory::Disk;

use crate::kv_law::ENGINES;
use crate::kv_law::Home;

const ENGINE: &str = "CAMPANILE_KV_ENGINE";
const DIR: &str = "CAMPANILE_KV_DIR";

/// The engine that the other process gave to this one, if this is the second.
pub fn given() -> Option<Result<Box<dyn Engine>, KvError>> {
    let name = env::var(ENGINE).ok()?;
    let dir = env::var_os(DIR)?;
    let (_, open) = ENGINES.iter().find(|engine| engine.0 == name)?;
    Some(open(Path::new(&dir), &Disk::default()))
}

/// A command that runs one test of this binary, on the store of `home`.
pub fn second(test: &str, home: &Home) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(ENGINE, home.name).env(DIR, home.dir.path().join("store"));
    command.stdout(Stdio::piped());
    command
}

/// Does nothing unless it is the second process.
#[test]
fn second_process() {
    match given() {
        None => {}
        Some(Ok(_)) => println!("\nopened"),
        Some(Err(error)) => println!("\nrefused: {error}"),
    }
}

#[test]
fn a_second_process_is_refused_while_the_first_holds_the_store() {
    for name in ["sled", "redb"] {
        let home = Home::new(name);
        let ask = || {
            let output = second("kv_law::process::second_process", &home).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let kv = home.open();
        let refused = ask();
        let dir = home.dir.path().join("store");
        assert!(refused.contains(&format!("refused: the store at {} is in use", dir.display())), "{name}: {refused}");
        drop(kv);
        let opened = ask();
        assert!(opened.contains("\nopened"), "{name}: {opened}");
    }
}
