//! What keeps a socket open that a bearer token opened: its end is waited for, and whether it was taken back before anybody listened is
//! asked once. Decides nothing about what is said then.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::domain::bearer::Hold;
use crate::gateway::dialect::Desk;
use crate::system::clock::Clock;

pub struct Held {
    session: Option<Uuid>,
    /// The one look behind the listening.
    look: Option<BoxFuture<'static, bool>>,
    end: Option<BoxFuture<'static, ()>>,
}

impl Held {
    /// To be called when the socket listens to the token's user already: a token that ends later is told there.
    pub fn new(hold: Hold, desk: &Arc<dyn Desk>, clock: &Arc<dyn Clock>) -> Held {
        let (session, until) = (hold.session, hold.until);
        let desk = Arc::clone(desk);
        let look: BoxFuture<'static, bool> = Box::pin(async move {
            // Where that cannot be found out the client comes back with its token.
            desk.holds(&hold).await.unwrap_or(false)
        });
        let end = until.map(|until| -> BoxFuture<'static, ()> {
            let clock = Arc::clone(clock);
            Box::pin(async move { clock.until(until).await })
        });
        Held { session, look: Some(look), end }
    }

    /// Whether it is this session of a token that ended.
    pub fn is(&self, session: Uuid) -> bool {
        self.session == Some(session)
    }

    /// Ready when the token keeps nothing open any more.
    pub fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(look) = &mut self.look
            && let Poll::Ready(holds) = look.as_mut().poll(context)
        {
            self.look = None;
            if !holds {
                return Poll::Ready(());
            }
        }
        match &mut self.end {
            Some(end) => end.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}
