//! The versions of the protocol, and how each writes what may not stand in a header as it is.

use std::borrow::Cow;

/// What is told to a client with whom no version is shared.
pub const ALL: &str = "1.0,1.1,1.2";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V10,
    V11,
    V12,
}

impl Version {
    pub fn as_str(self) -> &'static str {
        match self {
            Version::V10 => "1.0",
            Version::V11 => "1.1",
            Version::V12 => "1.2",
        }
    }

    /// The highest that both sides know. A client that names none speaks 1.0.
    pub fn agreed(accepted: Option<&str>) -> Option<Version> {
        let Some(accepted) = accepted else { return Some(Version::V10) };
        let known = [Version::V12, Version::V11, Version::V10];
        known.into_iter().find(|version| accepted.split(',').any(|one| one.trim() == version.as_str()))
    }

    /// A header's name or value as it was meant; `None` where it holds an escape that this version does not know.
    pub fn unescaped(self, text: &str) -> Option<Cow<'_, str>> {
        if self == Version::V10 || !text.contains('\\') {
            return Some(Cow::Borrowed(text));
        }
        let mut plain = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                plain.push(c);
                continue;
            }
            plain.push(match chars.next()? {
                'n' => '\n',
                'c' => ':',
                '\\' => '\\',
                'r' if self == Version::V12 => '\r',
                _ => return None,
            });
        }
        Some(Cow::Owned(plain))
    }

    /// A header's value as it is written.
    pub fn escaped(self, text: &str) -> Cow<'_, str> {
        if self == Version::V10 || !text.contains(['\\', '\n', ':', '\r']) {
            return Cow::Borrowed(text);
        }
        let mut written = String::with_capacity(text.len() + 8);
        for c in text.chars() {
            match c {
                '\\' => written.push_str("\\\\"),
                '\n' => written.push_str("\\n"),
                ':' => written.push_str("\\c"),
                '\r' if self == Version::V12 => written.push_str("\\r"),
                c => written.push(c),
            }
        }
        Cow::Owned(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_chosen() {
        let rows = [
            (None, Some(Version::V10)),
            (Some("1.0"), Some(Version::V10)),
            (Some("1.2,1.1,1.0"), Some(Version::V12)),
            (Some("1.1, 1.0"), Some(Version::V11)),
            (Some("1.3,1.2"), Some(Version::V12)),
            (Some("2.0"), None),
            (Some(""), None),
        ];
        for (accepted, want) in rows {
            assert_eq!(Version::agreed(accepted), want, "{accepted:?}");
        }
    }

    #[test]
    fn each_version_has_its_own_escapes() {
        use Version::{V10, V11, V12};
        let rows = [
            (V12, r"a\cb\nc\rd\\e", Some("a:b\nc\rd\\e")),
            (V11, r"a\cb\nc\\e", Some("a:b\nc\\e")),
            (V11, r"\r", None),
            (V12, r"\t", None),
            (V12, "a\\", None),
            (V10, r"a\cb\t", Some(r"a\cb\t")),
            (V12, " spaces stay ", Some(" spaces stay ")),
        ];
        for (version, written, want) in rows {
            assert_eq!(version.unescaped(written).as_deref(), want, "{version:?} {written}");
            if let Some(plain) = want {
                assert_eq!(version.escaped(plain), written, "{version:?} {plain:?}");
            }
        }
    }
}
