//! Sync tokens: the stamp of a collection's last change, and how it is spelled.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The stamp of a collection's last change. Strictly grows; gaps are normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// The prefix that sabre gave to sync tokens, and that its clients know.
pub const PREFIX: &str = "http://sabre.io/ns/sync/";

impl Token {
    /// The URL form: `http://sabre.io/ns/sync/5678`.
    ///
    /// ```
    /// use campanile::domain::sync::Token;
    /// assert_eq!(Token(7).url(), "http://sabre.io/ns/sync/7");
    /// assert_eq!(Token::parse("http://sabre.io/ns/sync/7"), Some(Token(7)));
    /// assert_eq!(Token::parse("http://sabre.io/ns/sync/+7"), None);
    /// ```
    pub fn url(self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    pub fn parse(text: &str) -> Option<Token> {
        let digits = text.strip_prefix(PREFIX)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok().map(Token))?
    }
}

/// How far somebody has followed a collection, as it is handed out to DAV clients, who give it back as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Everything up to a token.
    At(Token),
    /// Everything up to one part of a commit: a list was cut there.
    Within(Token, u32),
    /// The objects up to a name, of a first list that began at a token.
    Listed(Token, String),
}

impl Position {
    /// `http://sabre.io/ns/sync/7`, `…/7?part=3`, `…/7?after=a%20b.ics`.
    ///
    /// ```
    /// use campanile::domain::sync::{Position, Token};
    /// for position in [Position::At(Token(7)), Position::Within(Token(7), 3), Position::Listed(Token(7), "a b\u{e9}%.ics".into())] {
    ///     assert_eq!(Position::parse(&position.url()), Some(position));
    /// }
    /// assert_eq!(Position::parse("http://sabre.io/ns/sync/7?part=03"), None);
    /// assert_eq!(Position::parse("http://sabre.io/ns/sync/7?after="), None);
    /// ```
    pub fn url(&self) -> String {
        match self {
            Position::At(token) => token.url(),
            Position::Within(token, part) => format!("{}?part={part}", token.url()),
            Position::Listed(token, name) => {
                format!("{}?after={}", token.url(), utf8_percent_encode(name, NON_ALPHANUMERIC))
            }
        }
    }

    /// Reads exactly what `url` writes.
    pub fn parse(text: &str) -> Option<Position> {
        let (head, tail) = match text.split_once('?') {
            Some((head, tail)) => (head, Some(tail)),
            None => (text, None),
        };
        let token = Token::parse(head)?;
        let position = match tail.map(|tail| tail.split_once('=')) {
            None => Position::At(token),
            Some(Some(("part", part))) => Position::Within(token, part.parse().ok()?),
            Some(Some(("after", name))) if !name.is_empty() => {
                Position::Listed(token, percent_decode_str(name).decode_utf8().ok()?.into_owned())
            }
            Some(_) => return None,
        };
        (position.url() == text).then_some(position)
    }

    pub fn token(&self) -> Token {
        match self {
            Position::At(token) | Position::Within(token, _) | Position::Listed(token, _) => *token,
        }
    }
}

/// What became of one name between two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Written,
    Removed,
}
