//! How far somebody has followed a whole home: one place for each of its collections, spelled as a sync token. Knows no collection.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::domain::collection::CollectionId;
use crate::domain::sync::{PREFIX, Position, Token};

/// Bytes of a token that are read at most: a home of a thousand collections with long names.
const TOKEN_MAX: usize = 262_144;

/// The collections of a home by their names, each as far as it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomePosition {
    pub members: BTreeMap<String, Member>,
}

/// How a collection was when it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: CollectionId,
    /// A digest of what its properties said.
    pub face: u64,
    pub position: Position,
}

impl HomePosition {
    /// ```
    /// use campanile::domain::home_sync::{HomePosition, Member};
    /// use campanile::domain::{collection::CollectionId, sync::{Position, Token}};
    /// let mut home = HomePosition::default();
    /// assert_eq!(HomePosition::parse(&home.url()), Some(home.clone()));
    /// for position in [Position::At(Token(9)), Position::Within(Token(9), 2), Position::Listed(Token(9), "a.ics".into())] {
    ///     let member = Member { id: CollectionId(7), face: 255, position };
    ///     home.members.insert(format!("w=&.{}", home.members.len()), member);
    /// }
    /// assert_eq!(HomePosition::parse(&home.url()), Some(home));
    /// assert_eq!(HomePosition::parse("http://sabre.io/ns/sync/7"), None);
    /// ```
    pub fn url(&self) -> String {
        let plain = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let member = |(name, member): (&String, &Member)| {
            let place = match &member.position {
                Position::At(token) => format!("{}", token.0),
                Position::Within(token, part) => format!("{}.p.{part}", token.0),
                Position::Listed(token, after) => format!("{}.a.{}", token.0, plain(after)),
            };
            format!("{}={}.{:x}.{place}", plain(name), member.id.0, member.face)
        };
        format!("{PREFIX}home?{}", self.members.iter().map(member).collect::<Vec<_>>().join("&"))
    }

    /// Reads what `url` writes.
    pub fn parse(text: &str) -> Option<HomePosition> {
        let rest = text.strip_prefix(PREFIX)?.strip_prefix("home?")?;
        if text.len() > TOKEN_MAX {
            return None;
        }
        let plain = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
        let mut home = HomePosition::default();
        for entry in rest.split('&').filter(|entry| !entry.is_empty()) {
            let (name, rest) = entry.split_once('=')?;
            let parts: Vec<&str> = rest.split('.').collect();
            let (id, face, token, place) = match parts.as_slice() {
                [id, face, token] => (id, face, token, None),
                [id, face, token, kind, place] => (id, face, token, Some((*kind, *place))),
                _ => return None,
            };
            let token = Token(token.parse().ok()?);
            let position = match place {
                None => Position::At(token),
                Some(("p", part)) => Position::Within(token, part.parse().ok()?),
                Some(("a", after)) => Position::Listed(token, plain(after)?),
                Some(_) => return None,
            };
            let face = u64::from_str_radix(face, 16).ok()?;
            home.members.insert(plain(name)?, Member { id: CollectionId(id.parse().ok()?), face, position });
        }
        Some(home)
    }
}

/// A digest of texts that stays the same from one version of this program to the next: FNV-1a.
pub fn digest<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    let bytes = texts.flat_map(|text| text.bytes().chain([0xFF]));
    bytes.fold(0xCBF2_9CE4_8422_2325, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}
