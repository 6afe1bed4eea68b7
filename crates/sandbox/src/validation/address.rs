//! IP addresses and ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::field::{Causes, Field};

/// Reads an address, IPv4 also with leading zeros, as old fields allow.
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    let parts: Vec<u8> = text
        .split('.')
        .map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?)
        .collect::<Option<_>>()?;
    let parts: [u8; 4] = parts.try_into().ok()?;
    Some(Ipv4Addr::from(parts).into())
}

/// Reads a range; returns its address and its length in bits.
pub(crate) fn parse_range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address = parse(address)?;
    let bits: u8 = bits.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some((address, bits))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Tells whether a range contains the first address of another and is wider.
pub(crate) fn strictly_contains(outer: (IpAddr, u8), inner: (IpAddr, u8)) -> bool {
    let mask = if outer.1 == 0 { 0 } else { u128::MAX << (128 - u32::from(outer.1).min(128)) };
    outer.0.is_ipv4() == inner.0.is_ipv4() && number(outer.0) & mask == number(inner.0) & mask && outer.1 < inner.1
}

/// Checks an address.
pub(crate) fn ip(field: &Field<'_>, out: &mut Causes) -> bool {
    let shown = crate::status::go_quote(field.text());
    if parse(field.text()).is_none() {
        out.push(field.invalid_as(&shown, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"));
        return false;
    }
    if field.text().parse::<IpAddr>().is_err() {
        out.push(field.invalid_as(&shown, "must not have leading 0s"));
        return false;
    }
    if field.text().starts_with("::ffff:") && field.text().contains('.') {
        out.push(field.invalid_as(&shown, "must not be an IPv4-mapped IPv6 address"));
        return false;
    }
    true
}

/// Checks a range.
pub(crate) fn range(field: &Field<'_>, out: &mut Causes) {
    let shown = crate::status::go_quote(field.text());
    let Some((address, bits)) = parse_range(field.text()) else {
        out.push(field.invalid_as(&shown, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"));
        return;
    };
    let first = first(address, bits);
    if first != address {
        let text = format!("must not have bits set beyond the prefix length, use \"{first}/{bits}\" instead");
        out.push(field.invalid_as(&shown, &text));
    }
}

fn first(address: IpAddr, bits: u8) -> IpAddr {
    let mask = if bits == 0 { 0 } else { u128::MAX << (128 - u32::from(bits)) };
    let kept = number(address) & mask;
    match address {
        IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(kept >> 96).unwrap_or_default()).into(),
        IpAddr::V6(_) => Ipv6Addr::from(kept).into(),
    }
}

/// Checks an address that endpoints may have.
pub(crate) fn endpoint(field: &Field<'_>, out: &mut Causes) {
    let shown = crate::status::go_quote(field.text());
    let Some(address) = parse(field.text()) else {
        out.push(field.invalid_as(&shown, "must be a valid IP address"));
        return;
    };
    let (local, local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0 == 0xfe80, v6.segments()[0] & 0xff0f == 0xff02),
    };
    let mut refuse = |text: &str| out.push(field.invalid_as(&shown, text));
    if address.is_unspecified() {
        refuse(&format!("may not be unspecified ({})", field.text()));
    }
    if address.is_loopback() {
        refuse("may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    if local {
        refuse("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if local_multicast {
        refuse("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}
