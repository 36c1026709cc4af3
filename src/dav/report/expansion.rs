//! expand-property: properties, and those of what they refer to. RFC 3253 3.8.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use warp::reply::Response;

use crate::dav::fault::Fault;
use crate::dav::headers;
use crate::dav::multistatus::{self, Multistatus, NOT_FOUND};
use crate::dav::path::{Path, Place};
use crate::dav::props::Property;
use crate::dav::report::stand::Stand;
use crate::dav::request::Request;
use crate::dav::values::Scene;
use crate::dav::writer::Xml;
use crate::dav::xml::{Element, Name, Space};
use crate::domain::refusal::Refusal;

/// Resources that one answer shows at most; one more is refused.
const RESOURCES_MAX: usize = 1_000;

pub async fn answer(request: &Request, root: &Element) -> Result<Response, Fault> {
    let stand = Stand::at(request, request.place()).await?;
    let minimal = headers::minimal(request.headers());
    let scene = Scene::of(request).await?;
    let mut expanding = Expanding { request, scene, minimal, left: RESOURCES_MAX };
    let mut rows = Multistatus::new(minimal);
    rows.raw(&expanding.response(&request.hrefs().of(request.place()), stand, root).await?);
    let mut response = Response::new(rows.finish().into());
    multistatus::dress(&mut response, minimal);
    Ok(response)
}

struct Expanding<'r> {
    request: &'r Request,
    scene: Scene,
    minimal: bool,
    left: usize,
}

impl Expanding<'_> {
    /// One resource with the properties that `asked` names. Goes no deeper than the body, whose depth was bounded when it was read.
    fn response<'a>(
        &'a mut self,
        href: &'a str,
        stand: Stand,
        asked: &'a Element,
    ) -> BoxFuture<'a, Result<String, Fault>> {
        async move {
            self.left = self.left.checked_sub(1).ok_or_else(|| {
                Fault::TooMany(format!("properties are expanded to at most {RESOURCES_MAX} resources"))
            })?;
            let (mut found, mut missing) = (Xml::default(), Xml::default());
            for wanted in asked.children.iter().filter(|child| child.name.is(&Space::Dav, "property")) {
                let name = named(wanted)?;
                let mut value = Xml::default();
                let known = Property::of(&name);
                match known.filter(|property| self.scene.write(&mut value, *property, stand.subject())) {
                    Some(_) if wanted.children.is_empty() => found.raw(value.as_str()),
                    Some(_) => found.raw(&self.expanded(value.as_str(), wanted).await?),
                    None => missing.empty_name(&name),
                }
            }
            let mut xml = Xml::default();
            xml.open("D:response");
            xml.text("D:href", href);
            let missing = if self.minimal { String::new() } else { missing.as_str().to_owned() };
            if !found.as_str().is_empty() || missing.is_empty() {
                propstat(&mut xml, found.as_str(), "HTTP/1.1 200 OK");
            }
            if !missing.is_empty() {
                propstat(&mut xml, &missing, NOT_FOUND);
            }
            xml.close("D:response");
            Ok(xml.as_str().to_owned())
        }
        .boxed()
    }

    /// A value with a response in place of each href. The value is of our own making, so its hrefs are where they seem to be.
    async fn expanded(&mut self, value: &str, asked: &Element) -> Result<String, Fault> {
        let (mut out, mut rest) = (String::new(), value);
        while let Some((before, (href, after))) =
            rest.split_once("<href>").and_then(|(before, rest)| Some((before, rest.split_once("</href>")?)))
        {
            out.push_str(before);
            let plain = href.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            match self.stand(&plain).await? {
                Some(stand) => out.push_str(&self.response(&plain, stand, asked).await?),
                // What is none of ours, such as a mail address, stays what it is.
                None => out.push_str(&format!("<href>{href}</href>")),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    async fn stand(&self, href: &str) -> Result<Option<Stand>, Fault> {
        let Ok(Path { place, .. }) = Path::parse(href) else { return Ok(None) };
        let place: Place = place;
        match Stand::at(self.request, &place).await {
            Ok(stand) => Ok(Some(stand)),
            Err(Refusal::Forbidden | Refusal::NotFound) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

fn propstat(xml: &mut Xml, props: &str, status: &str) {
    xml.open("D:propstat");
    xml.open("D:prop");
    xml.raw(props);
    xml.close("D:prop");
    xml.text("D:status", status);
    xml.close("D:propstat");
}

/// The property that a `property` element names in its attributes.
fn named(element: &Element) -> Result<Name, Fault> {
    let local = element.attribute("name").map(str::trim).unwrap_or_default();
    // It is echoed as an element.
    let is_name = local.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && local.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !is_name {
        return Err(Fault::Malformed(format!("no property can be named {local:?}")));
    }
    let space = Space::of(element.attribute("namespace").unwrap_or("DAV:"));
    Ok(Name { space, local: local.to_owned() })
}
