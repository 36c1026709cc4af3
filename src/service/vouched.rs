//! People whose passwords are not kept here: a trusted proxy has signed them in, or a password file lists them. They are known by the name it
//! gives; where that is asked for, they are made at their first sign-in.

use crate::domain::principal::{Principal, login_name};
use crate::domain::refusal::Refusal;
use crate::service::Service;

impl Service {
    /// The person of a login name or a mail address that needs no proof. Whoever is unknown is refused, or made where `auth.proxy_create`
    /// says so.
    pub async fn vouched(&self, login: &str) -> Result<Principal, Refusal> {
        match self.find_login(login).await? {
            Some(found) => Ok(found),
            None if self.settings.auth.proxy_create => self.welcome(login).await,
            None => Err(Refusal::Unauthenticated),
        }
    }

    /// Makes a person of whom nothing is known but the name that they signed in with elsewhere. They have no password here, and nobody can
    /// guess one. A name that looks like a mail address is theirs; others get the mail domain of the settings.
    pub(crate) async fn welcome(&self, login: &str) -> Result<Principal, Refusal> {
        let name = login_name(login).ok_or(Refusal::Unauthenticated)?;
        let text = name.as_str();
        let email =
            if text.contains('@') { text.to_owned() } else { format!("{text}@{}", self.settings.auth.mail_domain) };
        let newcomer = Principal {
            email,
            display_name: text.to_owned(),
            password_hash: String::new(),
            timezone: None,
            administrator: false,
            name: name.clone(),
        };
        match self.move_in(newcomer).await {
            Ok(made) => {
                tracing::info!("a person was made who signed in elsewhere");
                Ok(made)
            }
            // Another request of theirs was faster; or the address is another person's, and then this is not they.
            Err(Refusal::Exists) => self.store.principal(&name).await?.ok_or(Refusal::Unauthenticated),
            Err(refusal) => Err(refusal),
        }
    }
}
