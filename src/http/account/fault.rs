//! Errors in the public shape: a number of the error dictionary, words, where to read more.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::answer;

/// A request that could not be answered as wished.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    code: u32,
    message: String,
    retry_after: Option<Duration>,
}

/// Numbers of the public error dictionary.
pub(super) mod code {
    /// A parameter makes no sense.
    pub(in crate::http::account) const PARAMETER: u32 = 20001;
    /// Neither account nor token, or wrong ones.
    pub(in crate::http::account) const AUTHENTICATE: u32 = 20003;
    /// The resource does not know the method.
    pub(in crate::http::account) const METHOD: u32 = 20004;
    /// There is no such resource.
    pub(in crate::http::account) const NOT_FOUND: u32 = 20404;
    /// Too many requests at a time.
    pub(in crate::http::account) const TOO_MANY: u32 = 20429;
    /// The switch's own fault.
    pub(in crate::http::account) const INTERNAL: u32 = 20500;
    /// Not now.
    pub(in crate::http::account) const UNAVAILABLE: u32 = 20503;
    /// `To` is missing.
    pub(in crate::http::account) const NO_TO: u32 = 21201;
    /// `Url` is missing, or none.
    pub(in crate::http::account) const URL: u32 = 21205;
    /// `SendDigits` has something else than keys and waits.
    pub(in crate::http::account) const SEND_DIGITS: u32 = 21206;
    /// `Timeout` is no number of seconds, or too many.
    pub(in crate::http::account) const TIMEOUT: u32 = 21208;
    /// A method other than GET and POST.
    pub(in crate::http::account) const HTTP_METHOD: u32 = 21209;
    /// `From` is no number of ours.
    pub(in crate::http::account) const FROM_NOT_OURS: u32 = 21210;
    /// `To` leads nowhere.
    pub(in crate::http::account) const TO: u32 = 21211;
    /// `From` is missing.
    pub(in crate::http::account) const NO_FROM: u32 = 21213;
    /// The call is not in a state in which this can be done.
    pub(in crate::http::account) const STATE: u32 = 21220;
    /// `StatusCallback` is no URL.
    pub(in crate::http::account) const STATUS_CALLBACK: u32 = 21609;
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    /// What was sent is wrong.
    pub(super) fn bad(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// There is no such resource.
    pub(super) fn not_found(path: &str) -> Self {
        let words = format!("The requested resource {path} was not found");
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, words)
    }

    /// The resource is there and does not know the method.
    pub(super) fn method() -> Self {
        let words = "This resource does not know that method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, code::METHOD, words)
    }

    /// Neither account nor token, or wrong ones.
    pub(super) fn stranger() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code::AUTHENTICATE, "Authenticate")
    }

    /// Too much is asked at a time.
    pub(super) fn too_many() -> Self {
        let words = "Too many requests are under way; ask again a little later";
        let mut fault = Self::new(StatusCode::TOO_MANY_REQUESTS, code::TOO_MANY, words);
        fault.retry_after = Some(Duration::from_secs(1));
        fault
    }

    /// The switch cannot answer.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, message)
    }

    /// The switch cannot do it now.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        let mut fault = Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, message);
        fault.retry_after = Some(Duration::from_secs(1));
        fault
    }

    /// What of its number tests look at.
    #[cfg(test)]
    pub(super) fn code(&self) -> u32 {
        self.code
    }
}

impl From<answer::Refusal> for Fault {
    fn from(refusal: answer::Refusal) -> Self {
        match refusal.status() {
            StatusCode::TOO_MANY_REQUESTS => Self::too_many(),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(refusal.words()),
            _ => Self::internal(refusal.words()),
        }
    }
}

impl From<crate::events::record::ArchiveError> for Fault {
    fn from(error: crate::events::record::ArchiveError) -> Self {
        tracing::error!(%error, "call archive");
        Self::internal(error.to_string())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let code = self.code;
        let body = json!({
            "code": code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
            "status": self.status.as_u16(),
        });
        let mut response = answer::answer(self.status, &body);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Basic realm=\"tsunagu\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(time) = self.retry_after {
            let seconds = HeaderValue::from(time.as_secs().max(1));
            headers.insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
