//! stub
use std::net::SocketAddr;
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);
impl From<Peer> for SocketAddr {
    fn from(p: Peer) -> SocketAddr {
        p.0
    }
}
