//! The CalDAV and CardDAV face: methods, properties, XML. Every handler reads a call, asks the service, and answers; knows no other face.

pub mod acl;
pub mod collections;
pub mod conditions;
pub mod creation;
pub mod dead;
pub mod dispatch;
pub mod face;
pub mod fault;
pub mod headers;
pub mod href;
pub mod methods;
pub mod moving;
pub mod multistatus;
pub mod objects;
pub mod path;
pub mod propfind;
pub mod proppatch;
pub mod props;
pub mod question;
pub mod reader;
pub mod report;
pub mod request;
pub mod values;
pub mod writer;
pub mod xml;
pub mod zone;
