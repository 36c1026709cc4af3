//! Reading text, ours and the `calcard` crate in one run: whole files to their components, and single objects as a PUT reads them.
#![allow(clippy::expect_used)]

use std::hint::black_box;

use calcard::icalendar::ICalendar;
use calcard::vcard::VCard;
use calcard::{Entry, Parser};
use campanile::ical::lines::{Limits, Lines};
use campanile::ical::object::CalendarObject;
use campanile::ical::scan::{self, Found};
use campanile::ical::vcard::Card;
use campanile::system::pace;

/// Objects of each kind.
const OBJECTS: usize = 10_000;
const ROUNDS: usize = 7;

/// Sixty in a hundred in UTC, fifteen in a zone, fifteen all-day, ten recurring; a third with an alarm.
fn event(number: usize) -> String {
    let (day, hour) = (1 + number % 28, 8 + number % 10);
    let when = match number % 20 {
        0..=11 => format!("DTSTART:202501{day:02}T{hour:02}0000Z\r\nDTEND:202501{day:02}T{hour:02}4500Z\r\n"),
        12..=14 => format!(
            "DTSTART;TZID=Europe/Paris:202501{day:02}T{hour:02}0000\r\nDTEND;TZID=Europe/Paris:202501{day:02}T{hour:02}4500\r\n"
        ),
        15..=17 => format!("DTSTART;VALUE=DATE:202501{day:02}\r\n"),
        _ => format!(
            "DTSTART:202501{day:02}T{hour:02}0000Z\r\nDURATION:PT45M\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=20\r\n"
        ),
    };
    let alarm = if number.is_multiple_of(3) {
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Soon\r\nEND:VALARM\r\n"
    } else {
        ""
    };
    format!(
        "BEGIN:VEVENT\r\nUID:{number:08}-9b1d-4c1c@example.org\r\nDTSTAMP:20250101T000000Z\r\nCREATED:20241230T101112Z\r\n{when}\
         SUMMARY:Planning of the {number}th quarter\\, with everybody\r\nLOCATION:Room {}\\, second floor\r\n\
         DESCRIPTION:What was agreed on last time\\nwhat is open\\nwho does what until when\\, and who \r\n tells those who are not here\r\n\
         ORGANIZER;CN=\"Ada Lovelace\":mailto:ada@example.org\r\n\
         ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.org\r\nSEQUENCE:{}\r\nTRANSP:OPAQUE\r\n{alarm}END:VEVENT\r\n",
        number % 40,
        number % 4
    )
}

fn calendar(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Bench//EN\r\n{events}END:VCALENDAR\r\n")
}

fn card(number: usize) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Bench//EN\r\nUID:{number:08}-77aa-4c1c\r\nFN:Person Number {number}\r\nN:Number {number};Person;;;\r\n\
         ORG:Example Ltd.;Department {}\r\nTITLE:Engineer\r\nEMAIL;TYPE=INTERNET,WORK:person{number}@example.org\r\nitem1.EMAIL;TYPE=HOME:p{number}@example.net\r\n\
         item1.X-ABLabel:Second\r\nTEL;TYPE=CELL,VOICE:+33 6 12 34 {:02} {:02}\r\nADR;TYPE=WORK:;;{number} Main Street;Springfield;;12345;France\r\n\
         BDAY:1980-0{}-1{}\r\nNOTE:Met at the conference\\, wants to hear of the next release\\nand of what comes \r\n behind it\r\n\
         REV:20250101T000000Z\r\nEND:VCARD\r\n",
        number % 9,
        number % 100,
        number / 100,
        1 + number % 9,
        number % 9
    )
}

/// The most bytes a second of some runs, in millions.
fn most(bytes: usize, mut run: impl FnMut() -> usize) -> f64 {
    let mut most: f64 = 0.0;
    for _ in 0..ROUNDS {
        let began = pace::now();
        assert_eq!(black_box(run()), OBJECTS);
        most = most.max(bytes as f64 / began.elapsed().as_secs_f64() / 1e6);
    }
    most
}

fn row(what: &str, ours: f64, theirs: f64) {
    println!("| {what} | {ours:.0} | {theirs:.0} | {:.1} |", ours / theirs);
}

fn entries(text: &str) -> usize {
    let mut parser = Parser::new(text);
    let mut count = 0;
    loop {
        match parser.entry() {
            // The VCALENDAR itself is one of the components.
            Entry::ICalendar(calendar) => {
                count +=
                    black_box(calendar).components.iter().filter(|one| one.component_type.as_str() == "VEVENT").count()
            }
            Entry::VCard(card) => {
                black_box(card);
                count += 1;
            }
            Entry::Eof => return count,
            other => panic!("{other:?}"),
        }
    }
}

fn main() {
    let limits = Limits { object_bytes: usize::MAX, ..Limits::default() };
    let events: Vec<String> = (0..OBJECTS).map(event).collect();
    let objects: Vec<String> = events.iter().map(|event| calendar(event)).collect();
    let cards: Vec<String> = (0..OBJECTS).map(card).collect();
    let (event_file, card_file) = (calendar(&events.concat()), cards.concat());
    let sum = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    println!("{OBJECTS} events in {} bytes, as many cards in {}", event_file.len(), card_file.len());
    println!("\n| MB/s | ours | calcard | ratio |\n|---|---|---|---|");
    let lines = |text: &str| {
        black_box(
            Lines::new(text.as_bytes(), &limits)
                .filter(|line| {
                    line.as_ref()
                        .is_ok_and(|line| line.name == "BEGIN" && (line.value == "VEVENT" || line.value == "VCARD"))
                })
                .count(),
        )
    };
    let ours = most(event_file.len(), || lines(&event_file));
    println!("| event file to content lines, no tree | {ours:.0} | | |");
    let ours = most(event_file.len(), || {
        let mut count = 0;
        scan::calendars(event_file.as_bytes(), &limits, |one| {
            if let Found::Component(block) = one {
                black_box(block);
                count += 1;
            }
        })
        .expect("a calendar");
        count
    });
    row("event file to components", ours, most(event_file.len(), || entries(&event_file)));
    let ours = most(card_file.len(), || {
        let mut count = 0;
        scan::cards_in(Lines::new(card_file.as_bytes(), &limits), &limits, |one| {
            if let Found::Component(block) = one {
                black_box(block);
                count += 1;
            }
        })
        .expect("cards");
        count
    });
    row("card file to cards", ours, most(card_file.len(), || entries(&card_file)));
    let ours = most(sum(&objects), || {
        let read = objects.iter().map(|text| black_box(CalendarObject::read(text.as_bytes(), &limits)));
        read.filter(|object| object.as_ref().is_ok_and(|object| object.storable().is_ok())).count()
    });
    let theirs =
        most(sum(&objects), || objects.iter().filter(|text| black_box(ICalendar::parse(text)).is_ok()).count());
    row("events one by one, as a PUT reads them", ours, theirs);
    let ours = most(sum(&cards), || {
        let read = cards.iter().map(|text| black_box(Card::read(text.as_bytes(), &limits)));
        read.filter(|card| card.as_ref().is_ok_and(|card| card.storable().is_ok())).count()
    });
    let theirs = most(sum(&cards), || cards.iter().filter(|text| black_box(VCard::parse(text)).is_ok()).count());
    row("cards one by one, as a PUT reads them", ours, theirs);
}
