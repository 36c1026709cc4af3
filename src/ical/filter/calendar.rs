//! Whether a calendar object matches a filter. RFC 4791 9.7. Ranges and texts stand beside it.

use chrono_tz::Tz;

use crate::domain::query::{CompFilter, CompTest, PropFilter, PropTest};
use crate::ical::block::Block;
use crate::ical::filter::ranges;
use crate::ical::filter::texts;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::text;

/// What a text costs to be compared: as much as its copy, and a step.
fn cost(value: &str) -> u32 {
    text::copy_cost(value.len()).saturating_add(1)
}

/// Where a component stands.
#[derive(Clone, Copy)]
enum Place {
    Root,
    /// Directly in the VCALENDAR.
    Component(usize),
    /// Within such a one.
    Within(usize),
}

/// Whether an object matches. Dates and floating times stand in `zone`.
pub fn matches(filter: &CompFilter, object: &CalendarObject, zone: Tz, budget: &mut Budget) -> Result<bool, Exhausted> {
    if object.root().name != filter.name {
        return Ok(matches!(filter.test, CompTest::Absent));
    }
    let mut looking = Looking { object, zone, budget };
    looking.component(filter, object.root(), Place::Root)
}

struct Looking<'l> {
    object: &'l CalendarObject,
    zone: Tz,
    budget: &'l mut Budget,
}

impl Looking<'_> {
    /// Whether everything that a filter asks holds for one component.
    fn component(&mut self, filter: &CompFilter, block: &Block, place: Place) -> Result<bool, Exhausted> {
        let CompTest::Present { range, props, comps } = &filter.test else { return Ok(false) };
        for prop in props {
            if !self.property(prop, block)? {
                return Ok(false);
            }
        }
        for comp in comps {
            if !self.within(comp, block, place)? {
                return Ok(false);
            }
        }
        match (range, place) {
            (None, _) => Ok(true),
            (Some(range), Place::Component(at)) => {
                ranges::component(self.object, at, block, *range, self.zone, self.budget)
            }
            (Some(range), Place::Within(at)) if block.name == "VALARM" => {
                ranges::alarm(self.object, at, block, *range, self.zone, self.budget)
            }
            (Some(_), _) => Ok(false),
        }
    }

    /// Whether a component holds one that is wanted, or none that is not.
    fn within(&mut self, filter: &CompFilter, parent: &Block, place: Place) -> Result<bool, Exhausted> {
        if matches!(filter.test, CompTest::Absent) {
            return Ok(parent.blocks(&filter.name).next().is_none());
        }
        for (at, block) in parent.blocks.iter().enumerate().filter(|(_, block)| block.name == filter.name) {
            let place = match place {
                Place::Root => Place::Component(at),
                Place::Component(above) | Place::Within(above) => Place::Within(above),
            };
            if self.component(filter, block, place)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn property(&mut self, filter: &PropFilter, block: &Block) -> Result<bool, Exhausted> {
        let mut found = block.properties(&filter.name).peekable();
        let PropTest::Present { range, text: wanted, params } = &filter.test else {
            return Ok(found.peek().is_none());
        };
        for property in found {
            self.budget.spend(cost(&property.value))?;
            let in_range = range.is_none_or(|range| ranges::property(self.object, property, range, self.zone));
            let says = || wanted.as_ref().is_none_or(|wanted| texts::passes(&text::unescaped(&property.value), wanted));
            if in_range && says() && params.iter().all(|param| texts::param(property, param)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
