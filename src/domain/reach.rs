//! Which addresses of the network a stranger's URL may lead to: public ones. Pure; it is asked after names were resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address may not be reached on a user's behalf; `None` where it may. The IANA special-purpose registries (RFC 6890) decide.
///
/// ```
/// use campanile::domain::reach::closed;
/// assert_eq!(closed("127.0.0.1".parse().unwrap()), Some("loopback"));
/// assert_eq!(closed("192.0.43.8".parse().unwrap()), None);
/// ```
pub fn closed(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => closed_v4(address),
        IpAddr::V6(address) => closed_v6(address),
    }
}

fn closed_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "unspecified",
        [127, ..] => "loopback",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        // 169.254.169.254 is where clouds keep their machines' metadata, keys among it.
        [169, 254, ..] => "link-local",
        // RFC 6598: carriers' own addresses; 100.100.100.200 is another place of metadata.
        [100, 64..=127, ..] => "shared",
        // 192.0.0.192 is one more.
        [192, 0, 0, _] => "reserved for protocols",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "documentation",
        [198, 18..=19, ..] => "benchmarking",
        // The old way from IPv6 to IPv4, given up by RFC 7526.
        [192, 88, 99, _] => "a relay",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn closed_v6(address: Ipv6Addr) -> Option<&'static str> {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        closed_v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        // An IPv4 address in other clothes is judged as what it is: mapped, compatible, translated (RFC 6052), 6to4, Teredo.
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0, 0, 0, 0, 0, 0, high, low] => return embedded(high, low),
        [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => return embedded(high, low),
        [0x64, 0xFF9B, 1, ..] => "private",
        [0x2002, high, low, ..] => return embedded(high, low),
        [0x2001, 0, ..] => "a tunnel",
        [0x2001, 0xDB8, ..] | [0x3FFF, 0..=0x0FFF, ..] => "documentation",
        [0x100, 0, 0, 0, ..] => "discarded",
        [0xFC00..=0xFDFF, ..] => "private",
        [0xFE80..=0xFEBF, ..] => "link-local",
        [0xFEC0..=0xFEFF, ..] => "private",
        [0xFF00..=0xFFFF, ..] => "multicast",
        // Global addresses are given out of 2000::/3 alone.
        [0x2000..=0x3FFF, ..] => return None,
        _ => "reserved",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_open() {
        let rows = [
            ("1.1.1.1", None),
            ("192.0.43.8", None),
            ("172.15.0.1", None),
            ("172.32.0.1", None),
            ("100.63.0.1", None),
            ("2606:4700::1111", None),
            ("::ffff:1.1.1.1", None),
            ("64:ff9b::101:101", None),
            ("0.0.0.0", Some("unspecified")),
            ("0.1.2.3", Some("unspecified")),
            ("127.0.0.1", Some("loopback")),
            ("127.255.255.254", Some("loopback")),
            ("10.1.2.3", Some("private")),
            ("172.16.0.1", Some("private")),
            ("172.31.255.255", Some("private")),
            ("192.168.1.1", Some("private")),
            ("169.254.169.254", Some("link-local")),
            ("100.100.100.200", Some("shared")),
            ("192.0.0.192", Some("reserved for protocols")),
            ("198.18.0.1", Some("benchmarking")),
            ("224.0.0.1", Some("multicast")),
            ("239.255.255.250", Some("multicast")),
            ("255.255.255.255", Some("reserved")),
            ("::", Some("unspecified")),
            ("::1", Some("loopback")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("::ffff:169.254.169.254", Some("link-local")),
            ("::7f00:1", Some("loopback")),
            ("64:ff9b::7f00:1", Some("loopback")),
            ("64:ff9b:1::1", Some("private")),
            ("2002:7f00:1::", Some("loopback")),
            ("2001:0:1::1", Some("a tunnel")),
            ("2001:db8::1", Some("documentation")),
            ("fd00:ec2::254", Some("private")),
            ("fc00::1", Some("private")),
            ("fe80::1", Some("link-local")),
            ("fec0::1", Some("private")),
            ("ff02::1", Some("multicast")),
            ("4000::1", Some("reserved")),
        ];
        for (text, want) in rows {
            assert_eq!(closed(text.parse().expect("an address")), want, "{text}");
        }
    }
}
