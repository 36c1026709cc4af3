//! `campanile export`: a whole collection as one file.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::cli::client::{Client, encoded};
use crate::cli::{Failure, Server};
use crate::domain::address::Address;

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    server: Server,
    /// The collection, such as /calendars/alice/default
    path: String,
}

impl Export {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let address = Address::parse(&self.path).ok_or_else(|| format!("{}: no path of a collection", self.path))?;
        let answer = Client::new(&self.server)?.get(&encoded(&address.to_string())).await?.ok()?;
        std::io::stdout().write_all(&answer.body)?;
        Ok(ExitCode::SUCCESS)
    }
}
