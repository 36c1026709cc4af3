//! Files of other people's: import, export and import again leave each component with the lines that it came with. What became of each package's
//! files is kept in `tests/golden/corpus.txt` and told in `docs/imports.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::live::House;
use crate::services;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/corpus.txt");
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ics-samples");
/// Set to 1, the outcomes are written anew. Read the difference.
const UPDATE: &str = "CAMPANILE_UPDATE_SAMPLES";

/// One component right below its wrapper: its lines, unfolded, and where it lies.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    lines: Vec<String>,
    uid: String,
    instance: String,
    from: u64,
    to: u64,
}

impl Part {
    /// The multiset of its lines.
    fn key(&self) -> Vec<String> {
        let mut lines = self.lines.clone();
        lines.sort();
        lines
    }

    /// The same without what says when it was written: two that differ in nothing else, and have no UID, are one object.
    fn content(&self) -> Vec<String> {
        let dates = ["UID", "DTSTAMP", "CREATED", "LAST-MODIFIED", "REV", "PRODID"];
        let mut lines = self.key();
        lines.retain(|line| !dates.iter().any(|name| line.starts_with(&format!("{name}:"))));
        lines
    }

    /// The same without what a repair adds, where the component has no line of its own of that name.
    fn without(&self, names: &[&str]) -> Part {
        let mut part = self.clone();
        for name in names {
            if let Some(at) = part.lines.iter().position(|line| line.starts_with(&format!("{name}:"))) {
                part.lines.remove(at);
            }
        }
        part
    }
}

/// A reader of its own: what it shares with the service would not be noticed.
fn parts(text: &str) -> Vec<Part> {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let bare = line.trim_start_matches('\u{feff}');
        match (bare.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, last))) => last.push_str(more),
            _ if bare.trim().is_empty() => {}
            _ => lines.push((number, bare.to_owned())),
        }
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for (number, line) in lines {
        let upper = line.to_ascii_uppercase();
        if let Some(name) = upper.strip_prefix("BEGIN:") {
            let wrapper = name.trim() == "VCALENDAR";
            if wrapper || OUTERMOST.contains(&name.trim()) {
                // What was open has no end.
                open.clear();
            }
            if open.is_empty() && !wrapper {
                let (name, lines) = (name.trim().to_owned(), Vec::new());
                parts.push(Part { name, lines, uid: String::new(), instance: String::new(), from: number, to: number });
            }
            if !wrapper {
                open.push(name.trim().to_owned());
            }
        }
        if let (Some(part), false) = (parts.last_mut(), open.is_empty()) {
            part.lines.push(line.clone());
            part.to = number;
            let top = open.len() == 1;
            if top && upper.starts_with("UID") {
                part.uid = line.split_once(':').map_or("", |(_, value)| value).trim().to_owned();
            } else if top && upper.starts_with("RECURRENCE-ID") {
                part.instance = line.clone();
            }
        }
        if upper.starts_with("END:") {
            if upper.trim() == "END:VCALENDAR" {
                open.clear();
            } else {
                open.pop();
            }
        }
    }
    parts
}

/// Where one of these begins, nothing else is open.
const OUTERMOST: [&str; 7] = ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY", "VCARD"];

/// What became of the files of one package.
#[derive(Default)]
struct Tally {
    files: u64,
    refused: BTreeMap<String, u64>,
    items: u64,
    went_in: u64,
    repaired: u64,
    failed: BTreeMap<String, u64>,
    warned: BTreeMap<String, u64>,
    superseded: u64,
}

/// A reason without what is one file's own.
fn class(why: &str) -> String {
    let mut class = String::new();
    let mut quoted = false;
    for c in why.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                if !quoted {
                    class.push('…');
                }
            }
            _ if quoted => {}
            c if c.is_ascii_digit() => {
                if !class.ends_with('N') {
                    class.push('N');
                }
            }
            c => class.push(c),
        }
    }
    class
}

struct Bench<'a> {
    house: &'a House,
    tally: Tally,
    wrong: Vec<String>,
}

