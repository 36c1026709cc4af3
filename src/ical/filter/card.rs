//! Whether a card matches a filter. RFC 6352 10.5.

use crate::domain::query::{CardFilter, CardProp, CardTest};
use crate::ical::filter::texts;
use crate::ical::lines::Property;
use crate::ical::vcard::{self, Card};

/// Whether a card matches; `bytes` are its text, in which the groups stand.
pub fn matches(filter: &CardFilter, card: &Card, bytes: &[u8]) -> bool {
    let mut tests = filter.props.iter().map(|prop| property(prop, card, bytes));
    match filter.all {
        _ if filter.props.is_empty() => true,
        true => tests.all(|holds| holds),
        false => tests.any(|holds| holds),
    }
}

fn property(filter: &CardProp, card: &Card, bytes: &[u8]) -> bool {
    let in_group = |property: &&Property| match &filter.group {
        Some(wanted) => group(property, bytes).is_some_and(|group| group.eq_ignore_ascii_case(wanted)),
        None => true,
    };
    let mut found = card.root().properties(&filter.name).filter(in_group).peekable();
    match &filter.test {
        CardTest::Absent => found.peek().is_none(),
        CardTest::Present { texts, params, .. } if texts.is_empty() && params.is_empty() => found.peek().is_some(),
        CardTest::Present { all, texts: wanted, params } => found.any(|property| {
            let value = vcard::plain(property);
            let texts = wanted.iter().map(|wanted| texts::passes(&value, wanted));
            let mut tests = texts.chain(params.iter().map(|param| texts::param(property, param)));
            if *all { tests.all(|holds| holds) } else { tests.any(|holds| holds) }
        }),
    }
}

/// The group before a property's name.
fn group<'b>(property: &Property, bytes: &'b [u8]) -> Option<&'b str> {
    let line = std::str::from_utf8(bytes.get(property.span.clone())?).ok()?;
    let head = line.split([';', ':']).next()?;
    head.split_once('.').map(|(group, _)| group.trim())
}
