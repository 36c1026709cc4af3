//! REPORT: which reports there are, where each may be asked for, and who answers it. Answers none itself.

pub mod ask;
pub mod cards;
pub mod events;
pub mod excerpts;
pub mod expansion;
pub mod feed;
pub mod filters;
pub mod free_busy;
pub mod homes;
pub mod kinds;
pub mod multiget;
pub mod principals;
pub mod query;
pub mod stand;
pub mod sync;

use warp::reply::Response;

use crate::dav::fault::{Condition, Fault};
use crate::dav::headers;
use crate::dav::path::Place;
use crate::dav::question;
use crate::dav::report::kinds::{Report, Spot};
use crate::dav::request::Request;
use crate::dav::sharing::notifications;
use crate::domain::refusal::Refusal;

/// RFC 3253 3.6. The depth is read and, where it makes sense, forgiven: clients send 0, 1 or none with the same report.
pub async fn answer(request: &Request) -> Result<Response, Fault> {
    headers::depth(request.headers())?;
    let root = question::body(request.headers(), &request.body, false)?;
    let root = root.ok_or_else(|| Fault::Malformed("a REPORT needs a body".to_owned()))?;
    let report = Report::of(&root.name).filter(|report| report.suits(Spot::of(request.place())));
    let Some(report) = report else {
        let text = format!("there is no report {:?} here", root.name.local);
        return Err(Fault::Condition(Condition::SupportedReport, text));
    };
    // Of others' principals and homes nobody learns anything, not even whether they are there.
    if let Place::Principal(whose) | Place::Home(_, whose) = request.place()
        && whose != &request.caller.name
        && request.house.acting(&request.caller.name, whose).await?.is_none()
    {
        return Err(Refusal::Forbidden.into());
    }
    if let (Report::SyncCollection, Place::Notifications(whose)) = (report, request.place()) {
        return notifications::changes(request, &root, whose).await;
    }
    match report {
        Report::CalendarQuery => query::calendar(request, &root).await,
        Report::AddressBookQuery => query::cards(request, &root).await,
        Report::CalendarMultiget | Report::AddressBookMultiget => multiget::answer(request, &root).await,
        Report::FreeBusyQuery => free_busy::answer(request, &root).await,
        Report::SyncCollection => sync::answer(request, &root).await,
        Report::ExpandProperty => expansion::answer(request, &root).await,
        Report::SearchProperties => principals::properties(request),
        Report::PrincipalSearch => principals::search(request, &root).await,
        Report::PrincipalMatch => principals::matching(request, &root).await,
        Report::AclPrincipals => principals::listed(request, &root).await,
    }
}
