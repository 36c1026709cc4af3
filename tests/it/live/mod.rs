//! The whole service on port 0 with a manual clock, a store on disk, and real HTTP and WebSocket clients.

pub mod client;

mod alarms;
mod answers;
mod app_passwords;
mod carrying;
mod clock;
mod cors;
mod cti;
mod dav;
mod dav_report;
mod dav_report_sync;
mod every_wire;
mod feeds;
mod first_bell;
mod hostile;
mod htpasswd;
mod import_jobs;
mod imports;
mod jwt;
mod listing;
mod login;
mod metrics;
mod notifications;
mod occurrences;
mod organisations;
mod page;
pub mod presence;
mod privacy;
mod program;
mod proxy;
mod queues;
mod sabre;
mod scheduling;
mod sharing;
mod split;
pub mod stomp;
mod tickets;
pub mod wazo;
mod web;

use std::sync::Arc;

use campanile::app::{self, Running};
use campanile::config::{self, Config};
use campanile::system::clock::ManualClock;
use tempfile::TempDir;

use crate::live::client::{Http, Reply, Socket};

pub const NINE: &str = "2025-01-15T09:00:00Z";

/// A running service with the demo users; it ends with the test.
pub struct House {
    running: Option<Running>,
    base: String,
    pub dir: TempDir,
}

impl House {
    /// The demo at nine o'clock.
    pub async fn open() -> House {
        House::open_with(&[]).await
    }

    /// The demo with some settings of its own, such as `("limits.sockets_per_user", "2")`.
    pub async fn open_with(settings: &[(&str, &str)]) -> House {
        House::open_at(tempfile::tempdir().expect("a directory"), settings, NINE).await
    }

    pub async fn open_at(dir: TempDir, settings: &[(&str, &str)], now: &str) -> House {
        let config = configured(&dir, settings);
        House::open_configured(dir, config, now).await
    }

    /// With a configuration of the test's own.
    pub async fn open_configured(dir: TempDir, config: Config, now: &str) -> House {
        let clock = Arc::new(ManualClock::at(now.parse().expect("an instant")));
        let running = app::start(&config, clock).await.expect("the service starts");
        running.service.fill_demo().await.expect("the demo is filled");
        let base = running.addresses.first().expect("it listens").to_string();
        House { running: Some(running), base, dir }
    }

    /// Stops the service and opens it again over the same store.
    pub async fn reopen(self, now: &str) -> House {
        self.reopen_with(now, &[]).await
    }

    pub async fn reopen_with(mut self, now: &str, settings: &[(&str, &str)]) -> House {
        self.running.take().expect("it runs").stop().await;
        House::open_at(self.dir, settings, now).await
    }

    pub async fn reopen_configured(mut self, config: Config, now: &str) -> House {
        self.running.take().expect("it runs").stop().await;
        House::open_configured(self.dir, config, now).await
    }

    pub async fn stop(mut self) {
        self.running.take().expect("it runs").stop().await;
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    /// An HTTP client who signs in with the name as password.
    pub fn http(&self, user: &str) -> Http {
        Http::new(&self.base, user)
    }

    /// A socket opened with a fresh ticket; its greeting is heard already.
    pub async fn socket(&self, user: &str) -> Socket {
        let mut socket = Socket::open(&self.base, &self.ticket(user).await).await.expect("it opens");
        assert_eq!(socket.hear().await, serde_json::json!({ "calendarListRegistered": true }));
        socket
    }

    /// A client that signs in with nothing but what its requests carry.
    pub fn anonymous(&self) -> Http {
        Http::anonymous(&self.base)
    }

    /// A fresh ticket's value.
    pub async fn ticket(&self, user: &str) -> String {
        let drawn = self.http(user).post("/ws/ticket", "").await;
        assert_eq!(drawn.status, 200, "{drawn:?}");
        drawn.json()["value"].as_str().expect("a ticket").to_owned()
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Waits until everything that was committed is written to the sockets.
    pub async fn settle(&self) {
        let turned = self.http("alice").patch("/api/clock", r#"{"advance":"PT0S"}"#).await.json();
        assert_eq!(turned["settled"], true, "{turned}");
    }

    pub async fn turn(&self, to: &str) -> serde_json::Value {
        let turned = self.http("alice").patch("/api/clock", &format!(r#"{{"set":"{to}"}}"#)).await;
        assert_eq!(turned.status, 200, "{turned:?}");
        turned.json()
    }

    /// Turns nothing, but lets an import come to its end.
    pub async fn import(&self, user: &str, target: &str, media: &str, file: &str) -> serde_json::Value {
        let file = self.upload(user, media, file).await;
        let id = self.ask_import(user, &file, target).await;
        self.imported(user, &id).await
    }

    /// Uploads a file; answers its id.
    pub async fn upload(&self, user: &str, media: &str, file: &str) -> String {
        let upload = format!("/api/files?name=f&size={}&mimetype={media}", file.len());
        let kept: Reply = self.http(user).post(&upload, file).await;
        assert_eq!(kept.status, 201, "{kept:?}");
        kept.json()["_id"].as_str().expect("an id").to_owned()
    }

    /// Asks for an import; answers its id.
    pub async fn ask_import(&self, user: &str, file: &str, target: &str) -> String {
        let asked = serde_json::json!({ "fileId": file, "target": format!("{target}.json") });
        let taken = self.http(user).post("/api/import", &asked.to_string()).await;
        assert_eq!(taken.status, 202, "{taken:?}");
        taken.json()["importId"].as_str().expect("an id").to_owned()
    }

    /// How an import stands once it has ended.
    pub async fn imported(&self, user: &str, id: &str) -> serde_json::Value {
        let http = self.http(user);
        loop {
            let stands = http.get(&format!("/api/imports/{id}")).await.json();
            if matches!(stands["status"].as_str(), Some("completed" | "failed" | "cancelled")) {
                return stands;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A configuration for tests: any free port, a store in the directory, no limit on tickets and passwords.
pub fn configured(dir: &TempDir, settings: &[(&str, &str)]) -> Config {
    let mut environment = vec![
        ("CAMPANILE_STORE__PATH".to_owned(), dir.path().join("store").to_string_lossy().into_owned()),
        ("CAMPANILE_LIMITS__TICKETS_PER_MINUTE".to_owned(), "0".to_owned()),
        ("CAMPANILE_LIMITS__LOGINS_PER_MINUTE".to_owned(), "0".to_owned()),
    ];
    for (key, value) in settings {
        environment.push((format!("CAMPANILE_{}", key.to_uppercase().replace('.', "__")), (*value).to_owned()));
    }
    let listener = toml::Value::Array(vec![toml::Value::Table(toml::Table::from_iter([(
        "address".to_owned(),
        toml::Value::String("127.0.0.1:0".to_owned()),
    )]))]);
    let layers = config::layers(None, environment, vec![("listener", listener, "the test")]).expect("known settings");
    config::read(&layers).expect("sound settings")
}

/// An event an hour long with a display alarm some minutes before it.
pub fn event(uid: &str, start: &str, minutes: u32) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:{start}\r\nDURATION:PT1H\r\nSUMMARY:Event {uid}\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\n\
         TRIGGER:-PT{minutes}M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// An event without alarms.
pub fn plain_event(uid: &str, start: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:{start}\r\nDURATION:PT1H\r\nSUMMARY:Event {uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// A card.
pub fn card(uid: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:Person {uid}\r\nN:{uid};Person;;;\r\nEND:VCARD\r\n")
}
