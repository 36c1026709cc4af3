//! What a calendar says of itself where it is fetched as a feed: its name, its colour, how often to look. Reads its head only.

use crate::ical::lines::{Limits, Lines};
use crate::ical::text;
use crate::ical::time::Length;

/// What the head of a VCALENDAR wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub name: Option<String>,
    pub color: Option<String>,
    /// Seconds between two looks.
    pub refresh: Option<i64>,
}

/// Reads up to the first component; RFC 7986 5.1, 5.7, 5.9 and the X- properties of before. `bytes` may end anywhere.
///
/// ```
/// use campanile::ical::wishes::wishes;
/// let head = b"BEGIN:VCALENDAR\r\nX-WR-CALNAME:Team\r\nREFRESH-INTERVAL;VALUE=DURATION:PT6H\r\nBEGIN:VEVENT\r\nX-WR-CALNAME:no\r\n";
/// let found = wishes(head);
/// assert_eq!((found.name.as_deref(), found.refresh), (Some("Team"), Some(21_600)));
/// ```
pub fn wishes(bytes: &[u8]) -> Wishes {
    let mut found = Wishes::default();
    let (mut name, mut color, mut refresh) = (None, None, None);
    for property in Lines::new(bytes, &Limits::default()) {
        let Ok(property) = property else { continue };
        let value = || Some(text::unescaped(&property.value)).filter(|value| !value.trim().is_empty());
        let length = || Length::parse(property.value.trim()).map(|length| length.about()).filter(|long| *long > 0);
        match property.name.as_str() {
            "BEGIN" if !property.value.eq_ignore_ascii_case("VCALENDAR") => break,
            "NAME" => found.name = value(),
            "X-WR-CALNAME" => name = value(),
            "COLOR" => found.color = value(),
            "X-APPLE-CALENDAR-COLOR" => color = value(),
            "REFRESH-INTERVAL" => found.refresh = length(),
            "X-PUBLISHED-TTL" => refresh = length(),
            _ => {}
        }
    }
    // Clients know #RRGGBB better than the names of CSS.
    Wishes { name: found.name.or(name), color: color.or(found.color), refresh: found.refresh.or(refresh) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_alone_counts() {
        let wish = |head: &str| wishes(head.as_bytes());
        assert_eq!(wish("<html>"), Wishes::default());
        let old = wish("BEGIN:VCALENDAR\nX-PUBLISHED-TTL:P1D\nX-APPLE-CALENDAR-COLOR:#FF0000\nCOLOR:red\nX-WR-CALNA");
        assert_eq!((old.refresh, old.color.as_deref(), old.name), (Some(86_400), Some("#FF0000"), None));
        let both = wish("BEGIN:VCALENDAR\r\nX-WR-CALNAME:B\r\nNAME:A\\, a\r\nX-PUBLISHED-TTL:soon\r\n");
        assert_eq!((both.name.as_deref(), both.refresh), (Some("A, a"), None));
    }
}
