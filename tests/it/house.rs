//! The law of the house (`ARCHITECTURE.md`): which room may name which, and what belongs to one place only. Fails at the line that breaks it.

use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms that it may name beside itself. Files at the top of `src` are rooms of their own.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("kv", &[]),
    ("system", &[]),
    ("ical", &["domain"]),
    ("store", &["domain", "kv"]),
    ("bus", &["domain"]),
    ("service", &["store", "kv", "ical", "bus", "domain", "system"]),
    ("http", &["service", "domain", "system"]),
    ("api", &["http", "service", "ical", "domain", "system"]),
    ("dav", &["http", "service", "domain"]),
    ("gateway", &["http", "service", "bus", "domain", "system"]),
    ("jobs", &["service", "domain", "system"]),
    ("sinks", &["service", "domain", "system"]),
    ("routes", &["api", "dav", "gateway", "http", "service", "domain"]),
    ("config", &["domain", "service"]),
    ("metrics", &["system"]),
    ("telemetry", &["config"]),
    (
        "app",
        &[
            "api", "bus", "config", "domain", "gateway", "http", "jobs", "kv", "metrics", "routes", "service", "sinks",
            "store", "system",
        ],
    ),
    ("cli", &["app", "bus", "config", "domain", "ical", "kv", "service", "system", "telemetry"]),
    ("lib", &[]),
    ("main", &[]),
];

/// What is named in these places only: a crate or a module, and the files or rooms that may.
const PLACES: &[(&str, &[&str])] = &[
    ("sled::", &["kv/sled.rs", "app.rs"]),
    ("redb::", &["kv/redb.rs", "app.rs"]),
    ("crate::kv::sled", &["app.rs"]),
    ("crate::kv::redb", &["app.rs"]),
    ("crate::kv::memory", &["app.rs"]),
    ("quick_xml::", &["dav/"]),
    ("rrule::", &["ical/recur/"]),
    ("icalendar::", &["ical/draft.rs"]),
    ("warp::", &["api/", "dav/", "gateway/", "http/", "routes.rs", "app.rs"]),
    ("cron::", &["jobs/", "config/", "app.rs"]),
    ("tungstenite::", &["gateway/codec.rs", "gateway/upgrade.rs", "cli/watch.rs"]),
    ("argon2::", &["service/argon.rs"]),
    ("bcrypt::", &["service/crypt.rs"]),
    ("sha_crypt::", &["service/crypt.rs"]),
    ("md5::", &["service/crypt.rs"]),
    ("sha1::", &["service/crypt.rs"]),
    ("postcard::", &["store/record/"]),
    ("prometheus_client::", &["metrics.rs"]),
    ("crate::metrics", &["app.rs"]),
    ("clap::", &["cli/"]),
    ("jsonwebtoken::", &["service/jwt.rs", "service/signatures.rs"]),
    ("ring::", &["service/signatures.rs", "http/tls.rs"]),
    ("serde_json::", &["api/", "gateway/", "http/", "cli/", "sinks/webhook.rs", "sinks/wazo_auth.rs", "ical/jcal/"]),
    // jCal is a form of the text: read and written beside it, named by the face that speaks it and by no use case.
    ("crate::ical::jcal", &["api/sabre/", "ical/jcal/"]),
    // That face may know the text's other form, and how large a text may be; no other does.
    ("crate::ical::", &["ical/", "service/", "cli/", "api/sabre/"]),
    ("flate2::", &["service/unpack.rs", "service/peek.rs"]),
    ("zip::", &["service/unpack.rs", "service/gathering.rs"]),
    ("encoding_rs::", &["service/unpack.rs"]),
    ("multer::", &["api/files.rs"]),
    ("lettre::", &["sinks/mail.rs"]),
    ("tokio_rustls::", &["sinks/", "http/tls.rs"]),
    ("rcgen::", &["http/tls.rs"]),
    ("rustls_native_certs::", &["sinks/tls.rs"]),
    ("SystemRandom", &["system/", "app.rs", "service/mod.rs"]),
];

