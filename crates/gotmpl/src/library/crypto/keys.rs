//! Private keys.

use rsa::{
    Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey,
    pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, EncodeRsaPublicKey},
    rand_core::{CryptoRng, Error, RngCore, impls},
};
use sha2::{Digest, Sha256};

use super::{NEW_KEY, Result, der};
use crate::context::Context;

/// An RSA key.
pub(super) struct Key(RsaPrivateKey);

/// The context's seeded sequence.
struct Seeded<'c>(&'c mut Context);

impl RngCore for Seeded<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.random() as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0.random()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        impls::fill_bytes_via_next(self, bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> std::result::Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

// The seed is the caller's choice: who needs secrets gives a secret one.
impl CryptoRng for Seeded<'_> {}

impl Key {
    pub(super) fn generate(context: &mut Context, bits: usize) -> Result<Self> {
        context.charge(NEW_KEY * (bits as u64 / 2048).pow(3))?;
        let key = RsaPrivateKey::new(&mut Seeded(context), bits);
        key.map(Self).map_err(|error| format!("error generating rsa key: {error}").into())
    }

    /// Reads a PEM block.
    pub(super) fn parse(pem: &str) -> std::result::Result<Self, String> {
        let (kind, bytes) = der::from_pem(pem).ok_or("no PEM data in input")?;
        match kind.as_str() {
            "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_der(&bytes)
                .map(Self)
                .map_err(|error| format!("parsing RSA private key from PEM: {error}")),
            "PRIVATE KEY" => {
                from_pkcs8(&bytes).ok_or_else(|| "decoding PEM as PKCS#8: x509: only RSA keys are supported".to_owned())
            }
            kind if kind.ends_with(" PRIVATE KEY") => {
                Err(format!("invalid private key type {}", kind.trim_end_matches(" PRIVATE KEY")))
            }
            kind => Err(format!("no private key data in PEM block of type {kind}")),
        }
    }

    pub(super) fn pem(&self) -> Result<String> {
        let bytes = self.0.to_pkcs1_der().map_err(|error| error.to_string())?;
        Ok(der::to_pem("RSA PRIVATE KEY", bytes.as_bytes()))
    }

    /// Gives the public key in PKCS #1.
    pub(super) fn public(&self) -> Result<Vec<u8>> {
        let public = RsaPublicKey::from(&self.0).to_pkcs1_der().map_err(|error| error.to_string())?;
        Ok(public.as_bytes().to_vec())
    }

    /// Signs with SHA-256.
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let hash = Sha256::digest(bytes);
        let signature = self.0.sign(Pkcs1v15Sign::new::<Sha256>(), &hash);
        signature.map_err(|error| format!("error creating certificate: {error}").into())
    }
}

fn from_pkcs8(bytes: &[u8]) -> Option<Key> {
    let (_, content, _) = der::read(bytes)?;
    let (_, _, rest) = der::read(content)?;
    let (_, _, rest) = der::read(rest)?;
    let (tag, key, _) = der::read(rest)?;
    if tag != der::OCTET_STRING {
        return None;
    }
    RsaPrivateKey::from_pkcs1_der(key).ok().map(Key)
}

/// sprig's `genPrivateKey`.
pub(super) fn private_key(context: &mut Context, kind: &str) -> Result {
    match kind {
        "" | "rsa" => Ok(Key::generate(context, 4096)?.pem()?.into()),
        "ed25519" => Ok(ed25519(context).into()),
        "ecdsa" => ecdsa(context),
        "dsa" => Err("genPrivateKey: DSA keys are not supported".into()),
        kind => Ok(format!("Unknown type {kind}").into()),
    }
}

/// Any 32 bytes are an Ed25519 key.
fn ed25519(context: &mut Context) -> String {
    let seed = der::element(der::OCTET_STRING, &super::random_bytes(context, 32));
    let algorithm = der::nested(der::SEQUENCE, &[der::element(der::OID, &[0x2b, 0x65, 0x70])]);
    let key = der::nested(der::SEQUENCE, &[der::integer(&[0]), algorithm, der::element(der::OCTET_STRING, &seed)]);
    der::to_pem("PRIVATE KEY", &key)
}

fn ecdsa(context: &mut Context) -> Result {
    let secret = p256::SecretKey::random(&mut Seeded(context));
    let bytes = secret.to_sec1_der().map_err(|error| format!("failed to generate private key: {error}"))?;
    Ok(der::to_pem("EC PRIVATE KEY", &bytes).into())
}
