//! A request as this face's handlers get it: somebody's, for a place, with its body. Answers nothing.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::dav::conditions;
use crate::dav::fault::Fault;
use crate::dav::href::Hrefs;
use crate::dav::path::{Path, Place};
use crate::domain::object::Precondition;
use crate::domain::principal::Principal;
use crate::http::call::Call;
use crate::service::Service;

/// A request that came through the door.
pub struct Request {
    pub house: Arc<Service>,
    pub caller: Principal,
    pub body: Bytes,
    call: Call,
    path: Path,
}

impl Request {
    pub fn new(house: Arc<Service>, caller: Principal, body: Bytes, call: Call, path: Path) -> Request {
        Request { house, caller, body, call, path }
    }

    pub fn method(&self) -> &str {
        self.call.method.as_str()
    }

    pub fn place(&self) -> &Place {
        &self.path.place
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.call.headers
    }

    /// How this client sees our places.
    pub fn hrefs(&self) -> Hrefs {
        Hrefs::new(self.path.prefix)
    }

    /// What the request demands of what stands at its place.
    pub fn precondition(&self) -> Result<Precondition, Fault> {
        conditions::precondition(self.headers(), self.place())
    }
}
