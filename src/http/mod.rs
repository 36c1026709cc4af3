//! What all HTTP faces share. Knows no single face.

pub mod accept;
