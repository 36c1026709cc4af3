//! A password file beside the service's own passwords.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use campanile::app::{self, StartError};
use campanile::system::clock::ManualClock;
use std::sync::Arc;
use tempfile::tempdir;

use crate::live::client::Http;
use crate::live::{House, NINE, configured};

/// `correct horse é` as openssl and Python's bcrypt hash it.
const APR1: &str = "$apr1$saltSALT$txJkPDRg/drc61qH1yL7N0";
const BCRYPT: &str = "$2y$04$XK4QFQLHbSVRtfZ8PWvVqOgsCPri6L/1/9k6VGSf.2MJVNMU0vkSu";
const SHA: &str = "{SHA}/8wfRUGm8tTSBrWrjhQj2hPe5cw=";
const PHRASE: &str = "correct horse é";

async fn enters(house: &House, login: &str, password: &str) -> u16 {
    let header = format!("Basic {}", STANDARD.encode(format!("{login}:{password}")));
    Http::with(house.base(), &header).get("/api/me").await.status
}

/// Puts a new file in the place of the old one, as careful programs do.
fn replace(path: &Path, text: &str) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).expect("a file");
    fs::rename(&fresh, path).expect("in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_password_file_sign_in() {
    let dir = tempdir().expect("a directory");
    let path = dir.path().join("people");
    fs::write(&path, format!("alice:{APR1}\nDora:{BCRYPT}\neve@town.example:{SHA}\nfred:{PHRASE}\nALICE2:x\n"))
        .expect("a file");
    let file = path.to_string_lossy().into_owned();
    let house = House::open_at(dir, &[("auth.htpasswd", &file), ("auth.mail_domain", "town.example")], NINE).await;
    // The file's password and one's own are both good; whoever is not known yet is made.
    for (login, password, status) in [
        ("alice", PHRASE, 200),
        ("alice", "alice", 200),
        ("alice@campanile.example", PHRASE, 200),
        ("alice", "wrong", 401),
        ("bob", "bob", 200),
        ("bob", PHRASE, 401),
        ("dora", "wrong", 401),
        ("dora", PHRASE, 200),
        ("DORA", PHRASE, 200),
        ("dora@town.example", PHRASE, 200),
        ("dora", "", 401),
        ("eve@town.example", PHRASE, 200),
        ("fred", PHRASE, 401),
        ("zoe", PHRASE, 401),
    ] {
        assert_eq!(enters(&house, login, password).await, status, "{login} {password}");
    }
    let admin = house.http("admin").get("/api/users").await.json();
    let mails: Vec<&str> = admin.as_array().into_iter().flatten().filter_map(|one| one["email"].as_str()).collect();
    assert!(mails.contains(&"dora@town.example") && mails.contains(&"eve@town.example"), "{mails:?}");
    assert!(!mails.iter().any(|mail| mail.starts_with("fred") || mail.starts_with("zoe")), "{mails:?}");

    // What the file says now counts, remembered or not; and two who are one person are nobody.
    replace(&path, &format!("alice:{BCRYPT}\nDora:{APR1}\ndora:{APR1}\n"));
    assert_eq!((enters(&house, "alice", PHRASE).await, enters(&house, "dora", PHRASE).await), (200, 401));
    replace(&path, "# nobody\n");
    assert_eq!((enters(&house, "alice", PHRASE).await, enters(&house, "alice", "alice").await), (401, 200));
    fs::remove_file(&path).expect("it is there");
    assert_eq!((enters(&house, "alice", PHRASE).await, enters(&house, "alice", "alice").await), (401, 200));
    replace(&path, &format!("dora:{SHA}\n"));
    assert_eq!(enters(&house, "dora", PHRASE).await, 200, "the person who was made is still there");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_made_where_that_is_not_wanted() {
    let dir = tempdir().expect("a directory");
    let path = dir.path().join("people");
    fs::write(&path, format!("alice:{SHA}\ndora:{SHA}\ncarol:in plain text\n")).expect("a file");
    let file = path.to_string_lossy().into_owned();
    let settings =
        [("auth.htpasswd", file.as_str()), ("auth.htpasswd_create", "false"), ("auth.htpasswd_plain", "true")];
    let house = House::open_at(dir, &settings, NINE).await;
    for (login, password, status) in
        [("alice", PHRASE, 200), ("dora", PHRASE, 401), ("carol", "in plain text", 200), ("carol", "carol", 200)]
    {
        assert_eq!(enters(&house, login, password).await, status, "{login} {password}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_stops_the_start() {
    let dir = tempdir().expect("a directory");
    let missing = dir.path().join("nowhere").to_string_lossy().into_owned();
    let config = configured(&dir, &[("auth.htpasswd", &missing)]);
    let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
    match app::start(&config, clock).await {
        Err(error @ StartError::Htpasswd(_)) => assert!(error.to_string().starts_with("auth.htpasswd: "), "{error}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it started"),
    }
}
