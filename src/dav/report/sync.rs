//! sync-collection: what changed since a token, in a collection or in a home. RFC 6578.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use warp::reply::Response;

use crate::dav::fault::{Condition, Fault};
use crate::dav::href::{self, Hrefs};
use crate::dav::multistatus::{Multistatus, NOT_FOUND};
use crate::dav::path::Place;
use crate::dav::report::ask::Ask;
use crate::dav::report::cards::limit;
use crate::dav::report::feed::{self, Feed};
use crate::dav::request::Request;
use crate::dav::values::Subject;
use crate::dav::xml::{Element, Space};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::{Collection, CollectionId};
use crate::domain::home_sync::{HomePosition, Member, digest};
use crate::domain::refusal::Refusal;
use crate::domain::sync::Position;
use crate::service::Service;
use crate::service::collections::View;
use crate::service::queries::Found;
use crate::service::sync::{Changes, Line};

pub async fn answer(request: &Request, root: &Element) -> Result<Response, Fault> {
    let kind = request.place().kind().unwrap_or(Kind::Calendar);
    let ask = Ask::read(request, root, kind).await?;
    // RFC 6578 6.1 demands an element even where there is no token; some leave it out.
    let token = root.child(&Space::Dav, "sync-token").map(|token| token.text.trim()).unwrap_or_default();
    let deep = deep(root)?;
    let limit = limit(root)?;
    let (minimal, house) = (ask.minimal, request.house.clone());
    match request.place() {
        Place::Collection(at) => {
            let view = house.view(&request.caller.name, at).await?;
            let position = match token {
                "" => None,
                token => Some(Position::parse(token).ok_or_else(unknown)?),
            };
            let changes = house.changes(&view.source, position.as_ref(), limit).await?;
            let href = request.hrefs().collection(at);
            feed::answer(Box::new(Rows { house, ask, view, href, changes }), minimal).await
        }
        Place::Home(kind, user) => {
            let told = match token {
                "" => HomePosition::default(),
                token => HomePosition::parse(token).ok_or_else(unknown)?,
            };
            let mut views = house.home_of(&request.caller.name, user, *kind).await?;
            views.retain(|view| view.right >= Right::Read);
            if deep {
                check(&house, &views, &told).await?;
            }
            let home = Home {
                house,
                ask,
                kind: *kind,
                user: user.clone(),
                deep,
                left: limit.unwrap_or(usize::MAX),
                told,
                now: HomePosition::default(),
                views: views.into(),
                open: None,
                begun: false,
            };
            feed::answer(Box::new(home), minimal).await
        }
        _ => Err(Fault::Condition(Condition::SupportedReport, "only collections and homes can be followed".to_owned())),
    }
}

fn unknown() -> Fault {
    Refusal::StaleToken.into()
}

/// Whether more than one level is wanted. Old clients name none and mean one.
fn deep(root: &Element) -> Result<bool, Fault> {
    match root.child(&Space::Dav, "sync-level").map(|level| level.text.trim()) {
        None | Some("1" | "") => Ok(false),
        Some("infinite" | "infinity") => Ok(true),
        Some(other) => Err(Fault::Malformed(format!("a sync-level is 1 or infinite, not {other:?}"))),
    }
}

/// What changed in one collection.
struct Rows {
    house: Arc<Service>,
    ask: Ask,
    view: View,
    /// Of the collection.
    href: String,
    changes: Changes,
}

impl Rows {
    async fn more(&mut self, rows: &mut Multistatus) -> Result<bool, Refusal> {
        if let Some(lines) = self.changes.next(&self.house).await? {
            write(&self.house, &self.ask, &self.view, &self.href, lines, rows).await?;
            return Ok(true);
        }
        let (position, cut) = self.changes.end();
        if cut {
            rows.cut(&self.href);
        }
        rows.token(&position.url());
        Ok(false)
    }
}

impl Feed for Rows {
    fn page<'a>(&'a mut self, rows: &'a mut Multistatus) -> BoxFuture<'a, Result<bool, Refusal>> {
        self.more(rows).boxed()
    }
}

