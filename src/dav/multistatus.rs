//! Rows of a 207: one response for each resource, its properties grouped by status. Decides nothing about their values.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use warp::reply::Response;

use crate::dav::fault::Condition;
use crate::dav::props::Property;
use crate::dav::question::{Asked, Question};
use crate::dav::values::{Scene, Subject};
use crate::dav::writer::Xml;
use crate::dav::xml::Name;

const OK: &str = "HTTP/1.1 200 OK";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found";
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A 207 in the making.
pub struct Multistatus {
    xml: Xml,
    minimal: bool,
}

/// Properties of one PROPPATCH that share an outcome.
pub struct Outcome {
    pub status: &'static str,
    pub condition: Option<Condition>,
    pub why: Option<String>,
    pub names: Vec<Name>,
}

impl Multistatus {
    /// `minimal` leaves out what is not there: RFC 8144 section 2.1.
    pub fn new(minimal: bool) -> Multistatus {
        Multistatus { xml: Xml::document("D:multistatus"), minimal }
    }

    /// Answers a question about one resource.
    pub fn row(&mut self, href: &str, question: &Question, scene: &Scene, subject: Subject<'_>) {
        self.xml.open("D:response");
        self.xml.text("D:href", href);
        let start = self.xml.mark();
        self.open_propstat();
        let filled = self.xml.mark();
        let mut missing = fill(&mut self.xml, question, scene, subject);
        if self.minimal {
            missing.clear();
        }
        if self.xml.mark() > filled || missing.is_empty() {
            self.close_propstat(OK);
        } else {
            self.xml.cut(start);
        }
        if !missing.is_empty() {
            self.open_propstat();
            for asked in missing {
                match asked {
                    Asked::Known(property) => self.xml.empty(property.tag()),
                    Asked::Unknown(name) => self.xml.empty_name(name),
                }
            }
            self.close_propstat(NOT_FOUND);
        }
        self.xml.close("D:response");
    }

    /// What became of each property that a PROPPATCH named.
    pub fn outcomes(&mut self, href: &str, outcomes: &[Outcome]) {
        self.xml.open("D:response");
        self.xml.text("D:href", href);
        for outcome in outcomes {
            self.open_propstat();
            outcome.names.iter().for_each(|name| self.xml.empty_name(name));
            self.xml.close("D:prop");
            self.xml.text("D:status", outcome.status);
            if let Some(condition) = outcome.condition {
                self.xml.open("D:error");
                self.xml.empty(condition.tag());
                self.xml.close("D:error");
            }
            if let Some(why) = &outcome.why {
                self.xml.text("D:responsedescription", why);
            }
            self.xml.close("D:propstat");
        }
        self.xml.close("D:response");
    }

    /// What is written so far; the rows that follow go on from there.
    pub fn take(&mut self) -> Bytes {
        self.xml.take()
    }

    pub fn finish(mut self) -> Bytes {
        self.xml.close("D:multistatus");
        self.xml.take()
    }

    fn open_propstat(&mut self) {
        self.xml.open("D:propstat");
        self.xml.open("D:prop");
    }

    fn close_propstat(&mut self, status: &str) {
        self.xml.close("D:prop");
        self.xml.text("D:status", status);
        self.xml.close("D:propstat");
    }
}

/// Writes what is there and answers what is not.
fn fill<'q>(xml: &mut Xml, question: &'q Question, scene: &Scene, subject: Subject<'_>) -> Vec<&'q Asked> {
    let (common, asked): (&[Property], &[Asked]) = match question {
        Question::Names => {
            for property in Property::ALL {
                let mark = xml.mark();
                if scene.write(xml, property, subject) {
                    xml.cut(mark);
                    xml.empty(property.tag());
                }
            }
            return Vec::new();
        }
        Question::Common(more) => (&Property::COMMON, more),
        Question::These(these) => (&[], these),
    };
    for property in common {
        scene.write(xml, *property, subject);
    }
    let absent = |asked: &&Asked| match asked {
        Asked::Known(property) => !common.contains(property) && !scene.write(xml, *property, subject),
        Asked::Unknown(_) => true,
    };
    asked.iter().filter(absent).collect()
}

/// Dresses a 207, whatever its body is made of.
pub fn dress(response: &mut Response, minimal: bool) {
    *response.status_mut() = StatusCode::MULTI_STATUS;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    if minimal {
        headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("return=minimal"));
    }
}

/// Says that a preference was heeded.
pub fn applied(response: &mut Response) {
    response.headers_mut().insert(PREFERENCE_APPLIED, HeaderValue::from_static("return=minimal"));
}
