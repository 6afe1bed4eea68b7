//! Passwords, ciphers, keys and certificates. What Go draws at random comes from the context's seed here.

mod der;
mod keys;
mod x509;

use std::{any::Any, rc::Rc};

use aes::{
    Aes256,
    cipher::{BlockDecrypt, BlockEncrypt, KeyInit, generic_array::GenericArray},
};
use hmac::{Hmac, Mac};

use super::{Result, add, args, encoding};
use crate::{
    context::Context,
    error::FuncError,
    functions::Functions,
    object::Object,
    types::Type,
    value::{List, Str, Value},
};

const S: Type = Type::Str;
const I: Type = Type::Int;
const L: Type = Type::LIST;
const CERTIFICATE: Type = Type::Named("sprig.certificate");
/// Fuel of a slow hash.
const SLOW_HASH: u64 = 1_000_000;
/// Fuel of a new RSA key.
const NEW_KEY: u64 = 10_000_000;

pub(super) fn register(f: &mut Functions) {
    add(f, &["bcrypt"], &[S], |c, a| {
        c.warn("bcrypt");
        bcrypt(c, &args::text(a, 0)).map(Value::from)
    });
    add(f, &["htpasswd"], &[S, S], |c, a| {
        let user = args::text(a, 0);
        if user.as_bytes().contains(&b':') {
            return Ok(format!("invalid username: {user}").into());
        }
        c.warn("htpasswd");
        Ok(format!("{user}:{}", bcrypt(c, &args::text(a, 1))?).into())
    });
    add(f, &["randBytes"], &[I], |c, a| {
        c.warn("randBytes");
        let count = usize::try_from(args::int(a, 0)).map_err(|_| "runtime error: makeslice: len out of range")?;
        c.charge_bytes(count)?;
        let bytes = random_bytes(c, count);
        Ok(encoding::base64_text(&bytes).into())
    });
    add(f, &["uuidv4"], &[], |c, _| {
        c.warn("uuidv4");
        let mut bytes = random_bytes(c, 16);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = encoding::hex(&bytes);
        Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]).into())
    });
    add(f, &["derivePassword"], &[Type::Uint64, S, S, S, S], derive_password);
    add(f, &["encryptAES"], &[S, S], encrypt);
    add(f, &["decryptAES"], &[S, S], |_, a| decrypt(&args::text(a, 0), &args::text(a, 1)));
    add(f, &["genPrivateKey"], &[S], |c, a| {
        c.warn("genPrivateKey");
        keys::private_key(c, &args::text(a, 0).to_text())
    });
    certificates(f);
}

fn certificates(f: &mut Functions) {
    add(f, &["genCA"], &[S, I], |c, a| {
        c.warn("genCA");
        let key = keys::Key::generate(c, 2048)?;
        x509::authority(c, &args::text(a, 0), args::int(a, 1), key)
    });
    add(f, &["genCAWithKey"], &[S, I, S], |c, a| {
        c.warn("genCAWithKey");
        let key = given_key(a, 2)?;
        x509::authority(c, &args::text(a, 0), args::int(a, 1), key)
    });
    add(f, &["genSelfSignedCert"], &[S, L, L, I], |c, a| {
        c.warn("genSelfSignedCert");
        let request = x509::Request::new(a)?;
        let key = keys::Key::generate(c, 2048)?;
        x509::self_signed(c, &request, key)
    });
    add(f, &["genSelfSignedCertWithKey"], &[S, L, L, I, S], |c, a| {
        c.warn("genSelfSignedCertWithKey");
        let key = given_key(a, 4)?;
        x509::self_signed(c, &x509::Request::new(a)?, key)
    });
    add(f, &["genSignedCert"], &[S, L, L, I, CERTIFICATE], |c, a| {
        c.warn("genSignedCert");
        let key = keys::Key::generate(c, 2048)?;
        x509::signed(c, a, &authority(&a[4])?, key)
    });
    add(f, &["genSignedCertWithKey"], &[S, L, L, I, CERTIFICATE, S], |c, a| {
        c.warn("genSignedCertWithKey");
        let key = given_key(a, 5)?;
        x509::signed(c, a, &authority(&a[4])?, key)
    });
    add(f, &["buildCustomCert"], &[S, S], |_, a| {
        let decode = |i: usize, what: &str| {
            encoding::base64_bytes(args::text(a, i).as_bytes()).map_err(|_| format!("unable to decode base64 {what}"))
        };
        let (certificate, key) = (decode(0, "certificate")?, decode(1, "private key")?);
        let (certificate, key) = (Str::from(certificate), Str::from(key));
        if der::from_pem(&certificate.to_text()).is_none() {
            return Err("unable to decode certificate".into());
        }
        keys::Key::parse(&key.to_text()).map_err(|error| format!("error parsing private key: {error}"))?;
        Ok(Certificate { certificate, key }.into_value())
    });
}

