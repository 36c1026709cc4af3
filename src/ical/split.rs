//! stub
use super::lines::Limits;
use crate::domain::{import::*, object::*, refusal::*};
pub struct Item {
    pub line: u64,
    pub uid: String,
    pub component: Component,
    pub bytes: Vec<u8>,
}
pub struct Split {
    pub items: Vec<Item>,
    pub failures: Vec<Failure>,
}
pub fn calendar(_: &[u8], _: &Limits) -> Result<Split, Fault> {
    todo!()
}
pub fn cards(_: &[u8], _: &Limits) -> Result<Split, Fault> {
    todo!()
}