/// Lines of one collection as rows.
async fn write(
    house: &Service,
    ask: &Ask,
    view: &View,
    collection: &str,
    lines: Vec<Line>,
    rows: &mut Multistatus,
) -> Result<(), Refusal> {
    let mut href = collection.to_owned();
    let mut texts = match &ask.excerpt {
        // RFC 6578 wants properties alone; who asks for the text too gets it.
        Some(excerpt) => {
            let names: Vec<String> = lines
                .iter()
                .filter_map(|line| match line {
                    Line::There(record) => Some(record.name.to_string()),
                    Line::Gone(_) => None,
                })
                .collect();
            house.named(view, &names, Some(excerpt.clone()), None).await?.found
        }
        None => Vec::new(),
    }
    .into_iter();
    let there = |line: &'_ Line| match line {
        Line::There(record) => Some(record.clone()),
        Line::Gone(_) => None,
    };
    let records: Vec<_> = lines.iter().filter_map(there).collect();
    let dead = ask.dead(view, records.iter().map(|record| &**record)).await?;
    for line in lines {
        href.truncate(collection.len());
        match line {
            Line::There(record) => {
                href::push_segment(&mut href, &record.name);
                match texts.next().flatten() {
                    Some(Found { record, text }) => {
                        ask.object(rows, &href, (view, &record), &dead, text.as_deref());
                    }
                    None => ask.object(rows, &href, (view, &record), &dead, None),
                }
            }
            Line::Gone(name) => {
                href::push_segment(&mut href, &name);
                rows.status(&href, NOT_FOUND, None);
            }
        }
    }
    Ok(())
}

/// Whether each collection still knows the token that it gave.
async fn check(house: &Service, views: &[View], told: &HomePosition) -> Result<(), Fault> {
    for view in views {
        let Some(member) = told.members.get(view.shown.address.name()) else { continue };
        if member.id == identity(view) {
            // Nothing is read of a list that has a limit of nothing.
            house.changes(&view.source, Some(&member.position), Some(0)).await?;
        }
    }
    Ok(())
}

/// The token of a home of which all was told: what `sync-collection` would end with.
pub fn home_token(views: &[View]) -> String {
    let member =
        |view: &View| Member { id: identity(view), face: face(view), position: Position::At(view.source.token) };
    let members = views.iter().map(|view| (view.shown.address.name().to_owned(), member(view))).collect();
    HomePosition { members }.url()
}

/// A mirror has a number of its own, and its content that of its source: when either changes it is another collection.
fn identity(view: &View) -> CollectionId {
    let (shown, source) = (view.shown.id.0, view.source.id.0);
    if shown == source { view.shown.id } else { CollectionId(shown ^ source.rotate_left(32)) }
}

/// A digest of what a collection's properties say beside its content.
fn face(view: &View) -> u64 {
    let face = |shown: &Collection| {
        let grants = shown.grants.iter().map(|grant| format!("{} {}", grant.user, grant.right.as_str()));
        let mut texts = vec![shown.display_name.clone(), shown.description.clone(), shown.color.clone()];
        texts.push(shown.timezone.clone().unwrap_or_default());
        texts.push(shown.transparent.to_string());
        texts.push(shown.public.map(|right| right.as_str().to_owned()).unwrap_or_default());
        texts.extend(shown.components.iter().cloned().chain(grants));
        texts
    };
    let texts: Vec<String> =
        face(&view.shown).into_iter().chain(face(&view.source)).chain([view.right.as_str().to_owned()]).collect();
    digest(texts.iter().map(String::as_str))
}

/// What changed in a home: its collections, and where that is wanted what is in them.
struct Home {
    house: Arc<Service>,
    ask: Ask,
    kind: Kind,
    user: UserName,
    deep: bool,
    left: usize,
    /// What the client knows; what is looked at is taken out.
    told: HomePosition,
    /// What it will know.
    now: HomePosition,
    views: VecDeque<View>,
    /// The collection whose objects are being told.
    open: Option<(View, String, Changes)>,
    begun: bool,
}

impl Home {
    fn hrefs(&self) -> Hrefs {
        self.ask.scene.hrefs
    }

