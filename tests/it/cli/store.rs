//! `campanile store`: copies, restores, checks and compaction of a store, as an operator does them; and what clients are told after a restore.

use crate::cli::{Folder, Process, Service, command, line_with, run};
use crate::live::client::{Http, Reply};
use crate::live::plain_event;

const WORK: &str = "/calendars/alice/default/";

/// A demo service on this store, with the engine.
async fn served(store: &str, engine: &str) -> (Process, String) {
    let mut command = command(&["serve", "--demo", "--listen", "127.0.0.1:0", "--data", store]);
    command.env("CAMPANILE_STORE__ENGINE", engine);
    let mut process = Process::start(command);
    let line = line_with(&mut process.out, "http://").await;
    (process, line.rsplit("http://").next().expect("an address").to_owned())
}

/// What changed since a token, or all there is.
async fn since(http: &Http, token: &str) -> Reply {
    let body = format!(
        "<D:sync-collection xmlns:D='DAV:'><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>\
         <D:prop><D:getetag/></D:prop></D:sync-collection>"
    );
    http.send("REPORT", WORK, &[("content-type", "application/xml")], body).await
}

async fn token(http: &Http) -> String {
    let text = since(http, "").await.text();
    let (_, rest) = text.rsplit_once("sync-token>http").expect("a token");
    format!("http{}", rest.split('<').next().expect("its end"))
}

/// Writes an event, and answers the token behind it.
async fn put(http: &Http, name: &str) -> String {
    let put = http.put(&format!("{WORK}{name}.ics"), &plain_event(name, "20250115T100000Z")).await;
    assert_eq!(put.status, 201, "{}", put.text());
    token(http).await
}

