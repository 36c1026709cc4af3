//! People as others look them up: by name, by mail address, by what begins their name. Adding and removing them stands in `principals.rs`.

use std::collections::HashSet;

use crate::domain::address::UserName;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::collections::View;
use crate::service::contacts::folded;

/// A longer search, in bytes, is refused.
const QUERY_MAX: usize = 256;

impl Service {
    /// The person of that login name; `None` where there is none.
    pub async fn look_up(&self, name: &UserName) -> Result<Option<Principal>, Refusal> {
        Ok(self.store.principal(name).await?)
    }

    /// The person whose mail address it is, in any case.
    pub async fn person_of_mail(&self, mail: &str) -> Result<Option<Principal>, Refusal> {
        match self.store.user_of_mail(mail.trim()).await? {
            Some(name) => self.look_up(&name).await,
            None => Ok(None),
        }
    }

    /// People of the caller's organisation in whose names or mail address each word of `query` begins a word, by name, at most `limit`.
    /// People of other organisations are found by their whole mail address alone.
    pub async fn find_people(&self, caller: &Principal, query: &str, limit: usize) -> Result<Vec<Principal>, Refusal> {
        if query.len() > QUERY_MAX {
            return Err(Fault::whole(format!("a search has at most {QUERY_MAX} bytes")).into());
        }
        let words: Vec<String> = folded(query).split_whitespace().map(str::to_owned).collect();
        let organisation = self.member_of(&caller.name).await?.organisation;
        let near: HashSet<UserName> =
            self.store.members(&organisation).await?.into_iter().map(|member| member.user).collect();
        let whole = folded(query.trim());
        let mut found = self.store.principals().await?;
        found.retain(|person| {
            folded(&person.email) == whole
                || (near.contains(&person.name) && !words.is_empty() && begins(person, &words))
        });
        found.sort_by(|a, b| (&a.display_name, &a.name).cmp(&(&b.display_name, &b.name)));
        found.truncate(limit);
        Ok(found)
    }

    /// The name of the object that has a UID in a collection.
    pub async fn object_of_uid(&self, view: &View, uid: &str) -> Result<Option<String>, Refusal> {
        Ok(self.store.object_of_uid(view.source.id, uid).await?)
    }
}

/// Whether each word begins some word of what a person is called.
fn begins(person: &Principal, words: &[String]) -> bool {
    let texts = [person.display_name.as_str(), person.name.as_str(), person.email.as_str()].map(folded);
    let mut parts = texts.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()).chain([text.as_str()]));
    let parts: Vec<&str> = parts.by_ref().collect();
    words.iter().all(|word| parts.iter().any(|part| part.starts_with(word.as_str())))
}
