//! The CalDAV and CardDAV face: methods, properties, XML. Every handler reads a call, asks the service, and answers; knows no other face.

pub mod collections;
pub mod creation;
pub mod dispatch;
pub mod face;
pub mod fault;
pub mod headers;
pub mod href;
pub mod methods;
pub mod multistatus;
pub mod objects;
pub mod path;
pub mod propfind;
pub mod proppatch;
pub mod props;
pub mod question;
pub mod reader;
pub mod report;
pub mod values;
pub mod writer;
pub mod xml;
pub mod zone;
