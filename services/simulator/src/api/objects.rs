//! Reads and writes objects.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::list_options::{parse_selectors, requested_version};
use super::path::ResourcePath;
use super::{ApiReply, ApiRequest, Representation, watch};
use crate::kinds::Kind;
use crate::selectors::{FieldSelector, LabelSelector};
use crate::store::{Key, WriteScope, text};
use crate::{ApiError, Cluster, patch, table};

pub(crate) fn handle(
    cluster: &Cluster,
    request: &ApiRequest,
    at: &ResourcePath,
) -> Result<ApiReply, ApiError> {
    if let (Some(name), Some(sub)) = (&at.name, &at.subresource) {
        return subresource(cluster, request, &key_of(at, name), sub);
    }
    match (&request.method, &at.name) {
        (&Method::GET, _) if request.query.flag("watch") => watch::start(cluster, request, at),
        (&Method::GET, None) => list(cluster, request, at),
        (&Method::GET, Some(name)) => {
            let object = cluster.get(at.kind, at.namespace.as_deref().unwrap_or_default(), name)?;
            Ok(ApiReply::Json(
                StatusCode::OK,
                represent(cluster, request, at.kind, &object),
            ))
        }
        (&Method::POST, None) => create(cluster, request, at),
        (&Method::PUT, Some(name)) => put(cluster, request, &key_of(at, name), WriteScope::Object),
        (&Method::PATCH, Some(name)) => {
            patch_object(cluster, request, &key_of(at, name), WriteScope::Object)
        }
        (&Method::DELETE, Some(name)) => delete(cluster, request, &key_of(at, name)),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn key_of(at: &ResourcePath, name: &str) -> Key {
    Key::new(at.kind, at.namespace.as_deref().unwrap_or_default(), name)
}

fn subresource(
    cluster: &Cluster,
    request: &ApiRequest,
    key: &Key,
    sub: &str,
) -> Result<ApiReply, ApiError> {
    let info = key.kind.info();
    match (sub, &request.method) {
        ("status", _) if !info.status => Err(ApiError::path_not_found()),
        ("status", &Method::GET) => Ok(ApiReply::Json(
            StatusCode::OK,
            represent(
                cluster,
                request,
                key.kind,
                &*cluster.get(key.kind, &key.namespace, &key.name)?,
            ),
        )),
        ("status", &Method::PUT) => put(cluster, request, key, WriteScope::Status),
        ("status", &Method::PATCH) => patch_object(cluster, request, key, WriteScope::Status),
        ("scale", _) if info.scale => scale(cluster, request, key),
        ("status", _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::path_not_found()),
    }
}

fn represent(cluster: &Cluster, request: &ApiRequest, kind: Kind, object: &Value) -> Value {
    match request.representation() {
        Representation::Object => object.clone(),
        Representation::Metadata => table::partial_metadata(object),
        Representation::Table(include) => {
            let meta = json!({"resourceVersion": text(object, "/metadata/resourceVersion")});
            table::render_table(kind, &[object], &meta, include, true, cluster.now())
        }
    }
}

/// Encodes the version of a list, and the last key of the page.
fn encode_continue_token(version: u64, last: &Value) -> String {
    let start = [
        text(last, "/metadata/namespace"),
        text(last, "/metadata/name"),
    ];
    URL_SAFE_NO_PAD.encode(json!({"rv": version, "start": start}).to_string())
}

fn decode_continue_token(token: &str) -> Option<(u64, [String; 2])> {
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let part = |index: usize| value["start"][index].as_str().map(ToOwned::to_owned);
    Some((value["rv"].as_u64()?, [part(0)?, part(1)?]))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: String,
    api_version: String,
    metadata: Value,
    items: Vec<&'a Value>,
}

fn list(cluster: &Cluster, request: &ApiRequest, at: &ResourcePath) -> Result<ApiReply, ApiError> {
    let (labels, fields) = parse_selectors(request, at)?;
    let namespace = at.namespace.as_deref();
    let limit: usize = match request.query.get("limit") {
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::bad_request(format!("limit: Invalid value: {text:?}")))?,
        None => 0,
    };
    let (mut version, mut objects) = cluster.list(at.kind, namespace);
    if let Some(token) = request.query.get("continue") {
        let (list_version, start) = decode_continue_token(token)
            .ok_or_else(|| ApiError::bad_request("continue key is not valid"))?;
        version = list_version;
        objects = cluster.list_at(at.kind, namespace, list_version, Some(&start))?;
    } else if let Some(wanted) = requested_version(cluster, request)?
        && request.query.get("resourceVersionMatch") == Some("Exact")
    {
        version = wanted;
        objects = cluster.list_at(at.kind, namespace, wanted, None)?;
    }
    objects.retain(|object| labels.matches(object) && fields.matches(object));
    let mut meta = json!({"resourceVersion": version.to_string()});
    if limit > 0 && objects.len() > limit {
        let left = objects.len() - limit;
        objects.truncate(limit);
        if let Some(last) = objects.last() {
            meta["continue"] = encode_continue_token(version, last).into();
        }
        // With a selector a real server does not know the count and omits it.
        if labels == LabelSelector::default() && fields == FieldSelector::default() {
            meta["remainingItemCount"] = left.into();
        }
    }
    let objects: Vec<&Value> = objects.iter().map(AsRef::as_ref).collect();
    let info = at.kind.info();
    let value = match request.representation() {
        Representation::Table(include) => {
            table::render_table(at.kind, &objects, &meta, include, true, cluster.now())
        }
        Representation::Metadata => {
            let items: Vec<Value> = objects.into_iter().map(table::partial_metadata).collect();
            json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": meta, "items": items,
            })
        }
        Representation::Object => {
            // Serialized without copying: a list may have thousands of objects.
            let list = List {
                kind: format!("{}List", info.name),
                api_version: info.api_version(),
                metadata: meta,
                items: objects,
            };
            return Ok(ApiReply::Bytes(
                serde_json::to_vec(&list)
                    .map_err(|error| ApiError::bad_request(error.to_string()))?,
            ));
        }
    };
    Ok(ApiReply::Json(StatusCode::OK, value))
}

