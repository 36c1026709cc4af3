//! What the HTTP faces share: the accept loop, who is calling, bodies within a bound, replies, and what is
//! measured of them. Knows no face.

pub mod accept;
pub mod auth;
pub mod body;
pub mod call;
pub mod notice;
pub mod observe;
pub mod place;
pub mod problem;
pub mod route;
