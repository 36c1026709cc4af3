//! What an alarm says to people: its title, when it begins, where to look. Plain text without line breaks; each sink dresses it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::service::attempts::Parcel;

/// Characters of a title; a longer one is cut.
const TITLE_MAX: usize = 200;
/// What RFC 3986 leaves as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The summary on one line: what could begin a header or confuse a terminal becomes a space.
pub fn title(parcel: &Parcel) -> String {
    let summary = &parcel.delivery.alarm.summary;
    // Line and paragraph separators, and the marks that turn the reading direction round, are no control characters.
    let odd = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let plain: String = summary.chars().map(|c| if odd(c) { ' ' } else { c }).take(TITLE_MAX).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    if words.is_empty() { "(no title)".to_owned() } else { words.join(" ") }
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
