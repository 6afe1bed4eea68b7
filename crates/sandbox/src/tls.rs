//! Certificates: the authority, that of the server, made when it starts, and those of its clients.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use crate::{access::User, sandbox::StartError};

/// What the server needs to speak TLS.
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    /// The certificate authority as PEM, for kubeconfigs and ConfigMaps.
    pub(crate) authority: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key as PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Identity {
    /// Makes a certificate for a user: the common name is its name, the organizations are its groups.
    pub(crate) fn client(&self, user: &User) -> Result<Certificate, StartError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user.name.as_str());
        for group in &user.groups {
            params.distinguished_name.push(DnType::OrganizationName, group.as_str());
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Certificate { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// Reads the user of a certificate that the authority signed.
pub(crate) fn user_of(certificate: &CertificateDer<'_>) -> Option<User> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    let groups = parsed.subject().iter_organization().filter_map(|group| group.as_str().ok()).map(str::to_owned);
    Some(User { name, groups: groups.collect(), ..User::default() })
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError(format!("cannot make a certificate: {error}"))
}

/// What the authority's certificate says; the same at each start, so that an issuer can be made of it and the key.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "sandbox-ca");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params
}

/// Makes a certificate authority as it is kept: its certificate and its key as PEM, in this order.
pub(crate) fn authority() -> Result<String, StartError> {
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = authority_params().self_signed(&key).map_err(failed)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// Makes a certificate for loopback and the names that pods use, signed by an authority that [`authority`] made.
pub(crate) fn identity(authority: &str) -> Result<Identity, StartError> {
    const KEY: &str = "-----BEGIN PRIVATE KEY-----";
    let start = authority.find(KEY).ok_or_else(|| failed("the kept authority has no key"))?;
    let (authority, key) = authority.split_at(start);
    let root = CertificateDer::from_pem_slice(authority.as_bytes()).map_err(failed)?;
    let key = KeyPair::from_pem(key).map_err(failed)?;
    let issuer = Issuer::new(authority_params(), key);
    let names =
        ["localhost", "127.0.0.1", "::1", "10.96.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let mut params = CertificateParams::new(names.map(str::to_owned)).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| StartError(error.to_owned()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(root).map_err(failed)?;
    // Who brings no certificate may bring a token.
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(failed)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_client_cert_verifier(clients).with_single_cert(chain, key))
        .map_err(|error| StartError(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { config: Arc::new(config), authority: authority.to_owned(), issuer })
}
