//! The part of an object that was asked for: instances in place of rules, overrides that matter, single properties. Pure; knows no filter.

pub mod expand;
pub mod limit;
pub mod pen;

use chrono_tz::Tz;

use crate::domain::query::{Excerpt, Instances, Pick};
use crate::ical::block::Block;
use crate::ical::excerpt::expand::Room;
use crate::ical::excerpt::pen::Pen;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};

/// Why there is no excerpt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// The object's recurrence cannot be followed within the budget.
    Costly,
    /// There are more instances than there is room for.
    Over,
}

impl From<Exhausted> for Unwritten {
    fn from(_: Exhausted) -> Unwritten {
        Unwritten::Costly
    }
}

/// What is wanted of a calendar object; `bytes` are its text. Lines that stay as they are keep their bytes, and end with CRLF.
pub fn calendar(
    excerpt: &Excerpt,
    object: &CalendarObject,
    bytes: &[u8],
    zone: Tz,
    room: &mut Room,
    budget: &mut Budget,
) -> Result<Vec<u8>, Unwritten> {
    let root = object.root();
    let pick = excerpt.pick.as_ref();
    // What is asked of another outermost component is nothing of this one.
    let pick = pick.filter(|pick| pick.name == root.name);
    let mut pen = Pen::new(bytes);
    pen.begin(&root.name);
    pen.properties(root, pick);
    match excerpt.instances {
        Instances::Expanded(range) => expand::write(&mut pen, object, range, pick, zone, room, budget)?,
        Instances::Written => components(&mut pen, excerpt, object, pick, |_| true, zone),
        Instances::Limited(range) => {
            let kept = limit::kept(object, range, zone);
            components(&mut pen, excerpt, object, pick, kept, zone);
        }
    }
    pen.end(&root.name);
    Ok(pen.done())
}

fn components(
    pen: &mut Pen<'_>,
    excerpt: &Excerpt,
    object: &CalendarObject,
    pick: Option<&Pick>,
    kept: impl Fn(usize) -> bool,
    zone: Tz,
) {
    for (place, block) in object.root().blocks.iter().enumerate() {
        if !kept(place) {
            continue;
        }
        let Some(pick) = pen::below(pick, &block.name) else { continue };
        match excerpt.free_busy.filter(|_| block.name == "VFREEBUSY") {
            Some(range) => {
                let mut swap = |property: &_| limit::periods(object, property, range, zone);
                pen.component(block, pick, &mut swap, &[]);
            }
            None => pen.component(block, pick, &mut pen::as_written, &[]),
        }
    }
}

/// The properties of a card that are wanted.
pub fn card(pick: &Pick, root: &Block, bytes: &[u8]) -> Vec<u8> {
    let mut pen = Pen::new(bytes);
    pen.begin(&root.name);
    pen.properties(root, Some(pick));
    pen.end(&root.name);
    pen.done()
}
