//! Properties that mean nothing to the service and are kept as clients set them: RFC 4918 section 4 calls them dead. Knows no XML: a value
//! is text that the face wrote and will write out again.

use std::sync::Arc;

use crate::domain::address::{Kind, UserName};
use crate::domain::collection::CollectionId;

/// One dead property: its namespace, its name there, and the element as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadProperty {
    pub space: String,
    pub local: String,
    pub value: String,
}

impl DeadProperty {
    /// The characters in an element without children, as the face wrote them.
    pub fn text(&self) -> String {
        let inner = self.value.find('>').zip(self.value.rfind('<')).and_then(|(from, to)| self.value.get(from + 1..to));
        let plain = [("&#13;", "\r"), ("&#xD;", "\r"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
        plain.iter().fold(inner.unwrap_or_default().to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn bytes(&self) -> usize {
        self.space.len() + self.local.len() + self.value.len()
    }
}

/// Whom dead properties belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    Principal(UserName),
    Home(Kind, UserName),
    /// A collection or a mirror: its own number, so that each person orders and names for themselves.
    Collection(CollectionId),
    Object(CollectionId, Arc<str>),
}

/// A dead property that is to be set or, where there is no value, taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadChange {
    pub space: String,
    pub local: String,
    pub value: Option<String>,
}

/// What one holder may keep.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub count: usize,
    /// Of names and values together.
    pub bytes: usize,
}

/// The properties after these changes, made in their order; `None` where that would be more than a holder may keep.
///
/// ```
/// use campanile::domain::dead::{Bounds, DeadChange, changed};
/// let change = |value: Option<&str>| DeadChange { space: "u:e".into(), local: "x".into(), value: value.map(str::to_owned) };
/// let bounds = Bounds { count: 1, bytes: 10 };
/// let kept = changed(Vec::new(), &[change(Some("<x/>"))], bounds).unwrap();
/// assert_eq!(kept[0].value, "<x/>");
/// assert!(changed(kept.clone(), &[change(None)], bounds).unwrap().is_empty());
/// assert!(changed(kept, &[change(Some("<x>long</x>"))], bounds).is_none());
/// ```
pub fn changed(mut properties: Vec<DeadProperty>, changes: &[DeadChange], bounds: Bounds) -> Option<Vec<DeadProperty>> {
    let grows = changes.iter().any(|change| change.value.is_some());
    for DeadChange { space, local, value } in changes {
        properties.retain(|known| known.space != *space || known.local != *local);
        if let Some(value) = value {
            properties.push(DeadProperty { space: space.clone(), local: local.clone(), value: value.clone() });
        }
    }
    let bytes: usize = properties.iter().map(DeadProperty::bytes).sum();
    // To take some away is allowed even where a lower limit was set since.
    (!grows || (properties.len() <= bounds.count && bytes <= bounds.bytes)).then_some(properties)
}
