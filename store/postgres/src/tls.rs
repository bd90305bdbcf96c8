//! Encrypted connections: rustls with the certificates that the system trusts, or with those of
//! `sslrootcert`. A certificate that cannot be verified is never taken.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use shiftproof_store::{Result, StoreError};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::DatabaseUrl;

/// What encrypts the connections to `url`.
///
/// # Errors
/// [`StoreError::Invalid`] if `sslrootcert` holds no certificates;
/// [`StoreError::Database`] if the system has none.
pub(crate) fn connector(url: &DatabaseUrl) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(url, &error))?;
    let config = match &url.root_certificates {
        _ if !url.may_encrypt() => builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
        Some(path) => {
            let unreadable =
                |why: String| StoreError::Invalid(format!("sslrootcert {}: {why}", path.display()));
            let mut roots = RootCertStore::empty();
            let found = CertificateDer::pem_file_iter(path)
                .map_err(|error| unreadable(error.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| unreadable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("it holds no certificate in PEM form".into()));
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        None => builder
            .with_platform_verifier()
            .map_err(|error| failed(url, &error))?
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn failed(url: &DatabaseUrl, error: &rustls::Error) -> StoreError {
    StoreError::Database {
        address: url.to_string(),
        detail: format!(
            "no certificates to verify it by: {error}; name them by sslrootcert=FILE, or, on a \
             network you trust, sslmode=disable"
        ),
    }
}
