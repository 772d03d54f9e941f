//! Which addresses are never connected to: what is not of the public internet, in each of the forms that an IPv6 address can hide it.
//! Registries: the special-purpose addresses of IANA, for IPv4 and IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Network;

/// Where clouds give out credentials: a network that is opened does not open these, only an entry for the one address does.
const METADATA: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // Of containers and of pods at Amazon's.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // The host of a machine at Azure's: among the public addresses.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    // Google's.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Of IPv4: first address, and how many of its bits count.
const RESERVED_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, what is kept for later, and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Of what is global unicast in IPv6.
const RESERVED_V6: [(Ipv6Addr, u32); 4] = [
    // Teredo, ORCHID, benchmarks and other protocols of their own.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address may be connected to: it is public, or the operator has opened its network.
pub fn may_connect(address: IpAddr, opened: &[Network]) -> bool {
    if is_opened(address, opened) {
        return true;
    }
    let inner = embedded(address);
    match (address, inner) {
        _ if is_metadata(address, inner) => false,
        (_, Some(IpAddr::V4(inner))) => is_public_v4(inner),
        (IpAddr::V4(address), _) => is_public_v4(address),
        (IpAddr::V6(address), _) => is_public_v6(address),
    }
}

/// Whether the operator has opened its network.
pub fn is_opened(address: IpAddr, opened: &[Network]) -> bool {
    let inner = embedded(address);
    let is_metadata = is_metadata(address, inner);
    let opens = |network: &Network, address| network.contains(address) && (!is_metadata || network.is_one_address());
    opened.iter().any(|network| opens(network, address) || inner.is_some_and(|inner| opens(network, inner)))
}

fn is_metadata(address: IpAddr, inner: Option<IpAddr>) -> bool {
    METADATA.contains(&address) || inner.is_some_and(|inner| METADATA.contains(&inner))
}

/// The IPv4 address to which an IPv6 address leads in the end.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let bits = address.to_bits();
    let low = u32::try_from(bits & u128::from(u32::MAX)).ok()?;
    let segments = address.segments();
    let inner = match segments {
        // Mapped, and compatible; of the latter `::` and `::1` are what they are themselves.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] if low > 1 || segments[5] == 0xffff => low,
        // Translated (SIIT), and NAT64.
        [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => low,
        // 6to4.
        [0x2002, high, rest, ..] => u32::from(high) << 16 | u32::from(rest),
        _ => return None,
    };
    Some(IpAddr::V4(Ipv4Addr::from_bits(inner)))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |(first, bits): &(Ipv4Addr, u32)| (address.to_bits() ^ first.to_bits()) >> (32 - bits) == 0;
    !RESERVED_V4.iter().any(is_in)
}

/// Only what is handed out for the internet: all else is local, or not there yet.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let is_global = address.to_bits() >> 125 == 1;
    let is_in = |(first, bits): &(Ipv6Addr, u32)| (address.to_bits() ^ first.to_bits()) >> (128 - bits) == 0;
    is_global && !RESERVED_V6.iter().any(is_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(address: &str, opened: &[&str]) -> bool {
        let opened: Vec<Network> = opened.iter().map(|text| Network::parse(text).unwrap()).collect();
        may_connect(address.parse().unwrap(), &opened)
    }

    #[test]
    fn what_is_not_public_is_refused_in_every_form() {
        for inside in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "168.63.129.16",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!may(inside, &[]), "{inside}");
            let [a, b, c, d] = inside.parse::<Ipv4Addr>().unwrap().octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for hidden in [
                format!("::ffff:{inside}"),
                format!("::{inside}"),
                format!("::ffff:0:{high:x}:{low:x}"),
                format!("64:ff9b::{high:x}:{low:x}"),
                format!("2002:{high:x}:{low:x}::1"),
            ] {
                assert!(!may(&hidden, &[]), "{hidden}");
            }
        }
        for inside in [
            "::",
            "::1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!may(inside, &[]), "{inside}");
        }
    }

    #[test]
    fn what_is_public_is_connected_to() {
        for outside in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.1",
            "168.63.129.15",
            "168.63.129.17",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(may(outside, &[]), "{outside}");
        }
    }

    #[test]
    fn only_the_operator_opens_a_network() {
        assert!(may("127.0.0.1", &["127.0.0.0/8"]) && !may("10.0.0.1", &["127.0.0.0/8"]));
        assert!(may("::ffff:127.0.0.1", &["127.0.0.0/8"]));
        assert!(may("::1", &["::1"]) && !may("::1", &["127.0.0.0/8"]));
        assert!(may("fd12::1", &["fd00::/8"]));
        // Credentials of a cloud are not opened in passing.
        for metadata in ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"] {
            assert!(!may(metadata, &["0.0.0.0/0", "::/0", "169.254.0.0/16"]), "{metadata}");
            assert!(may(metadata, &["169.254.169.254"]), "{metadata}");
        }
        for metadata in METADATA {
            let (text, networks) = (metadata.to_string(), ["0.0.0.0/0", "::/0", "fd00::/8", "168.63.0.0/16"]);
            assert!(!may(&text, &networks) && may(&text, &[&text]), "{text}");
        }
        assert!(may("fd00:ec2::254", &["fd00:ec2::254/128"]));
        assert!(may("169.254.0.1", &["169.254.0.0/16"]));
    }
}
