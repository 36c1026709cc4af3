//! Content lines to a tree of components, within the limits. Knows what nests, not what it means.

use std::ops::Range;

use crate::domain::refusal::Fault;
use crate::ical::lines::{DEPTH_MAX, Limits, Property};

/// A component with everything in it, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Upper case.
    pub name: String,
    pub properties: Vec<Property>,
    pub blocks: Vec<Block>,
    /// The line of its BEGIN.
    pub line: u64,
    /// From its BEGIN to the end of its END line.
    pub span: Range<usize>,
}

impl Block {
    /// The first property of a name, given in upper case.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    pub fn properties<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }

    /// The value of the first property of a name, trimmed; `None` where it is empty.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.property(name).map(|property| property.value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether a property has a value, whatever its case.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.value(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    pub fn blocks<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.name == name)
    }

    /// Every property in it and below it. The stack is on the heap, and the depth was bounded when it was built.
    pub fn all_properties(&self) -> impl Iterator<Item = &Property> {
        let mut blocks = vec![self];
        let mut properties = [].iter();
        std::iter::from_fn(move || {
            loop {
                if let Some(property) = properties.next() {
                    return Some(property);
                }
                let block: &Block = blocks.pop()?;
                blocks.extend(&block.blocks);
                properties = block.properties.iter();
            }
        })
    }
}

/// Builds one outermost component, line by line, on a stack of its own.
#[derive(Default)]
pub struct Builder {
    open: Vec<Block>,
    dates: Vec<usize>,
    components: usize,
}

impl Builder {
    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The innermost component that is open.
    pub fn innermost(&self) -> Option<&Block> {
        self.open.last()
    }

    /// The outermost component that is open.
    pub fn outermost(&self) -> Option<&Block> {
        self.open.first()
    }

    /// The last property that was taken.
    pub fn last_mut(&mut self) -> Option<&mut Property> {
        self.open.last_mut()?.properties.last_mut()
    }

    /// Forgets what is open.
    pub fn clear(&mut self) {
        *self = Builder::default();
    }

    /// Takes one line; the answer is the outermost component once it is closed.
    pub fn take(&mut self, line: Property, limits: &Limits) -> Result<Option<Block>, Fault> {
        match line.name.as_str() {
            "BEGIN" => self.begin(line, limits).map(|()| None),
            "END" => self.end(&line),
            _ => self.property(line, limits).map(|()| None),
        }
    }

    fn begin(&mut self, line: Property, limits: &Limits) -> Result<(), Fault> {
        let depth_max = limits.depth.min(DEPTH_MAX);
        if self.open.len() == depth_max {
            return Err(Fault::at(line.line, format!("components are nested deeper than {depth_max}")));
        }
        self.components += 1;
        if self.components > limits.components {
            return Err(Fault::at(line.line, format!("more than {} components", limits.components)));
        }
        let name = line.value.trim().to_ascii_uppercase();
        if name == "VALARM"
            && let Some(parent) = self.open.last()
            && parent.blocks("VALARM").count() >= limits.alarms
        {
            return Err(Fault::at(line.line, format!("more than {} alarms in a {}", limits.alarms, parent.name)));
        }
        self.dates.push(0);
        self.open.push(Block { name, properties: Vec::new(), blocks: Vec::new(), line: line.line, span: line.span });
        Ok(())
    }

    fn end(&mut self, line: &Property) -> Result<Option<Block>, Fault> {
        let name = line.value.trim();
        let Some(mut block) = self.open.pop() else {
            return Err(Fault::at(line.line, format!("END:{name} without a BEGIN")));
        };
        if !block.name.eq_ignore_ascii_case(name) {
            let why = format!("END:{name} where {} is open since line {}", block.name, block.line);
            self.open.push(block);
            return Err(Fault::at(line.line, why));
        }
        self.dates.pop();
        block.span.end = line.span.end;
        match self.open.last_mut() {
            Some(parent) => {
                parent.blocks.push(block);
                Ok(None)
            }
            None => {
                self.components = 0;
                Ok(Some(block))
            }
        }
    }

    fn property(&mut self, line: Property, limits: &Limits) -> Result<(), Fault> {
        let (Some(block), Some(dates)) = (self.open.last_mut(), self.dates.last_mut()) else {
            return Err(Fault::at(line.line, format!("{} outside of a component", line.name)));
        };
        if matches!(line.name.as_str(), "EXDATE" | "RDATE") {
            *dates += line.value.bytes().filter(|byte| *byte == b',').count() + 1;
            if *dates > limits.dates {
                let why = format!("more than {} EXDATE and RDATE values in a {}", limits.dates, block.name);
                return Err(Fault::at(line.line, why));
            }
        }
        if block.properties.len() == limits.properties {
            let why = format!("more than {} properties in a {}", limits.properties, block.name);
            return Err(Fault::at(line.line, why));
        }
        block.properties.push(line);
        Ok(())
    }
}
