//! TLS of our own listeners: a certificate and its key, read from files or made at the first start, and read anew while connections stand.
//! Accepts nothing by itself and trusts nobody; whom sinks trust stands in `sinks/tls.rs`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::server::TlsStream;

/// A certificate of our own is good for as long as an exception that somebody made for it in a browser.
const FIRST_DAY: (i32, u8, u8) = (2020, 1, 1);
const LAST_DAY: (i32, u8, u8) = (2049, 12, 31);

/// What a certificate of our own is called in its directory.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: {why}")]
    Unreadable { path: PathBuf, why: String },
    #[error("{certificate} and {key} cannot be used together: {why}")]
    Unusable { certificate: PathBuf, key: PathBuf, why: String },
    #[error("cannot make a certificate: {0}")]
    Unmade(String),
    #[error("cannot write {path}: {why}")]
    Unwritable { path: PathBuf, why: io::Error },
}

/// Two PEM files: a chain, leaf first, and the leaf's private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A certificate of our own for these names and addresses, in this directory: the one that is there, or else a fresh one.
pub fn own(dir: &Path, names: &[String]) -> Result<Files, TlsError> {
    let files = Files { certificate: dir.join(CERTIFICATE), key: dir.join(KEY) };
    // The key is written first: a certificate without one is what a crash has left, and nobody has seen it yet.
    if !files.certificate.exists() || !files.key.exists() {
        let (certificate, key) = make(names)?;
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |why| TlsError::Unwritable { path, why }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unwritable(dir))?;
        write(&files.key, &key).map_err(unwritable(&files.key))?;
        write(&files.certificate, &certificate).map_err(unwritable(&files.certificate))?;
    }
    Ok(files)
}

/// A self-signed certificate and its key, as PEM.
fn make(names: &[String]) -> Result<(String, String), TlsError> {
    let unmade = |error: rcgen::Error| TlsError::Unmade(error.to_string());
    let mut params = CertificateParams::new(names).map_err(unmade)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Campanile");
    let ((year, month, day), (last_year, last_month, last_day)) = (FIRST_DAY, LAST_DAY);
    params.not_before = date_time_ymd(year, month, day);
    params.not_after = date_time_ymd(last_year, last_month, last_day);
    let key = KeyPair::generate().map_err(unmade)?;
    let certificate = params.self_signed(&key).map_err(unmade)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Writes a file that its owner alone may read, whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// What one listener shows to those who connect: replaced as a whole when its files are read anew.
#[derive(Debug)]
pub struct Shown {
    source: Source,
    current: RwLock<Arc<CertifiedKey>>,
}

#[derive(Debug)]
enum Source {
    Files(Files),
    /// Lives as long as the process: a store in memory has no directory.
    Memory,
}

impl Shown {
    pub fn read(files: Files) -> Result<Arc<Shown>, TlsError> {
        let current = RwLock::new(Arc::new(load(&files)?));
        Ok(Arc::new(Shown { source: Source::Files(files), current }))
    }

    /// A certificate of our own that is kept nowhere.
    pub fn passing(names: &[String]) -> Result<Arc<Shown>, TlsError> {
        let (certificate, key) = make(names)?;
        let unmade = |error: &dyn std::fmt::Display| TlsError::Unmade(error.to_string());
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|error| unmade(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unmade(&error))?;
        let current = CertifiedKey::from_der(vec![certificate], key, &provider()).map_err(|error| unmade(&error))?;
        Ok(Arc::new(Shown { source: Source::Memory, current: RwLock::new(Arc::new(current)) }))
    }

    /// Reads the files anew, for those who connect from now on. What was shown stays where they cannot be used.
    pub fn reload(&self) -> Result<(), TlsError> {
        if let Source::Files(files) = &self.source {
            let fresh = Arc::new(load(files)?);
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        Ok(())
    }

    /// Its chain, as it is shown now.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).cert.clone()
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.source {
            Source::Files(files) => write!(f, "{}", files.certificate.display()),
            Source::Memory => f.write_str("in memory"),
        }
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Named rather than left to the process's default, which another crate's features could change.
fn provider() -> CryptoProvider {
    ring::default_provider()
}

fn load(files: &Files) -> Result<CertifiedKey, TlsError> {
    let Files { certificate, key } = files;
    let unreadable = |path: &Path, why: String| TlsError::Unreadable { path: path.to_owned(), why };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unreadable(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(unreadable(certificate, "no certificate in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error.to_string()))?;
    CertifiedKey::from_der(chain, secret, &provider()).map_err(|error| TlsError::Unusable {
        certificate: certificate.clone(),
        key: key.clone(),
        why: error.to_string(),
    })
}

/// A connection behind its handshake.
pub type Secured = TlsStream<TcpStream>;

/// Makes TLS of the connections of one listener.
#[derive(Clone)]
pub struct Secure(TlsAcceptor);

impl Secure {
    /// `http2` offers it before HTTP/1.1.
    pub fn new(shown: Arc<Shown>, http2: bool) -> Result<Secure, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Unmade(error.to_string()))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(shown);
        config.alpn_protocols = if http2 { vec![b"h2".to_vec()] } else { Vec::new() };
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Secure(TlsAcceptor::from(Arc::new(config))))
    }

    /// The handshake. The caller bounds its time.
    pub async fn shake(&self, stream: TcpStream) -> io::Result<Secured> {
        self.0.accept(stream).await
    }
}
