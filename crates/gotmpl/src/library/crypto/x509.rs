//! Certificates, with the fields and extensions that sprig's have.

use std::net::IpAddr;

use sha1::{Digest, Sha1};

use super::{Certificate, Result, args, der, keys::Key, texts};
use crate::{
    context::Context,
    error::FuncError,
    time::{Duration, Time},
    value::{Str, Value},
};

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const ALT_NAMES: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
const EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
/// Digital signature and key encipherment, as bits from the left, with the count of unused bits.
const USAGE: &[u8] = &[5, 0b1010_0000];
/// And signing of certificates.
const CA_USAGE: &[u8] = &[2, 0b1010_0100];

/// What a certificate is to say.
pub(super) struct Request {
    name: String,
    addresses: Vec<IpAddr>,
    names: Vec<String>,
    days: i64,
}

impl Request {
    /// Reads the arguments `cn ips names days`.
    pub(super) fn new(a: &[Value]) -> Result<Self> {
        let addresses = texts(&args::list(a, 1), "error parsing ip")?;
        let parsed: std::result::Result<Vec<IpAddr>, FuncError> =
            addresses.iter().map(|ip| ip.parse().map_err(|_| format!("error parsing ip: {ip}").into())).collect();
        let names = texts(&args::list(a, 2), "error processing alternate dns name")?;
        Ok(Self { name: args::text(a, 0).to_string(), addresses: parsed?, names, days: args::int(a, 3) })
    }
}

/// Makes a certificate authority.
pub(super) fn authority(context: &mut Context, name: &Str, days: i64, key: Key) -> Result {
    let request = Request { name: name.to_string(), addresses: Vec::new(), names: Vec::new(), days };
    let issuer = subject(&request.name);
    issue(context, &request, &key, true, &issuer, None, &key)
}

/// Makes a certificate that its own key signs.
pub(super) fn self_signed(context: &mut Context, request: &Request, key: Key) -> Result {
    let issuer = subject(&request.name);
    issue(context, request, &key, false, &issuer, None, &key)
}

/// Makes a certificate that an authority signs.
pub(super) fn signed(context: &mut Context, a: &[Value], ca: &Certificate, key: Key) -> Result {
    let (_, bytes) = der::from_pem(&ca.certificate.to_text()).ok_or("unable to decode certificate")?;
    let issuer =
        issuer_of(&bytes).ok_or("error parsing certificate: decodedCert.Bytes: x509: malformed certificate")?;
    let signer = Key::parse(&ca.key.to_text()).map_err(|error| format!("error parsing private key: {error}"))?;
    let request = Request::new(a)?;
    let signer_id = key_id(&signer)?;
    issue(context, &request, &key, false, &issuer, Some(signer_id), &signer)
}

/// Finds the subject in a certificate, as bytes.
fn issuer_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate, _) = der::read(certificate)?;
    let (_, mut rest, _) = der::read(certificate)?;
    // Version, serial, algorithm, issuer, validity.
    for _ in 0..5 {
        rest = der::read(rest)?.2;
    }
    let (tag, content, _) = der::read(rest)?;
    Some(der::element(tag, content))
}

fn subject(name: &str) -> Vec<u8> {
    if name.is_empty() {
        return der::nested(der::SEQUENCE, &[]);
    }
    let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    let tag = if name.chars().all(printable) { der::PRINTABLE_STRING } else { der::UTF8_STRING };
    let attribute =
        der::nested(der::SEQUENCE, &[der::element(der::OID, COMMON_NAME), der::element(tag, name.as_bytes())]);
    der::nested(der::SEQUENCE, &[der::nested(der::SET, &[attribute])])
}

fn date(time: &Time) -> Vec<u8> {
    if (1950..2050).contains(&time.civil().year) {
        return der::element(der::UTC_TIME, time.format("060102150405Z").as_bytes());
    }
    der::element(der::GENERALIZED_TIME, time.format("20060102150405Z").as_bytes())
}

fn key_id(key: &Key) -> Result<Vec<u8>> {
    Ok(Sha1::digest(key.public()?).to_vec())
}

fn extension(oid: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::element(der::OID, oid)];
    if critical {
        parts.push(der::element(der::BOOLEAN, &[0xff]));
    }
    parts.push(der::element(der::OCTET_STRING, content));
    der::nested(der::SEQUENCE, &parts)
}

fn extensions(request: &Request, key: &Key, ca: bool, signer_id: Option<Vec<u8>>) -> Result<Vec<u8>> {
    let purposes = [der::element(der::OID, SERVER_AUTH), der::element(der::OID, CLIENT_AUTH)];
    let constraints = if ca { vec![der::element(der::BOOLEAN, &[0xff])] } else { Vec::new() };
    let mut all = vec![
        extension(KEY_USAGE, true, &der::element(der::BIT_STRING, if ca { CA_USAGE } else { USAGE })),
        extension(EXTENDED_USAGE, false, &der::nested(der::SEQUENCE, &purposes)),
        extension(BASIC_CONSTRAINTS, true, &der::nested(der::SEQUENCE, &constraints)),
    ];
    if ca {
        all.push(extension(SUBJECT_KEY_ID, false, &der::element(der::OCTET_STRING, &key_id(key)?)));
    }
    if let Some(id) = signer_id {
        all.push(extension(AUTHORITY_KEY_ID, false, &der::nested(der::SEQUENCE, &[der::element(0x80, &id)])));
    }
    let mut names: Vec<Vec<u8>> = request.names.iter().map(|name| der::element(0x82, name.as_bytes())).collect();
    names.extend(request.addresses.iter().map(|address| match address {
        IpAddr::V4(v4) => der::element(0x87, &v4.octets()),
        IpAddr::V6(v6) => der::element(0x87, &v6.octets()),
    }));
    if !names.is_empty() {
        all.push(extension(ALT_NAMES, request.name.is_empty(), &der::nested(der::SEQUENCE, &names)));
    }
    Ok(der::nested(0xa3, &[der::nested(der::SEQUENCE, &all)]))
}

fn issue(
    context: &mut Context,
    request: &Request,
    key: &Key,
    ca: bool,
    issuer: &[u8],
    signer_id: Option<Vec<u8>>,
    signer: &Key,
) -> Result {
    let mut serial = super::random_bytes(context, 16);
    serial[0] &= 0x7f;
    let now = context.now();
    let until = now.add(Duration(request.days.saturating_mul(86_400_000_000_000)));
    let algorithm =
        |oid: &[u8]| der::nested(der::SEQUENCE, &[der::element(der::OID, oid), der::element(der::NULL, &[])]);
    let bits = |bytes: &[u8]| der::element(der::BIT_STRING, &[&[0], bytes].concat());
    let body = der::nested(
        der::SEQUENCE,
        &[
            der::nested(0xa0, &[der::integer(&[2])]),
            der::integer(&serial),
            algorithm(SHA256_RSA),
            issuer.to_vec(),
            der::nested(der::SEQUENCE, &[date(&now), date(&until)]),
            subject(&request.name),
            der::nested(der::SEQUENCE, &[algorithm(RSA), bits(&key.public()?)]),
            extensions(request, key, ca, signer_id)?,
        ],
    );
    let signature = bits(&signer.sign(&body)?);
    let certificate = der::nested(der::SEQUENCE, &[body, algorithm(SHA256_RSA), signature]);
    let certificate = Str::from(der::to_pem("CERTIFICATE", &certificate));
    Ok(Certificate { certificate, key: key.pem()?.into() }.into_value())
}