/// Rooms whose parts are chosen in `app.rs`: their `mod.rs` holds the trait and knows none of them.
const SEAMS: &[&str] = &["kv", "bus", "system", "gateway", "sinks"];

/// What may not be named in a room at all.
const NEVER: &[(&str, &[&str])] = &[
    ("domain/", &["serde", "tokio::", "warp::"]),
    ("ical/", &["tokio::", "warp::", "SystemClock"]),
    ("service/", &["warp::", "serde_json::", "hyper::"]),
    ("sinks/", &["warp::", "sled::"]),
];

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// A line without its comment. Slashes inside strings cut it short, which hides nothing that the law asks for.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

/// Whether a text names a crate or path at this line: not as the tail of a longer name or path.
fn names(line: &str, what: &str) -> bool {
    line.match_indices(what).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

fn faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let room = name.split(['/', '.']).next().unwrap_or("");
    let Some((_, allowed)) = ROOMS.iter().find(|(known, _)| *known == room) else {
        return vec![format!("src/{name}: no room of that name")];
    };
    if !text.starts_with("//! ") {
        faults.push(format!("src/{name}:1: opens with no sentence that says what lives here"));
    }
    for (number, line) in text.lines().enumerate() {
        // Tests inside a file are guests.
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let line = code(line);
        let mut fault = |why: String| faults.push(format!("src/{name}:{}: {why}", number + 1));
        for (at, _) in line.match_indices("crate::") {
            let named = line[at + 7..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
            let known = ROOMS.iter().any(|(known, _)| *known == named);
            if known && named != room && !allowed.contains(&named) && !["lib", "main"].contains(&room) {
                fault(format!("{room} names {named}"));
            }
        }
        if line.trim_start().starts_with("pub use ") {
            fault("a re-export".to_owned());
        }
        if SEAMS.iter().any(|seam| name == format!("{seam}/mod.rs")) && line.contains(&format!("crate::{room}::")) {
            fault("the mod.rs of a seam names one of its parts".to_owned());
        }
        for (what, places) in PLACES {
            if names(line, what) && !places.iter().any(|place| name.starts_with(place)) {
                fault(format!("{what} belongs to {places:?}"));
            }
        }
        for (place, things) in NEVER.iter().filter(|(place, _)| name.starts_with(place)) {
            for thing in things.iter().filter(|thing| names(line, thing)) {
                fault(format!("{thing} is never named in {place}"));
            }
        }
    }
    faults
}

#[test]
fn every_room_keeps_the_law() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    assert!(all.len() > 50, "the law reads the house, not an empty lot");
    let mut found = Vec::new();
    for path in all {
        let name = path.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
        found.extend(faults(&name, &fs::read_to_string(&path).expect("a text")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_law_finds_what_breaks_it() {
    let rows = [
        ("domain/x.rs", "//! X.\nuse crate::kv::Kv;\n", "domain names kv"),
        ("service/x.rs", "//! X.\nuse warp::Filter;\n", "warp:: belongs"),
        ("api/x.rs", "//! X.\nuse crate::dav::y;\n", "api names dav"),
        ("store/x.rs", "//! X.\nlet db = sled::open(p);\n", "sled:: belongs"),
        ("store/x.rs", "use std::fmt;\n", "opens with no sentence"),
        ("store/x.rs", "//! X.\npub use std::fmt;\n", "a re-export"),
        ("kv/mod.rs", "//! X.\nuse crate::kv::memory::Memory;\n", "names one of its parts"),
        ("attic/x.rs", "//! X.\n", "no room"),
        ("domain/x.rs", "//! X.\nuse serde::Serialize;\n", "never named"),
    ];
    for (name, text, want) in rows {
        let found = faults(name, text).join("\n");
        assert!(found.contains(want), "{name}: {found:?} does not say {want:?}");
    }
    assert!(faults("domain/x.rs", "//! X.\nuse crate::domain::event::Event;\n").is_empty());
}
