//! Recurrence: rules, the starts they give, and the instances of an object in a window. Knows no alarm.

pub mod budget;
pub mod days;
pub mod grid;
pub mod instances;
pub mod library;
pub mod rule;
pub mod series;
pub mod steps;
pub mod window;
