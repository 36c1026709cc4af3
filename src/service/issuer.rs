//! Another service that issues bearer tokens: what this one asks it. Who asks over which wire is for others.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::domain::bearer::Bearing;
use crate::domain::refusal::Refusal;
use crate::service::Service;

/// Knows tokens that were not issued here.
pub trait Issuer: Send + Sync {
    /// Who stands behind a token that may listen: `Unauthenticated` where nobody does, and where nobody answers.
    fn look<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bearing, Refusal>>;
}

/// An issuer, and the tenant whose people hear all others.
pub(crate) struct Elsewhere {
    issuer: Arc<dyn Issuer>,
    master: Option<Uuid>,
}

impl Service {
    /// From now on tokens that are unknown here are asked about there. The first word counts.
    pub fn ask_elsewhere(&self, issuer: Arc<dyn Issuer>, master: Option<Uuid>) {
        let _ = self.elsewhere.set(Elsewhere { issuer, master });
    }

    /// What the other issuer knows of a token; its users are nobody's here.
    pub(crate) async fn foreign_bearing(&self, token: &str) -> Result<Bearing, Refusal> {
        let Some(Elsewhere { issuer, master }) = self.elsewhere.get() else { return Err(Refusal::Unauthenticated) };
        let mut bearing = issuer.look(token).await?;
        bearing.standing.master = *master == Some(bearing.tenant);
        Ok(bearing)
    }
}
