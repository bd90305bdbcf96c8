//! Connections: TLS, proxies, timeouts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::config::{CheckedEndpoint, ConnectError, HttpConfig};

/// A client that follows no redirects and bounds every attempt in time. Proxies
/// come from the environment (`HTTPS_PROXY`, `NO_PROXY`, …).
pub(super) fn client(
    config: &HttpConfig,
    endpoint: &CheckedEndpoint,
) -> Result<Client, ConnectError> {
    let unusable = |error: &dyn std::fmt::Display| {
        ConnectError::Config(format!("no HTTP client could be made: {error}"))
    };
    // Plain HTTP does without: a stale variable must not stop a local server.
    let extra = match endpoint.url.scheme() {
        "https" => std::env::var_os("SSL_CERT_FILE").map(PathBuf::from),
        _ => None,
    };
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(|error| unusable(&error))?
    .with_root_certificates(roots(extra.as_deref())?)
    .with_no_client_auth();
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("shiftproof/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .timeout(config.timeout)
        .connect_timeout(config.timeout.min(Duration::from_secs(15)))
        .pool_max_idle_per_host(config.concurrency.max(1));
    if endpoint.loopback {
        // No proxy can reach the loopback of this machine.
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| unusable(&error.without_url()))
}

/// The public roots, which are compiled in so that a machine without a CA bundle
/// works too, and those of a PEM file, for servers with a certificate of their
/// own.
fn roots(extra: Option<&Path>) -> Result<rustls::RootCertStore, ConnectError> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let Some(path) = extra else { return Ok(roots) };
    let unreadable = |error: &dyn std::fmt::Display| {
        ConnectError::Config(format!(
            "SSL_CERT_FILE names {}, which cannot be read as PEM certificates: {error}",
            path.display()
        ))
    };
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        // Bundles hold old roots that rustls cannot use; they harm nobody.
        let _ = roots.add(certificate);
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_certificates_join_public_ones() {
        let public = roots(None).unwrap().len();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, include_str!("own_ca.pem")).unwrap();
        assert_eq!(roots(Some(&file)).unwrap().len(), public + 1);
        let missing = folder.path().join("missing.pem");
        let error = roots(Some(&missing)).unwrap_err().to_string();
        assert!(
            error.contains("SSL_CERT_FILE names") && error.contains("missing.pem"),
            "{error}"
        );
    }
}
