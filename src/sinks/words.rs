//! What an alarm says to people: its title, when it begins, where to look, what its author wrote. Plain lines; each sink dresses them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::service::attempts::Parcel;

/// Characters of a title; a longer one is cut.
const TITLE_MAX: usize = 200;
/// What RFC 3986 leaves as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The summary on one line: what could begin a header or confuse a terminal becomes a space.
pub fn title(parcel: &Parcel) -> String {
    let title = line(&parcel.delivery.alarm.summary);
    if title.is_empty() { "(no title)".to_owned() } else { title }
}

/// What a mail has as subject: the SUMMARY of an e-mail alarm, else the event's.
pub fn subject(parcel: &Parcel) -> String {
    let words = parcel.delivery.alarm.words.as_ref();
    words.map(|words| line(&words.subject)).filter(|subject| !subject.is_empty()).unwrap_or_else(|| title(parcel))
}

/// The lines of what an e-mail alarm says itself; none where it says nothing.
pub fn text(parcel: &Parcel) -> Vec<String> {
    let text = parcel.delivery.alarm.words.as_ref().map(|words| words.text.trim()).unwrap_or_default();
    let plain = |line: &str| line.chars().map(|c| if c != '\t' && is_odd(c) { ' ' } else { c }).collect::<String>();
    text.lines().map(|line| plain(line).trim_end().to_owned()).collect()
}

fn line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if is_odd(c) { ' ' } else { c }).take(TITLE_MAX).collect();
    plain.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// Line and paragraph separators, and the marks that turn the reading direction round, are no control characters.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// `Wed 15 January 2025, 10:00 (Europe/Paris)`
pub fn start(parcel: &Parcel) -> String {
    let local = parcel.delivery.alarm.start.with_timezone(&parcel.zone);
    format!("{} ({})", local.format("%a %-d %B %Y, %H:%M"), parcel.zone.name())
}

/// Where the event lies, if this server has a public address.
pub fn link(parcel: &Parcel, public_url: &str) -> Option<String> {
    let path = parcel.delivery.alarm.object.to_string();
    (!public_url.is_empty())
        .then(|| format!("{}{}", public_url.trim_end_matches('/'), utf8_percent_encode(&path, PATH)))
}
