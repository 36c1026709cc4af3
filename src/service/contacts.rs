//! The cards of an address book as web pages list and search them. What DAV asks of cards stands elsewhere.

use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use crate::domain::address::{Address, Kind};
use crate::domain::object::{Etag, Record};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::vcard::Card;
use crate::service::Service;
use crate::service::shelf::{Content, Held};

/// Cards that one question looks at; where more are left, the answer says from where to go on.
const LOOKED_AT_MAX: usize = 20_000;
/// A longer search, in bytes, is refused.
const QUERY_MAX: usize = 1_024;
/// Digits from which on a word is sought among the digits of telephone numbers.
const DIGITS_MIN: usize = 3;

/// What a list shows of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The object's name in its collection.
    pub object: Arc<str>,
    pub etag: Etag,
    pub uid: String,
    /// FN, or what N says.
    pub name: String,
    pub organization: String,
    pub emails: Vec<String>,
    pub phones: Vec<String>,
}

/// A page of contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    /// In the order of the objects' names.
    pub list: Vec<Contact>,
    /// Where the next page begins; `None` where there is nothing more.
    pub next: Option<Arc<str>>,
}

impl Service {
    /// The contacts of a book behind `after` that have every word of `query` in a name, a mail address, an organization or a telephone
    /// number; case does not matter, nor how a number is written. An empty query finds all.
    pub async fn contacts(
        &self,
        caller: &Principal,
        address: &Address,
        query: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Contacts, Refusal> {
        if address.kind() != Kind::AddressBook {
            return Err(Refusal::NotFound);
        }
        if query.len() > QUERY_MAX {
            return Err(Fault::whole(format!("a search has at most {QUERY_MAX} bytes")).into());
        }
        let view = self.view(&caller.name, address).await?;
        let words: Arc<[String]> = folded(query).split_whitespace().map(str::to_owned).collect();
        let mut walk = self.walk(&view.source, after).await?;
        let mut found = Contacts::default();
        let mut looked_at = 0;
        while let Some(page) = walk.page(self, |_| true).await? {
            looked_at += page.len();
            let last = page.last().map(|record| record.name.clone());
            let fetched = self.fetch_for(&view, page).await?;
            let words = words.clone();
            let fitting = self.look(&view.source, fetched, move |objects| {
                let card = |(record, held): &(Arc<Record>, Arc<Held>)| match &held.content {
                    Content::Card(card) => contact(record, card, &words),
                    _ => None,
                };
                objects.iter().filter_map(card).collect::<Vec<Contact>>()
            });
            for contact in fitting.await? {
                if found.list.len() == limit {
                    found.next = found.list.last().map(|last| last.object.clone());
                    return Ok(found);
                }
                found.list.push(contact);
            }
            if looked_at >= LOOKED_AT_MAX {
                found.next = last;
                return Ok(found);
            }
        }
        Ok(found)
    }
}

/// What a list shows of a card, if it has all the words.
fn contact(record: &Record, card: &Card, words: &[String]) -> Option<Contact> {
    let contact = Contact {
        object: record.name.clone(),
        etag: record.etag.clone(),
        uid: record.uid.clone(),
        name: card.name(),
        organization: card.organization(),
        emails: card.emails(),
        phones: card.phones(),
    };
    fits(&contact, &card.parts_of_name(), words).then_some(contact)
}

fn fits(contact: &Contact, parts_of_name: &str, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let texts = [&contact.name, &contact.organization].into_iter().chain(&contact.emails).chain(&contact.phones);
    let texts: Vec<String> = texts.map(String::as_str).chain([parts_of_name]).map(folded).collect();
    let numbers: Vec<String> = contact.phones.iter().map(|phone| digits(phone)).collect();
    words.iter().all(|word| {
        let number = digits(word);
        let is_number = number.len() >= DIGITS_MIN && !word.chars().any(char::is_alphabetic);
        texts.iter().any(|text| text.contains(word))
            || (is_number && numbers.iter().any(|known| known.contains(&number)))
    })
}

/// One form of a text in which case and ways of writing a letter make no difference.
pub(crate) fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::lines::Limits;

    #[test]
    fn words_are_sought_in_what_people_know_of_each_other() {
        let text = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:7\r\nFN:Zoë van Dijk\r\nN:Dijk;Zoë;;Dr.;\r\nORG:Acme\\, Inc.;Sales\r\n\
                    item1.EMAIL;TYPE=work:Zoe@Example.org\r\nTEL:+31 (0)20 555-0199\r\nTEL;VALUE=uri:tel:+31-6-1234\r\nNOTE:secret\r\nEND:VCARD\r\n";
        let card = Card::read(text.as_bytes(), &Limits::default()).expect("a card");
        assert_eq!(
            (card.organization(), card.phones()),
            ("Acme, Inc., Sales".to_owned(), vec!["+31 (0)20 555-0199".to_owned(), "+31-6-1234".to_owned()])
        );
        let contact = Contact {
            object: "7.vcf".into(),
            etag: Etag("\"x\"".into()),
            uid: "7".to_owned(),
            name: card.name(),
            organization: card.organization(),
            emails: card.emails(),
            phones: card.phones(),
        };
        for (query, want) in [
            ("", true),
            ("zoë", true),
            ("ZOE\u{308}", true),
            ("dijk zoë", true),
            ("dr.", true),
            ("acme", true),
            ("sales ACME", true),
            ("zoe@example", true),
            ("5550199", true),
            ("555-0199", true),
            ("020555", true),
            ("61234", true),
            ("55", true),
            ("5 0", true),
            ("9990", false),
            ("zoë nobody", false),
            ("secret", false),
            ("zoe", true),
            ("van der", false),
        ] {
            let words: Vec<String> = folded(query).split_whitespace().map(str::to_owned).collect();
            assert_eq!(fits(&contact, &card.parts_of_name(), &words), want, "{query:?}");
        }
    }
}
