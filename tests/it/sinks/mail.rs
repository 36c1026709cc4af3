//! Mail: the message to the byte, who gets which alarm, what a server may answer, headers that nobody can add.

use serde_json::{Value, json};

use crate::live::House;
use crate::sinks::receiver::{Mail, Receiver};
use crate::sinks::{OPEN, alarm, choose, deliveries, put, until};

const RINGS: &str = "2025-01-15T09:45:00Z";

async fn house(server: &Receiver<Mail>, more: &[(&str, &str)]) -> House {
    let port = server.port.to_string();
    let mut settings = vec![
        ("mail.host", "localhost"),
        ("mail.port", &*port),
        ("mail.security", "none"),
        ("mail.user", "bell"),
        ("mail.password", "ring"),
        ("mail.from", "Campanile <alarms@example.org>"),
    ];
    settings.extend(OPEN);
    settings.extend(more);
    House::open_with(&settings).await
}

fn header<'m>(mail: &'m Mail, name: &str) -> Vec<&'m str> {
    let head = mail.data.split("\r\n\r\n").next().unwrap_or("");
    head.split("\r\n").filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_alarm_is_one_mail_to_the_byte() {
    let mut server = Receiver::smtp().await;
    let house = house(&server, &[("sinks.public_url", "https://cal.example.org/")]).await;
    house.http("alice").patch("/api/me", r#"{"timezone":"Europe/Paris"}"#).await;
    put(
        &house,
        "alice",
        "/calendars/alice/default/tea time.ics".replace(' ', "%20").as_str(),
        &alarm("tea", "Tea <3", "ACTION:EMAIL"),
    )
    .await;
    let turned = house.turn(RINGS).await;
    assert_eq!((&turned["settled"], &turned["firedCount"]), (&json!(true), &json!(1)));
    let [mail] = server.heard().try_into().expect("exactly one mail, without waiting");
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("alarms@example.org", &["alice@campanile.example".to_owned()][..])
    );
    let id = header(&mail, "Message-ID")[0].trim_matches(['<', '>']).split('@').next().expect("an id").to_owned();
    let want = format!(
        "From: Campanile <alarms@example.org>\r\n\
         To: alice@campanile.example\r\n\
         Subject: Tea <3\r\n\
         Date: Wed, 15 Jan 2025 09:45:00 +0000\r\n\
         Message-ID: <{id}@example.org>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative;\r\n boundary=\"campanile-{id}\"\r\n\
         \r\n\
         --campanile-{id}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         x\r\n\
         \r\n\
         Tea <3\r\n\
         Wed 15 January 2025, 11:00 (Europe/Paris)\r\n\
         https://cal.example.org/calendars/alice/default/tea%20time.ics\r\n\
         \r\n\
         An alarm of Campanile.\r\n\
         \r\n\
         --campanile-{id}\r\n\
         Content-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\
         \r\n\
         <!DOCTYPE html>\r\n<html><body>\r\n\
         <p>x</p>\r\n\
         <h1>Tea &lt;3</h1>\r\n\
         <p>Wed 15 January 2025, 11:00 (Europe/Paris)</p>\r\n\
         <p><a href=3D\"https://cal.example.org/calendars/alice/default/tea%20time.ic=\r\n\
         s\">https://cal.example.org/calendars/alice/default/tea%20time.ics</a></p>\r\n\
         <p><small>An alarm of Campanile.</small></p>\r\n\
         </body></html>\r\n\
         \r\n\
         --campanile-{id}--\r\n\r\n"
    );
    assert_eq!(mail.data, want);
    assert_eq!(id.len(), 32);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_adds_no_header_and_no_recipient() {
    let mut server = Receiver::smtp().await;
    let house = house(&server, &[]).await;
    let summary = "Tea\\nBcc: eve@example.com\\n\\n<script>\u{202E}\\n.\\nMAIL FROM:<eve@example.com>";
    put(&house, "alice", "/calendars/alice/default/a.ics", &alarm("a", summary, "ACTION:EMAIL")).await;
    put(&house, "alice", "/calendars/alice/default/b.ics", &alarm("b", "Grüße", "ACTION:EMAIL")).await;
    house.turn(RINGS).await;
    let mut heard = server.heard();
    heard.sort_by_key(|mail| mail.data.contains("=?utf-8?"));
    let [evil, foreign] = heard.try_into().expect("two mails");
    assert_eq!(evil.to, ["alice@campanile.example"]);
    let subject = "Tea Bcc: eve@example.com <script> . MAIL FROM:<eve@example.com>";
    assert_eq!(header(&evil, "Subject"), [subject]);
    assert_eq!(header(&evil, "Bcc"), Vec::<&str>::new());
    assert!(!evil.data.contains("<script>\r\n") && evil.data.contains("&lt;script&gt;"), "{}", evil.data);
    assert_eq!(header(&foreign, "Subject"), ["=?utf-8?b?R3LDvMOfZQ==?="]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_alarm_says_what_its_author_wrote() {
    let mut server = Receiver::smtp().await;
    let house = house(&server, &[("sinks.attempts", "3")]).await;
    choose(&house, "alice", json!({ "email": true })).await;
    // The alarm's lines; the subject; the beginning of the text and of its twin. On the wire a line that begins with a dot has two.
    let event = "Tea\r\nWed 15 January 2025, 10:00 (UTC)\r\n";
    let own = "ACTION:EMAIL\r\nSUMMARY:Bring\\, please\\nBcc: eve@example.com\r\nDESCRIPTION:Two lines\\nof <text>\\n\\n.\\n& \u{202E}more\\n";
    let rows = [
        (
            own,
            "Bring, please Bcc: eve@example.com",
            format!("Two lines\r\nof <text>\r\n\r\n..\r\n&  more\r\n\r\n{event}"),
            "<p>Two lines<br>\r\nof &lt;text&gt;<br>\r\n<br>\r\n..<br>\r\n&amp;  more</p>\r\n<h1>Tea</h1>",
        ),
        ("ACTION:EMAIL\r\nSUMMARY:Only a subject", "Only a subject", event.to_owned(), "<body>\r\n<h1>Tea</h1>"),
        ("ACTION:EMAIL\r\nDESCRIPTION: \\n", "Tea", event.to_owned(), "<body>\r\n<h1>Tea</h1>"),
        // A display alarm that comes by mail: DESCRIPTION is what a screen shows, mostly some program's placeholder.
        ("ACTION:DISPLAY\r\nSUMMARY:no\r\nDESCRIPTION:Reminder", "Tea", event.to_owned(), "<body>\r\n<h1>Tea</h1>"),
    ];
    for (number, (lines, ..)) in rows.iter().enumerate() {
        let object = alarm(&number.to_string(), "Tea", lines).replace("DESCRIPTION:x\r\n", "");
        put(&house, "alice", &format!("/calendars/alice/default/{number}.ics"), &object).await;
    }
    house.turn(RINGS).await;
    let heard = server.heard();
    assert_eq!(heard.len(), rows.len());
    for (lines, subject, text, twin) in &rows {
        let matching = |mail: &&Mail| {
            header(mail, "Subject") == [*subject]
                && mail.data.contains(&format!("\r\n\r\n{text}\r\nAn alarm"))
                && mail.data.contains(twin)
        };
        assert!(heard.iter().any(|mail| matching(&mail)), "{lines}: {heard:?}");
        assert!(heard.iter().all(|mail| header(mail, "Bcc").is_empty()));
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_decides_which_channels_hear() {
    let mut server = Receiver::smtp().await;
    let mut hook = Receiver::http().await;
    let house = house(&server, &[]).await;
    choose(&house, "alice", json!({ "webhook": { "url": hook.url("/") } })).await;
    // (action, whether display alarms come by mail, mails, posts)
    let rows = [
        ("DISPLAY", false, 0, 1),
        ("AUDIO", false, 0, 1),
        ("EMAIL", false, 1, 0),
        ("DISPLAY", true, 1, 1),
        ("AUDIO", true, 1, 1),
        ("EMAIL", true, 1, 0),
        ("NONE", true, 0, 0),
    ];
    for (hour, (action, by_mail, mails, posts)) in rows.into_iter().enumerate() {
        choose(&house, "alice", json!({ "email": by_mail })).await;
        let hour = hour + 12;
        let object = alarm(&hour.to_string(), "Tea", &format!("ACTION:{action}"));
        let object = object.replace("T100000Z", &format!("T{hour}0000Z"));
        put(&house, "alice", &format!("/calendars/alice/default/{hour}.ics"), &object).await;
        house.turn(&format!("2025-01-15T{hour}:00:00Z")).await;
        assert_eq!((server.heard().len(), hook.heard().len()), (mails, posts), "{action} {by_mail}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delegates_hear_through_channels_of_their_own() {
    let mut server = Receiver::smtp().await;
    let mut hook = Receiver::http().await;
    let house = house(&server, &[]).await;
    choose(&house, "bob", json!({ "webhook": { "url": hook.url("/") } })).await;
    let listed = house.http("bob").get("/api/calendars").await.json();
    let mirror = listed.as_array().expect("a list").iter().find(|one| one["kind"] == "delegated").expect("a mirror");
    let href = mirror["href"].as_str().expect("a path").to_owned();
    for (uid, action) in [("a", "DISPLAY"), ("b", "EMAIL")] {
        put(
            &house,
            "alice",
            &format!("/calendars/alice/team/{uid}.ics"),
            &alarm(uid, uid, &format!("ACTION:{action}")),
        )
        .await;
    }
    assert_eq!(house.http("bob").patch(&format!("/api{href}"), r#"{"alarms":true}"#).await.status, 200);
    house.turn(RINGS).await;
    let [post] = hook.heard().try_into().expect("one post");
    assert_eq!(post.json()["eventURL"], format!("{href}/a.ics"));
    let mut to: Vec<String> = server.heard().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["alice@campanile.example", "bob@campanile.example"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_put_off_and_refuse() {
    let mut server = Receiver::smtp().await;
    let house = house(&server, &[]).await;
    server.answer(&["451 later", "250 taken", "550 never"]);
    put(&house, "alice", "/calendars/alice/default/a.ics", &alarm("a", "a", "ACTION:EMAIL")).await;
    house.turn(RINGS).await;
    let (first, again) = (server.hear().await, server.hear().await);
    assert_eq!(first, again, "the same message to the byte");
    until(&house, "alice", "waiting", 0).await;
    let later = alarm("b", "b", "ACTION:EMAIL").replace("T100000Z", "T110000Z");
    put(&house, "alice", "/calendars/alice/default/b.ics", &later).await;
    house.turn("2025-01-15T10:45:00Z").await;
    let dead = deliveries(&house, "alice", "dead").await;
    assert_eq!((dead.len(), &dead[0]["recipient"]), (1, &json!("alice@campanile.example")));
    let why = dead[0]["why"].as_str().expect("a reason");
    assert!(why.starts_with("the mail server refused") && why.contains("never"), "{why}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_never_go_out_in_the_clear_unless_asked_to() {
    let trusted = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sinks/tls/ca.pem");
    // A server that offers no STARTTLS, one that speaks TLS, and TLS without trust.
    let rows = [("starttls", false, trusted, 0), ("tls", true, trusted, 1), ("tls", true, "", 0)];
    for (security, secure, trusted, heard) in rows {
        let mut server = if secure { Receiver::smtps().await } else { Receiver::smtp().await };
        let settings = [("mail.security", security), ("sinks.trusted", trusted), ("sinks.attempts", "1")];
        let house = house(&server, &settings).await;
        put(&house, "alice", "/calendars/alice/default/a.ics", &alarm("a", "a", "ACTION:EMAIL")).await;
        assert_eq!(house.turn(RINGS).await["settled"], true);
        let dead = deliveries(&house, "alice", "dead").await;
        assert_eq!((server.heard().len(), dead.len()), (heard, 1 - heard), "{security} {dead:?}");
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_no_mail_is_planned() {
    let house = House::open().await;
    put(&house, "alice", "/calendars/alice/default/a.ics", &alarm("a", "a", "ACTION:EMAIL")).await;
    assert_eq!(house.turn(RINGS).await["firedCount"], 1);
    assert_eq!(house.http("alice").get("/api/deliveries").await.json(), Value::Array(Vec::new()));
    let asked = house.http("alice").patch("/api/me", r#"{"channels":{"email":true}}"#).await;
    assert_eq!((asked.status, &asked.json()["detail"]), (400, &json!("email: this server sends no mail")));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_mails_is_held_back() {
    let mut server = Receiver::smtp().await;
    let house = house(&server, &[("mail.per_user_per_minute", "2"), ("sinks.attempts", "1")]).await;
    for number in 0..4 {
        let path = format!("/calendars/alice/default/{number}.ics");
        put(&house, "alice", &path, &alarm(&number.to_string(), "a", "ACTION:EMAIL")).await;
    }
    house.turn(RINGS).await;
    assert_eq!(server.heard().len(), 2);
    let dead = deliveries(&house, "alice", "dead").await;
    assert!(dead.len() == 2 && dead[0]["why"].as_str().is_some_and(|why| why.contains("too many mails")), "{dead:?}");
    house.stop().await;
}
