//! Recurrence: rules, the starts they give, and the instances of an object in a window. Knows no alarm.

pub mod budget;
pub mod changes;
pub mod civil;
pub mod count;
pub mod days;
pub mod grid;
pub mod lane;
pub mod mask;
pub mod originals;
pub mod page;
pub mod phase;
pub mod reading;
pub mod recurrence;
pub mod rule;
pub mod series;
pub mod span;
pub mod steps;
pub mod stream;
pub mod window;
