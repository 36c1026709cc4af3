//! Which collections one Wazo socket sees, as they are shared at the moment. A collection is listened to before it is looked up again, and
//! counts from that second look on, so that no loss of a right falls between. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bus::Notice;
use crate::domain::address::{Address, UserName};
use crate::domain::collection::CollectionId;

/// Notices that wait for one look; more mean that the client is told to come again.
const HELD_MAX: usize = 1_024;

#[derive(Debug, Default)]
pub struct View {
    places: HashMap<CollectionId, Place>,
    /// A look is out.
    looking: bool,
    /// What that look answers is too old already.
    again: bool,
    /// What happened in collections that are not confirmed.
    held: Vec<(CollectionId, Arc<Notice>)>,
}

#[derive(Debug)]
struct Place {
    address: Address,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Listened to, and not yet confirmed.
    New,
    Seen,
    /// Rights changed since it was confirmed.
    Doubted,
}

/// What is to be done after a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct After {
    pub listen: Vec<CollectionId>,
    pub unlisten: Vec<CollectionId>,
    /// Another look is needed.
    pub look: bool,
}

/// What a notice of a collection is to this socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    Seen,
    /// Told when the look is over, if then it still may be.
    Held,
    Hidden,
    /// Too much waits.
    Full,
}

impl View {
    /// Whether a look has to be asked for now; where one is out, it is to be repeated.
    pub fn look(&mut self) -> bool {
        self.again = self.looking;
        !std::mem::replace(&mut self.looking, true)
    }

    /// Nothing is in doubt and nothing is being looked up.
    pub fn settled(&self) -> bool {
        !self.looking
    }

    /// Rights to a collection changed: its owner need not care. Whether that concerns this socket at all.
    pub fn doubt(&mut self, collection: CollectionId, user: &UserName) -> bool {
        let Some(place) = self.places.get_mut(&collection) else { return false };
        if place.address.user() != user {
            place.state = State::Doubted;
            // What waited happened before rights changed once more.
            self.held.retain(|(held, _)| *held != collection);
            return true;
        }
        false
    }

    pub fn sees(&self, collection: CollectionId) -> bool {
        self.places.get(&collection).is_some_and(|place| place.state == State::Seen)
    }

    /// How news of a collection is to be treated.
    pub fn sight(&mut self, collection: CollectionId, notice: &Arc<Notice>) -> Sight {
        match self.places.get(&collection).map(|place| place.state) {
            Some(State::Seen) => Sight::Seen,
            Some(State::New | State::Doubted) if self.held.len() < HELD_MAX => {
                self.held.push((collection, Arc::clone(notice)));
                Sight::Held
            }
            Some(State::New | State::Doubted) => Sight::Full,
            // It was given up a moment ago.
            None => Sight::Hidden,
        }
    }

    /// A look is over: what was seen, and what waited for it.
    pub fn looked(&mut self, seen: Vec<(CollectionId, Address)>) -> (After, Vec<Arc<Notice>>) {
        self.looking = false;
        let mut after = After::default();
        let again = std::mem::take(&mut self.again);
        let seen: HashMap<CollectionId, Address> = seen.into_iter().collect();
        self.places.retain(|id, _| {
            let stays = seen.contains_key(id);
            if !stays {
                after.unlisten.push(*id);
            }
            stays
        });
        for (id, address) in seen {
            match self.places.get_mut(&id) {
                // Doubt that came while the look was out is settled by the next one.
                Some(place) if !again => *place = Place { address, state: State::Seen },
                Some(_) => {}
                None => {
                    self.places.insert(id, Place { address, state: State::New });
                    after.listen.push(id);
                }
            }
        }
        after.look = again || !after.listen.is_empty();
        let (ready, held) = std::mem::take(&mut self.held).into_iter().partition(|(id, _)| self.sees(*id));
        self.held = held;
        self.held.retain(|(id, _)| self.places.contains_key(id));
        let ready: Vec<(CollectionId, Arc<Notice>)> = ready;
        (after, ready.into_iter().map(|(_, notice)| notice).collect())
    }

    /// The look could not be made: it is tried again at the next beat.
    pub fn missed(&mut self) {
        self.looking = false;
        self.again = false;
    }

    /// Whether something waits for a look that nobody has asked for.
    pub fn stale(&self) -> bool {
        !self.looking && self.places.values().any(|place| place.state != State::Seen)
    }
}
