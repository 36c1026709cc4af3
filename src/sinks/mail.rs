//! An alarm as a mail: text with an HTML twin, the same bytes at each attempt, handed to one SMTP server.

use std::time::{Duration, SystemTime};

use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::domain::channel::Channel;
use crate::domain::delivery::Failure;
use crate::service::attempts::{Parcel, Place};
use crate::sinks::{Attempt, Sink, words};

/// How the connection to the server is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Plain first, then upgraded; a server that does not upgrade is refused.
    StartTls,
    /// From the first byte.
    Tls,
    /// Never: for a server on the same machine.
    None,
}

/// The SMTP server, and who speaks to it.
pub struct Server {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub user: String,
    pub password: String,
    pub from: String,
    pub patience: Duration,
    pub trusted: Vec<CertificateDer<'static>>,
    pub public_url: String,
}

pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    public_url: String,
}

impl Mail {
    /// Refuses a sender that is no mail address, and certificates that cannot be read.
    pub fn new(server: Server) -> Result<Mail, String> {
        let from: Mailbox = server.from.parse().map_err(|error| format!("mail.from: {error}"))?;
        let tls = || {
            let mut parameters = TlsParameters::builder(server.host.clone());
            for der in &server.trusted {
                let certificate = Certificate::from_der(der.to_vec()).map_err(|error| error.to_string())?;
                parameters = parameters.add_root_certificate(certificate);
            }
            parameters.build().map_err(|error| format!("mail: {error}"))
        };
        let tls = match server.security {
            Security::StartTls => Tls::Required(tls()?),
            Security::Tls => Tls::Wrapper(tls()?),
            Security::None => Tls::None,
        };
        // "dangerous" is its name for choosing security oneself, as the line above does.
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.as_str())
            .port(server.port)
            .tls(tls)
            .timeout(Some(server.patience))
            .hello_name(ClientId::Domain(from.email.domain().to_owned()));
        if !server.user.is_empty() {
            transport = transport.credentials(Credentials::new(server.user, server.password));
        }
        Ok(Mail { transport: transport.build(), from, public_url: server.public_url })
    }

    /// The same delivery is the same message, to the byte: date, id and boundary are the delivery's own.
    fn message(&self, parcel: &Parcel, address: &str) -> Result<Message, Failure> {
        let odd = |error: &dyn std::fmt::Display| Failure::lasting(format!("{address}: {error}"));
        let to: Address = address.parse().map_err(|error| odd(&error))?;
        let id = parcel.delivery.id;
        let said = Said {
            words: words::text(parcel),
            title: words::title(parcel),
            start: words::start(parcel),
            link: words::link(parcel, &self.public_url),
        };
        let boundary = format!("campanile-{id}");
        let parts = MultiPart::alternative().boundary(boundary);
        let parts = parts.singlepart(SinglePart::plain(said.text()));
        let parts = parts.singlepart(SinglePart::html(said.html()));
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(words::subject(parcel))
            .date(SystemTime::from(parcel.delivery.planned))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // RFC 3834 5.1: vacation programs leave such a mail unanswered.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(parts)
            .map_err(|error| odd(&error))
    }
}

impl Sink for Mail {
    fn channel(&self) -> Channel {
        Channel::Mail
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Attempt<'a> {
        Box::pin(async move {
            let Place::Mail { address } = &parcel.place else { return Err(Failure::lasting("no mail address")) };
            let message = self.message(parcel, address)?;
            match self.transport.send(message).await {
                Ok(_) => Ok(()),
                // RFC 5321 4.2.1: 5yz means do not try again, 4yz and a broken connection mean do.
                Err(error) if error.is_permanent() => {
                    Err(Failure::lasting(format!("the mail server refused: {error}")))
                }
                Err(error) => Err(Failure::passing(format!("the mail server: {error}"))),
            }
        })
    }
}

/// What a mail says, in lines.
struct Said {
    /// What the alarm's author wrote: the text of the mail, before the event's own data.
    words: Vec<String>,
    title: String,
    start: String,
    link: Option<String>,
}

impl Said {
    fn text(&self) -> String {
        let mut lines: Vec<&str> = self.words.iter().map(String::as_str).collect();
        if !lines.is_empty() {
            lines.push("");
        }
        lines.extend([self.title.as_str(), self.start.as_str()]);
        lines.extend(self.link.as_deref());
        lines.extend(["", "An alarm of Campanile.", ""]);
        lines.join("\r\n")
    }

    fn html(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|line| escaped(line)).collect();
        let words = if words.is_empty() { String::new() } else { format!("<p>{}</p>\r\n", words.join("<br>\r\n")) };
        let link = self.link.as_deref().map(|link| format!("<p><a href=\"{0}\">{0}</a></p>\r\n", escaped(link)));
        format!(
            "<!DOCTYPE html>\r\n<html><body>\r\n{words}<h1>{}</h1>\r\n<p>{}</p>\r\n{}\
             <p><small>An alarm of Campanile.</small></p>\r\n</body></html>\r\n",
            escaped(&self.title),
            escaped(&self.start),
            link.unwrap_or_default()
        )
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
