//! What a report wants of each resource: properties, and a part of the text of objects. Finds nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dav::dead;
use crate::dav::fault::Fault;
use crate::dav::headers;
use crate::dav::multistatus::Multistatus;
use crate::dav::question::{self, Question};
use crate::dav::report::excerpts;
use crate::dav::request::Request;
use crate::dav::values::{Scene, Subject};
use crate::dav::xml::{Element, Space};
use crate::domain::address::Kind;
use crate::domain::dead::DeadProperty;
use crate::domain::object::Record;
use crate::domain::query::Excerpt;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::collections::View;

/// What is asked, and who asks.
pub struct Ask {
    pub question: Question,
    /// The part of each object's text that is wanted, if any is.
    pub excerpt: Option<Arc<Excerpt>>,
    tag: &'static str,
    pub scene: Scene,
    pub minimal: bool,
    house: Arc<Service>,
}

impl Ask {
    /// Reads `prop`, `allprop` or `propname` of a report; none of them asks for nothing.
    pub async fn read(request: &Request, root: &Element, kind: Kind) -> Result<Ask, Fault> {
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
        let (minimal, house) = (headers::minimal(request.headers()), request.house.clone());
        let scene = Scene::of(request).await?;
        Ok(Ask { question, excerpt, tag, scene, minimal, house })
    }

    /// The row of anything but an object.
    pub async fn row(&self, rows: &mut Multistatus, href: &str, subject: Subject<'_>) -> Result<(), Refusal> {
        let dead = dead::of(&self.house, &self.scene.caller.name, &self.question, subject).await?;
        rows.row_with(href, &self.question, &self.scene, subject, &dead, None);
        Ok(())
    }

    /// The dead properties of some objects, where they are wanted. What a record says of them may be old.
    pub async fn dead<'a>(
        &self,
        view: &View,
        records: impl Iterator<Item = &'a Record> + Clone,
    ) -> Result<BTreeMap<Arc<str>, Vec<DeadProperty>>, Refusal> {
        let (first, last) =
            (records.clone().map(|record| &record.name).min(), records.map(|record| &record.name).max());
        match first.zip(last).filter(|_| self.question.wants_dead()) {
            Some((first, last)) => self.house.dead_properties_between(&view.source, first, last).await,
            None => Ok(BTreeMap::new()),
        }
    }

    /// The row of an object.
    pub fn object(
        &self,
        rows: &mut Multistatus,
        href: &str,
        (view, record): (&View, &Record),
        dead: &BTreeMap<Arc<str>, Vec<DeadProperty>>,
        text: Option<&[u8]>,
    ) {
        let dead = dead.get(&record.name).map(Vec::as_slice).unwrap_or_default();
        let text = text.map(|text| (self.tag, text));
        rows.row_with(href, &self.question, &self.scene, Subject::Object(view, record), dead, text);
    }
}
