//! What goes elsewhere. Alarms: the trait `Sink`; each sink speaks one protocol and decides nothing, and `app.rs` chooses them. And questions
//! about tokens that are not ours, and what is fetched.

pub mod feed;
pub mod http;
pub mod mail;
pub mod ntfy;
pub mod round;
pub mod tls;
pub mod wazo_auth;
pub mod webhook;
pub mod words;

use std::future::Future;
use std::pin::Pin;

use crate::domain::channel::Channel;
use crate::domain::delivery::Failure;
use crate::service::attempts::Parcel;

pub type Attempt<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// A way out. Two attempts of one delivery carry the same id, so that a receiver can know the second by it.
pub trait Sink: Send + Sync {
    fn channel(&self) -> Channel;

    /// One attempt. `Ok` means that the receiver has taken it over.
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Attempt<'a>;
}
