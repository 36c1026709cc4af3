//! The codec against streams of all shapes, and what a session answers to a client that breaks the protocol.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campanile::domain::address::UserName;
use campanile::gateway::codec::{Codec, Ended, Held, Tungstenite};
use campanile::gateway::dialect::Frame;
use campanile::gateway::hub::{Hub, Limits};
use campanile::gateway::session::{Ending, Session, Settings};
use campanile::gateway::side::conversation::{PATHS_DEFAULT, Side};
use campanile::system::clock::SystemClock;
use campanile::system::pace::RealPace;
use campanile::system::random::{SeededRandom, bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::desk::World;
use crate::wire::{self, BINARY, CLOSE, PING, PONG, TEXT, below, client, whole};

const STREAMS: u64 = 400;

#[derive(Debug, PartialEq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
}

/// Messages of a client as bytes, and what has to come of them.
struct Stream {
    bytes: Vec<u8>,
    messages: Vec<Heard>,
    pongs: Vec<Vec<u8>>,
    fragmented: bool,
}

fn stream(random: &SeededRandom) -> Stream {
    let mut stream = Stream { bytes: Vec::new(), messages: Vec::new(), pongs: Vec::new(), fragmented: false };
    let whole_only = below(random, 2) == 0;
    for _ in 0..1 + below(random, 6) {
        if below(random, 4) == 0 {
            ping(&mut stream, random);
        }
        let size = [below(random, 10), below(random, 200), below(random, 20_000)][below(random, 3)];
        let (opcode, payload) = if below(random, 2) == 0 {
            let alphabet = ['a', 'é', '€', '𝄞', '"', '\u{0}'];
            let text: String = (0..size / 2).map(|_| alphabet[below(random, alphabet.len())]).collect();
            stream.messages.push(Heard::Text(text.clone()));
            (TEXT, text.into_bytes())
        } else {
            let payload: Vec<u8> = (0..size).map(|_| bytes::<1>(random)[0]).collect();
            stream.messages.push(Heard::Binary(payload.clone()));
            (BINARY, payload)
        };
        // Fragments may cut characters in two, and pings may stand between them.
        let mut cuts: Vec<usize> = match below(random, 3) {
            0 if !whole_only => (0..1 + below(random, 4)).map(|_| below(random, payload.len() + 1)).collect(),
            _ => Vec::new(),
        };
        stream.fragmented |= !cuts.is_empty();
        cuts.sort_unstable();
        cuts.push(payload.len());
        let mut from = 0;
        for (at, cut) in cuts.iter().enumerate() {
            let last = at + 1 == cuts.len();
            let first = if at == 0 { opcode } else { 0 } | if last { 0x80 } else { 0 };
            stream.bytes.extend(client(first, &payload[from..*cut], bytes(random)));
            if !last && below(random, 3) == 0 {
                ping(&mut stream, random);
            }
            from = *cut;
        }
    }
    stream
}

fn ping(stream: &mut Stream, random: &SeededRandom) {
    let size = below(random, 126);
    let payload: Vec<u8> = (0..size).map(|_| bytes::<1>(random)[0]).collect();
    stream.bytes.extend(client(0x80 | PING, &payload, bytes(random)));
    stream.pongs.push(payload);
}

