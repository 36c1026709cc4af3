//! `campanile config show|check`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::serve::configured;
use crate::cli::{ConfigFlags, Failure, say};

#[derive(Subcommand)]
pub enum Config {
    /// Print every setting with its value
    Show(Show),
    /// Say whether the configuration can be used
    Check(Check),
}

#[derive(Args)]
pub struct Show {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Tell where each value came from
    #[arg(long)]
    origin: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    flags: ConfigFlags,
}

impl Config {
    pub fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Config::Check(check) => {
                configured(&check.flags, &[], None)?;
                say(format_args!("the configuration is sound"))?;
            }
            Config::Show(show) => {
                let (_, layers) = configured(&show.flags, &[], None)?;
                for (key, (value, origin)) in &layers {
                    let hidden = toml::Value::String("(set, not shown)".to_owned());
                    let secret = ["password", "secret"].iter().any(|end| key.ends_with(end));
                    let secret = secret && value.as_str().is_some_and(|text| !text.is_empty());
                    let value = if secret { &hidden } else { value };
                    if show.json {
                        say(format_args!("{}", json!({ "key": key, "value": value, "origin": origin.to_string() })))?;
                    } else if show.origin {
                        say(format_args!("{key} = {value}  # {origin}"))?;
                    } else {
                        say(format_args!("{key} = {value}"))?;
                    }
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
