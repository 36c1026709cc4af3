//! Bearer tokens that keep sockets open, ours and other issuers' JWTs: which are believed, whom they name, and what closes when they end.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{hmac, signature};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::live::House;
use crate::live::client::{Http, Socket};

const SECRET: &str = "a secret of at least thirty-two bytes";
const RSA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/jwt_rsa.pem");
const RSA_PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/jwt_rsa_public.pem");
/// What stands before the point of a public key of P-256: RFC 5480 section 2.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Nine o'clock, when every house opens; the machine's own clock is elsewhere.
const NINE: i64 = 1_736_931_600;
const HOUR: i64 = 3_600;

/// An issuer with a key of each kind.
struct Issuer {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl Issuer {
    fn new() -> Issuer {
        let rsa = PrivatePkcs8KeyDer::from_pem_file(RSA).expect("a key");
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &SystemRandom::new());
        Issuer { rsa: RsaKeyPair::from_pkcs8(rsa.secret_pkcs8_der()).expect("a key"), ec: ec.expect("a key") }
    }

    fn ec_public(&self) -> String {
        let der = [&P256[..], self.ec.public_key().as_ref()].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    fn signed(&self, by: &str, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let bytes = message.as_bytes();
        let mac = |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref().to_vec();
        let signature = match by {
            "HS256" => mac(SECRET.as_bytes()),
            "RS256" => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                let signed = self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature);
                signed.expect("it signs");
                signature
            }
            "ES256" => self.ec.sign(&SystemRandom::new(), bytes).expect("it signs").as_ref().to_vec(),
            "the RSA key's text" => mac(&std::fs::read(RSA_PUBLIC).expect("a key")),
            "the RSA key's bytes" => mac(self.rsa.public_key().as_ref()),
            "the EC key's point" => mac(self.ec.public_key().as_ref()),
            "another secret" => mac(b"another secret of at least thirty-two bytes"),
            "nobody" => Vec::new(),
            other => panic!("nothing is signed by {other}"),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What FreedomCTI's clients bring, good until ten.
    fn of(&self, user: u64) -> String {
        self.until(user, NINE + HOUR)
    }

    fn until(&self, user: u64, exp: i64) -> String {
        let claims = json!({ "natterboxOrgId": "1", "natterboxUserId": user.to_string(), "exp": exp });
        self.signed("HS256", &json!({ "alg": "HS256" }), &claims)
    }
}

/// Good for an hour, from the right issuer, for us; with more or other claims, `null` for one that is missing.
fn claims(more: &Value) -> Value {
    let mut all = json!({ "iss": "https://issuer.example", "aud": "campanile", "exp": NINE + HOUR, "sub": "alice" });
    for (name, value) in more.as_object().expect("claims") {
        if value.is_null() {
            all.as_object_mut().expect("claims").remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    all
}

async fn me(house: &House, token: &str) -> Option<String> {
    let reply = Http::with(house.base(), &format!("Bearer {token}")).get("/api/me").await;
    assert!([200, 401].contains(&reply.status), "{reply:?}");
    (reply.status == 200).then(|| reply.json()["name"].as_str().expect("a name").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jwt_is_believed_by_its_signature_its_times_and_for_whom_it_is() {
    let issuer = Issuer::new();
    let dir = tempfile::tempdir().expect("a directory");
    let key = dir.path().join("ec.pem");
    std::fs::write(&key, issuer.ec_public()).expect("a file");
    let settings = [
        ("auth.jwt.algorithms", "HS256,RS256,ES256"),
        ("auth.jwt.secret", SECRET),
        ("auth.jwt.rsa_key", RSA_PUBLIC),
        ("auth.jwt.ec_key", &key.to_string_lossy()),
        ("auth.jwt.issuers", "https://issuer.example,https://other.example"),
        ("auth.jwt.audiences", "campanile"),
        ("auth.jwt.leeway_seconds", "10"),
    ];
    let house = House::open_with(&settings).await;
    let alice = Some("alice");
    let rows: Vec<(&str, &str, Value, Option<&str>)> = vec![
        ("HS256", "HS256", json!({}), alice),
        ("RS256", "RS256", json!({}), alice),
        ("ES256", "ES256", json!({}), alice),
        // Who signed, and what the header says.
        ("none", "nobody", json!({}), None),
        ("None", "nobody", json!({}), None),
        ("HS256", "nobody", json!({}), None),
        ("HS256", "another secret", json!({}), None),
        ("HS256", "the RSA key's text", json!({}), None),
        ("HS256", "the RSA key's bytes", json!({}), None),
        ("HS256", "the EC key's point", json!({}), None),
        ("HS256", "RS256", json!({}), None),
        ("RS256", "HS256", json!({}), None),
        ("RS256", "ES256", json!({}), None),
        ("ES256", "RS256", json!({}), None),
        ("HS512", "HS256", json!({}), None),
        ("PS256", "RS256", json!({}), None),
        ("ES384", "ES256", json!({}), None),
        // When.
        ("HS256", "HS256", json!({ "exp": null }), None),
        ("HS256", "HS256", json!({ "exp": "2030" }), None),
        ("HS256", "HS256", json!({ "exp": 1e300 }), None),
        ("HS256", "HS256", json!({ "exp": NINE - 11 }), None),
        ("HS256", "HS256", json!({ "exp": NINE - 10 }), None),
        ("HS256", "HS256", json!({ "exp": NINE - 9 }), alice),
        ("HS256", "HS256", json!({ "exp": (NINE + 1) as f64 + 0.5 }), alice),
        ("HS256", "HS256", json!({ "nbf": NINE + 11 }), None),
        ("HS256", "HS256", json!({ "nbf": NINE + 10 }), alice),
        ("HS256", "HS256", json!({ "nbf": "now" }), None),
        // From whom, and for whom.
        ("HS256", "HS256", json!({ "iss": "https://issuer.example.org" }), None),
        ("HS256", "HS256", json!({ "iss": null }), None),
        ("HS256", "HS256", json!({ "iss": "https://other.example" }), alice),
        ("HS256", "HS256", json!({ "aud": "another" }), None),
        ("HS256", "HS256", json!({ "aud": null }), None),
        ("HS256", "HS256", json!({ "aud": ["another", "campanile"] }), alice),
        // Whom it names.
        ("HS256", "HS256", json!({ "sub": "nobody" }), None),
        ("HS256", "HS256", json!({ "sub": null }), None),
        ("HS256", "HS256", json!({ "sub": "bob@campanile.example" }), Some("bob")),
        ("HS256", "HS256", json!({ "sub": "0a1b", "email": "carol@campanile.example" }), Some("carol")),
        (
            "HS256",
            "HS256",
            json!({ "sub": null, "email": "bob@campanile.example", "email_verified": true }),
            Some("bob"),
        ),
        ("HS256", "HS256", json!({ "sub": null, "email": "bob@campanile.example", "email_verified": false }), None),
        ("HS256", "HS256", json!({ "sub": null, "email": "bob" }), None),
        ("HS256", "HS256", json!({ "natterboxOrgId": "1", "natterboxUserId": "2" }), Some("bob")),
        ("HS256", "HS256", json!({ "natterboxOrgId": 1, "natterboxUserId": 2 }), Some("bob")),
        ("HS256", "HS256", json!({ "natterboxOrgId": "demo", "natterboxUserId": "bob" }), Some("bob")),
        ("HS256", "HS256", json!({ "natterboxOrgId": "1", "natterboxUserId": "99" }), None),
        ("HS256", "HS256", json!({ "natterboxOrgId": "99", "natterboxUserId": "2" }), None),
        ("HS256", "HS256", json!({ "natterboxOrgId": "1" }), None),
        ("HS256", "HS256", json!({ "natterboxUserId": "2" }), None),
    ];
    for (alg, by, more, want) in rows {
        let token = issuer.signed(by, &json!({ "alg": alg, "typ": "JWT" }), &claims(&more));
        assert_eq!(me(&house, &token).await.as_deref(), want, "{alg} signed by {by} with {more}");
    }
    // What somebody changed on the way, or what is no such token at all.
    let token = issuer.signed("HS256", &json!({ "alg": "HS256" }), &claims(&json!({})));
    let parts: Vec<&str> = token.split('.').collect();
    let admin = URL_SAFE_NO_PAD.encode(claims(&json!({ "sub": "admin" })).to_string());
    let crit = issuer.signed("HS256", &json!({ "alg": "HS256", "crit": ["b64"], "b64": true }), &claims(&json!({})));
    let long = issuer.signed("HS256", &json!({ "alg": "HS256" }), &claims(&json!({ "more": "x".repeat(13_000) })));
    let rows = [
        format!("{}.{admin}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}A", parts[0], parts[1], parts[2]),
        format!("{token}.{}", parts[2]),
        "..".to_owned(),
        "a.b.c".to_owned(),
        crit,
        long,
    ];
    for token in &rows {
        assert_eq!(me(&house, token).await, None, "{token}");
    }
    assert_eq!(me(&house, &token).await.as_deref(), alice);
    // It proves who somebody is, as their password does, and grants nothing beside.
    let http = Http::with(house.base(), &format!("Bearer {token}"));
    assert_eq!(http.post("/api/bus/events", r#"{"headers":{"name":"x"},"body":{}}"#).await.status, 403);
    house.turn("2025-01-15T10:00:10Z").await;
    assert_eq!(me(&house, &token).await, None, "it is over by the service's clock");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_word_of_the_operator_no_jwt_is_believed() {
    let issuer = Issuer::new();
    let house = House::open().await;
    assert_eq!(me(&house, &issuer.of(1)).await, None);
    drop(house);
    let house = House::open_with(&[("auth.jwt.algorithms", "HS256"), ("auth.jwt.secret", SECRET)]).await;
    assert_eq!(me(&house, &issuer.of(1)).await.as_deref(), Some("alice"));
    let signed = |by: &str, more: Value| {
        let mut claims = json!({ "exp": NINE + HOUR, "sub": "alice" });
        claims.as_object_mut().expect("claims").extend(more.as_object().expect("claims").clone());
        issuer.signed(by, &json!({ "alg": by }), &claims)
    };
    assert_eq!(me(&house, &signed("RS256", json!({}))).await, None, "not allowed");
    assert_eq!(me(&house, &signed("HS256", json!({ "aud": "another" }))).await, None, "for somebody else");
    assert_eq!(me(&house, &signed("HS256", json!({ "iss": "anybody" }))).await.as_deref(), Some("alice"));
}

fn auth(token: &str) -> String {
    json!({ "type": "auth", "accessToken": token, "client": { "name": "CTI 2.0", "version": "2.5.1" } }).to_string()
}

fn welcome() -> Value {
    json!({ "type": "tick", "message": "welcome" })
}

/// One socket of each kind that a token opens; none says anything by itself.
struct Open {
    person: Socket,
    header: Socket,
    events: Socket,
    messages: Socket,
    counted: Socket,
}

impl Open {
    async fn with(house: &House, token: &str) -> Open {
        let at = |path: String| async move { Socket::open_at(house.base(), &path, &[]).await.expect("it opens") };
        let mut person = at(format!("/organisation/1/user/1?access_token={token}")).await;
        let subscribe = json!({ "action": "subscribe", "orgId": "1", "userId": 1 }).to_string();
        assert_eq!(person.ask(&subscribe).await["type"], "presence_update");
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let header = Socket::open_at(house.base(), "/organisation/1/user-group/team", &headers);
        let mut header = header.await.expect("it opens");
        let subscribe = json!({ "action": "subscribe", "orgId": "1", "groupId": "team" }).to_string();
        assert_eq!(header.ask(&subscribe).await["type"], "group_presence_update");
        let mut events = at("/v1/events".to_owned()).await;
        assert_eq!(events.ask(&auth(token)).await, welcome());
        let mut messages = at("/v1/subscribe".to_owned()).await;
        assert_eq!(messages.ask(&auth(token)).await, welcome());
        let mut counted = at(format!("/v1/subscribe?access_token={token}")).await;
        assert_eq!(counted.ask(r#"{"type":"ping"}"#).await, json!({ "type": "pong" }));
        Open { person, header, events, messages, counted }
    }

    async fn are_open(&mut self) {
        for socket in self.all() {
            assert_eq!(socket.ask(r#"{"type":"ping"}"#).await, json!({ "type": "pong" }));
        }
    }

    fn all(&mut self) -> [&mut Socket; 5] {
        [&mut self.person, &mut self.header, &mut self.events, &mut self.messages, &mut self.counted]
    }

    async fn are_closed(mut self) {
        for (number, socket) in self.all().into_iter().enumerate() {
            assert_eq!(socket.closed().await, Some(4003), "socket {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_end_with_the_token_that_opened_them() {
    let house = House::open_with(&[("auth.jwt.algorithms", "HS256"), ("auth.jwt.secret", SECRET)]).await;
    let issuer = Issuer::new();
    // A JWT at its end, one of ours at its end, one of ours that is taken back.
    let mut foreign = Open::with(&house, &issuer.of(2)).await;
    let short = house.bearer("bob", json!({ "expires_in": HOUR })).await;
    let mut short_lived = Open::with(&house, &short).await;
    let [taken, kept] =
        [house.bearer("bob", json!({})).await, house.bearer("bob", json!({ "expires_in": 10 * HOUR })).await];
    let (mut revoked, mut standing) = (Open::with(&house, &taken).await, Open::with(&house, &kept).await);
    house.turn("2025-01-15T09:59:59Z").await;
    for open in [&mut foreign, &mut short_lived, &mut revoked, &mut standing] {
        open.are_open().await;
    }
    assert_eq!(house.http("bob").delete(&format!("/api/tokens/{taken}")).await.status, 204);
    house.settle().await;
    revoked.are_closed().await;
    // A fresh token takes the place of the one that is about to end; so does another's, as far as closing goes.
    let fresh = issuer.until(2, NINE + 2 * HOUR);
    assert_eq!(foreign.events.ask(&auth(&fresh)).await, welcome());
    assert_eq!(foreign.messages.ask(&auth(&fresh)).await, welcome());
    assert_eq!(short_lived.events.ask(&auth(&issuer.of(1))).await["type"], "error");
    assert_eq!(short_lived.events.closed().await, Some(4003));
    assert_eq!(short_lived.messages.ask(&auth(&issuer.of(1))).await["type"], "error");
    assert_eq!(short_lived.messages.closed().await, Some(4003));
    house.turn("2025-01-15T10:00:00Z").await;
    for socket in [&mut foreign.person, &mut foreign.header, &mut foreign.counted] {
        assert_eq!(socket.closed().await, Some(4003));
    }
    for socket in [&mut short_lived.person, &mut short_lived.header, &mut short_lived.counted] {
        assert_eq!(socket.closed().await, Some(4003));
    }
    for socket in [&mut foreign.events, &mut foreign.messages] {
        assert_eq!(socket.ask(r#"{"type":"ping"}"#).await, json!({ "type": "pong" }));
    }
    standing.are_open().await;
    house.turn("2025-01-15T11:00:00Z").await;
    let ended = json!({ "type": "error", "message": "the accessToken has ended" });
    for socket in [&mut foreign.events, &mut foreign.messages] {
        assert_eq!(socket.hear_news().await, ended);
        assert_eq!(socket.closed().await, Some(4003));
    }
    standing.are_open().await;
    // Sockets that a token opened go with their person all the same.
    assert_eq!(house.http("admin").delete("/api/users/bob").await.status, 204);
    house.settle().await;
    standing.are_closed().await;
    house.stop().await;
}

/// A token that is taken back while its socket is being opened closes it as well: whoever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_socket_outlives_a_token_that_is_taken_back_meanwhile() {
    let house = House::open().await;
    for _ in 0..20 {
        let token = house.bearer("bob", json!({})).await;
        let path = format!("/organisation/1/user/1?access_token={token}");
        let (mut socket, http, gone) = (
            Socket::open_at(house.base(), &path, &[]).await.expect("it opens"),
            house.http("bob"),
            format!("/api/tokens/{token}"),
        );
        assert_eq!(http.delete(&gone).await.status, 204);
        assert_eq!(socket.closed().await, Some(4003));
    }
    house.stop().await;
}

#[test]
fn the_test_keys_belong_together() {
    let issuer = Issuer::new();
    let token = issuer.signed("RS256", &json!({ "alg": "RS256" }), &json!({}));
    let (message, signed) = token.rsplit_once('.').expect("three parts");
    let signed = URL_SAFE_NO_PAD.decode(signed).expect("base64");
    let key = signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, issuer.rsa.public_key());
    key.verify(message.as_bytes(), &signed).expect("it fits");
}