impl Bench<'_> {
    async fn import(&self, kind: &str, id: &str, bytes: Vec<u8>) -> (Value, Vec<Value>) {
        let alice = self.house.http("alice");
        let made = alice.post(&format!("/api/{kind}"), &json!({ "id": id }).to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let path = format!("/api/imports?target=/{kind}/alice/{id}");
        let done = alice.send("POST", &path, &[("prefer", "wait=60")], bytes).await;
        assert_eq!(done.status, 200, "{done:?}");
        let stands = done.json();
        let errors = alice.get(&format!("/api/imports/{}/errors", stands["id"].as_str().expect("an id"))).await.text();
        (stands, errors.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
    }

    async fn export(&self, kind: &str, id: &str) -> String {
        let read = self.house.http("alice").get(&format!("/{kind}/alice/{id}")).await;
        assert_eq!(read.status, 200, "{read:?}");
        String::from_utf8(read.body.to_vec()).expect("UTF-8")
    }

    async fn file(&mut self, path: &Path, name: &str) {
        let bytes = std::fs::read(path).expect("a file");
        let kind = if path.extension().is_some_and(|end| end == "vcf") { "addressbooks" } else { "calendars" };
        self.tally.files += 1;
        let number = self.tally.files;
        let (first, second) = (format!("c{number}"), format!("c{number}-again"));
        let (stands, errors) = self.import(kind, &first, bytes.clone()).await;
        let count = |stands: &Value, key: &str| stands[key].as_u64().expect("a count");
        for warning in stands["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            *self.tally.warned.entry(class(warning)).or_default() += 1;
        }
        if stands["status"] == "failed" {
            *self.tally.refused.entry(class(errors[0]["detail"].as_str().expect("a reason"))).or_default() += 1;
            return self.clear(kind, &[&first]).await;
        }
        self.tally.items += count(&stands, "total");
        self.tally.went_in += count(&stands, "succeedCount");
        self.tally.repaired += count(&stands, "repaired");
        for error in &errors {
            *self.tally.failed.entry(class(error["detail"].as_str().expect("a reason"))).or_default() += 1;
        }
        let mut wrong = |why: String| self.wrong.push(format!("{name}: {why}"));
        if count(&stands, "failedCount") != errors.len() as u64 {
            wrong(format!("{} errors for {stands}", errors.len()));
        }
        let text = match encoding(&stands) {
            Some(encoding) => encoding.decode(&bytes).0.into_owned(),
            None => String::from_utf8_lossy(&bytes).into_owned(),
        };
        let exported = self.export(kind, &first).await;
        let superseded = compare(&text, &exported, &errors, count(&stands, "repaired"), |why| {
            self.wrong.push(format!("{name}: {why}"));
        });
        self.tally.superseded += superseded;
        // What went out goes in again, without any repair, and comes out the same.
        let mut dropped = vec![first.clone()];
        if count(&stands, "succeedCount") > 0 {
            let (again, errors) = self.import(kind, &second, exported.clone().into_bytes()).await;
            dropped.push(second.clone());
            let fine = count(&again, "created") == count(&stands, "succeedCount")
                && count(&again, "repaired") + count(&again, "failedCount") == 0;
            if !fine {
                self.wrong.push(format!("{name}: again {again} {errors:?} for {stands}"));
            } else {
                let keys = |text: &str| parts(text).iter().map(Part::key).collect::<BTreeSet<_>>();
                if keys(&self.export(kind, &second).await) != keys(&exported) {
                    self.wrong.push(format!("{name}: the second export says something else"));
                }
            }
        }
        let dropped: Vec<&str> = dropped.iter().map(String::as_str).collect();
        self.clear(kind, &dropped).await;
    }

    async fn clear(&self, kind: &str, ids: &[&str]) {
        for id in ids {
            let gone = self.house.http("alice").delete(&format!("/api/{kind}/alice/{id}")).await;
            assert_eq!(gone.status, 204, "{gone:?}");
        }
    }
}

/// The encoding that the service says it read a file in.
fn encoding(stands: &Value) -> Option<&'static encoding_rs::Encoding> {
    let warnings = stands["warnings"].as_array()?;
    let label = warnings.iter().find_map(|warning| warning.as_str()?.strip_prefix("not in UTF-8: read as "))?;
    encoding_rs::Encoding::for_label(label.as_bytes())
}

