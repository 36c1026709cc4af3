//! Networks by address and prefix length, and lists of them. Pure; asked before anybody on the network is believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A list of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nets(Vec<Net>);

/// One network: its first address, and how many bits of it count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Net {
    first: IpAddr,
    bits: u8,
}

impl Nets {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, a single address, or `loopback` out of each word. Refuses anything else, and names it.
    ///
    /// ```
    /// use campanile::domain::net::Nets;
    /// let nets = Nets::parse(["loopback", "10.1.0.0/16"]).unwrap();
    /// assert!(nets.hold("10.1.2.3".parse().unwrap()));
    /// assert!(nets.hold("::ffff:127.0.0.1".parse().unwrap()));
    /// assert!(!nets.hold("10.2.0.1".parse().unwrap()));
    /// assert_eq!(Nets::parse(["10.0.0.0/33"]).unwrap_err(), "\"10.0.0.0/33\" is no network like 10.0.0.0/8, no address and not \"loopback\"");
    /// ```
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Nets, String> {
        let mut nets = Vec::new();
        for word in words {
            if word == "loopback" {
                nets.push(Net { first: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 });
                nets.push(Net { first: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 });
                continue;
            }
            let net = net(word)
                .ok_or_else(|| format!("{word:?} is no network like 10.0.0.0/8, no address and not \"loopback\""))?;
            nets.push(net);
        }
        Ok(Nets(nets))
    }

    /// Whether an address lies in one of them. An IPv4 address that comes as IPv6 is taken for what it is.
    pub fn hold(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.holds(address))
    }
}

impl Net {
    fn holds(&self, address: IpAddr) -> bool {
        let differs = match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => (first.to_bits() ^ address.to_bits()).leading_zeros(),
            (IpAddr::V6(first), IpAddr::V6(address)) => (first.to_bits() ^ address.to_bits()).leading_zeros(),
            _ => return false,
        };
        differs >= u32::from(self.bits)
    }
}

fn net(word: &str) -> Option<Net> {
    let (first, bits) = match word.split_once('/') {
        Some((first, bits)) => (first, Some(bits.parse::<u8>().ok()?)),
        None => (word, None),
    };
    let first: IpAddr = first.parse().ok()?;
    let most = if first.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some(Net { first, bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_lies_in_them() {
        let rows = [
            ("loopback", "127.9.9.9", true),
            ("loopback", "::1", true),
            ("loopback", "::2", false),
            ("loopback", "128.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.0/25", "192.0.2.127", true),
            ("192.0.2.0/25", "192.0.2.128", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "192.0.2.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (word, address, want) in rows {
            let nets = Nets::parse([word]).expect(word);
            assert_eq!(nets.hold(address.parse().expect(address)), want, "{word} {address}");
        }
        assert!(!Nets::default().hold(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        for word in ["", "10.0.0", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129", "localhost", "*"] {
            assert!(Nets::parse([word]).is_err(), "{word}");
        }
    }
}
