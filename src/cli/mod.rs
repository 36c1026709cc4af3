//! The command line: what can be asked for, and which file does it.

pub mod alarms;
pub mod alarms_list;
pub mod client;
pub mod config;
pub mod expand;
pub mod export;
pub mod health;
pub mod import;
pub mod serve;
pub mod store;
pub mod user;
pub mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::domain::address::Address;

/// Exit codes, as `--help` tells them.
pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
pub const PARTLY: u8 = 3;

/// Why a command ended without having done its work.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(
    name = "campanile",
    version,
    about,
    after_help = "Exit codes: 0 all well, 1 failure, 2 wrong usage, 3 partly done."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(serve::Serve),
    /// Add, list and remove users
    #[command(subcommand)]
    User(user::User),
    /// Import an .ics or .vcf file into a collection of a running service
    Import(import::Import),
    /// Write a collection of a running service to standard output, as one .ics or .vcf
    Export(export::Export),
    /// List the occurrences of a calendar file in a window; needs no service
    Expand(expand::Expand),
    /// Alarms
    #[command(subcommand)]
    Alarms(alarms::Alarms),
    /// Print every push of a running service as it comes
    Watch(watch::Watch),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Copy, check, count and compact a store
    #[command(subcommand)]
    Store(store::Store),
    /// Ask a running service whether it is ready
    Health(health::Health),
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigFlags {
    /// A TOML file with what differs from the defaults
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The directory of the store
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Which service to talk to, and as whom.
#[derive(Args, Clone, Debug)]
pub struct Server {
    /// The address of the service
    #[arg(long, env = "CAMPANILE_URL", default_value = "http://127.0.0.1:8008")]
    pub url: String,
    /// The login name
    #[arg(long, env = "CAMPANILE_USER")]
    pub user: Option<String>,
    /// The password
    #[arg(long, env = "CAMPANILE_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
}

/// A command line that means nothing, found only after it was read: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misuse(pub &'static str);

/// Reads the path of a collection.
pub fn collection(text: &str) -> Result<Address, &'static str> {
    Address::parse(text).ok_or("no path of a collection like /calendars/alice/default")
}

/// Prints one line. A reader that went away, as in `| head`, is a failure like any other, not a panic.
pub fn say(line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(())
}

/// Whether all that went wrong is that nobody reads on.
pub fn unread(failure: &Failure) -> bool {
    failure.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let fine = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if fine { 0 } else { USAGE });
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("campanile: cannot start: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Serve(command) => command.run().await,
            Command::User(command) => command.run().await,
            Command::Import(command) => command.run().await,
            Command::Export(command) => command.run().await,
            Command::Expand(command) => command.run(),
            Command::Alarms(command) => command.run().await,
            Command::Watch(command) => command.run().await,
            Command::Config(command) => command.run(),
            Command::Store(command) => command.run().await,
            Command::Health(command) => command.run().await,
        }
    });
    // A command that reads standard input leaves a thread behind that nothing can wake.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|failure| {
        if !unread(&failure) {
            eprintln!("campanile: {failure}");
        }
        ExitCode::from(if failure.is::<Misuse>() { USAGE } else { FAILED })
    })
}