#[test]
fn every_message_and_every_pong_comes_out_however_the_bytes_are_cut() {
    let (mut parked, mut messages) = (0, 0);
    for seed in 0..STREAMS {
        let random = SeededRandom::new(seed);
        let stream = stream(&random);
        let (mut heard, mut replies) = (Vec::new(), Vec::new());
        let mut codec: Option<Tungstenite> = None;
        let mut rest = &stream.bytes[..];
        while !rest.is_empty() {
            let most = [4, 100, 20_000][below(&random, 3)];
            let (part, after) = rest.split_at(rest.len().min(1 + below(&random, most)));
            rest = after;
            let held = codec.get_or_insert_with(|| Tungstenite::new(64 << 10)).feed(
                part,
                &mut |frame| {
                    heard.push(match frame {
                        Frame::Text(text) => Heard::Text(text.to_owned()),
                        Frame::Binary(bytes) => Heard::Binary(bytes.to_vec()),
                    });
                },
                &mut replies,
            );
            match held {
                Held::More => {}
                Held::Idle => {
                    parked += 1;
                    codec = None;
                }
                Held::End(ended) => panic!("seed {seed}: {ended:?}"),
            }
        }
        let pongs: Vec<Vec<u8>> = wire::server(&replies)
            .into_iter()
            .map(|(opcode, payload)| {
                assert_eq!(opcode, PONG, "seed {seed}");
                payload
            })
            .collect();
        assert_eq!(pongs, stream.pongs, "seed {seed}");
        assert_eq!(heard, stream.messages, "seed {seed}");
        assert_eq!(codec.is_none(), !stream.fragmented, "seed {seed}: a codec is kept for fragments alone");
        messages += heard.len();
    }
    assert!(parked > STREAMS / 2 && messages > 1_000, "{parked} times dropped, {messages} messages");
}

#[test]
fn a_length_written_the_long_way_only_keeps_the_codec() {
    let mut frame = vec![0x80 | TEXT, 0x80 | 126, 0, 2, 0, 0, 0, 0];
    frame.extend_from_slice(b"{}");
    let mut heard = 0;
    let mut codec = Tungstenite::new(64 << 10);
    assert_eq!(codec.feed(&frame, &mut |_| heard += 1, &mut Vec::new()), Held::More);
    assert_eq!(codec.feed(&whole(TEXT, b"{}"), &mut |_| heard += 1, &mut Vec::new()), Held::More);
    assert_eq!(heard, 2);
}

#[test]
fn nothing_is_heard_after_the_end() {
    let mut codec = Tungstenite::new(64 << 10);
    let mut bytes = whole(CLOSE, &1000u16.to_be_bytes());
    bytes.extend(whole(TEXT, b"late"));
    let mut replies = Vec::new();
    let held = codec.feed(&bytes, &mut |_| panic!("heard after the close"), &mut replies);
    assert_eq!(held, Held::End(Ended::ByClient));
    assert_eq!(wire::server(&replies), [(CLOSE, 1000u16.to_be_bytes().to_vec())]);
}

