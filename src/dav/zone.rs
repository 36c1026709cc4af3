//! The name of the zone in a `calendar-timezone`. Does not know which zones there are, and makes no VTIMEZONE.

/// The name in the VTIMEZONE of a `calendar-timezone`, as it is written there; `None` where there is no VTIMEZONE with a name.
pub fn tzid(text: &str) -> Option<String> {
    // RFC 5545 3.1: a line that begins with white space goes on from the one before.
    let text = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let mut lines = text.lines().map(str::trim);
    lines.by_ref().find(|line| line.eq_ignore_ascii_case("BEGIN:VTIMEZONE"))?;
    let mut found = None;
    for line in lines.take_while(|line| !line.eq_ignore_ascii_case("END:VTIMEZONE")) {
        let Some((head, value)) = line.split_once(':') else { continue };
        let property = head.split(';').next().unwrap_or_default();
        // Where both are there, libical's extra line has the tz database's name.
        if property.eq_ignore_ascii_case("X-LIC-LOCATION") {
            return Some(value.to_owned());
        }
        if property.eq_ignore_ascii_case("TZID") {
            found = Some(value.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vtimezone_says_its_name() {
        let rows = [
            (
                "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n",
                Some("Europe/Paris"),
            ),
            ("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID;X-A=b:Euro\n pe/Paris\nEND:VTIMEZONE", Some("Europe/Paris")),
            ("begin:vtimezone\ntzid:W. Europe\nX-LIC-LOCATION:Europe/Berlin\nend:vtimezone", Some("Europe/Berlin")),
            ("BEGIN:VEVENT\nTZID:Europe/Paris\nEND:VEVENT", None),
            ("BEGIN:VTIMEZONE\nEND:VTIMEZONE\nTZID:Europe/Paris", None),
            ("", None),
        ];
        for (text, want) in rows {
            assert_eq!(tzid(text).as_deref(), want, "{text}");
        }
    }
}
