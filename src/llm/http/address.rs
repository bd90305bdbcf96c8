//! What an address gives away.

use reqwest::Url;

/// `url` without the parts that may hold a secret.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // These fail only for addresses that cannot carry a user at all.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// An address without the parts that may hold a secret; `None` where it is none.
pub fn shown_address(url: &str) -> Option<String> {
    Url::parse(url.trim()).ok().map(|url| shown(&url))
}

/// What of an address looks like a secret, if anything does: a user, or a part of
/// the query that is named like a key. For messages; it does not hold the secret.
pub fn secret_in_address(url: &str) -> Option<String> {
    let url = Url::parse(url.trim()).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return Some("a user or password before the @".to_owned());
    }
    if url.path_segments().into_iter().flatten().any(looks_secret) {
        return Some("a key in its path".to_owned());
    }
    if url.fragment().is_some_and(|fragment| !fragment.is_empty()) {
        return Some("a part after #, which no server is sent".to_owned());
    }
    let mut pairs = url.query_pairs();
    let (name, _) = pairs.find(|(name, value)| names_secret(name) || looks_secret(value))?;
    Some(format!("the value of {name} in its query"))
}

/// Whether a text begins like the keys of well-known services.
pub fn looks_secret(text: &str) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "Bearer ",
        "Basic ",
        "sk-",
        "sk_",
        "ghp_",
        "gho_",
        "github_pat_",
        "xoxb-",
        "xoxp-",
        "hf_",
        "AIza",
        "AKIA",
    ];
    BEGINNINGS
        .iter()
        .any(|begin| text.strip_prefix(begin).is_some_and(|rest| rest.len() >= 8))
}

/// Whether `name`, of a header or a parameter, says that its value is secret.
pub fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let whole = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "key",
        "sig",
        "code",
        "auth",
    ];
    let part = [
        "apikey",
        "token",
        "secret",
        "password",
        "passwd",
        "credential",
    ];
    whole.contains(&name.as_str())
        || name.ends_with("-key")
        || name.ends_with("-auth")
        || (part.iter().any(|part| name.contains(part)) && !name.contains("tokens"))
}

/// Whether a server at this address is one's own: on this machine, or at an
/// address that only a private network has.
pub fn is_private_address(url: &str) -> bool {
    let Ok(url) = Url::parse(url.trim()) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(v4)) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        Ok(std::net::IpAddr::V6(v6)) => {
            v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
        Err(_) => {
            host == "localhost"
                || !host.contains('.')
                || host.to_ascii_lowercase().ends_with(".local")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_addresses_are_found() {
        for (url, part) in [
            ("https://me:canary@host/v1", "@"),
            ("https://canary@host/v1", "@"),
            ("https://host/v1?key=canary", "key"),
            ("https://host/v1?a=b&api_key=canary", "api_key"),
            (
                "https://host/v1?subscription-key=canary",
                "subscription-key",
            ),
            ("https://host/v1?access_token=canary", "access_token"),
            ("https://host/v1?v=sk-canary0123", "v"),
            ("https://host/sk-canary0123/v1", "path"),
            ("https://host/v1#canary", "#"),
        ] {
            let found = secret_in_address(url).unwrap();
            assert!(found.contains(part) && !found.contains("canary"), "{found}");
        }
        for url in [
            "https://host/v1",
            "https://host/v1?api-version=2024-10-21",
            "no address",
        ] {
            assert_eq!(secret_in_address(url), None, "{url}");
        }
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "Authorization",
            "x-api-key",
            "X-Auth-Token",
            "cookie",
            "client_secret",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in [
            "http-referer",
            "anthropic-beta",
            "max_tokens",
            "x-title",
            "keyboard",
        ] {
            assert!(!names_secret(name), "{name}");
        }
    }

    #[test]
    fn own_servers_are_recognised() {
        for url in [
            "http://127.0.0.1:8080/v1",
            "http://localhost/v1",
            "http://10.1.2.3/v1",
            "http://192.168.0.7:11434",
            "http://[fd00::1]/v1",
            "http://gpu-box:8000/v1",
            "http://nas.local/v1",
        ] {
            assert!(is_private_address(url), "{url}");
        }
        for url in ["https://api.openai.com/v1", "http://8.8.8.8/v1", "nonsense"] {
            assert!(!is_private_address(url), "{url}");
        }
    }
}