    async fn more(&mut self, rows: &mut Multistatus) -> Result<bool, Refusal> {
        if !self.begun {
            self.begun = true;
            self.gone(rows);
        }
        if let Some((view, href, changes)) = &mut self.open {
            if let Some(lines) = changes.next(&self.house).await? {
                self.left = self.left.saturating_sub(lines.len());
                write(&self.house, &self.ask, view, href, lines, rows).await?;
                return Ok(true);
            }
            let (position, cut) = changes.end();
            self.know(position);
            if cut {
                return Ok(self.end(rows, true));
            }
            return Ok(true);
        }
        let Some(view) = self.views.front() else { return Ok(self.end(rows, false)) };
        let name = view.shown.address.name().to_owned();
        let told = self.told.members.get(&name).filter(|member| member.id == identity(view)).cloned();
        let position = told.as_ref().map(|member| member.position.clone());
        let at = Position::At(view.source.token);
        let shown = told.as_ref().is_some_and(|member| member.face == face(view));
        if shown && position.as_ref() == Some(&at) {
            self.pass(told);
            return Ok(true);
        }
        // A list that was cut within this collection has told of the collection itself.
        let within = shown && matches!(position, Some(Position::Within(..) | Position::Listed(..)));
        if !within {
            if self.left == 0 {
                return Ok(self.end(rows, true));
            }
            self.left -= 1;
            let href = self.hrefs().collection(&view.shown.address);
            self.ask.row(rows, &href, Subject::Collection(view)).await?;
        }
        let Some(view) = self.views.pop_front() else { return Ok(self.end(rows, false)) };
        self.told.members.remove(&name);
        let member =
            Member { id: identity(&view), face: face(&view), position: position.clone().unwrap_or(at.clone()) };
        if !self.deep {
            self.now.members.insert(name, Member { position: at, ..member });
            return Ok(true);
        }
        self.now.members.insert(name.clone(), member);
        let limit = (self.left < usize::MAX).then_some(self.left);
        let changes = self.house.changes(&view.source, position.as_ref(), limit).await?;
        let href = self.hrefs().collection(&view.shown.address);
        self.open = Some((view, href, changes));
        Ok(true)
    }

    /// The collection at the front stands as it was told.
    fn pass(&mut self, told: Option<Member>) {
        if let (Some(view), Some(member)) = (self.views.pop_front(), told) {
            let name = view.shown.address.name().to_owned();
            self.told.members.remove(&name);
            self.now.members.insert(name, member);
        }
    }

    /// The open collection was told up to here.
    fn know(&mut self, position: Position) {
        if let Some((view, ..)) = self.open.take()
            && let Some(member) = self.now.members.get_mut(view.shown.address.name())
        {
            member.position = position;
        }
    }

    /// Tells which collections went. Those that do not fit are told the next time.
    fn gone(&mut self, rows: &mut Multistatus) {
        let stands = |name: &str| self.views.iter().any(|view| view.shown.address.name() == name);
        let gone: Vec<String> = self.told.members.keys().filter(|name| !stands(name)).cloned().collect();
        for name in gone {
            let Some(address) = Address::new(self.kind, self.user.as_str(), &name) else { continue };
            if self.left > 0 {
                self.left -= 1;
                self.told.members.remove(&name);
                rows.status(&self.hrefs().collection(&address), NOT_FOUND, None);
            }
        }
    }

    /// What was not looked at is known as it was.
    fn end(&mut self, rows: &mut Multistatus, cut: bool) -> bool {
        let gone_left = !cut && !self.told.members.is_empty();
        let left = std::mem::take(&mut self.told.members);
        for (name, member) in left {
            self.now.members.entry(name).or_insert(member);
        }
        if cut || gone_left {
            rows.cut(&self.hrefs().home(self.kind, &self.user));
        }
        rows.token(&self.now.url());
        false
    }
}

impl Feed for Home {
    fn page<'a>(&'a mut self, rows: &'a mut Multistatus) -> BoxFuture<'a, Result<bool, Refusal>> {
        self.more(rows).boxed()
    }
}
