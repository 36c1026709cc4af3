//! jCal and jCard (RFC 7265, RFC 7095): objects as JSON values, there and back. Knows no wire; what is kept stays text.

pub mod dates;
pub mod kinds;
pub mod rules;
pub mod said;
pub mod shown;