/// Everything that went out came in, and everything that came in went out, failed, or gave way to another version of itself. Answers how
/// many did the last.
fn compare(text: &str, exported: &str, errors: &[Value], repaired: u64, mut wrong: impl FnMut(String)) -> u64 {
    let mut came: BTreeMap<Vec<String>, Vec<Part>> = BTreeMap::new();
    let zones: BTreeSet<Vec<String>> =
        parts(text).iter().filter(|part| part.name == "VTIMEZONE").map(Part::key).collect();
    for part in parts(text).into_iter().filter(|part| part.name != "VTIMEZONE") {
        came.entry(part.key()).or_default().push(part);
    }
    let mut repairs: BTreeSet<String> = BTreeSet::new();
    let mut same: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut out: BTreeSet<(String, String)> = BTreeSet::new();
    for part in parts(exported) {
        if part.name == "VTIMEZONE" {
            if !zones.contains(&part.key()) {
                wrong(format!("a zone that never came: {part:?}"));
            }
            continue;
        }
        out.insert((part.uid.clone(), part.instance.clone()));
        let tries: [&[&str]; 4] = [&[], &["DTSTAMP"], &["UID"], &["UID", "DTSTAMP"]];
        let found = tries.iter().find_map(|names| {
            let like = came.get_mut(&part.without(names).key())?;
            let taken = like.pop();
            taken.map(|_| (part.content(), !names.is_empty()))
        });
        match found {
            Some((key, repair)) => {
                same.insert(key);
                if repair {
                    repairs.insert(part.uid.clone());
                }
            }
            None => wrong(format!("what went out never came: {part:?}")),
        }
    }
    if repairs.len() as u64 > repaired {
        wrong(format!("{} repairs, and {repaired} are told", repairs.len()));
    }
    let mut superseded = 0;
    for part in came.into_values().flatten() {
        let failed = errors.iter().any(|error| {
            let at = error["line"].as_u64().unwrap_or(0);
            (part.from..=part.to).contains(&at) || !part.uid.is_empty() && error["uid"] == part.uid.as_str()
        });
        if out.contains(&(part.uid.clone(), part.instance.clone()))
            || part.uid.is_empty() && same.contains(&part.content())
        {
            superseded += 1;
        } else if !failed {
            wrong(format!("what came is lost without a word: {part:?}"));
        }
    }
    superseded
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "ics" || end == "vcf") {
            found.push(path);
        }
    }
}

/// Runs one package; answers what is to be kept of it.
async fn run(name: &str, folder: &Path) -> String {
    let house = House::open().await;
    let mut bench = Bench { house: &house, tally: Tally::default(), wrong: Vec::new() };
    let mut all = Vec::new();
    files(folder, &mut all);
    all.sort();
    assert!(!all.is_empty(), "{} holds no file", folder.display());
    for path in &all {
        let name = path.strip_prefix(folder).expect("a file of it").display().to_string();
        bench.file(path, &name).await;
    }
    let Bench { tally, wrong, .. } = bench;
    house.stop().await;
    assert!(wrong.is_empty(), "{name}: {} of {} files\n{}", wrong.len(), tally.files, wrong.join("\n"));
    let refused: u64 = tally.refused.values().sum();
    let failed: u64 = tally.failed.values().sum();
    let mut lines = format!(
        "{name}: {} files, {refused} refused; {} items, {} in, {} of them repaired, {failed} failed; {} older versions\n",
        tally.files, tally.items, tally.went_in, tally.repaired, tally.superseded
    );
    for (what, reasons) in [("refused", tally.refused), ("failed", tally.failed), ("warned", tally.warned)] {
        for (why, count) in reasons {
            lines.push_str(&format!("  {what} {count}: {why}\n"));
        }
    }
    lines
}

/// What is kept of a package, from one file of all.
fn kept(name: &str) -> String {
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let mut lines = golden.lines().skip_while(|line| !line.starts_with(&format!("{name}: ")));
    let first = lines.next().map(|line| format!("{line}\n")).unwrap_or_default();
    first + &lines.take_while(|line| line.starts_with("  ")).map(|line| format!("{line}\n")).collect::<String>()
}

async fn check(packages: &[(&str, PathBuf)]) {
    let update = std::env::var(UPDATE).is_ok_and(|value| value == "1");
    for (name, folder) in packages {
        let found = run(name, folder).await;
        print!("{found}");
        let before = kept(name);
        if update {
            let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
            let golden = if before.is_empty() { golden + &found } else { golden.replace(&before, &found) };
            std::fs::write(GOLDEN, golden).expect("written");
        } else {
            assert_eq!(found, before, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_keep_their_lines() {
    check(&[("ics-samples", PathBuf::from(SAMPLES))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_projects_keep_their_lines() {
    let Some(place) = services::found("corpus") else { return };
    let packages = ["icalendar", "recurring-ical-events", "ical.js"].map(|name| (name, place.join(name)));
    check(&packages).await;
}
