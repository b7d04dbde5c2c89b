//! Keeps web pages out of the API: a page in the operator's browser can reach loopback too.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Refusal;

/// Refuses requests that name another host (DNS rebinding) and changes asked for by a web page.
pub(super) async fn loopback_only(request: Request, next: Next) -> Response {
    match check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(words) => Refusal::new(StatusCode::FORBIDDEN, words).into_response(),
    }
}

fn check(method: &Method, headers: &HeaderMap) -> Result<(), &'static str> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_loopback) {
        return Err("the API answers to localhost, 127.0.0.1 or [::1] only");
    }
    if method != Method::GET && headers.contains_key(header::ORIGIN) {
        return Err("changes are not taken from web pages");
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "localhost:9090",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]:9090",
            "LOCALHOST",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "evil.example:9090",
            "10.0.0.1:9090",
            "localhost.evil.example",
            "",
            "::",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_web_page_changes_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "localhost:9090".parse().unwrap());
        assert!(check(&Method::POST, &headers).is_ok());
        headers.insert(header::ORIGIN, "http://evil.example".parse().unwrap());
        assert!(check(&Method::GET, &headers).is_ok());
        assert!(check(&Method::POST, &headers).is_err());
    }
}
