//! `campanile health`: asks `/readyz`; for containers without a shell.

use std::process::ExitCode;

use clap::Args;

use crate::cli::client::{Client, code};
use crate::cli::{Failure, Server, say};

#[derive(Args)]
pub struct Health {
    #[command(flatten)]
    server: Server,
}

impl Health {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let answer = Client::new(&self.server)?.get("/readyz").await?;
        say(format_args!("{}", String::from_utf8_lossy(&answer.body)))?;
        Ok(code(answer.status.is_success()))
    }
}
