//! `campanile user …`: opens the store itself when no service holds it; otherwise asks the service that `--url` names.

use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use crate::app;
use crate::bus::local::LocalBus;
use crate::cli::client::{Client, encoded};
use crate::cli::serve::configured;
use crate::cli::{ConfigFlags, Failure, Server, say};
use crate::domain::principal::{Principal, login_name};
use crate::domain::refusal::Refusal;
use crate::kv::KvError;
use crate::service::Service;
use crate::service::principals::Newcomer;
use crate::system::clock::SystemClock;
use crate::system::meter::Silent;

#[derive(Subcommand)]
pub enum User {
    /// Add a user with a calendar and an address book
    Add(Add),
    /// Give a user another password
    Passwd(Passwd),
    /// List all users
    List(List),
    /// Remove a user with all that is theirs
    Remove(Remove),
}

/// Which store, or which service: the service when a user name is given, else the store.
#[derive(Args)]
pub struct Where {
    #[command(flatten)]
    flags: ConfigFlags,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
pub struct Add {
    #[command(flatten)]
    place: Where,
    name: String,
    /// The full mail address
    #[arg(long)]
    email: String,
    /// The name that others see
    #[arg(long)]
    display_name: Option<String>,
    /// The zone of floating times and all-day events: an IANA name
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// May manage users; gives no right to read others' calendars
    #[arg(long)]
    administrator: bool,
    /// The new user's password; a line of standard input when absent
    #[arg(long, value_name = "PASSWORD")]
    new_password: Option<String>,
}

#[derive(Args)]
pub struct Passwd {
    #[command(flatten)]
    place: Where,
    name: String,
    /// The new password; a line of standard input when absent
    #[arg(long, value_name = "PASSWORD")]
    new_password: Option<String>,
}

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    place: Where,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Remove {
    #[command(flatten)]
    place: Where,
    name: String,
}

fn password(given: Option<String>) -> Result<String, Failure> {
    if let Some(password) = given {
        return Ok(password);
    }
    eprint!("new password: ");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() { Err("no password was given".into()) } else { Ok(password.to_owned()) }
}

/// One of the two ways to the users.
enum Door {
    Service(Client),
    Store(Arc<Service>, Arc<dyn crate::kv::Kv>),
}

impl Where {
    fn open(&self) -> Result<Door, Failure> {
        if self.server.user.is_some() {
            return Ok(Door::Service(Client::new(&self.server)?));
        }
        let (config, _) = configured(&self.flags, &[], None)?;
        let kv = match app::open_store(&config) {
            Err(KvError::Held(at)) => {
                return Err(format!(
                    "a service holds the store at {at}: give --user and --password of an administrator to ask it"
                )
                .into());
            }
            opened => opened?,
        };
        let service =
            app::service(kv.clone(), &config, Arc::new(SystemClock), Arc::new(LocalBus::default()), Arc::new(Silent));
        Ok(Door::Store(service, kv))
    }
}

impl Door {
    async fn close(self) -> Result<ExitCode, Failure> {
        if let Door::Store(_, kv) = self {
            kv.close().await?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What the store says of a user, by the name that was asked for.
fn about<T>(name: &str, outcome: Result<T, Refusal>) -> Result<T, Failure> {
    outcome.map_err(|refusal| match refusal {
        Refusal::NotFound => format!("no user named {name:?}").into(),
        other => other.into(),
    })
}

fn show(principal: &Principal) -> Value {
    json!({
        "name": principal.name.as_str(),
        "email": principal.email,
        "displayName": principal.display_name,
        "timezone": principal.timezone,
        "administrator": principal.administrator,
    })
}

const JSON: Option<&str> = Some("application/json");

impl User {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            User::Add(add) => {
                let password = password(add.new_password)?;
                let door = add.place.open()?;
                let display_name = add.display_name.unwrap_or_else(|| add.name.clone());
                match &door {
                    Door::Service(client) => {
                        let body = json!({
                            "name": add.name, "email": add.email, "displayName": display_name, "password": password,
                            "timezone": add.timezone, "administrator": add.administrator,
                        });
                        client.send(Method::POST, "/api/users", JSON, body.to_string().into()).await?.ok()?;
                    }
                    Door::Store(service, _) => {
                        let newcomer = Newcomer {
                            name: add.name,
                            email: add.email,
                            display_name,
                            password,
                            timezone: add.timezone,
                            administrator: add.administrator,
                        };
                        service.add_user(newcomer).await?;
                    }
                }
                door.close().await
            }
            User::Passwd(passwd) => {
                let password = password(passwd.new_password)?;
                let door = passwd.place.open()?;
                match &door {
                    Door::Service(client) => {
                        let path = format!("/api/users/{}/password", encoded(&passwd.name));
                        let body = json!({ "password": password }).to_string();
                        client.send(Method::PUT, &path, JSON, body.into()).await?.ok()?;
                    }
                    Door::Store(service, _) => {
                        let name = about(&passwd.name, login_name(&passwd.name).ok_or(Refusal::NotFound))?;
                        about(&passwd.name, service.set_password(&name, password).await)?;
                    }
                }
                door.close().await
            }
            User::List(list) => {
                let door = list.place.open()?;
                let users = match &door {
                    Door::Service(client) => client.get("/api/users").await?.ok()?.json()?,
                    Door::Store(service, _) => service.users().await?.iter().map(show).collect(),
                };
                for user in users.as_array().into_iter().flatten() {
                    if list.json {
                        say(format_args!("{user}"))?;
                    } else {
                        let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
                        say(format_args!("{:<20} {:<32} {}", text("name"), text("email"), text("displayName")))?;
                    }
                }
                door.close().await
            }
            User::Remove(remove) => {
                let door = remove.place.open()?;
                match &door {
                    Door::Service(client) => {
                        let path = format!("/api/users/{}", encoded(&remove.name));
                        client.send(Method::DELETE, &path, None, Bytes::new()).await?.ok()?;
                    }
                    Door::Store(service, _) => {
                        let name = about(&remove.name, login_name(&remove.name).ok_or(Refusal::NotFound))?;
                        about(&remove.name, service.remove_user(&name).await)?;
                    }
                }
                door.close().await
            }
        }
    }
}
