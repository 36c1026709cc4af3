//! What a report wants of each resource: properties, and a part of the text of objects. Finds nothing.

use std::sync::Arc;

use crate::dav::dispatch::Request;
use crate::dav::fault::Fault;
use crate::dav::headers;
use crate::dav::multistatus::Multistatus;
use crate::dav::question::{self, Question};
use crate::dav::report::excerpts;
use crate::dav::values::{Scene, Subject};
use crate::dav::xml::{Element, Space};
use crate::domain::address::Kind;
use crate::domain::query::Excerpt;

/// What is asked, and who asks.
pub struct Ask {
    pub question: Question,
    /// The part of each object's text that is wanted, if any is.
    pub excerpt: Option<Arc<Excerpt>>,
    tag: &'static str,
    pub scene: Scene,
    pub minimal: bool,
}

impl Ask {
    /// Reads `prop`, `allprop` or `propname` of a report; none of them asks for nothing.
    pub fn read(request: &Request, root: &Element, kind: Kind) -> Result<Ask, Fault> {
        let (space, local, tag) = match kind {
            Kind::Calendar => (Space::CalDav, "calendar-data", "C:calendar-data"),
            Kind::AddressBook => (Space::CardDav, "address-data", "CR:address-data"),
        };
        let (mut question, mut excerpt) = (Question::These(Vec::new()), None);
        if let Some(prop) = root.child(&Space::Dav, "prop") {
            let mut prop = prop.clone();
            if let Some(data) = prop.children.iter().find(|child| child.name.is(&space, local)) {
                excerpt = Some(Arc::new(excerpts::read(data, kind)?));
            }
            // It is asked for like a property and is none.
            prop.children.retain(|child| !child.name.is(&space, local));
            question = Question::These(question::asked(&prop)?);
        } else if root.child(&Space::Dav, "allprop").is_some() {
            question = Question::Common(Vec::new());
        } else if root.child(&Space::Dav, "propname").is_some() {
            question = Question::Names;
        }
        let scene = Scene {
            caller: request.caller.clone(),
            hrefs: request.hrefs(),
            object_max: request.house.settings().limits.object_bytes,
        };
        Ok(Ask { question, excerpt, tag, scene, minimal: headers::minimal(request.headers()) })
    }

    pub fn row(&self, rows: &mut Multistatus, href: &str, subject: Subject<'_>, text: Option<&[u8]>) {
        rows.row_with(href, &self.question, &self.scene, subject, text.map(|text| (self.tag, text)));
    }
}
