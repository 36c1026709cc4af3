//! A calendar's place among others. DAV clients keep it as Apple's property `calendar-order`, which means nothing to the service; here it is
//! a number.

use crate::domain::dead::{DeadChange, DeadProperty};

const SPACE: &str = "http://apple.com/ns/ical/";
const NAME: &str = "calendar-order";

/// The number, where a client has set one. What is no whole number is none.
pub fn read(properties: &[DeadProperty]) -> Option<i64> {
    let property = properties.iter().find(|one| one.local == NAME && one.space == SPACE)?;
    let (start, _) = property.value.rsplit_once("</")?;
    let (_, text) = start.rsplit_once('>')?;
    text.trim().parse().ok()
}

/// Sets it, or takes it away: one element that stands for itself.
pub fn change(order: Option<i64>) -> DeadChange {
    let value = order.map(|order| format!("<A:{NAME} xmlns:A=\"{SPACE}\">{order}</A:{NAME}>"));
    DeadChange { space: SPACE.to_owned(), local: NAME.to_owned(), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number() {
        let kept =
            |value: &str| DeadProperty { space: SPACE.to_owned(), local: NAME.to_owned(), value: value.to_owned() };
        for (value, want) in [
            (change(Some(-3)).value.expect("an element"), Some(-3)),
            (format!("<calendar-order xmlns=\"{SPACE}\" xml:lang=\"en\"> 7\n</calendar-order>"), Some(7)),
            ("<A:calendar-order/>".to_owned(), None),
            ("<A:calendar-order>first</A:calendar-order>".to_owned(), None),
            ("<A:calendar-order><b>1</b></A:calendar-order>".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(read(&[kept(&value)]), want, "{value}");
        }
        assert_eq!((read(&[]), change(None).value), (None, None));
    }
}
