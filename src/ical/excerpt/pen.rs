//! Components written out again, property by property, as much of them as is picked. Decides nothing about instances.

use crate::domain::query::{Comps, Pick, Props};
use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::write;

/// What is written where a property stands.
pub enum Instead {
    AsWritten,
    Nothing,
    /// A line without its ending.
    Line(String),
}

/// Writes from a text into a new one.
pub struct Pen<'t> {
    text: &'t [u8],
    out: Vec<u8>,
}

pub fn as_written(_: &Property) -> Instead {
    Instead::AsWritten
}

/// What is picked of a component within a picked one: `None` where it is left out, `Some(None)` where all of it is wanted.
pub fn below<'p>(pick: Option<&'p Pick>, name: &str) -> Option<Option<&'p Pick>> {
    match pick.map(|pick| &pick.comps) {
        None | Some(Comps::All) => Some(None),
        Some(Comps::These(picks)) => picks.iter().find(|pick| pick.name == name).map(Some),
    }
}

/// Whether a property is picked; if so, whether without its value.
fn picked(pick: Option<&Pick>, name: &str) -> Option<bool> {
    match pick.map(|pick| &pick.props) {
        None | Some(Props::All) => Some(false),
        Some(Props::These(names)) => names.iter().find(|(known, _)| known == name).map(|(_, bare)| *bare),
    }
}

impl<'t> Pen<'t> {
    pub fn new(text: &'t [u8]) -> Pen<'t> {
        Pen { text, out: Vec::with_capacity(text.len()) }
    }

    pub fn begin(&mut self, name: &str) {
        self.line(&format!("BEGIN:{name}"));
    }

    pub fn end(&mut self, name: &str) {
        self.line(&format!("END:{name}"));
    }

    pub fn done(self) -> Vec<u8> {
        self.out
    }

    /// How much is written.
    pub fn written(&self) -> usize {
        self.out.len()
    }

    fn line(&mut self, line: &str) {
        self.out.extend_from_slice(crate::ical::text::folded(line).as_bytes());
    }

    /// The properties of a component without what is in it.
    pub fn properties(&mut self, block: &Block, pick: Option<&Pick>) {
        self.swapped(block, pick, &mut as_written);
    }

    fn swapped(&mut self, block: &Block, pick: Option<&Pick>, swap: &mut dyn FnMut(&Property) -> Instead) {
        for property in &block.properties {
            match (picked(pick, &property.name), swap(property)) {
                (None, _) | (_, Instead::Nothing) => {}
                (Some(true), _) => self.line(&format!("{}:", property.name)),
                (_, Instead::Line(line)) => self.line(&line),
                (_, Instead::AsWritten) => {
                    write::with_crlf(self.text.get(property.span.clone()).unwrap_or_default(), &mut self.out);
                }
            }
        }
    }

    /// A component with everything in it; `more` are lines that it has beside its own, each with its property's name.
    pub fn component(
        &mut self,
        block: &Block,
        pick: Option<&Pick>,
        swap: &mut dyn FnMut(&Property) -> Instead,
        more: &[(&str, String)],
    ) {
        self.begin(&block.name);
        for (name, line) in more {
            match picked(pick, name) {
                None => {}
                Some(true) => self.line(&format!("{name}:")),
                Some(false) => self.line(line),
            }
        }
        self.swapped(block, pick, swap);
        for inner in &block.blocks {
            if let Some(pick) = below(pick, &inner.name) {
                // The depth was bounded when the text was read.
                self.component(inner, pick, &mut as_written, &[]);
            }
        }
        self.end(&block.name);
    }
}
