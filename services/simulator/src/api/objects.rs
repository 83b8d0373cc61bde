//! Reading and writing objects.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::path::At;
use super::{Call, Reply, View, watch};
use crate::kinds::Kind;
use crate::select::{Fields, Labels};
use crate::store::{Key, Part, text};
use crate::{ApiError, Cluster, patch, table};

pub(crate) fn handle(cluster: &Cluster, call: &Call, at: &At) -> Result<Reply, ApiError> {
    if let (Some(name), Some(sub)) = (&at.name, &at.subresource) {
        return subresource(cluster, call, &key(at, name), sub);
    }
    match (&call.method, &at.name) {
        (&Method::GET, _) if call.query.flag("watch") => watch::start(cluster, call, at),
        (&Method::GET, None) => list(cluster, call, at),
        (&Method::GET, Some(name)) => {
            let object = cluster.get(at.kind, at.namespace.as_deref().unwrap_or_default(), name)?;
            Ok(Reply::Json(
                StatusCode::OK,
                one(cluster, call, at.kind, &object),
            ))
        }
        (&Method::POST, None) => create(cluster, call, at),
        (&Method::PUT, Some(name)) => put(cluster, call, &key(at, name), Part::Main),
        (&Method::PATCH, Some(name)) => patched(cluster, call, &key(at, name), Part::Main),
        (&Method::DELETE, Some(name)) => delete(cluster, call, &key(at, name)),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn key(at: &At, name: &str) -> Key {
    Key::new(at.kind, at.namespace.as_deref().unwrap_or_default(), name)
}

fn subresource(cluster: &Cluster, call: &Call, key: &Key, sub: &str) -> Result<Reply, ApiError> {
    let info = key.kind.info();
    match (sub, &call.method) {
        ("status", _) if !info.status => Err(ApiError::no_such_path()),
        ("status", &Method::GET) => Ok(Reply::Json(
            StatusCode::OK,
            one(
                cluster,
                call,
                key.kind,
                &*cluster.get(key.kind, &key.namespace, &key.name)?,
            ),
        )),
        ("status", &Method::PUT) => put(cluster, call, key, Part::Status),
        ("status", &Method::PATCH) => patched(cluster, call, key, Part::Status),
        ("scale", _) if info.scale => scale(cluster, call, key),
        ("status", _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::no_such_path()),
    }
}

fn one(cluster: &Cluster, call: &Call, kind: Kind, object: &Value) -> Value {
    match call.view() {
        View::Object => object.clone(),
        View::Metadata => table::partial(object),
        View::Table(include) => {
            let meta = json!({"resourceVersion": text(object, "/metadata/resourceVersion")});
            table::table(kind, &[object], &meta, include, true, cluster.now())
        }
    }
}

pub(crate) fn selectors(call: &Call, at: &At) -> Result<(Labels, Fields), ApiError> {
    let labels = Labels::parse(call.query.get("labelSelector").unwrap_or_default())?;
    let mut fields = call
        .query
        .get("fieldSelector")
        .unwrap_or_default()
        .to_owned();
    if let Some(name) = &at.name {
        fields = format!("{fields},metadata.name={name}");
    }
    Ok((labels, Fields::parse(at.kind, &fields)?))
}

/// The version that a request names, refused when it is still to come.
pub(crate) fn wanted_version(cluster: &Cluster, call: &Call) -> Result<Option<u64>, ApiError> {
    let Some(text) = call.query.get("resourceVersion") else {
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

/// A `continue` token: the version of the list, and the last key that was given out.
fn continue_token(version: u64, last: &Value) -> String {
    let start = [
        text(last, "/metadata/namespace"),
        text(last, "/metadata/name"),
    ];
    URL_SAFE_NO_PAD.encode(json!({"rv": version, "start": start}).to_string())
}

fn read_continue(token: &str) -> Option<(u64, [String; 2])> {
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

fn list(cluster: &Cluster, call: &Call, at: &At) -> Result<Reply, ApiError> {
    let (labels, fields) = selectors(call, at)?;
    let namespace = at.namespace.as_deref();
    let limit: usize = match call.query.get("limit") {
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::bad_request(format!("limit: Invalid value: {text:?}")))?,
        None => 0,
    };
    let (mut version, mut objects) = cluster.list(at.kind, namespace);
    if let Some(token) = call.query.get("continue") {
        let (of, start) = read_continue(token)
            .ok_or_else(|| ApiError::bad_request("continue key is not valid"))?;
        version = of;
        objects = cluster.list_at(at.kind, namespace, of, Some(&start))?;
    } else if let Some(wanted) = wanted_version(cluster, call)?
        && call.query.get("resourceVersionMatch") == Some("Exact")
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
            meta["continue"] = continue_token(version, last).into();
        }
        // A selector makes the count unknown to a real server, which then says nothing.
        if labels == Labels::default() && fields == Fields::default() {
            meta["remainingItemCount"] = left.into();
        }
    }
    let objects: Vec<&Value> = objects.iter().map(AsRef::as_ref).collect();
    let info = at.kind.info();
    let value = match call.view() {
        View::Table(include) => {
            table::table(at.kind, &objects, &meta, include, true, cluster.now())
        }
        View::Metadata => {
            let items: Vec<Value> = objects.into_iter().map(table::partial).collect();
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items})
        }
        View::Object => {
            // Written as it stands: a list of thousands is not copied first.
            let list = List {
                kind: format!("{}List", info.name),
                api_version: info.api_version(),
                metadata: meta,
                items: objects,
            };
            return Ok(Reply::Bytes(
                serde_json::to_vec(&list)
                    .map_err(|error| ApiError::bad_request(error.to_string()))?,
            ));
        }
    };
    Ok(Reply::Json(StatusCode::OK, value))
}

