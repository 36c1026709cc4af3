//! What stands between the owner of a calendar and the people of an event: whether the owner is asked to come, and who has answered them.
//! Knows no store; what is new about it is for others.

use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::trigger::mail;

/// Answers of one event that are looked at; those of more people are not told.
const ANSWERS_MAX: usize = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invitations {
    /// Somebody else asks the owner, who has not answered.
    pub asked: bool,
    /// Who answered the owner, and how: mail address and PARTSTAT.
    pub answers: Vec<(String, String)>,
}

impl Invitations {
    /// What an object says of the person with this mail address. Empty matches nobody.
    pub fn of(object: &CalendarObject, email: &str) -> Invitations {
        let mut found = Invitations::default();
        if email.is_empty() {
            return found;
        }
        for block in object.components() {
            let Some(organizer) = block.property("ORGANIZER") else { continue };
            if is(organizer, email) {
                found.answers.extend(answers(block));
            } else {
                let asked = block.properties("ATTENDEE").filter(|attendee| is(attendee, email));
                found.asked |= asked.into_iter().any(|attendee| status(attendee) == "NEEDS-ACTION");
            }
        }
        found.answers.sort_unstable();
        found.answers.dedup();
        found.answers.truncate(ANSWERS_MAX);
        found
    }

    /// Whether there is anything to compare with what stood before.
    pub fn matters(&self) -> bool {
        self.asked || !self.answers.is_empty()
    }

    /// Whether somebody answered, or answered otherwise, since `before`.
    pub fn answered_since(&self, before: &Invitations) -> bool {
        self.answers.iter().any(|answer| !before.answers.contains(answer))
    }
}

fn answers(block: &Block) -> impl Iterator<Item = (String, String)> {
    let answered = block.properties("ATTENDEE").map(|attendee| (attendee, status(attendee)));
    let answered = answered.filter(|(_, status)| status != "NEEDS-ACTION");
    answered.map(|(attendee, status)| (mail(&attendee.value).to_lowercase(), status))
}

/// RFC 5545 3.2.12: absent means NEEDS-ACTION.
fn status(attendee: &Property) -> String {
    attendee.param("PARTSTAT").unwrap_or("NEEDS-ACTION").to_ascii_uppercase()
}

/// RFC 7986 6.2: EMAIL names the mail address where the value is some other address.
fn is(person: &Property, email: &str) -> bool {
    let is = |address: &str| mail(address).eq_ignore_ascii_case(email);
    is(&person.value) || person.param("EMAIL").is_some_and(is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::lines::Limits;

    #[test]
    fn who_is_asked_and_who_answered() {
        let of = |lines: &str| {
            let text = format!(
                "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20250115T090000Z\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
            );
            let object = CalendarObject::read(text.as_bytes(), &Limits::default()).expect("an object");
            Invitations::of(&object, "me@x.org")
        };
        let theirs = "ORGANIZER:mailto:you@x.org\r\n";
        let mine = "ORGANIZER:MAILTO:Me@x.org\r\n";
        let rows = [
            ("ATTENDEE:mailto:me@x.org\r\n", "", false, 0),
            ("ATTENDEE:mailto:me@x.org\r\n", theirs, true, 0),
            ("ATTENDEE;PARTSTAT=needs-action:mailto:ME@x.org\r\n", theirs, true, 0),
            ("ATTENDEE;EMAIL=me@x.org:urn:uuid:1\r\n", theirs, true, 0),
            ("ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@x.org\r\n", theirs, false, 0),
            ("ATTENDEE:mailto:other@x.org\r\n", theirs, false, 0),
            ("ATTENDEE:mailto:me@x.org\r\n", mine, false, 0),
            ("ATTENDEE;PARTSTAT=DECLINED:mailto:you@x.org\r\n", mine, false, 1),
            ("ATTENDEE:mailto:you@x.org\r\n", mine, false, 0),
        ];
        for (attendee, organizer, asked, answers) in rows {
            let found = of(&format!("{organizer}{attendee}"));
            assert_eq!((found.asked, found.answers.len()), (asked, answers), "{organizer}{attendee}");
        }
        let declined = of(&format!("{mine}ATTENDEE;PARTSTAT=DECLINED:mailto:you@x.org\r\n"));
        let accepted = of(&format!("{mine}ATTENDEE;PARTSTAT=ACCEPTED:mailto:you@x.org\r\n"));
        assert!(accepted.answered_since(&declined) && accepted.answered_since(&Invitations::default()));
        assert!(!accepted.answered_since(&accepted) && !Invitations::default().answered_since(&accepted));
    }
}
