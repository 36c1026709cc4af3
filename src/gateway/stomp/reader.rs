//! Bytes of a client to its frames, however they are cut into messages, within the limits. Knows what a frame is, not what it asks for.

use memchr::memchr;

use crate::gateway::stomp::version::Version;

/// Headers of one frame.
pub const HEADERS_MAX: usize = 100;
/// Bytes of one header line, and of a command.
pub const LINE_BYTES_MAX: usize = 8 << 10;
/// Bytes of a body. Spring's default for frames of clients.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Bytes of a frame's head, all lines together.
pub const HEAD_BYTES_MAX: usize = 64 << 10;

/// What a client can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `CONNECT` or `STOMP`.
    Connect,
    Subscribe,
    Unsubscribe,
    Send,
    Ack,
    Nack,
    Begin,
    Commit,
    Abort,
    Disconnect,
    Unknown(String),
}

impl Command {
    fn read(line: &str) -> Command {
        // Case counts.
        match line {
            "CONNECT" | "STOMP" => Command::Connect,
            "SUBSCRIBE" => Command::Subscribe,
            "UNSUBSCRIBE" => Command::Unsubscribe,
            "SEND" => Command::Send,
            "ACK" => Command::Ack,
            "NACK" => Command::Nack,
            "BEGIN" => Command::Begin,
            "COMMIT" => Command::Commit,
            "ABORT" => Command::Abort,
            "DISCONNECT" => Command::Disconnect,
            other => Command::Unknown(other.to_owned()),
        }
    }
}

/// One frame of a client. Its body is only counted: no client has anything to send here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub command: Command,
    headers: Vec<(String, String)>,
    pub body_bytes: usize,
}

impl Frame {
    /// A header's value. Where it is repeated, the first counts.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Why the bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub why: String,
    /// It is merely larger than it may be.
    pub too_large: bool,
    /// The receipt that the frame asked for, as far as it was read.
    pub receipt: Option<String>,
}

/// Reads one connection's frames. Holds nothing between two frames.
#[derive(Debug)]
pub struct Reader {
    /// Which escapes headers have. `CONNECT` has none, in any version.
    pub version: Version,
    state: State,
    /// A line that is not whole yet.
    line: Vec<u8>,
    head_bytes: usize,
}

#[derive(Debug)]
enum State {
    Between,
    Head(Frame),
    /// `left` is what `content-length` leaves; without it the first NUL ends the body.
    Body {
        frame: Frame,
        left: Option<usize>,
    },
}

impl Default for Reader {
    fn default() -> Reader {
        Reader { version: Version::V10, state: State::Between, line: Vec::new(), head_bytes: 0 }
    }
}

