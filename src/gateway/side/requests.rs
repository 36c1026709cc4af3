//! The requests of one Side client that wait for their answer, in their order. Asks nobody and registers nothing.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::domain::refusal::Refusal;
use crate::gateway::side::push;
use crate::gateway::side::request::Path;

/// How many requests wait for their answer before no more is read from the client.
const WAITING_MAX: usize = 64;

/// How many paths of requests wait before no more is read. One read more may be taken, so the true bound is this and what that brings.
const LINES_MAX: usize = 4_096;

/// What became of one path; otherwise why not, as the wire spells it.
pub type Verdict = Result<(), &'static str>;

/// Only the first request is worked on; what is said of a line is said of the first request.
#[derive(Debug, Default)]
pub struct Requests {
    queue: VecDeque<Change>,
    /// How many lines all of them have.
    lines: usize,
}

/// A request to register and unregister.
#[derive(Debug)]
pub struct Change {
    lines: Vec<Line>,
    /// How many lines wait for the desk.
    open: usize,
    started: bool,
}

#[derive(Debug)]
pub struct Line {
    pub path: Path,
    pub register: bool,
    verdict: Option<Verdict>,
}

impl Requests {
    pub fn push(&mut self, register: Vec<Path>, unregister: Vec<Path>) {
        let line = |register| move |path| Line { path, register, verdict: None };
        let lines: Vec<Line> =
            register.into_iter().map(line(true)).chain(unregister.into_iter().map(line(false))).collect();
        self.lines += lines.len();
        self.queue.push_back(Change { lines, open: 0, started: false });
    }

    pub fn busy(&self) -> bool {
        self.queue.len() >= WAITING_MAX || self.lines >= LINES_MAX
    }

    /// How many lines the first request has, the first time that this is asked.
    pub fn start(&mut self) -> Option<usize> {
        let first = self.queue.front_mut().filter(|first| !first.started)?;
        first.started = true;
        Some(first.lines.len())
    }

    pub fn line(&self, index: usize) -> Option<&Line> {
        self.queue.front()?.lines.get(index)
    }

    /// One more line waits for the desk.
    pub fn wait(&mut self) {
        if let Some(first) = self.queue.front_mut() {
            first.open += 1;
        }
    }

    /// A line has its verdict, and did not wait for it.
    pub fn settle(&mut self, index: usize, verdict: Verdict) {
        if let Some(line) = self.queue.front_mut().and_then(|first| first.lines.get_mut(index)) {
            line.verdict = Some(verdict);
        }
    }

    /// A line that waited for the desk has its verdict.
    pub fn close(&mut self, index: usize, verdict: Verdict) {
        self.settle(index, verdict);
        if let Some(first) = self.queue.front_mut() {
            first.open -= 1;
        }
    }

    /// Takes the first request off, once it was started and no line waits any more.
    pub fn finished(&mut self) -> Option<Change> {
        self.queue.front().filter(|first| first.started && first.open == 0)?;
        let change = self.queue.pop_front()?;
        self.lines -= change.lines.len();
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        Some(change)
    }
}

impl Change {
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The one answer to it.
    pub fn answer(&self) -> Bytes {
        let mut answer = push::Answer::default();
        for line in &self.lines {
            let label: &str = &line.path.label;
            match (line.register, line.verdict.unwrap_or(Err("InternalError"))) {
                (true, Ok(())) => answer.registered.push(label),
                (true, Err(why)) => answer.not_registered.push((label, why)),
                (false, Ok(())) => answer.unregistered.push(label),
                (false, Err(why)) => answer.not_unregistered.push((label, why)),
            }
        }
        push::answer(&answer)
    }
}

/// The reason on the wire. `NotFound` and `Forbidden` speak of the path, the rest of us.
pub fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Forbidden => "Forbidden",
        Refusal::NotFound => "NotFound",
        Refusal::Unauthenticated
        | Refusal::Expired
        | Refusal::Exists
        | Refusal::Precondition
        | Refusal::UidTaken(_)
        | Refusal::Invalid(_)
        | Refusal::Unsupported(_)
        | Refusal::TooLarge { .. }
        | Refusal::StaleToken
        | Refusal::Busy { .. }
        | Refusal::TooOften { .. }
        | Refusal::Unstorable(_)
        | Refusal::Full(_)
        | Refusal::NoRoom(_)
        | Refusal::Unschedulable { .. }
        | Refusal::Fault { .. } => "InternalError",
    }
}