/// Parses the object in the body, and checks it against the path.
fn parse_object(request: &ApiRequest, kind: Kind, namespace: &str) -> Result<Value, ApiError> {
    let value = request.json()?;
    let info = kind.info();
    let (given_kind, version) = (text(&value, "/kind"), text(&value, "/apiVersion"));
    if (!given_kind.is_empty() && given_kind != info.name)
        || (!version.is_empty() && version != info.api_version())
    {
        let expected = format!("{}, Kind={}", info.api_version(), info.name);
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized: {version}, Kind={given_kind} is not \
             {expected}"
        )));
    }
    let given = text(&value, "/metadata/namespace");
    if info.namespaced && !given.is_empty() && given != namespace {
        return Err(ApiError::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the \
                request: {given} is not {namespace}"
        )));
    }
    Ok(value)
}

fn create(
    cluster: &Cluster,
    request: &ApiRequest,
    at: &ResourcePath,
) -> Result<ApiReply, ApiError> {
    if at.kind.info().namespaced && at.namespace.is_none() {
        return Err(ApiError::method_not_allowed());
    }
    let namespace = at.namespace.as_deref().unwrap_or_default();
    let object = parse_object(request, at.kind, namespace)?;
    let created = cluster.create(at.kind, namespace, object)?;
    Ok(ApiReply::Json(
        StatusCode::CREATED,
        represent(cluster, request, at.kind, &created),
    ))
}

