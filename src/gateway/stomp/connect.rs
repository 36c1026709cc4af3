//! What a CONNECT asks for: who it is, and how often who must say something. Knows no store.

use std::time::Duration;

use crate::gateway::stomp::reader::Frame;
use crate::http::auth;
use crate::service::login::Credentials;

/// How often each side says something; `None` where it need not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beats {
    pub send: Option<Duration>,
    pub expect: Option<Duration>,
}

/// What the header `heart-beat` and the service's own offer come to; `None` where it cannot be read.
pub fn beats(header: Option<&str>, ours: Duration) -> Option<Beats> {
    let Some(header) = header else { return Some(Beats::default()) };
    let (sends, wants) = header.split_once(',')?;
    let read = |text: &str| text.trim().parse::<u32>().ok().map(u64::from).map(Duration::from_millis);
    // Each wants what it wants at most, and the other gives it as often as it can.
    let settle = |theirs: Duration| (!theirs.is_zero() && !ours.is_zero()).then(|| theirs.max(ours));
    Some(Beats { send: settle(read(wants)?), expect: settle(read(sends)?) })
}

/// What CONNECT proves itself with: `Authorization`, as over HTTP or a bare token; a ticket; or `login` and `passcode`.
pub fn credentials(connect: &Frame) -> Option<Credentials> {
    let filled = |name: &str| connect.header(name).filter(|value| !value.trim().is_empty());
    if let Some(value) = filled("Authorization").or_else(|| filled("authorization")) {
        let value = value.trim();
        return Some(match value.contains(' ') {
            true => auth::of_header(value),
            false => Credentials::Bearer(value.to_owned()),
        });
    }
    if let Some(ticket) = filled("ticket") {
        return Some(Credentials::Ticket(ticket.to_owned()));
    }
    let login = filled("login")?.to_owned();
    Some(Credentials::Basic { login, password: connect.header("passcode").unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_on_the_slower_beat() {
        let ours = Duration::from_secs(10);
        let ms = |ms: u64| Some(Duration::from_millis(ms));
        let rows = [
            (None, ours, Some((None, None))),
            (Some("0,0"), ours, Some((None, None))),
            (Some("4000,0"), ours, Some((None, ms(10_000)))),
            (Some("0,30000"), ours, Some((ms(30_000), None))),
            (Some("20000, 5000"), ours, Some((ms(10_000), ms(20_000)))),
            (Some("20000,5000"), Duration::ZERO, Some((None, None))),
            (Some("1"), ours, None),
            (Some("a,b"), ours, None),
            (Some("-1,0"), ours, None),
            (Some("99999999999,0"), ours, None),
        ];
        for (header, ours, want) in rows {
            assert_eq!(beats(header, ours).map(|beats| (beats.send, beats.expect)), want, "{header:?}");
        }
    }
}