/// Sends bytes to a session and reads all that it says, to its end.
async fn converse(bytes: &[u8], settings: Settings) -> (Vec<(u8, Vec<u8>)>, Ending) {
    let hub = Hub::new(Limits::default());
    let user = UserName::new("alice").unwrap();
    let seat = hub.join(Some(&user)).unwrap();
    let (side, pace) = (Box::new(Side::new(user, PATHS_DEFAULT)), Arc::new(RealPace));
    let session = Session::new(side, seat, World::new(), Arc::new(SystemClock), pace, settings);
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let running = tokio::spawn(session.run(far, Bytes::new()));
    near.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    // The close frame is the last that is said; then this side hangs up as well.
    loop {
        let read = near.read(&mut buffer).await.unwrap();
        said.extend_from_slice(&buffer[..read]);
        let mut rest = &said[..];
        let mut closed = false;
        while let Some(((opcode, _), after)) = wire::first(rest) {
            closed |= opcode == CLOSE;
            rest = after;
        }
        if read == 0 || closed {
            break;
        }
    }
    drop(near);
    let ending = running.await.unwrap();
    assert_eq!(hub.count(), 0);
    let mut said = wire::server(&said);
    assert_eq!(said.remove(0), (TEXT, br#"{"calendarListRegistered":true}"#.to_vec()));
    (said, ending)
}

#[tokio::test]
async fn broken_clients_are_told_what_they_broke() {
    let many = |count: usize, frame: Vec<u8>| frame.repeat(count);
    let rows: Vec<(&str, Vec<u8>, u16)> = vec![
        ("an unmasked frame", vec![0x81, 2, b'{', b'}'], 1002),
        ("text that is not UTF-8", whole(TEXT, b"\xFF\xFE"), 1007),
        ("text cut inside a character", whole(TEXT, "é".as_bytes().split_at(1).0), 1007),
        (
            "fragments that are not UTF-8 together",
            [client(TEXT, b"\xC3", [0; 4]), client(0x80, b"(", [9; 4])].concat(),
            1007,
        ),
        ("a message over the limit", whole(BINARY, &vec![0; (64 << 10) + 1]), 1009),
        (
            "fragments over the limit together",
            [client(BINARY, &[0; 1 << 15], [0; 4]), many(2, client(0, &[0; 1 << 15], [0; 4]))].concat(),
            1009,
        ),
        ("a length of 2^63", vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1009),
        ("reserved bit 1", client(0xC1, b"{}", [0; 4]), 1002),
        ("reserved bit 3", client(0x91, b"{}", [0; 4]), 1002),
        ("a reserved data opcode", whole(3, b""), 1002),
        ("a reserved control opcode", whole(11, b""), 1002),
        ("a control frame of 126 bytes", whole(PING, &[0; 126]), 1002),
        ("a fragmented ping", client(PING, b"", [0; 4]), 1002),
        ("a continuation of nothing", whole(0, b"x"), 1002),
        ("a message inside a message", [client(TEXT, b"x", [0; 4]), whole(TEXT, b"y")].concat(), 1002),
        ("a close of one byte", whole(CLOSE, &[3]), 1002),
        ("a close with a code that no one may send", whole(CLOSE, &1005u16.to_be_bytes()), 1002),
        ("a close whose reason is not UTF-8", whole(CLOSE, &[3, 0xE8, 0xFF]), 1007),
    ];
    for (what, bytes, code) in rows {
        let (said, _) = converse(&bytes, Settings::default()).await;
        let [(CLOSE, payload)] = &said[..] else { panic!("{what}: {said:?}") };
        assert_eq!(payload[..2], code.to_be_bytes(), "{what}");
    }
}

#[tokio::test]
async fn a_close_is_answered_with_the_same_code() {
    for payload in [&b""[..], &[0x03, 0xE8], b"\x03\xE9going away", b"\x0F\xA1own code"] {
        let (said, ending) = converse(&whole(CLOSE, payload), Settings::default()).await;
        assert_eq!(said, [(CLOSE, payload.to_vec())]);
        assert_eq!(ending, Ending::ByClient);
    }
}

#[tokio::test]
async fn pings_are_answered_between_and_inside_messages() {
    let bytes = [
        whole(PING, b"one"),
        client(TEXT, b"{", [5; 4]),
        whole(PING, b"two"),
        client(0x80, b"}", [6; 4]),
        whole(PONG, b"unasked"),
        whole(BINARY, b"dropped"),
        whole(PING, b""),
        whole(CLOSE, b""),
    ]
    .concat();
    let (said, _) = converse(&bytes, Settings::default()).await;
    let of = |wanted: u8| -> Vec<&[u8]> {
        said.iter().filter(|(opcode, _)| *opcode == wanted).map(|(_, payload)| &payload[..]).collect()
    };
    assert_eq!(of(PONG), [&b"one"[..], b"two", b""]);
    assert_eq!(of(TEXT), [&b"{}"[..]]);
    assert_eq!(said.last(), Some(&(CLOSE, Vec::new())));
}

#[tokio::test]
async fn the_message_limit_is_a_setting() {
    let settings = Settings { message_bytes_max: 100, linger: Duration::from_secs(1), ..Settings::default() };
    let fits = whole(TEXT, format!("{:100}", "{}").as_bytes());
    let (said, _) = converse(&[fits, whole(CLOSE, b"")].concat(), settings).await;
    assert_eq!(said, [(TEXT, b"{}".to_vec()), (CLOSE, Vec::new())]);
    let (said, _) = converse(&whole(TEXT, format!("{:101}", "{}").as_bytes()), settings).await;
    assert_eq!(said[0].1[..2], 1009u16.to_be_bytes());
}
