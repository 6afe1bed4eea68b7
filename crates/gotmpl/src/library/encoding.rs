//! Base64, base32, hashes.

use super::{Result, add, args};
use crate::{
    functions::Functions,
    types::Type,
    value::{Str, Value},
};
use sha2::Digest;

const S: Type = Type::Str;

pub(super) fn register(f: &mut Functions) {
    add(f, &["b64enc"], &[S], |c, a| {
        let text = args::text(a, 0);
        c.charge_bytes(text.len() / 3 * 4 + 4)?;
        Ok(base64_text(text.as_bytes()).into())
    });
    add(f, &["b64dec"], &[S], |c, a| decoded(c, a, &BASE64));
    add(f, &["b32enc"], &[S], |c, a| {
        let text = args::text(a, 0);
        c.charge_bytes(text.len() / 5 * 8 + 8)?;
        Ok(encode(text.as_bytes(), &BASE32).into())
    });
    add(f, &["b32dec"], &[S], |c, a| decoded(c, a, &BASE32));
    add(f, &["sha1sum"], &[S], |c, a| hashed(c, a, |b| hex(&sha1::Sha1::digest(b))));
    add(f, &["sha256sum"], &[S], |c, a| hashed(c, a, |b| hex(&sha2::Sha256::digest(b))));
    add(f, &["sha512sum"], &[S], |c, a| hashed(c, a, |b| hex(&sha2::Sha512::digest(b))));
    add(f, &["adler32sum"], &[S], |c, a| hashed(c, a, |b| adler32(b).to_string()));
}

fn hashed(context: &mut crate::context::Context, a: &[Value], hash: impl FnOnce(&[u8]) -> String) -> Result {
    let text = args::text(a, 0);
    context.charge(text.len() as u64 / 64 + 1)?;
    Ok(hash(text.as_bytes()).into())
}

fn decoded(context: &mut crate::context::Context, a: &[Value], base: &Base) -> Result {
    let text = args::text(a, 0);
    context.charge_bytes(text.len())?;
    Ok(match decode(text.as_bytes(), base) {
        Ok(bytes) => Value::Str(bytes.into()),
        Err(at) => format!("illegal {} data at input byte {at}", base.name).into(),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    b << 16 | a
}

/// Makes a text of bytes: each wrong byte becomes U+FFFD.
pub(crate) fn valid_text(bytes: &[u8]) -> String {
    Str::from(bytes).to_text().into_owned()
}

/// A base of 2^bits with its quantum of characters.
struct Base {
    name: &'static str,
    alphabet: &'static [u8],
    bits: u32,
    quantum: usize,
}

const BASE64: Base = Base {
    name: "base64",
    alphabet: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    bits: 6,
    quantum: 4,
};
const BASE32: Base = Base { name: "base32", alphabet: b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", bits: 5, quantum: 8 };

/// Encodes with the standard alphabet and padding.
pub(crate) fn base64_text(bytes: &[u8]) -> String {
    encode(bytes, &BASE64)
}

/// Decodes standard base64 as Go does; the error is the offset that Go names.
pub(crate) fn base64_bytes(text: &[u8]) -> std::result::Result<Vec<u8>, usize> {
    decode(text, &BASE64)
}

fn encode(bytes: &[u8], base: &Base) -> String {
    let mut out = String::with_capacity(bytes.len() / 2 * 3 + 8);
    let (mut buffer, mut bits) = (0u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= base.bits {
            bits -= base.bits;
            out.push(char::from(base.alphabet[(buffer >> bits) as usize & (base.alphabet.len() - 1)]));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(base.alphabet[(buffer << (base.bits - bits)) as usize & (base.alphabet.len() - 1)]));
    }
    while !out.len().is_multiple_of(base.quantum) {
        out.push('=');
    }
    out
}

/// Decodes in quanta, skipping line breaks. Errors name the offset as Go's decoder does.
fn decode(text: &[u8], base: &Base) -> std::result::Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    loop {
        let (mut digits, mut padding) = (Vec::with_capacity(base.quantum), false);
        while digits.len() < base.quantum {
            let Some(byte) = text.get(at).copied() else {
                return match digits.len() {
                    0 => Ok(out),
                    n => Err(at - n),
                };
            };
            at += 1;
            if matches!(byte, b'\r' | b'\n') {
                continue;
            }
            if byte == b'=' {
                at = end_padding(text, at, digits.len(), base)?;
                padding = true;
                break;
            }
            match base.alphabet.iter().position(|c| *c == byte) {
                Some(digit) => digits.push(digit as u32),
                None => return Err(at - 1),
            }
        }
        push_quantum(&mut out, &digits, base);
        if padding {
            return if at < text.len() { Err(at) } else { Ok(out) };
        }
    }
}

/// Checks the padding that starts at the byte before `at`; gives the offset after it.
fn end_padding(text: &[u8], at: usize, digits: usize, base: &Base) -> std::result::Result<usize, usize> {
    let skip = |mut at: usize| {
        while matches!(text.get(at), Some(b'\r' | b'\n')) {
            at += 1;
        }
        at
    };
    let allowed = if base.bits == 6 { digits >= 2 } else { matches!(digits, 2 | 4 | 5 | 7) };
    if !allowed {
        return Err(at - 1);
    }
    let mut at = at;
    for _ in digits + 1..base.quantum {
        at = skip(at);
        match text.get(at) {
            Some(b'=') => at += 1,
            Some(_) => return Err(if base.bits == 6 { at } else { at - 1 }),
            None => return Err(text.len()),
        }
    }
    Ok(skip(at))
}

fn push_quantum(out: &mut Vec<u8>, digits: &[u32], base: &Base) {
    let (mut buffer, mut bits) = (0u64, 0);
    for digit in digits {
        buffer = buffer << base.bits | u64::from(*digit);
        bits += base.bits;
    }
    while bits >= 8 {
        bits -= 8;
        out.push((buffer >> bits) as u8);
    }
}
