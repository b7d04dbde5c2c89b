//! The description of the API, made from the code that serves it.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{Sources, described};

/// The description before any route.
pub(super) fn frame() -> OpenApi {
    let info = InfoBuilder::new()
        .title("tsunagu")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The API of a running switch. It listens on loopback only. Changes take `If-Match` \
             with the `ETag` of the last answer about the same thing; every error says what is \
             wrong in `error` and mostly what to do in `help`.",
        ));
    OpenApiBuilder::new().info(info.build()).build()
}

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new().routes(routes!(answer))
}

/// The whole description, as JSON.
pub fn document() -> String {
    // It is a tree of strings and numbers: writing it cannot fail.
    let document = described().into_openapi();
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    format!("{text}\n")
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operation",
    responses((status = 200, body = Object)))]
async fn answer() -> Response {
    static DOCUMENT: LazyLock<String> = LazyLock::new(document);
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.as_str(),
    )
        .into_response()
}
