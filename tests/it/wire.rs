//! WebSocket bytes by hand, for what no well-behaved client sends.

use campanile::system::random::{Random, bytes};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// A client's frame: `first` is the whole first byte, with its flags.
pub fn client(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}

/// A whole message of a client.
pub fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    client(0x80 | opcode, payload, [1, 2, 3, 4])
}

/// An opcode and its payload.
pub type Frame = (u8, Vec<u8>);

/// A server's frames, each opcode with its payload. Panics where they are cut off or masked.
pub fn server(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, rest) = first(bytes).expect("a whole frame");
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// The first of a server's frames, and what follows it; `None` where it is not yet whole.
pub fn first(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let [opcode, length, rest @ ..] = bytes else { return None };
    assert_eq!(opcode & 0xF0, 0x80, "servers send whole messages");
    assert!(*length < 0x80, "servers do not mask");
    let (length, rest) = match length {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), &rest[2..]),
        127 => (u64::from_be_bytes(*rest.first_chunk()?) as usize, &rest[8..]),
        short => (usize::from(*short), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some(((opcode & 0xF, payload.to_vec()), rest))
}

/// A number below `end`.
pub fn below(random: &dyn Random, end: usize) -> usize {
    (u64::from_be_bytes(bytes(random)) % end as u64) as usize
}
