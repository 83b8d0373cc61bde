//! The HTTP API: routes, and what they share.
//!
//! A request passes the edge (id, time-out, panics, headers, metrics, log), then its caller and
//! key are read, then its body, then a use case decides. Nothing that a client sent is logged.

mod auth;
mod body;
mod changes;
mod edge;
mod metrics;
mod ops;
mod payments;
mod problem;
mod state;
pub mod wire;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use problem::{ApiError, Code, Problem};
pub use state::{ApiLimits, ApiPorts, ApiSecrets, ApiState};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "payops payments",
        version = "1",
        description = "Create, read, cancel and refund payments. Every POST needs an \
            `Idempotency-Key` header: a request repeated with the same key and body gets the same \
            response again (`Idempotent-Replayed: true`); the same key with a different body gets \
            422. Amounts are integers in minor units."
    ),
    modifiers(&BearerKey),
    components(schemas(
        wire::CreatePaymentRequest,
        wire::CreateRefundRequest,
        wire::CancelRequest,
        Problem
    )),
    tags((name = "payments", description = "Payments, their refunds and their timelines"))
)]
struct Document;

struct BearerKey;

impl Modify for BearerKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        scheme.description =
            Some("A merchant's API key: `sk_live_...` or `sk_test_...`".to_owned());
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(payments::create, payments::list))
        .routes(routes!(payments::read))
        .routes(routes!(payments::events))
        .routes(routes!(changes::cancel))
        .routes(routes!(changes::refund))
}

/// The OpenAPI document of the API, as `/openapi.json` serves it.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

pub fn router(state: ApiState) -> Router {
    let (router, document) = routes().split_for_parts();
    let document: bytes::Bytes = document.to_json().unwrap_or_default().into();
    router
        .route(
            "/openapi.json",
            get(move || async move { ops::openapi(document) }),
        )
        .route("/livez", get(ops::livez))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .fallback(async || ApiError::new(Code::RouteNotFound, "no route has this path"))
        .method_not_allowed_fallback(async || {
            ApiError::new(
                Code::MethodNotAllowed,
                "the route does not support this method; see the `Allow` header",
            )
        })
        .layer(from_fn_with_state(state.clone(), edge::edge))
        .with_state(state)
}
