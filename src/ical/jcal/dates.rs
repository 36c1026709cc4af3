//! Dates, times and offsets: text writes them without separators, JSON with them. RFC 7265 3.6.4 to 3.6.13, RFC 7095 3.5.3. Only their
//! form is looked at: the thirtieth of February passes.

/// `20250115` becomes `2025-01-15`.
pub fn date_shown(text: &str) -> Option<String> {
    let part = |from, to| digits(text, from, to);
    (text.len() == 8).then(|| Some(format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?)))?
}

/// `2025-01-15` becomes `20250115`; what is in that form already stays.
pub fn date_said(text: &str) -> Option<String> {
    if date_shown(text).is_some() {
        return Some(text.to_owned());
    }
    let plain: String = spaced(text, &[(4, b'-'), (7, b'-')], 10)?;
    date_shown(&plain).map(|_| plain)
}

/// `090000Z` becomes `09:00:00Z`.
pub fn time_shown(text: &str) -> Option<String> {
    let (clock, zulu) = unzulued(text);
    let part = |from, to| digits(clock, from, to);
    (clock.len() == 6).then(|| Some(format!("{}:{}:{}{zulu}", part(0, 2)?, part(2, 4)?, part(4, 6)?)))?
}

pub fn time_said(text: &str) -> Option<String> {
    if time_shown(text).is_some() {
        return Some(text.to_owned());
    }
    let (clock, zulu) = unzulued(text);
    let plain = format!("{}{zulu}", spaced(clock, &[(2, b':'), (5, b':')], 8)?);
    time_shown(&plain).map(|_| plain)
}

/// `20250115T090000Z` becomes `2025-01-15T09:00:00Z`.
pub fn date_time_shown(text: &str) -> Option<String> {
    let (date, time) = text.split_once('T')?;
    Some(format!("{}T{}", date_shown(date)?, time_shown(time)?))
}

pub fn date_time_said(text: &str) -> Option<String> {
    let (date, time) = text.split_once('T')?;
    Some(format!("{}T{}", date_said(date)?, time_said(time)?))
}

/// `+0130` becomes `+01:30`, `-013015` becomes `-01:30:15`.
pub fn offset_shown(text: &str) -> Option<String> {
    let sign = text.chars().next().filter(|c| matches!(c, '+' | '-'))?;
    let clock = text.get(1..)?;
    let part = |from, to| digits(clock, from, to);
    match clock.len() {
        4 => Some(format!("{sign}{}:{}", part(0, 2)?, part(2, 4)?)),
        6 => Some(format!("{sign}{}:{}:{}", part(0, 2)?, part(2, 4)?, part(4, 6)?)),
        _ => None,
    }
}

pub fn offset_said(text: &str) -> Option<String> {
    let plain = text.replace(':', "");
    let shown = offset_shown(&plain)?;
    (shown == text || plain == text).then_some(plain)
}

/// One stretch: a start and an end, or a start and a duration.
pub fn period_shown(text: &str) -> Option<(String, String)> {
    let (start, end) = text.split_once('/')?;
    let end = if is_duration(end) { end.to_owned() } else { date_time_shown(end)? };
    Some((date_time_shown(start)?, end))
}

pub fn period_said(start: &str, end: &str) -> Option<String> {
    let end = if is_duration(end) { end.to_owned() } else { date_time_said(end)? };
    Some(format!("{}/{end}", date_time_said(start)?))
}

/// Whether it has the form of a duration: `P1D`, `-PT15M`.
pub fn is_duration(text: &str) -> bool {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    bare.strip_prefix('P').is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || b"WDTHMS".contains(&byte))
    })
}

/// A date of a card: whole ones and birthdays without a year get separators, anything else stays as it is.
pub fn card_shown(text: &str) -> String {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let spelled = match date.strip_prefix("--") {
        Some(rest) if rest.len() == 4 => {
            digits(rest, 0, 2).zip(digits(rest, 2, 4)).map(|(month, day)| format!("--{month}-{day}"))
        }
        Some(_) => None,
        None => date_shown(date),
    };
    match (spelled, time) {
        (None, _) => text.to_owned(),
        (Some(date), None) => date,
        (Some(date), Some(time)) => match card_time(time) {
            Some(time) => format!("{date}T{time}"),
            None => text.to_owned(),
        },
    }
}

