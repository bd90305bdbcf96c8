//! Sorts what a failed package client printed.

use std::process::ExitStatus;

use super::FetchError;
use super::catalogue::Asset;
use super::error::{ByHand, needed};

/// Sorts a failed client's output.
pub(super) fn explain(
    asset: &Asset,
    by_hand: &ByHand,
    client: &[&str],
    status: ExitStatus,
    log: &str,
) -> FetchError {
    let name = asset.name;
    let has = |needles: &[&str]| needles.iter().any(|needle| log.contains(needle));
    if has(&[
        "No space left on device",
        "Errno 28",
        "Disk quota exceeded",
        "not enough space on the disk",
    ]) {
        return FetchError::DiskFull {
            name,
            folder: by_hand.folder().to_owned(),
            needed: needed(asset),
        };
    }
    if has(&["DO NOT MATCH THE HASHES"]) {
        let got = log
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Got"))
            .next_back()
            .map_or_else(
                || "another SHA-256".to_owned(),
                |rest| rest.trim().to_owned(),
            );
        return FetchError::Checksum {
            name,
            file: asset.archive.path.to_owned(),
            expected: asset.archive.sha256.to_owned(),
            got,
        };
    }
    if let Some((_, why)) = NETWORK_SIGNS.iter().find(|(sign, _)| log.contains(sign)) {
        return FetchError::Network {
            name,
            why: (*why).to_owned(),
            by_hand: Box::new(by_hand.clone()),
        };
    }
    let last_line = last_line(log);
    if has(&["No matching distribution found", "Could not find a version"]) {
        return FetchError::NotFound {
            name,
            requirement: asset.requirement(),
            last_line,
        };
    }
    FetchError::Client {
        name,
        client: client.join(" "),
        status: status.to_string(),
        last_line,
        by_hand: Box::new(by_hand.clone()),
    }
}

/// Signs of trouble between this machine and the package index, in pip's words and in ours.
/// pip ends such a download with "No matching distribution", so these are looked for first.
const NETWORK_SIGNS: &[(&str, &str)] = &[
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the server's certificate is not trusted here (PIP_CERT names a CA file)",
    ),
    ("ProxyError", "the proxy refused or could not be reached"),
    (
        "Tunnel connection failed",
        "the proxy refused or could not be reached",
    ),
    ("NameResolutionError", "its name could not be resolved"),
    ("name resolution", "its name could not be resolved"),
    (
        "Name or service not known",
        "its name could not be resolved",
    ),
    ("getaddrinfo failed", "its name could not be resolved"),
    ("nodename nor servname", "its name could not be resolved"),
    ("Network is unreachable", "the network is unreachable"),
    ("Connection refused", "the connection was refused"),
    ("ReadTimeoutError", "it took too long to answer"),
    ("timed out", "it took too long to answer"),
    ("Connection aborted", "the connection was cut"),
    ("Connection broken", "the connection was cut"),
    ("IncompleteRead", "the connection was cut"),
    ("Retrying (Retry(", "the connection failed repeatedly"),
];

/// The last line that names an error, or the last line at all, without any address.
fn last_line(log: &str) -> String {
    let mut lines = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .rev();
    let last = lines.clone().next();
    let line = lines.find(|line| line.starts_with("ERROR:")).or(last);
    line.map_or_else(|| "it said nothing".to_owned(), without_addresses)
}

/// Replaces every word that holds an address: it may carry a private host or a password.
fn without_addresses(line: &str) -> String {
    line.trim_start_matches("ERROR:")
        .split_whitespace()
        .map(|word| {
            if word.contains("://") || word.contains("host=") {
                "(address)"
            } else {
                word
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_line_hides_addresses() {
        let log = "Looking\nERROR: bad thing at https://user:secret@index.example/simple (x)\n\n  see log\n";
        assert_eq!(last_line(log), "bad thing at (address) (x)");
        assert_eq!(last_line("one\ntwo\n"), "two");
        assert_eq!(last_line(" \n"), "it said nothing");
    }
}
