//! A dialect at work: its steps performed, its asks put to the desk. Reads and writes no socket; that is the session's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use crate::bus::Notice;
use crate::domain::address::UserName;
use crate::domain::bearer::Hold;
use crate::domain::event::{Event, Topic};
use crate::domain::refusal::Refusal;
use crate::gateway::dialect::{Ask, Desk, Dialect, Frame, Leave, Outcome, Outgoing, Step, Visitor};
use crate::gateway::frame::{self, Outbox};
use crate::gateway::held::Held;
use crate::gateway::hub::{RETRY_SECONDS, Seat};
use crate::service::login::Credentials;
use crate::system::clock::Clock;
use crate::system::meter::{Counted, Message};
use crate::system::pace::Pace;

/// The dialect and what its steps act upon.
pub struct Talk {
    pub dialect: Box<dyn Dialect>,
    pub seat: Seat,
    desk: Arc<dyn Desk>,
    clock: Arc<dyn Clock>,
    pace: Arc<dyn Pace>,
    pub outbox: Outbox,
    /// Bounded by the dialect: while it is busy nothing more is read.
    asks: VecDeque<(u64, Ask)>,
    asking: Option<(u64, BoxFuture<'static, Answer>)>,
    wake: Option<BoxFuture<'static, ()>>,
    /// One for each timer that runs: as many as the dialect has.
    rests: Vec<(u8, BoxFuture<'static, ()>)>,
    /// We said goodbye: nothing that the client says counts any more.
    pub left: Option<Leave>,
    pub counted: Counted,
    /// The device whose app password opened this socket.
    device: Option<Arc<str>>,
    /// The token that opened it.
    held: Option<Box<Held>>,
    /// Goes off when the client has been silent for too long; most dialects do not mind.
    silence: Option<(BoxFuture<'static, ()>, Leave)>,
}

impl Talk {
    pub fn new(
        dialect: Box<dyn Dialect>,
        seat: Seat,
        desk: Arc<dyn Desk>,
        clock: Arc<dyn Clock>,
        pace: Arc<dyn Pace>,
    ) -> Talk {
        let outbox = Outbox::default();
        let counted = seat.counted(dialect.name());
        if dialect.keeps_all() {
            seat.queue().keep_all();
        }
        Talk {
            dialect,
            seat,
            desk,
            clock,
            pace,
            outbox,
            asks: VecDeque::new(),
            asking: None,
            wake: None,
            rests: Vec::new(),
            left: None,
            counted,
            device: None,
            held: None,
            silence: None,
        }
    }

    /// Says which device's app password opened this socket, or which token: it goes with that, and stays when others go.
    pub fn opened_by(&mut self, device: Option<Arc<str>>, hold: Option<Hold>) {
        self.device = device;
        self.held = hold.map(|hold| {
            self.seat.listen(Topic::User(hold.user.clone()));
            Box::new(Held::new(hold, &self.desk, &self.clock))
        });
    }

    /// The client is there.
    pub fn alive(&mut self) {
        self.silence = self.dialect.silence().map(|(after, leave)| (self.pace.after(after), leave));
    }

    pub fn opened(&mut self) {
        self.alive();
        let mut steps = Vec::new();
        self.dialect.opened(self.clock.now(), &mut steps);
        self.perform(&mut steps, Message::Answer);
    }

    pub fn heard(&mut self, frame: Frame<'_>) {
        if self.left.is_none() {
            self.counted.add(match frame {
                Frame::Text(_) => Message::TextIn,
                Frame::Binary(_) => Message::BinaryIn,
            });
            let mut steps = Vec::new();
            self.dialect.heard(frame, self.clock.now(), &mut steps);
            self.perform(&mut steps, Message::Answer);
        }
    }

    pub fn happened(&mut self, notices: &VecDeque<Arc<Notice>>) {
        let mut steps = Vec::new();
        for notice in notices {
            if self.left.is_some() {
                return;
            }
            // Which sockets that is about is the same in every dialect.
            if let Event::SignedOut { whose, .. } = &notice.event
                && !whose.include(self.device.as_deref())
            {
                continue;
            }
            if let Event::TokenEnded { session, .. } = notice.event
                && self.held.as_ref().is_some_and(|held| held.is(session))
            {
                self.expired();
                continue;
            }
            self.dialect.happened(notice, &mut steps);
            self.perform(&mut steps, Message::News);
        }
    }

    pub fn woke(&mut self) {
        let mut steps = Vec::new();
        self.dialect.woke(self.clock.now(), &mut steps);
        self.perform(&mut steps, Message::Answer);
    }

    fn perform(&mut self, steps: &mut Vec<Step>, say: Message) {
        for step in steps.drain(..) {
            match step {
                Step::Ask { number, ask } => self.asks.push_back((number, ask)),
                Step::Listen(topic) => self.seat.listen(topic),
                Step::Unlisten(topic) => self.seat.unlisten(&topic),
                Step::Say(outgoing) => {
                    self.counted.add(say);
                    self.outbox.push(outgoing);
                }
                Step::Close(leave) => return self.say_leave(leave),
                Step::Wake(at) => {
                    let clock = Arc::clone(&self.clock);
                    self.wake = Some(Box::pin(async move { clock.until(at).await }));
                }
                Step::Rest { timer, after } => {
                    self.rests.retain(|(other, _)| *other != timer);
                    self.rests.push((timer, self.pace.after(after)));
                }
            }
        }
    }

    fn expired(&mut self) {
        self.held = None;
        let mut steps = Vec::new();
        self.dialect.expired(&mut steps);
        self.perform(&mut steps, Message::Answer);
    }

    /// Takes leave of a client whose dialect did not ask for it.
    pub fn dismiss(&mut self, leave: Leave) {
        if self.left.is_none() {
            self.last_words(leave);
            self.say_leave(leave);
        }
    }

    /// What the dialect has to say before a close that is not its own.
    pub fn last_words(&mut self, leave: Leave) {
        if let Some(words) = self.dialect.last_words(leave) {
            self.counted.add(Message::Answer);
            self.outbox.push(Outgoing::answer(words));
        }
    }

    pub fn say_leave(&mut self, leave: Leave) {
        if self.left.is_none() {
            self.counted.add(Message::Close);
            self.outbox.push(Outgoing::answer(frame::close(leave)));
            self.left = Some(leave);
        }
    }

    /// Ready when an ask was answered. Asks go to the desk one after another, so that one socket never takes more of it than another.
    pub fn poll_ask(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.asking.is_none() {
            let Some((number, ask)) = self.asks.pop_front() else { return Poll::Pending };
            if self.asks.is_empty() {
                self.asks = VecDeque::new();
            }
            self.asking = Some((number, self.question(ask)));
        }
        let Some((number, answer)) = &mut self.asking else { return Poll::Pending };
        let number = *number;
        let Poll::Ready(Answer { mut outcome, visitor }) = answer.as_mut().poll(context) else { return Poll::Pending };
        self.asking = None;
        let whose = match &outcome {
            Outcome::SignedIn(user) => Some(user),
            // A token that takes another's place brings the same user.
            Outcome::Borne(bearing) if self.seat.user().is_none() => bearing.user.as_ref(),
            _ => None,
        };
        if let Some(user) = whose {
            // Whoever says again who they are is counted once.
            let known = self.seat.user() == Some(user);
            match if known { Ok(()) } else { self.seat.sign_in(user) } {
                Ok(()) => {
                    if let Some(visitor) = visitor {
                        self.opened_by(visitor.device, visitor.hold);
                    }
                }
                Err(full) => {
                    tracing::info!(why = %full, "socket refused");
                    let limit = "too many sockets of one user";
                    outcome = Outcome::Refused(Refusal::Busy { limit, retry_seconds: RETRY_SECONDS });
                }
            }
        }
        let mut steps = Vec::new();
        self.dialect.answered(number, outcome, self.clock.now(), &mut steps);
        self.perform(&mut steps, Message::Answer);
        Poll::Ready(())
    }

    fn question(&self, ask: Ask) -> BoxFuture<'static, Answer> {
        let desk = Arc::clone(&self.desk);
        let user = self.seat.user().cloned();
        Box::pin(async move {
            if let Ask::Bear(token) = &ask {
                let borne = desk.bear(token).await;
                return borne.map_or_else(Outcome::Refused, |bearing| Outcome::Borne(Box::new(bearing))).into();
            }
            if let Ask::SignIn(credentials, from) = &ask {
                return match desk.sign_in(credentials, *from).await {
                    Ok(visitor) => {
                        let outcome = Outcome::SignedIn(visitor.user.clone());
                        // What proved somebody in the head of the request was looked at there.
                        let known = matches!(credentials, Credentials::Proved(_));
                        Answer { outcome, visitor: (!known).then_some(visitor) }
                    }
                    Err(refusal) => Outcome::Refused(refusal).into(),
                };
            }
            let Some(user) = user else { return Outcome::Refused(Refusal::Unauthenticated).into() };
            put(&*desk, &user, ask).await.into()
        })
    }

    pub fn poll_wake(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(wake) = &mut self.wake else { return Poll::Pending };
        if wake.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.wake = None;
        self.woke();
        Poll::Ready(())
    }

    pub fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let over = self.rests.iter_mut().position(|(_, rest)| rest.as_mut().poll(context).is_ready());
        let Some(over) = over else { return Poll::Pending };
        let (timer, _) = self.rests.swap_remove(over);
        let mut steps = Vec::new();
        self.dialect.rested(timer, self.clock.now(), &mut steps);
        self.perform(&mut steps, Message::Answer);
        Poll::Ready(())
    }

    /// Ready when the socket was ended because its token is over, or because its client is silent.
    pub fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.held.as_mut().is_some_and(|held| held.poll_over(context).is_ready()) {
            self.expired();
            return Poll::Ready(());
        }
        let Some((silence, leave)) = &mut self.silence else { return Poll::Pending };
        if silence.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let leave = *leave;
        self.silence = None;
        self.seat.meter().dropped("silent");
        self.dismiss(leave);
        Poll::Ready(())
    }

