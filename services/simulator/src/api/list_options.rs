//! What lists and watches have in common: selectors, and the version that a request names.

use serde_json::json;

use super::ApiRequest;
use super::path::ResourcePath;
use crate::selectors::{FieldSelector, LabelSelector};
use crate::{ApiError, Cluster};

pub(crate) fn parse_selectors(
    request: &ApiRequest,
    at: &ResourcePath,
) -> Result<(LabelSelector, FieldSelector), ApiError> {
    let labels = LabelSelector::parse(request.query.get("labelSelector").unwrap_or_default())?;
    let mut fields = request
        .query
        .get("fieldSelector")
        .unwrap_or_default()
        .to_owned();
    if let Some(name) = &at.name {
        fields = format!("{fields},metadata.name={name}");
    }
    Ok((labels, FieldSelector::parse(at.kind, &fields)?))
}

/// The `resourceVersion` of a request. One that does not exist yet is refused.
pub(crate) fn requested_version(
    cluster: &Cluster,
    request: &ApiRequest,
) -> Result<Option<u64>, ApiError> {
    let Some(text) = request.query.get("resourceVersion") else {
        return Ok(None);
    };
    let version: u64 = text.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "resourceVersion: Invalid value: {text:?}: \
            strconv.ParseUint: parsing {text:?}: invalid syntax"
        ))
    })?;
    let now = cluster.version();
    if version > now {
        let mut error = ApiError::new(
            504,
            "Timeout",
            format!("Timeout: Too large resource version: {version}, current: {now}"),
        );
        let causes =
            json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
        error.details = Some(Box::new(json!({"causes": causes, "retryAfterSeconds": 1})));
        error.retry_after_s = Some(1);
        return Err(error);
    }
    Ok(Some(version))
}