async fn names(http: &Http) -> Vec<String> {
    let text = since(http, "").await.text();
    let parts = text.split("href>").filter(|part| part.contains(".ics"));
    let mut names: Vec<String> = parts.map(|part| part.split('<').next().expect("a name").replace(WORK, "")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_restored_store_takes_no_token_of_the_time_that_was_lost() {
    let folder = Folder::new();
    let store = folder.path("store");
    let (mut process, _) = served(&store, "sled").await;
    assert_eq!(process.terminate().await, Some(0));
    let root = ["user", "add", "root", "--email", "root@example.org", "--administrator", "--new-password", "root"];
    run(&[&root[..], &["--data", &store]].concat()).await.fine();
    let (mut process, base) = served(&store, "sled").await;
    let (alice, bob) = (Http::new(&base, "alice"), Http::new(&base, "bob"));
    let known = put(&alice, "a").await;
    let kept = put(&alice, "b").await;
    // A running service makes a copy for an administrator, and for nobody else.
    assert_eq!(bob.post("/api/store/exports", "").await.status, 403);
    let admin = ["--url", &format!("http://{base}"), "--user", "root", "--password", "root"];
    let said = run(&[&["store", "export"][..], &admin].concat()).await.fine();
    let copy = said.split(": ").next().expect("a path").to_owned();
    assert!(copy.starts_with(&folder.path("store/exports/")), "{said}");
    // It goes on, is started again, and goes on: all of that will be lost.
    let mut lost = vec![put(&alice, "c").await];
    assert_eq!(process.terminate().await, Some(0));
    for _ in 0..2 {
        let (mut process, base) = served(&store, "sled").await;
        let alice = Http::new(&base, "alice");
        for name in ["d", "e", "f"] {
            assert!(alice.put(&format!("{WORK}{name}.ics"), &plain_event(name, "20250116T100000Z")).await.status < 300);
            lost.push(token(&alice).await);
            assert!(alice.put(&format!("{WORK}{name}.ics"), &plain_event(name, "20250117T100000Z")).await.status < 300);
        }
        assert_eq!(process.terminate().await, Some(0));
    }
    // Restored into another engine.
    let other = folder.path("other");
    let config = folder.file("redb.toml", "[store]\nengine = \"redb\"\n");
    let redb = ["--config", &config, "--data", &other];
    let restored = run(&[&["store", "import", &copy][..], &redb].concat()).await.fine();
    assert!(restored.contains(" rows from "), "{restored}");
    run(&[&["store", "import", &copy][..], &redb].concat()).await.failed(1, &["is not empty"]);
    assert!(run(&[&["store", "check"][..], &redb].concat()).await.fine().ends_with(": 0 findings\n"));
    let (mut process, base) = served(&other, "redb").await;
    let alice = Http::new(&base, "alice");
    assert_eq!(names(&alice).await, ["a.ics", "b.ics"]);
    for name in ["g", "h", "i", "j"] {
        put(&alice, name).await;
    }
    for (n, token) in lost.iter().enumerate() {
        let refused = since(&alice, token).await;
        assert_eq!(refused.status, 403, "{n}: {}", refused.text());
        assert!(refused.text().contains("valid-sync-token"), "{}", refused.text());
    }
    for (token, changed) in [(&known, 5), (&kept, 4)] {
        let found = since(&alice, token).await;
        assert_eq!((found.status, found.text().matches("getetag>\"").count()), (207, changed), "{}", found.text());
    }
    assert_eq!(process.terminate().await, Some(0));
}

#[tokio::test]
async fn a_store_is_counted_checked_compacted_and_copied_by_hand() {
    let mut service = Service::start().await;
    let store = service.folder.path("store");
    let data = ["--data", store.as_str()];
    let act = async |act: &[&str]| run(&[&["store"], act, &data].concat()).await;
    let alice = service.http("alice");
    for n in 0..300 {
        let event =
            plain_event(&format!("e{}", n % 50), "20250115T100000Z").replace("SUMMARY:", &format!("SUMMARY:{n}"));
        assert!(alice.put(&format!("{WORK}e{}.ics", n % 50), &event).await.status < 300);
    }
    let before = names(&alice).await;
    act(&["check"]).await.failed(1, &["a service holds the store", "stop it first"]);
    assert_eq!(service.process.terminate().await, Some(0));

    let stats = act(&["stats"]).await.fine();
    assert!(stats.lines().any(|line| line.starts_with("object ") && line.contains(" rows ")), "{stats}");
    let checked = act(&["check"]).await.fine();
    assert!(checked.ends_with(" objects: 0 findings\n"), "{checked}");
    let compacted = act(&["compact"]).await.fine();
    assert!(compacted.contains(" on disk before, "), "{compacted}");
    assert_eq!(act(&["check"]).await.fine(), checked);

    // By hand: a copy, its damage, and none where there is nothing.
    let copy = service.folder.path("copy");
    let said = act(&["export", &copy]).await.fine();
    assert!(said.starts_with(&copy) && said.contains(" rows, "), "{said}");
    act(&["export", &copy]).await.failed(1, &["is there already"]);
    assert_eq!(act(&["export"]).await.code, Some(2));
    let elsewhere = service.folder.path("elsewhere");
    run(&["store", "check", "--data", &elsewhere]).await.failed(1, &["there is no store at", &elsewhere]);
    let mut damaged = std::fs::read(&copy).expect("the copy");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let damaged = service.folder.file("damaged", damaged);
    run(&["store", "import", &damaged, "--data", &elsewhere]).await.failed(1, &["is damaged"]);
    run(&["store", "check", "--data", &elsewhere]).await.failed(1, &["there is no store at"]);
    let text = service.folder.file("text", "BEGIN:VCALENDAR\r\n");
    run(&["store", "import", &text, "--data", &elsewhere]).await.failed(1, &["is no export of a store"]);

    // A compaction that was cut off between its two renames is taken back.
    std::fs::rename(&store, format!("{store}.before")).expect("a rename");
    let (mut process, base) = served(&store, "sled").await;
    assert_eq!(names(&Http::new(&base, "alice")).await, before);
    assert_eq!(process.terminate().await, Some(0));
}
