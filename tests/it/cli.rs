//! The program as a user has it: processes, their output and their exit codes.

mod golden;
mod offline;
mod people;
mod serve;
mod store;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use campanile::system::pace;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::live::client::{Http, PATIENCE};

/// The program with these arguments, and nothing of the environment that would configure it.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_campanile"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CAMPANILE_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// What a process that has ended left.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// That it ended well; what it printed.
    #[track_caller]
    pub fn fine(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// That it ended so, with one line on standard error which says all of this.
    #[track_caller]
    pub fn failed(&self, code: i32, says: &[&str]) {
        assert_eq!((self.code, self.err.lines().count()), (Some(code), 1), "{self:?}");
        self.says(says);
    }

    #[track_caller]
    pub fn says(&self, says: &[&str]) {
        assert!(!self.err.contains("panicked"), "{}", self.err);
        assert!(says.iter().all(|text| self.err.contains(text)), "{says:?} is not in {self:?}");
    }
}

pub async fn run(args: &[&str]) -> Ran {
    ended(command(args)).await
}

/// With a text on standard input.
pub async fn run_with(args: &[&str], input: &str) -> Ran {
    let mut child = command(args).stdin(Stdio::piped()).spawn().expect("the program starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).await.expect("it is taken");
    waited(child).await
}

pub async fn ended(mut command: Command) -> Ran {
    waited(command.spawn().expect("the program starts")).await
}

pub async fn waited(child: Child) -> Ran {
    let ended = pace::within(PATIENCE, child.wait_with_output()).await.expect("an end in time").expect("an end");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
}

/// A folder for the files of one test.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Writes a file; answers its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = PathBuf::from(self.path(name));
        std::fs::write(&path, content).expect("a file");
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(Path::new(&self.path(name))).expect("a file")
    }
}

/// The program while it runs, read line by line.
pub struct Process {
    pub child: Child,
    pub out: Lines<BufReader<ChildStdout>>,
    pub err: Lines<BufReader<ChildStderr>>,
}

impl Process {
    pub fn start(mut command: Command) -> Process {
        let mut child = command.spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("its output")).lines();
        let err = BufReader::new(child.stderr.take().expect("its errors")).lines();
        Process { child, out, err }
    }

    pub async fn code(&mut self) -> Option<i32> {
        pace::within(PATIENCE, self.child.wait()).await.expect("an end in time").expect("an end").code()
    }

    /// Asks it to end, as a service manager does.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM").await;
        self.code().await
    }

    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let asked = Command::new("kill").args([name, &id]).status().await.expect("kill runs");
        assert!(asked.success());
    }
}

/// The next line that holds this.
pub async fn line_with<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>, text: &str) -> String {
    let reading = async {
        while let Some(line) = lines.next_line().await.expect("a line") {
            if line.contains(text) {
                return line;
            }
        }
        panic!("no line with {text:?}");
    };
    pace::within(PATIENCE, reading).await.expect("a line in time")
}

/// A demo service in a process of its own.
pub struct Service {
    pub process: Process,
    pub base: String,
    pub folder: Folder,
}

impl Service {
    pub async fn start() -> Service {
        let folder = Folder::new();
        let mut command = command(&["serve", "--demo", "--listen", "127.0.0.1:0", "--data", &folder.path("store")]);
        command.env("CAMPANILE_LIMITS__LOGINS_PER_MINUTE", "0");
        let mut process = Process::start(command);
        let line = line_with(&mut process.out, "http://").await;
        let base = line.rsplit("http://").next().expect("an address").to_owned();
        Service { process, base, folder }
    }

    pub fn http(&self, user: &str) -> Http {
        Http::new(&self.base, user)
    }

    /// A command that talks to this service as somebody.
    pub fn command(&self, user: &str, args: &[&str]) -> Command {
        let mut command = command(args);
        command.args(["--url", &format!("http://{}", self.base), "--user", user, "--password", user]);
        command
    }

    pub async fn run(&self, user: &str, args: &[&str]) -> Ran {
        ended(self.command(user, args)).await
    }
}
