//! Whether an object matches a filter: texts, ranges, calendars, cards. Pure; knows no collection and no XML.

pub mod calendar;
pub mod card;
pub mod ranges;
pub mod texts;