/// The same back. vCard 4 knows the form without separators alone, vCard 3 is mostly written with them.
pub fn card_said(text: &str, bare: bool) -> String {
    if !bare {
        return text.to_owned();
    }
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let plain = match date.strip_prefix("--") {
        Some(rest) => spaced(rest, &[(2, b'-')], 5).map(|plain| format!("--{plain}")),
        None => date_said(date),
    };
    let Some(plain) = plain else { return text.to_owned() };
    match time {
        None => plain,
        Some(time) => format!("{plain}T{}", time.replace(':', "")),
    }
}

/// `090000`, with `Z` or an offset of hours, or of hours and minutes.
fn card_time(text: &str) -> Option<String> {
    let clock = time_shown(text.get(..6)?)?;
    let zone = text.get(6..)?;
    match zone.len() {
        0 => Some(clock),
        1 if zone == "Z" => Some(format!("{clock}Z")),
        5 => Some(format!("{clock}{}", offset_shown(zone)?)),
        _ => None,
    }
}

/// A stretch of a text that is all digits.
fn digits(text: &str, from: usize, to: usize) -> Option<&str> {
    text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A text without its separators, which must stand exactly there.
fn spaced(text: &str, separators: &[(usize, u8)], length: usize) -> Option<String> {
    let stand = separators.iter().all(|(at, separator)| text.as_bytes().get(*at) == Some(separator));
    let is_separator = |at: usize| separators.iter().any(|(known, _)| *known == at);
    (text.len() == length && text.is_ascii() && stand)
        .then(|| text.char_indices().filter(|(at, _)| !is_separator(*at)).map(|(_, c)| c).collect())
}

fn unzulued(text: &str) -> (&str, &str) {
    match text.strip_suffix('Z') {
        Some(rest) => (rest, "Z"),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        type Way = fn(&str) -> Option<String>;
        let rows: [(Way, Way, &str, &str); 8] = [
            (date_shown, date_said, "20250115", "2025-01-15"),
            (date_time_shown, date_time_said, "20250115T090000Z", "2025-01-15T09:00:00Z"),
            (date_time_shown, date_time_said, "20250115T090000", "2025-01-15T09:00:00"),
            (time_shown, time_said, "235960Z", "23:59:60Z"),
            (time_shown, time_said, "000000", "00:00:00"),
            (offset_shown, offset_said, "+0100", "+01:00"),
            (offset_shown, offset_said, "-000130", "-00:01:30"),
            (offset_shown, offset_said, "+1400", "+14:00"),
        ];
        for (shown, said, text, json) in rows {
            assert_eq!(shown(text).as_deref(), Some(json));
            assert_eq!(said(json).as_deref(), Some(text));
            assert_eq!(said(text).as_deref(), Some(text), "the form of the text is taken too");
        }
        for text in
            ["", "2025011", "2025-1-15", "20250115T", "20250115t090000", "2025\u{e9}115", "+01:0", "+01:000", "1:30"]
        {
            assert_eq!(date_shown(text), None, "{text}");
            assert_eq!((date_time_shown(text), date_time_said(text)), (None, None), "{text}");
            assert_eq!((offset_shown(text), offset_said(text)), (None, None), "{text}");
        }
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(period_shown("20250115T090000Z/PT1H"), pair("2025-01-15T09:00:00Z", "PT1H"));
        assert_eq!(period_said("2025-01-15T09:00:00Z", "PT1H").as_deref(), Some("20250115T090000Z/PT1H"));
        assert_eq!(period_shown("20250115T090000Z/later"), None);
    }

    #[test]
    fn dates_of_cards_go_there_and_back() {
        for (text, json, three) in [
            ("19850412", "1985-04-12", "1985-04-12"),
            ("--0412", "--04-12", "--04-12"),
            ("1985-04", "1985-04", "1985-04"),
            ("---12", "---12", "---12"),
            ("19951031T222710Z", "1995-10-31T22:27:10Z", "1995-10-31T22:27:10Z"),
            ("19951031T222710+0130", "1995-10-31T22:27:10+01:30", "1995-10-31T22:27:10+01:30"),
            ("T102200", "T102200", "T102200"),
            ("circa 1800", "circa 1800", "circa 1800"),
        ] {
            assert_eq!(card_shown(text), json);
            assert_eq!(card_said(json, true), text);
            assert_eq!(card_said(json, false), three);
        }
    }
}