    /// The last frame is on its way: nothing is listened to any more.
    pub fn quiet(&mut self) {
        self.seat.quiet();
        self.asks = VecDeque::new();
        self.asking = None;
        self.wake = None;
        self.rests = Vec::new();
        (self.held, self.silence) = (None, None);
    }
}

/// What the desk said, and who signed in by it.
struct Answer {
    outcome: Outcome,
    visitor: Option<Visitor>,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Answer {
        Answer { outcome, visitor: None }
    }
}

/// Puts somebody's question to the desk.
async fn put(desk: &dyn Desk, user: &UserName, ask: Ask) -> Outcome {
    match ask {
        Ask::Resolve(address) => desk.resolve(user, &address).await.map_or_else(Outcome::Refused, Outcome::Readable),
        Ask::Waiting => desk.waiting(user).await.map_or_else(Outcome::Refused, Outcome::Waiting),
        Ask::Told(alarms) => desk.told(user, alarms).await.map_or_else(Outcome::Refused, |()| Outcome::Noted),
        Ask::Taken(messages) => desk.taken(user, messages).await.map_or_else(Outcome::Refused, |()| Outcome::Noted),
        Ask::Channel(address) => desk.channel(user, &address).await.map_or_else(Outcome::Refused, Outcome::Channel),
        Ask::Unread { organisation, user: whose } => match desk.unread(user, &organisation, &whose).await {
            Ok((user, unread)) => Outcome::Unread { user, unread },
            Err(refusal) => Outcome::Refused(refusal),
        },
        Ask::Look(sight) => match desk.look(user, &sight).await {
            Ok(seen) => Outcome::Sighted(Box::new(seen)),
            Err(unseen) => Outcome::Unseen(unseen),
        },
        Ask::See => desk.see(user).await.map_or_else(Outcome::Refused, Outcome::Seen),
        Ask::SignIn(..) | Ask::Bear(_) => Outcome::Refused(Refusal::Unauthenticated),
    }
}
