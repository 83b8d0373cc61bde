//! Patches: JSON merge patch (RFC 7386) and JSON patch (RFC 6902).

use serde_json::Value;

use crate::ApiError;
use crate::kinds::Kind;

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Merge,
    Json,
}

impl Format {
    /// The format that a content type names, for an object of `kind`.
    pub(crate) fn of(content_type: &str, kind: Kind) -> Result<Self, ApiError> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/json-patch+json" => Ok(Self::Json),
            // As a merge patch: see the crate's documentation.
            "application/strategic-merge-patch+json" if !kind.info().custom => Ok(Self::Merge),
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => Err(ApiError::new(
                415,
                "UnsupportedMediaType",
                format!(
                    "server-side apply is not served here: send a merge patch or a JSON patch \
                        ({ACCEPTED})"
                ),
            )),
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
    }
}

/// Applies `body` to `object`.
pub(crate) fn apply(format: Format, object: &mut Value, body: &[u8]) -> Result<(), ApiError> {
    let bad =
        |error: serde_json::Error| ApiError::bad_request(format!("error decoding patch: {error}"));
    match format {
        Format::Merge => {
            let patch: Value = serde_json::from_slice(body).map_err(bad)?;
            if !patch.is_object() {
                return Err(ApiError::bad_request(
                    "error decoding patch: a merge patch is a JSON object",
                ));
            }
            json_patch::merge(object, &patch);
        }
        Format::Json => {
            let patch: json_patch::Patch = serde_json::from_slice(body).map_err(bad)?;
            json_patch::patch(object, &patch).map_err(|error| {
                ApiError::new(
                    422,
                    "Invalid",
                    format!(
                        "the server rejected our request due to an error in our request: {error}"
                    ),
                )
            })?;
        }
    }
    Ok(())
}
