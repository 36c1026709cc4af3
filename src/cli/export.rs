//! `campanile export`: a whole collection as one file.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::cli::client::{Client, encoded};
use crate::cli::{Failure, Server, collection};
use crate::domain::address::Address;

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    server: Server,
    /// The collection, such as /calendars/alice/default
    #[arg(value_parser = collection)]
    path: Address,
}

impl Export {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let answer = Client::new(&self.server)?.get(&encoded(&self.path.to_string())).await?.ok()?;
        let mut out = std::io::stdout().lock();
        out.write_all(&answer.body)?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}
