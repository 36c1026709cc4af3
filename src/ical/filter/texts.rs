//! One text held against another, under a collation. RFC 4790 9.2 and 9.3, RFC 5051. Knows no property.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::domain::query::{Collation, Kind, ParamFilter, ParamTest, TextMatch};
use crate::ical::lines::Property;

/// Whether a text passes; the negation is part of the answer.
pub fn passes(text: &str, wanted: &TextMatch) -> bool {
    let (hay, needle) = (folded(text, wanted.collation), folded(&wanted.text, wanted.collation));
    let holds = match wanted.kind {
        Kind::Equals => hay == needle,
        Kind::Contains => hay.contains(&*needle),
        Kind::StartsWith => hay.starts_with(&*needle),
        Kind::EndsWith => hay.ends_with(&*needle),
    };
    holds != wanted.negate
}

/// Whether one parameter of a property is as it is wanted.
pub fn param(property: &Property, wanted: &ParamFilter) -> bool {
    let mut found = property.params.iter().filter(|param| param.name == wanted.name).peekable();
    match &wanted.test {
        ParamTest::Absent => found.peek().is_none(),
        ParamTest::Present(None) => found.peek().is_some(),
        ParamTest::Present(Some(text)) => found.any(|param| param.values.iter().any(|value| passes(value, text))),
    }
}

/// A text as its collation compares it.
fn folded(text: &str, collation: Collation) -> Cow<'_, str> {
    match collation {
        Collation::Octet => Cow::Borrowed(text),
        Collation::AsciiCasemap => Cow::Owned(text.to_ascii_uppercase()),
        Collation::UnicodeCasemap if text.is_ascii() => Cow::Owned(text.to_ascii_uppercase()),
        Collation::UnicodeCasemap => Cow::Owned(text.chars().map(upper).nfkd().map(upper).collect()),
    }
}

/// RFC 5051 2 maps a character to one other at most.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collations_differ() {
        use Collation::{AsciiCasemap, Octet, UnicodeCasemap};
        let rows = [
            ("Lunch", "lunch", Octet, false),
            ("Lunch", "unc", Octet, true),
            ("Lunch", "LUNCH", AsciiCasemap, true),
            ("\u{c9}t\u{e9}", "\u{e9}t\u{e9}", AsciiCasemap, false),
            ("\u{c9}t\u{e9}", "\u{e9}t\u{e9}", UnicodeCasemap, true),
            ("\u{c9}t\u{e9}", "e\u{301}te\u{301}", UnicodeCasemap, true),
            ("\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}", "\u{3c2}", UnicodeCasemap, true),
            ("\u{ff21}", "a", UnicodeCasemap, true),
            ("x", "", Octet, true),
        ];
        for (text, needle, collation, want) in rows {
            for negate in [false, true] {
                let wanted = TextMatch { text: needle.to_owned(), collation, kind: Kind::Contains, negate };
                assert_eq!(passes(text, &wanted), want != negate, "{needle} in {text}, {collation:?}");
            }
        }
        let rows =
            [("abc", true, false, true, false), ("ab", true, true, true, true), ("cab", false, false, true, true)];
        for (text, starts, equals, contains, ends) in rows {
            let passes =
                |kind| passes(text, &TextMatch { text: "AB".to_owned(), collation: AsciiCasemap, kind, negate: false });
            let found =
                (passes(Kind::StartsWith), passes(Kind::Equals), passes(Kind::Contains), passes(Kind::EndsWith));
            assert_eq!(found, (starts, equals, contains, ends), "{text}");
        }
    }
}
