//! What people say of their presence themselves, and what the telephone system says of them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::organisation::Member;
use crate::domain::presence::{Call, Direction, Line, Manual, Status, Until};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::collections::check_text;
use crate::service::groups::Portrait;
use crate::service::presence::Word;

/// Bytes of a status message.
const MESSAGE_MAX: usize = 1_024;
/// Bytes of a call's channel.
const CHANNEL_MAX: usize = 128;

/// A call as the telephone system tells it.
#[derive(Clone, Debug)]
pub struct Ringing {
    pub line: Line,
    pub direction: Direction,
    pub channel: String,
}

impl Service {
    /// Sets what somebody says of themselves, or takes it back. The person may, and administrators.
    pub async fn set_status(
        &self,
        caller: &Principal,
        member: &Member,
        manual: Option<(Status, Option<String>, Option<DateTime<Utc>>)>,
    ) -> Result<Portrait, Refusal> {
        self.check_speaker(caller, member)?;
        let now = self.now();
        let manual = match manual {
            Some((status, message, until)) => {
                check_text("a status message", message.as_deref().unwrap_or_default(), MESSAGE_MAX)?;
                if until.is_some_and(|until| until <= now) {
                    return Err(Fault::whole("until must lie ahead").into());
                }
                Some(Manual { status, message: message.filter(|text| !text.is_empty()), until })
            }
            None => None,
        };
        self.derive_presence(&member.user, Vec::new(), Word::Manual(manual), now).await?;
        self.portrait(member).await
    }

    /// Sets the call that somebody is in, or ends it. The telephone system signs in as an administrator; the person may too.
    pub async fn set_call(
        &self,
        caller: &Principal,
        member: &Member,
        ringing: Option<Ringing>,
    ) -> Result<Portrait, Refusal> {
        self.check_speaker(caller, member)?;
        let now = self.now();
        let call = match ringing {
            Some(Ringing { line, direction, channel }) => {
                check_text("callChannelUUID", &channel, CHANNEL_MAX)?;
                let before = self.store.presence(&member.user).await?.and_then(|presence| presence.call);
                let before = before.filter(|call| call.until > now).map(|call| call.it);
                // A call begins when it is answered; what is told of it later does not begin it anew.
                let same = before
                    .filter(|call| call.channel == channel && (call.line != Line::Ringing || line == Line::Ringing));
                let since = same.map_or(now, |call| call.since);
                let until = now + TimeDelta::seconds(self.settings.presence.call_seconds);
                Some(Until { it: Call { channel, line, direction, since, conference: None }, until })
            }
            None => None,
        };
        self.derive_presence(&member.user, Vec::new(), Word::Call(call), now).await?;
        self.portrait(member).await
    }

    fn check_speaker(&self, caller: &Principal, member: &Member) -> Result<(), Refusal> {
        if caller.administrator || caller.name == member.user { Ok(()) } else { Err(Refusal::Forbidden) }
    }
}
