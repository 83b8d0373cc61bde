//! JSON merge patch (RFC 7386) and JSON patch (RFC 6902).

use serde_json::Value;

use crate::ApiError;
use crate::kinds::Kind;

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchFormat {
    Merge,
    Json,
}

impl PatchFormat {
    /// Reads the content type of a patch for an object of `kind`.
    pub(crate) fn from_content_type(content_type: &str, kind: Kind) -> Result<Self, ApiError> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/json-patch+json" => Ok(Self::Json),
            // Applied as a merge patch: see the crate's documentation.
            "application/strategic-merge-patch+json" if !kind.info().custom => Ok(Self::Merge),
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => Err(ApiError::new(
                415,
                "UnsupportedMediaType",
                format!(
                    "server-side apply is not supported: send a merge patch or a JSON patch \
                        ({ACCEPTED})"
                ),
            )),
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
    }
}

pub(crate) fn apply(format: PatchFormat, object: &mut Value, body: &[u8]) -> Result<(), ApiError> {
    let bad =
        |error: serde_json::Error| ApiError::bad_request(format!("error decoding patch: {error}"));
    match format {
        PatchFormat::Merge => {
            let patch: Value = serde_json::from_slice(body).map_err(bad)?;
            if !patch.is_object() {
                return Err(ApiError::bad_request(
                    "error decoding patch: a merge patch must be a JSON object",
                ));
            }
            json_patch::merge(object, &patch);
        }
        PatchFormat::Json => {
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
