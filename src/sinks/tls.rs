//! Whom a sink trusts when it calls over TLS: the machine's own certificates, and those of a file. Nothing else, ever.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A certificate, as files hold it.
pub type Certificate = CertificateDer<'static>;

/// The certificates of a PEM file, or why it has none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let loaded = rustls_native_certs::load_certs_from_paths(Some(path), None);
    match loaded.errors.first() {
        Some(error) => Err(error.to_string()),
        None if loaded.certs.is_empty() => Err("no certificates in it".to_owned()),
        None => Ok(loaded.certs),
    }
}

/// A connector that trusts the machine's certificates and these.
pub fn connector(more: &[CertificateDer<'static>]) -> Result<TlsConnector, tokio_rustls::rustls::Error> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(native.certs);
    if added == 0 && more.is_empty() {
        tracing::warn!("this machine trusts no certificates: no https receiver can be reached");
    }
    roots.add_parsable_certificates(more.iter().cloned());
    // Named rather than left to the process's default, which another crate's features could change.
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
