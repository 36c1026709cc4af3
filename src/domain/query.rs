//! What a question about the content of a collection asks, apart from any wire: filters, and which part of each object is wanted.
//! RFC 4791 9.6 to 9.9, RFC 6352 10.5. Answers nothing.

use chrono::{DateTime, Utc};

/// A stretch of time, its ends open where none is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

impl Range {
    /// Both ends; an open one lies at the end of the calendar.
    pub fn ends(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.from.unwrap_or(DateTime::<Utc>::MIN_UTC), self.to.unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}

/// How letters are compared. RFC 4790 9, RFC 5051.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collation {
    Octet,
    AsciiCasemap,
    UnicodeCasemap,
}

impl Collation {
    pub const ALL: [Collation; 3] = [Collation::AsciiCasemap, Collation::UnicodeCasemap, Collation::Octet];

    pub fn as_str(self) -> &'static str {
        match self {
            Collation::Octet => "i;octet",
            Collation::AsciiCasemap => "i;ascii-casemap",
            Collation::UnicodeCasemap => "i;unicode-casemap",
        }
    }

    pub fn from_name(name: &str) -> Option<Collation> {
        Collation::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMatch {
    pub text: String,
    pub collation: Collation,
    pub kind: Kind,
    pub negate: bool,
}

/// Names are in upper case in all filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompFilter {
    pub name: String,
    pub test: CompTest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompTest {
    Absent,
    /// All of these hold for one component of the name.
    Present {
        range: Option<Range>,
        props: Vec<PropFilter>,
        comps: Vec<CompFilter>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropFilter {
    pub name: String,
    pub test: PropTest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropTest {
    Absent,
    /// All of these hold for one property of the name.
    Present {
        range: Option<Range>,
        text: Option<TextMatch>,
        params: Vec<ParamFilter>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamFilter {
    pub name: String,
    pub test: ParamTest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamTest {
    Absent,
    Present(Option<TextMatch>),
}

/// A question to an address book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFilter {
    /// Whether all of the tests must hold, or one of them. Without a test every card matches.
    pub all: bool,
    pub props: Vec<CardProp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardProp {
    /// The group before the name, as in `item1.EMAIL`.
    pub group: Option<String>,
    pub name: String,
    pub test: CardTest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardTest {
    Absent,
    /// All or one of these hold for one property of the name.
    Present {
        all: bool,
        texts: Vec<TextMatch>,
        params: Vec<ParamFilter>,
    },
}

/// What must hold for an object that is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    Everything,
    Calendar(CompFilter),
    Card(CardFilter),
}

impl CompFilter {
    /// The one component that this filter asks for, where it asks for one; its filter too.
    pub fn only(&self) -> Option<&CompFilter> {
        match &self.test {
            CompTest::Present { range: None, props, comps } if props.is_empty() && self.name == "VCALENDAR" => {
                match comps.as_slice() {
                    [one] if matches!(one.test, CompTest::Present { .. }) => Some(one),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether it asks for nothing but that the component is there.
    pub fn is_bare(&self) -> bool {
        match &self.test {
            CompTest::Absent => false,
            CompTest::Present { range, props, comps } => range.is_none() && props.is_empty() && comps.is_empty(),
        }
    }

    pub fn range(&self) -> Option<Range> {
        match &self.test {
            CompTest::Absent => None,
            CompTest::Present { range, .. } => *range,
        }
    }
}

/// Which part of an object is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Of the outermost component; `None` wants all of it.
    pub pick: Option<Pick>,
    pub instances: Instances,
    /// Of VFREEBUSY only the periods that overlap it.
    pub free_busy: Option<Range>,
}

impl Excerpt {
    /// Whether the bytes as they are kept are the answer.
    pub fn is_whole(&self) -> bool {
        *self == Excerpt::default()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Instances {
    /// The components as they are written.
    #[default]
    Written,
    /// Each instance that overlaps the range as a component of its own, in UTC.
    Expanded(Range),
    /// The master, and the overrides that matter in the range.
    Limited(Range),
}

/// Parts of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Upper case.
    pub name: String,
    pub props: Props,
    pub comps: Comps,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Props {
    All,
    /// Upper case, and whether the value is left out.
    These(Vec<(String, bool)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comps {
    All,
    These(Vec<Pick>),
}
