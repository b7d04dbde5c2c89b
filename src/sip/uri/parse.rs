//! Reading a URI (RFC 3261 §25.1 `SIP-URI`, RFC 3966 §3).

use super::escape::is_well_escaped;
use super::{Host, Scheme, Uri};
use crate::sip::Params;

pub(super) fn uri(text: &str) -> Result<Uri, &'static str> {
    if text.len() > MAX_URI {
        return Err("longer than 4 KiB");
    }
    // White space, quotes and angle brackets delimit URIs, so none may stand inside.
    let is_foreign = |byte: u8| byte <= b' ' || byte == 0x7f || matches!(byte, b'<' | b'>' | b'"');
    if text.bytes().any(is_foreign) {
        return Err("white space, control, quote or angle bracket inside");
    }
    let (scheme, rest) = text.split_once(':').ok_or("no scheme")?;
    let scheme = parse_scheme(scheme)?;
    match scheme {
        Scheme::Sip | Scheme::Sips => sip(scheme, rest),
        Scheme::Tel => tel(rest),
        Scheme::Other(_) if rest.is_empty() => Err("nothing after the scheme"),
        Scheme::Other(_) => Ok(opaque(scheme, rest)),
    }
}

fn parse_scheme(text: &str) -> Result<Scheme, &'static str> {
    if text.eq_ignore_ascii_case("sip") {
        return Ok(Scheme::Sip);
    }
    if text.eq_ignore_ascii_case("sips") {
        return Ok(Scheme::Sips);
    }
    if text.eq_ignore_ascii_case("tel") {
        return Ok(Scheme::Tel);
    }
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    match text.as_bytes().first() {
        Some(first) if first.is_ascii_alphabetic() && text.bytes().all(is_scheme) => {
            Ok(Scheme::Other(text.to_ascii_lowercase()))
        }
        _ => Err("no scheme"),
    }
}

fn sip(scheme: Scheme, rest: &str) -> Result<Uri, &'static str> {
    let (userinfo, rest) = match rest.split_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, rest),
    };
    let (user, password) = match userinfo {
        None => (None, None),
        Some(userinfo) if !is_well_escaped(userinfo) => return Err("incomplete escape"),
        Some(userinfo) => match userinfo.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(userinfo), None),
        },
    };
    if user.is_some_and(str::is_empty) {
        return Err("empty user");
    }
    if rest.contains('@') {
        return Err("two @");
    }
    let (rest, headers) = match rest.split_once('?') {
        Some((rest, headers)) => (rest, Some(headers)),
        None => (rest, None),
    };
    let (hostport, params) = match rest.split_once(';') {
        Some((hostport, params)) => (hostport, parse_params(params)?),
        None => (rest, Params::default()),
    };
    let (host, port) = host_and_port(hostport)?;
    Ok(Uri {
        scheme,
        user: user.map(str::to_owned),
        password: password.map(str::to_owned),
        host,
        port,
        params,
        headers: headers.map(str::to_owned),
    })
}

/// Splits `host[:port]`; also the `sent-by` of a Via.
pub(in crate::sip) fn host_and_port(text: &str) -> Result<(Host, Option<u16>), &'static str> {
    let end_of_host = match text.find(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end_of_host);
    let host = Host::parse(host).ok_or("bad host")?;
    let port = match port.strip_prefix(':') {
        Some(port) => Some(parse_port(port).ok_or("bad port")?),
        None if port.is_empty() => None,
        None => return Err("bad host"),
    };
    Ok((host, port))
}

fn parse_port(text: &str) -> Option<u16> {
    // `parse` alone would take a sign.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn tel(rest: &str) -> Result<Uri, &'static str> {
    let (number, params) = match rest.split_once(';') {
        Some((number, params)) => (number, parse_params(params)?),
        None => (rest, Params::default()),
    };
    if number.is_empty() || !is_well_escaped(number) {
        return Err("bad number");
    }
    Ok(Uri {
        params,
        ..opaque(Scheme::Tel, number)
    })
}

fn opaque(scheme: Scheme, rest: &str) -> Uri {
    Uri {
        scheme,
        user: Some(rest.to_owned()),
        password: None,
        host: Host::Name(String::new()),
        port: None,
        params: Params::default(),
        headers: None,
    }
}

fn parse_params(text: &str) -> Result<Params, &'static str> {
    let mut params = Params::default();
    for param in text.split(';') {
        let (name, value) = match param.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (param, None),
        };
        if name.is_empty() {
            return Err("empty parameter");
        }
        params.push(name, value);
    }
    Ok(params)
}

/// Longest URI read; anything longer is an attack or a mistake.
const MAX_URI: usize = 4096;