impl Reader {
    /// The next whole frame; takes what it read off the front of `bytes`. `None` where they are used up before one is whole.
    /// After a [`Broken`] nothing can be read any more.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Result<Frame, Broken>> {
        self.read(bytes).transpose()
    }

    fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, Broken> {
        loop {
            match std::mem::replace(&mut self.state, State::Between) {
                State::Between => {
                    // Line ends between frames are heart-beats, or nothing.
                    if self.line.is_empty()
                        && let Some((b'\n', rest)) = bytes.split_first()
                    {
                        *bytes = rest;
                        continue;
                    }
                    let Some(line) = self.line(bytes).map_err(|why| self.broken(why, None))? else { return Ok(None) };
                    if line.is_empty() {
                        self.head_bytes = 0;
                        continue;
                    }
                    let frame = Frame { command: Command::read(&line), headers: Vec::new(), body_bytes: 0 };
                    self.state = State::Head(frame);
                }
                State::Head(frame) => {
                    if let Some(frame) = self.head(frame, bytes)? {
                        // More bytes are needed.
                        self.state = State::Head(frame);
                        return Ok(None);
                    }
                }
                State::Body { frame, left } => {
                    let (frame, left, whole) = self.body(frame, left, bytes)?;
                    if whole {
                        return Ok(Some(frame));
                    }
                    self.state = State::Body { frame, left };
                    return Ok(None);
                }
            }
        }
    }

    /// Reads one line of a head; gives the frame back where the line is not whole.
    fn head(&mut self, mut frame: Frame, bytes: &mut &[u8]) -> Result<Option<Frame>, Broken> {
        let line = match self.line(bytes) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(Some(frame)),
            Err(why) => return Err(self.broken(why, Some(&frame))),
        };
        let fault = |why: &str| Err(Broken { why: why.to_owned(), too_large: false, receipt: receipt(&frame) });
        if line.is_empty() {
            self.head_bytes = 0;
            let left = match frame.header("content-length").map(str::parse::<usize>) {
                None => None,
                Some(Ok(length)) if length <= BODY_BYTES_MAX => Some(length),
                Some(Ok(_)) => return Err(self.broken(Fault::Large("a body"), Some(&frame))),
                Some(Err(_)) => return fault("content-length is no number"),
            };
            self.state = State::Body { frame, left };
            return Ok(None);
        }
        let Some((name, value)) = line.split_once(':') else { return fault("a header without a colon") };
        let version = if frame.command == Command::Connect { Version::V10 } else { self.version };
        let (Some(name), Some(value)) = (version.unescaped(name), version.unescaped(value)) else {
            return fault("an escape that this version does not know");
        };
        if name.is_empty() {
            return fault("a header without a name");
        }
        if frame.headers.len() == HEADERS_MAX {
            return Err(self.broken(Fault::Large("the number of headers"), Some(&frame)));
        }
        let header = (name.into_owned(), value.into_owned());
        frame.headers.push(header);
        self.state = State::Head(frame);
        Ok(None)
    }

    /// Counts a body; whether the frame is whole.
    fn body(
        &self,
        mut frame: Frame,
        mut left: Option<usize>,
        bytes: &mut &[u8],
    ) -> Result<(Frame, Option<usize>, bool), Broken> {
        match &mut left {
            Some(left) => {
                let taken = bytes.len().min(*left);
                *bytes = bytes.get(taken..).unwrap_or_default();
                *left -= taken;
                frame.body_bytes += taken;
                let Some((end, rest)) = bytes.split_first() else { return Ok((frame, Some(*left), false)) };
                if *end != 0 {
                    return Err(self.broken(Fault::Form("no NUL behind the body"), Some(&frame)));
                }
                *bytes = rest;
                Ok((frame, Some(0), true))
            }
            None => {
                let end = memchr(0, bytes);
                frame.body_bytes += end.unwrap_or(bytes.len());
                if frame.body_bytes > BODY_BYTES_MAX {
                    return Err(self.broken(Fault::Large("a body"), Some(&frame)));
                }
                *bytes = end.and_then(|end| bytes.get(end + 1..)).unwrap_or_default();
                Ok((frame, None, end.is_some()))
            }
        }
    }

    /// The next line without its end, which is LF or CR LF; `None` where it is not whole.
    fn line(&mut self, bytes: &mut &[u8]) -> Result<Option<String>, Fault> {
        let end = memchr(b'\n', bytes);
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        self.head_bytes += part.len();
        if self.line.len() + part.len() > LINE_BYTES_MAX {
            return Err(Fault::Large("a line"));
        }
        if self.head_bytes > HEAD_BYTES_MAX {
            return Err(Fault::Large("the head"));
        }
        // A NUL ends a frame; in a head it would hide that the blank line is missing.
        if memchr(0, part).is_some() {
            return Err(Fault::Form("a NUL before the blank line"));
        }
        self.line.extend_from_slice(part);
        let Some(end) = end else {
            *bytes = &[];
            return Ok(None);
        };
        *bytes = bytes.get(end + 1..).unwrap_or_default();
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if memchr(b'\r', line).is_some() {
            return Err(Fault::Form("a carriage return within a line"));
        }
        std::str::from_utf8(line).map(|line| Some(line.to_owned())).map_err(|_| Fault::Form("a line is not UTF-8"))
    }

    fn broken(&self, fault: Fault, frame: Option<&Frame>) -> Broken {
        let (why, too_large) = match fault {
            Fault::Form(why) => (why.to_owned(), false),
            Fault::Large(what) => (format!("{what} is larger than the limit"), true),
        };
        Broken { why, too_large, receipt: frame.and_then(receipt) }
    }
}

enum Fault {
    Form(&'static str),
    Large(&'static str),
}

fn receipt(frame: &Frame) -> Option<String> {
    // RECEIPT of CONNECT is not honoured, and so it is in errors.
    frame.header("receipt").filter(|_| frame.command != Command::Connect).map(str::to_owned)
}