/// The object of a request's body, checked against the path.
fn object(call: &Call, kind: Kind, namespace: &str) -> Result<Value, ApiError> {
    let value = call.json()?;
    let info = kind.info();
    let (is, version) = (text(&value, "/kind"), text(&value, "/apiVersion"));
    if (!is.is_empty() && is != info.name) || (!version.is_empty() && version != info.api_version())
    {
        let wanted = format!("{}, Kind={}", info.api_version(), info.name);
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized: it is {version}, Kind={is}, not {wanted}"
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

fn create(cluster: &Cluster, call: &Call, at: &At) -> Result<Reply, ApiError> {
    if at.kind.info().namespaced && at.namespace.is_none() {
        return Err(ApiError::method_not_allowed());
    }
    let namespace = at.namespace.as_deref().unwrap_or_default();
    let object = object(call, at.kind, namespace)?;
    let made = cluster.create(at.kind, namespace, object)?;
    Ok(Reply::Json(
        StatusCode::CREATED,
        one(cluster, call, at.kind, &made),
    ))
}

fn put(cluster: &Cluster, call: &Call, key: &Key, part: Part) -> Result<Reply, ApiError> {
    let mut object = object(call, key.kind, &key.namespace)?;
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
    let updated = cluster.update(key, part, |before| {
        let (is, was) = (
            text(&object, "/metadata/uid"),
            text(before, "/metadata/uid"),
        );
        if !is.is_empty() && is != was {
            let why = format!(
                "Precondition failed: UID in precondition: {is}, UID in object meta: {was}"
            );
            return Err(ApiError::conflict(key.kind, &key.name, &why));
        }
        Ok(object)
    })?;
    Ok(Reply::Json(
        StatusCode::OK,
        one(cluster, call, key.kind, &updated),
    ))
}

fn patched(cluster: &Cluster, call: &Call, key: &Key, part: Part) -> Result<Reply, ApiError> {
    let format = patch::Format::of(call.header(header::CONTENT_TYPE), key.kind)?;
    let updated = cluster.update(key, part, |before| {
        let mut object = before.clone();
        patch::apply(format, &mut object, &call.body)?;
        Ok(object)
    })?;
    Ok(Reply::Json(
        StatusCode::OK,
        one(cluster, call, key.kind, &updated),
    ))
}

fn delete(cluster: &Cluster, call: &Call, key: &Key) -> Result<Reply, ApiError> {
    let options = if call.body.is_empty() {
        Value::Null
    } else {
        call.json()?
    };
    let policy = call
        .query
        .get("propagationPolicy")
        .or_else(|| options["propagationPolicy"].as_str());
    let orphan = policy == Some("Orphan") || options["orphanDependents"] == true;
    let last = cluster.delete(key, &options["preconditions"], orphan)?;
    let info = key.kind.info();
    let details = json!({"name": key.name, "group": info.group, "kind": info.plural, "uid": text(&last, "/metadata/uid")});
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    Ok(Reply::Json(StatusCode::OK, status))
}

/// The `scale` subresource of a rollout: `spec.replicas` alone.
fn scale(cluster: &Cluster, call: &Call, key: &Key) -> Result<Reply, ApiError> {
    let show = |object: &Value| {
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
    let object = match call.method {
        Method::GET => cluster.get(key.kind, &key.namespace, &key.name)?,
        Method::PUT | Method::PATCH => cluster.update(key, Part::Main, |before| {
            let mut wanted = show(before);
            if call.method == Method::PUT {
                wanted = call.json()?;
            } else {
                patch::apply(
                    patch::Format::of(call.header(header::CONTENT_TYPE), key.kind)?,
                    &mut wanted,
                    &call.body,
                )?;
            }
            let Some(replicas) = wanted["spec"]["replicas"]
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
            if let Some(version) = wanted["metadata"]["resourceVersion"].as_str() {
                object["metadata"]["resourceVersion"] = version.into();
            }
            Ok(object)
        })?,
        _ => return Err(ApiError::method_not_allowed()),
    };
    Ok(Reply::Json(StatusCode::OK, show(&object)))
}
