//! Sync tokens: the stamp of a collection's last change, and how it is spelled.

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

/// What became of one name between two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Written,
    Removed,
}