fn given_key(a: &[Value], i: usize) -> Result<keys::Key> {
    keys::Key::parse(&args::text(a, i).to_text()).map_err(|error| format!("parsing private key: {error}").into())
}

/// A certificate with its key, both in PEM: sprig's `certificate`.
struct Certificate {
    certificate: Str,
    key: Str,
}

impl Certificate {
    fn into_value(self) -> Value {
        Value::Native(Rc::new(self))
    }
}

impl Object for Certificate {
    fn type_name(&self) -> &'static str {
        "sprig.certificate"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("Cert", Value::Str(self.certificate.clone())), ("Key", Value::Str(self.key.clone()))]
    }
}

fn authority(value: &Value) -> Result<Certificate> {
    let found = match value {
        Value::Native(object) => object.as_any().downcast_ref::<Certificate>(),
        _ => None,
    };
    let found = found.ok_or("unable to decode certificate")?;
    Ok(Certificate { certificate: found.certificate.clone(), key: found.key.clone() })
}

fn random_bytes(context: &mut Context, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        bytes.extend_from_slice(&context.random().to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

fn bcrypt(context: &mut Context, password: &Str) -> Result<String> {
    const COST: u32 = 10;
    context.charge(SLOW_HASH)?;
    if password.len() > 72 {
        return Ok("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned());
    }
    let salt: [u8; 16] = random_bytes(context, 16).try_into().map_err(|_| "the salt has 16 bytes")?;
    let hash = bcrypt::hash_with_salt(password.as_bytes(), COST, salt).map_err(|error| error.to_string())?;
    Ok(hash.format_for_version(bcrypt::Version::TwoA))
}

/// The templates of passwords and the characters that stand in them: those of the Master Password algorithm.
const TEMPLATES: [(&str, &[&str]); 6] = [
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];
const CHARACTERS: [(u8, &[u8]); 8] = [
    (b'V', b"AEIOU"),
    (b'C', b"BCDFGHJKLMNPQRSTVWXYZ"),
    (b'v', b"aeiou"),
    (b'c', b"bcdfghjklmnpqrstvwxyz"),
    (b'A', b"AEIOUBCDFGHJKLMNPQRSTVWXYZ"),
    (b'a', b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"),
    (b'n', b"0123456789"),
    (b'o', b"@&%?,=[]_:-+*$#!'^~;()/."),
];
const ANY: &[u8] = b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()";

/// The Master Password algorithm.
fn derive_password(context: &mut Context, a: &[Value]) -> Result {
    let counter = args::int(a, 0) as u32;
    let kind = args::text(a, 1).to_string();
    let Some((_, templates)) = TEMPLATES.iter().find(|(name, _)| *name == kind) else {
        return Ok(format!("cannot find password template {kind}").into());
    };
    context.charge(SLOW_HASH)?;
    let (password, user, site) = (args::text(a, 2), args::text(a, 3), args::text(a, 4));
    let scoped = |text: &Str| {
        let mut bytes = b"com.lyndir.masterpassword".to_vec();
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    let params = scrypt::Params::new(15, 8, 2, 64).map_err(|error| error.to_string())?;
    let mut key = [0; 64];
    scrypt::scrypt(password.as_bytes(), &scoped(&user), &params, &mut key).map_err(|error| error.to_string())?;
    let mut mac = <Hmac<sha2::Sha256> as Mac>::new_from_slice(&key).map_err(|error| error.to_string())?;
    mac.update(&scoped(&site));
    mac.update(&counter.to_be_bytes());
    let seed = mac.finalize().into_bytes();
    let template = templates[usize::from(seed[0]) % templates.len()];
    let text: Vec<u8> = template
        .bytes()
        .zip(&seed[1..])
        .map(|(class, byte)| {
            let characters =
                CHARACTERS.iter().find(|(name, _)| *name == class).map_or(ANY, |(_, characters)| characters);
            characters[usize::from(*byte) % characters.len()]
        })
        .collect();
    Ok(Value::Str(text.into()))
}

const BLOCK: usize = 16;

fn cipher(password: &Str) -> Aes256 {
    let mut key = [0; 32];
    for (slot, byte) in key.iter_mut().zip(password.as_bytes()) {
        *slot = *byte;
    }
    Aes256::new(GenericArray::from_slice(&key))
}

/// AES-256 in CBC mode with padding, the initial vector before the text.
fn encrypt(context: &mut Context, a: &[Value]) -> Result {
    let text = args::text(a, 1);
    if text.is_empty() {
        return Ok("".into());
    }
    context.warn("encryptAES");
    context.charge_bytes(text.len().saturating_mul(2))?;
    let cipher = cipher(&args::text(a, 0));
    let padding = BLOCK - text.len() % BLOCK;
    let mut content = text.as_bytes().to_vec();
    content.resize(content.len() + padding, padding as u8);
    let mut out = random_bytes(context, BLOCK);
    for chunk in content.chunks(BLOCK) {
        let previous = out.len() - BLOCK;
        let mixed: Vec<u8> = chunk.iter().zip(&out[previous..]).map(|(a, b)| a ^ b).collect();
        let mut block = GenericArray::clone_from_slice(&mixed);
        cipher.encrypt_block(&mut block);
        out.extend_from_slice(&block);
    }
    Ok(encoding::base64_text(&out).into())
}

fn decrypt(password: &Str, text: &Str) -> Result {
    if text.is_empty() {
        return Ok("".into());
    }
    let bytes =
        encoding::base64_bytes(text.as_bytes()).map_err(|at| format!("illegal base64 data at input byte {at}"))?;
    if bytes.len() < BLOCK {
        let capacity = text.len() / 4 * 3;
        return Err(format!("runtime error: slice bounds out of range [:16] with capacity {capacity}").into());
    }
    if !bytes.len().is_multiple_of(BLOCK) {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let cipher = cipher(password);
    let mut out = Vec::with_capacity(bytes.len());
    for (previous, chunk) in bytes.chunks(BLOCK).zip(bytes.chunks(BLOCK).skip(1)) {
        let mut block = GenericArray::clone_from_slice(chunk);
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(previous).map(|(a, b)| a ^ b));
    }
    let Some(padding) = out.last().map(|byte| usize::from(*byte)) else {
        return Err("runtime error: index out of range [-1]".into());
    };
    let Some(len) = out.len().checked_sub(padding) else {
        return Err(format!("runtime error: slice bounds out of range [:{}]", out.len() as i64 - padding as i64).into());
    };
    out.truncate(len);
    Ok(Value::Str(out.into()))
}

/// Gives the texts of a list argument, or the error of sprig for an element that is none.
fn texts(list: &List, error: &str) -> Result<Vec<String>> {
    list.items()
        .iter()
        .map(|item| match item {
            Value::Str(text) => Ok(text.to_string()),
            other => {
                let shown = crate::fmt::sprint(std::slice::from_ref(other));
                Err(FuncError::from(format!("{error}: {shown} is not a string")))
            }
        })
        .collect()
}
