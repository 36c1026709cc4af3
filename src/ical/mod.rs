//! stub
pub mod lines {
    #[derive(Clone, Default)]
    pub struct Limits {
        pub object_bytes: usize,
    }
}
pub mod object {
    use super::lines::Limits;
    use crate::domain::{object::*, refusal::*};
    pub struct CalendarObject;
    impl CalendarObject {
        pub fn read(_: &[u8], _: &Limits) -> Result<Self, Fault> {
            todo!()
        }
        pub fn storable(&self) -> Result<(), Fault> {
            todo!()
        }
        pub fn uid(&self) -> Option<&str> {
            None
        }
        pub fn component(&self) -> Component {
            Component::Event
        }
        pub fn span(&self, _: chrono_tz::Tz) -> Option<Span> {
            None
        }
    }
}
pub mod vcard {
    use super::lines::Limits;
    use crate::domain::refusal::*;
    pub struct Card;
    impl Card {
        pub fn read(_: &[u8], _: &Limits) -> Result<Self, Fault> {
            todo!()
        }
        pub fn uid(&self) -> Option<&str> {
            None
        }
    }
}
pub mod split {
    use super::lines::Limits;
    use crate::domain::{import::*, object::*, refusal::*};
    pub struct Item {
        pub line: u64,
        pub uid: String,
        pub component: Component,
        pub bytes: Vec<u8>,
    }
    pub struct Split {
        pub items: Vec<Item>,
        pub failures: Vec<Failure>,
    }
    pub fn calendar(_: &[u8], _: &Limits) -> Result<Split, Fault> {
        todo!()
    }
    pub fn cards(_: &[u8], _: &Limits) -> Result<Split, Fault> {
        todo!()
    }
}
pub mod alarms {
    use super::object::CalendarObject;
    use crate::domain::alarm::Firing;
    use chrono::*;
    #[derive(Clone, Debug)]
    pub struct Policy {
        pub require_accepted: bool,
        pub user_email: String,
    }
    #[derive(Debug, thiserror::Error)]
    #[error("x")]
    pub struct Exhausted;
    pub fn next_after(
        _: &CalendarObject,
        _: DateTime<Utc>,
        _: chrono_tz::Tz,
        _: &Policy,
        _: u64,
    ) -> Result<Option<DateTime<Utc>>, Exhausted> {
        todo!()
    }
    pub fn at(
        _: &CalendarObject,
        _: DateTime<Utc>,
        _: chrono_tz::Tz,
        _: &Policy,
        _: u64,
    ) -> Result<Vec<Firing>, Exhausted> {
        todo!()
    }
}
pub mod time {
    pub fn duration(_: &str) -> Option<chrono::TimeDelta> {
        None
    }
}