fn put(
    cluster: &Cluster,
    request: &ApiRequest,
    key: &Key,
    scope: WriteScope,
) -> Result<ApiReply, ApiError> {
    let mut object = parse_object(request, key.kind, &key.namespace)?;
    if key.kind.info().custom && text(&object, "/metadata/resourceVersion").is_empty() {
        let why = "Invalid value: 0: must be specified for an update";
        return Err(ApiError::invalid(
            key.kind,
            &key.name,
            "metadata.resourceVersion",
            why,
        ));
    }
    if key.kind.info().namespaced {
        crate::store::metadata(&mut object)
            .insert("namespace".to_owned(), key.namespace.clone().into());
    }
    let updated = cluster.update(key, scope, |before| {
        let (expected, actual) = (
            text(&object, "/metadata/uid"),
            text(before, "/metadata/uid"),
        );
        if !expected.is_empty() && expected != actual {
            let why = format!(
                "Precondition failed: UID in precondition: {expected}, UID in object meta: {actual}"
            );
            return Err(ApiError::conflict(key.kind, &key.name, &why));
        }
        Ok(object)
    })?;
    Ok(ApiReply::Json(
        StatusCode::OK,
        represent(cluster, request, key.kind, &updated),
    ))
}

fn patch_object(
    cluster: &Cluster,
    request: &ApiRequest,
    key: &Key,
    scope: WriteScope,
) -> Result<ApiReply, ApiError> {
    let format =
        patch::PatchFormat::from_content_type(request.header(header::CONTENT_TYPE), key.kind)?;
    let updated = cluster.update(key, scope, |before| {
        let mut object = before.clone();
        patch::apply(format, &mut object, &request.body)?;
        Ok(object)
    })?;
    Ok(ApiReply::Json(
        StatusCode::OK,
        represent(cluster, request, key.kind, &updated),
    ))
}

fn delete(cluster: &Cluster, request: &ApiRequest, key: &Key) -> Result<ApiReply, ApiError> {
    let options = if request.body.is_empty() {
        Value::Null
    } else {
        request.json()?
    };
    let policy = request
        .query
        .get("propagationPolicy")
        .or_else(|| options["propagationPolicy"].as_str());
    let orphan = policy == Some("Orphan") || options["orphanDependents"] == true;
    let last = cluster.delete(key, &options["preconditions"], orphan)?;
    let info = key.kind.info();
    let details = json!({
        "name": key.name, "group": info.group, "kind": info.plural,
        "uid": text(&last, "/metadata/uid"),
    });
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": details,
    });
    Ok(ApiReply::Json(StatusCode::OK, status))
}

/// The `scale` subresource of a rollout: `spec.replicas` alone.
fn scale(cluster: &Cluster, request: &ApiRequest, key: &Key) -> Result<ApiReply, ApiError> {
    let to_scale = |object: &Value| {
        let mut meta = json!({});
        for field in [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
        ] {
            meta[field] = object["metadata"][field].clone();
        }
        json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta,
            "spec": {"replicas": object["spec"]["replicas"].as_i64().unwrap_or(1)},
            "status": {
                "replicas": object["status"]["HPAReplicas"].as_i64().unwrap_or(0),
                "selector": object["status"]["selector"].as_str().unwrap_or_default(),
            },
        })
    };
    let object = match request.method {
        Method::GET => cluster.get(key.kind, &key.namespace, &key.name)?,
        Method::PUT | Method::PATCH => cluster.update(key, WriteScope::Object, |before| {
            let mut scale = to_scale(before);
            if request.method == Method::PUT {
                scale = request.json()?;
            } else {
                patch::apply(
                    patch::PatchFormat::from_content_type(
                        request.header(header::CONTENT_TYPE),
                        key.kind,
                    )?,
                    &mut scale,
                    &request.body,
                )?;
            }
            let Some(replicas) = scale["spec"]["replicas"]
                .as_i64()
                .filter(|replicas| *replicas >= 0)
            else {
                return Err(ApiError::invalid(
                    key.kind,
                    &key.name,
                    "spec.replicas",
                    "must be greater than or equal to 0",
                ));
            };
            let mut object = before.clone();
            object["spec"]["replicas"] = replicas.into();
            if let Some(version) = scale["metadata"]["resourceVersion"].as_str() {
                object["metadata"]["resourceVersion"] = version.into();
            }
            Ok(object)
        })?,
        _ => return Err(ApiError::method_not_allowed()),
    };
    Ok(ApiReply::Json(StatusCode::OK, to_scale(&object)))
}
