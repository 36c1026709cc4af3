//! The TEXT value type and folding, both ways. RFC 5545 3.3.11 and 3.1. Knows no property.

/// Undoes the escapes of a TEXT value. An unknown escape keeps its character.
pub fn unescaped(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n' | 'N') => plain.push('\n'),
            Some(other) => plain.push(other),
            None => plain.push('\\'),
        }
    }
    plain
}

/// Makes a TEXT value of a text.
pub fn escaped(plain: &str) -> String {
    let mut value = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '\n' => value.push_str("\\n"),
            // A lone CR would end the line for many readers.
            '\r' => {}
            '\\' | ';' | ',' => value.extend(['\\', c]),
            c => value.push(c),
        }
    }
    value
}

/// One content line, folded at 75 octets, never within a character, with its ending.
pub fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + line.len() / 70 + 2);
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > 75 {
            out.push_str("\r\n ");
            width = 1;
        }
        width += c.len_utf8();
        out.push(c);
    }
    out.push_str("\r\n");
    out
}

/// Steps of a budget that a copy of so many bytes costs: none for everyday texts, many for a novel in each instance.
pub fn copy_cost(bytes: usize) -> u32 {
    const BYTES_A_STEP: usize = 512;
    u32::try_from(bytes / BYTES_A_STEP).unwrap_or(u32::MAX)
}

/// The parts of a value that are split at unescaped commas.
pub fn parts(value: &str) -> impl Iterator<Item = &str> {
    split(value, b',')
}

/// The parts of a value that are split at one unescaped ASCII character.
pub fn split(value: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut escaped = false;
        let end = text.bytes().position(|byte| {
            let ends = byte == at && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        match end {
            Some(end) => {
                let (part, tail) = text.split_at(end);
                rest = tail.get(1..);
                Some(part)
            }
            None => {
                rest = None;
                Some(text)
            }
        }
    })
}

/// The parts of a structured value like RRULE: names with their values.
pub fn rule_parts(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(';').filter_map(|part| part.split_once('=')).map(|(name, value)| (name.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_there_and_back() {
        for (value, plain) in [("a\\, b\\; c\\\\d\\ne", "a, b; c\\d\ne"), ("", ""), ("\u{e9}", "\u{e9}")] {
            assert_eq!(unescaped(value), plain);
            assert_eq!(escaped(plain), value);
        }
        assert_eq!(unescaped("a\\xb\\"), "axb\\");
    }

    #[test]
    fn folds_stand_between_characters() {
        let line = format!("SUMMARY:{}", "\u{e9}".repeat(60));
        let folded = folded(&line);
        assert!(folded.split("\r\n").all(|part| part.len() <= 75));
        assert_eq!(folded.replace("\r\n ", ""), format!("{line}\r\n"));
    }

    #[test]
    fn values_are_split_at_commas() {
        assert_eq!(parts("a,b\\,c,,d").collect::<Vec<_>>(), ["a", "b\\,c", "", "d"]);
    }
}
