//! Addresses as paths of URLs, percent-encoded. Reads none.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::domain::address::Address;

/// What cannot stand in a path of a URI; a client can ask for every path that it was shown.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A collection's path.
pub fn path(address: &Address) -> String {
    format!("/{}/{}/{}", address.kind().root(), encoded(address.user().as_str()), encoded(address.name()))
}

/// An object's path.
pub fn of_object(collection: &Address, name: &str) -> String {
    format!("{}/{}", path(collection), encoded(name))
}

fn encoded(segment: &str) -> Cow<'_, str> {
    utf8_percent_encode(segment, PATH).into()
}
