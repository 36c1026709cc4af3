//! Web origins (RFC 6454): read, and compared with the host that a request was sent to.

/// A scheme and an authority, both lower case, without the scheme's own port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    authority: String,
}

impl Origin {
    /// Reads `https://calendar.example` or `http://localhost:5173`. `None` for `null`, a path behind it, or anything else.
    ///
    /// ```
    /// use campanile::domain::origin::Origin;
    /// assert_eq!(Origin::parse("https://Calendar.Example:443"), Origin::parse("https://calendar.example"));
    /// assert_eq!(Origin::parse("null"), None);
    /// assert_eq!(Origin::parse("https://calendar.example/"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Origin> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let sound = |text: &str| !text.is_empty() && !text.contains(['/', '?', '#', '@', ' ', '*', ',']);
        if !sound(&scheme) || !sound(rest) {
            return None;
        }
        let port = match scheme.as_str() {
            "https" => ":443",
            "http" => ":80",
            _ => "",
        };
        let rest = authority(rest);
        let authority = rest.strip_suffix(port).unwrap_or(&rest).to_owned();
        Some(Origin { scheme, authority })
    }

    /// The origin of a URL, whatever path follows.
    pub fn of_url(url: &str) -> Option<Origin> {
        let (scheme, rest) = url.split_once("://")?;
        Origin::parse(&format!("{scheme}://{}", rest.split(['/', '?', '#']).next().unwrap_or_default()))
    }

    /// Whether a page of this origin came from the host that a request names. The scheme is not compared: a proxy may have ended TLS.
    pub fn is_at(&self, host: &str) -> bool {
        let port = if self.scheme == "https" { ":443" } else { ":80" };
        self.authority == host || host.strip_suffix(port) == Some(&self.authority)
    }
}

/// A host with its port, in one spelling.
pub fn authority(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}
