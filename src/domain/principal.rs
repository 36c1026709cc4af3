//! A person who signs in: names, mail address, zone, and whether they administer the service.

use unicode_normalization::UnicodeNormalization;

use crate::domain::address::UserName;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub name: UserName,
    /// The full mail address, shown in tickets and matched against ATTENDEE.
    pub email: String,
    pub display_name: String,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// An IANA name; the configuration's default zone where absent.
    pub timezone: Option<String>,
    /// May manage users and tokens. Gives no right to read others' calendars.
    pub administrator: bool,
}

/// The one form of a login name: NFKC, lower case. `None` where nothing legal is left.
///
/// ```
/// use campanile::domain::principal::login_name;
/// assert_eq!(login_name("Alice").unwrap().as_str(), "alice");
/// assert_eq!(login_name("\u{212A}im").unwrap().as_str(), "kim"); // the Kelvin sign is a K
/// ```
pub fn login_name(text: &str) -> Option<UserName> {
    let folded: String = text.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect();
    // Spaces and colons would not survive Basic authentication or a header.
    if folded.chars().any(|c| c.is_whitespace() || c == ':') {
        return None;
    }
    UserName::new(&folded)
}
