//! What the HTTP faces share: the accept loop and its TLS, who is calling, which origins may ask, bodies within a bound, replies, and what
//! is measured of them. Knows no face.

pub mod accept;
pub mod auth;
pub mod body;
pub mod call;
pub mod conditions;
pub mod cors;
pub mod notice;
pub mod observe;
pub mod place;
pub mod porch;
pub mod problem;
pub mod proxy;
pub mod route;
pub mod tls;
pub mod ui;
