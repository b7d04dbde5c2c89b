//! A question as it goes over the wire: body, signature, headers.

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};
use http::request;

use super::ask::{Ask, Content};
use super::attempts::Hop;
use super::connection::Trouble;
use super::reply::{Expects, FailureKind};
use super::settings::{Method, Terms};
use super::signature::{self, IDEMPOTENCY_HEADER, SignatureMode, Signed};
use super::target::Target;
use crate::base::Timestamp;

/// What is said, ready for every hop.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) target: Target,
    pub(super) method: Method,
    form: Vec<(String, String)>,
    body: Bytes,
    content_type: Option<&'static str>,
    expects: Expects,
    token: String,
    /// Whether the digest of the body goes into each URL.
    has_digest: bool,
}

impl Question {
    /// Writes it down.
    ///
    /// # Errors
    ///
    /// It is longer than any endpoint should be asked to read.
    pub(super) fn new(
        ask: &Ask,
        target: Target,
        method: Method,
        terms: &Terms,
    ) -> Result<Self, Trouble> {
        let mut question = Self {
            target,
            method,
            form: Vec::new(),
            body: Bytes::new(),
            content_type: None,
            expects: ask.expects,
            token: ask.token.clone().unwrap_or_default(),
            has_digest: false,
        };
        match &ask.content {
            Content::Nothing => {}
            Content::Form(fields) if method == Method::Get => {
                question.target = question.target.with_query(fields);
            }
            Content::Form(fields) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields);
                question.body = form.finish().into();
                question.form.clone_from(fields);
                question.content_type = Some("application/x-www-form-urlencoded; charset=UTF-8");
            }
            Content::Json(value) => {
                question.method = Method::Post;
                question.body = value.to_string().into();
                question.content_type = Some("application/json");
                let is_signed = terms.secret.is_some();
                question.has_digest = is_signed && terms.signature == SignatureMode::Twilio;
            }
        }
        let length = question.body.len().max(question.target.as_str().len());
        if length > LONGEST {
            let words = format!("the question has {length} octets; {LONGEST} are the most");
            return Err((FailureKind::TooLarge, words));
        }
        Ok(question)
    }

    /// The request of a hop; `cookies` and `now` are of this moment.
    pub(super) fn request(
        &self,
        hop: &Hop,
        terms: &Terms,
        cookies: Option<String>,
        now: Timestamp,
    ) -> Result<(request::Parts, Bytes), String> {
        let with_body = hop.with_body;
        let mut target = hop.target.clone();
        if with_body && self.has_digest {
            target = target.with_query(&[signature::body_digest(&self.body)]);
        }
        let (form, body) = match with_body {
            true => (self.form.as_slice(), self.body.clone()),
            false => (&[][..], Bytes::new()),
        };
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| -> Result<(), String> {
            let value = HeaderValue::from_str(value);
            let value = value.map_err(|_| format!("{name} has characters that it cannot have"))?;
            headers.insert(name, value);
            Ok(())
        };
        add(HOST, &host(&target))?;
        add(USER_AGENT, concat!("tsunagu/", env!("CARGO_PKG_VERSION")))?;
        add(ACCEPT, self.expects.accept())?;
        add(HeaderName::from_static(IDEMPOTENCY_HEADER), &self.token)?;
        if let Some(content_type) = self.content_type.filter(|_| with_body) {
            add(CONTENT_TYPE, content_type)?;
        }
        if let Some(authorization) = target.authorization() {
            add(AUTHORIZATION, authorization)?;
        }
        if let Some(cookies) = cookies {
            add(COOKIE, &cookies)?;
        }
        // Elsewhere our signature of this body would let others speak in our name here. Twilio's
        // is bound to the URL, and those who are redirected expect it.
        let is_bound = terms.signature == SignatureMode::Twilio;
        if let Some(secret) = terms
            .secret
            .as_ref()
            .filter(|_| is_bound || !hop.is_foreign)
        {
            let signed = Signed {
                target: &target,
                form,
                body: &body,
            };
            for (name, value) in signature::headers(terms.signature, secret, signed, now) {
                add(HeaderName::from_static(name), &value)?;
            }
        }
        let method = match hop.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        };
        let request = http::Request::builder()
            .method(method)
            .uri(target.path_and_query());
        let request = request.body(()).map_err(|error| error.to_string())?;
        let mut parts = request.into_parts().0;
        parts.headers = headers;
        Ok((parts, body))
    }
}

/// Octets of a body, or of a URL with its query.
const LONGEST: usize = 256 << 10;

/// As RFC 9112 §3.2 wants it: with the port when it is not the scheme's.
fn host(target: &Target) -> String {
    let url = target.url();
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
