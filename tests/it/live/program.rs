//! A client program from `tests/clients`, run beside the service: what it prints, a JSON value a line.

use std::process::Stdio;

use campanile::system::pace;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::live::client::PATIENCE;
use crate::services;

/// It is killed with the test.
pub struct Program {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
    hears: ChildStdin,
}

impl Program {
    /// A script run by node, with the npm packages of `tests/clients/package.json`; nothing where those are not installed.
    pub fn node(script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Option<Program> {
        let modules = services::found("node-clients")?;
        let mut command = Command::new("node");
        command.env("NODE_PATH", modules);
        Some(Program::run(command, script, arguments, environment))
    }

    /// A script run by Python, with the packages of `tests/clients/requirements.txt`; nothing where those are not installed.
    pub fn python(script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Option<Program> {
        let command = Command::new(services::found("python-clients")?);
        Some(Program::run(command, script, arguments, environment))
    }

    fn run(mut command: Command, script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Program {
        command.arg(format!("{}/tests/clients/{script}", env!("CARGO_MANIFEST_DIR"))).args(arguments);
        command.envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let says = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        let hears = child.stdin.take().expect("it has an input");
        Program { child, says, hears }
    }

    /// What it prints next.
    pub async fn line(&mut self) -> Value {
        let line = pace::within(PATIENCE, self.says.next_line()).await.expect("it says something in time");
        let line = line.expect("its output can be read").expect("it says more");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    }

    /// Tells it something, a line.
    pub async fn tell(&mut self, line: &str) {
        self.hears.write_all(format!("{line}\n").as_bytes()).await.expect("it listens");
    }

    /// Waits for its end, and answers whether it ended well, and what it said before it did.
    pub async fn ended(mut self) -> (bool, Vec<Value>) {
        drop(self.hears);
        let mut said = Vec::new();
        while let Some(line) = self.says.next_line().await.expect("its output can be read") {
            said.push(serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}")));
        }
        (self.child.wait().await.expect("it ends").success(), said)
    }
}
