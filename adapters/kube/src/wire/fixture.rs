//! Objects as a cluster gives them.

use serde_json::{Value, json};

/// A canary at step 2 of 6, a pause, with a traffic router.
pub(crate) fn rollout() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {
            "name": "payments-api", "namespace": "payments", "uid": "ro-1",
            "resourceVersion": "88412", "generation": 14,
            "creationTimestamp": "2026-03-01T09:00:00Z",
            "annotations": {"rollout.argoproj.io/revision": "7",
            "argocd.argoproj.io/tracking-id": "payments:argoproj.io/Rollout:payments/payments-api"},
            "labels": {"app.kubernetes.io/name": "payments-api"}
        },
        "spec": {
            "replicas": 8, "revisionHistoryLimit": 5,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "payments-api"}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "payments-api"}},
                "spec": {
                    "containers": [{"name": "api", "image": "registry/payments:1.8.0"},
                    {"name": "proxy", "image": "registry/proxy:3"}],
                    "initContainers": [{"name": "migrate", "image": "registry/migrate:1.8.0"}]
                }
            },
            "strategy": {"canary": {
                "canaryService": "payments-api-canary", "stableService": "payments-api",
                "trafficRouting": {"alb": {"ingress": "payments-api", "servicePort": 80}},
                "steps": [
                    {"setWeight": 25}, {"pause": {"duration": "5m"}},
                    {"analysis": {"templates": [{"templateName": "error-rate"},
                    {"templateName": "latency", "clusterScope": true}]}},
                    {"pause": {}}, {"plugin": {"name": "argoproj-labs/step-exec", "config": {}}},
                    {"setQuantumRoute": {"qubits": 2}}
                ]
            }}
        },
        "status": {
            "phase": "Paused", "message": "CanaryPauseStep", "observedGeneration": "14",
            "controllerPause": true,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-11-22T06:10:00Z"}],
            "currentStepIndex": 1, "currentStepHash": "76d9", "currentPodHash": "6c5f",
            "stableRS": "5b4d",
            "replicas": 10, "updatedReplicas": 2, "readyReplicas": 10, "availableReplicas": 10,
            "HPAReplicas": 10,
            "selector": "app.kubernetes.io/name=payments-api",
            "canary": {
                "weights": {
                    "canary": {"weight": 25, "serviceName": "payments-api-canary",
                    "podTemplateHash": "6c5f"},
                    "stable": {"weight": 75, "serviceName": "payments-api",
                    "podTemplateHash": "5b4d"}, "verified": true
                },
                "currentStepAnalysisRunStatus": {"name": "payments-api-7-2",
                "status": "Inconclusive", "message": "no verdict"}
            },
            "alb": {"loadBalancer": {"name": "payments"}},
            "conditions": [{"type": "Paused", "status": "True", "reason": "RolloutPaused",
            "message": "Rollout is paused"}]
        }
    })
}

/// A `ReplicaSet` of that rollout.
pub(crate) fn replica_set(name: &str, uid: &str, hash: &str, revision: u64) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "payments", "uid": uid, "resourceVersion": "88000",
            "creationTimestamp": "2026-11-22T06:00:00Z",
            "labels": {"rollouts-pod-template-hash": hash},
            "annotations": {"rollout.argoproj.io/revision": revision.to_string()},
            "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "name": "payments-api", "uid": "ro-1", "controller": true}]
        },
        "spec": {"replicas": 2, "template": {
            "metadata": {"labels": {"app.kubernetes.io/name": "payments-api",
            "rollouts-pod-template-hash": hash}},
            "spec": {"containers": [{"name": "api", "image": "registry/payments:1.8.0"}]}
        }},
        "status": {"replicas": 2, "readyReplicas": 1, "availableReplicas": 1}
    })
}

/// An analysis run of that rollout's step 3.
pub(crate) fn analysis_run() -> Value {
    json!({
        "metadata": {
            "name": "payments-api-7-2", "namespace": "payments", "uid": "ar-1",
            "resourceVersion": "88200",
            "creationTimestamp": "2026-11-22T06:10:30Z",
            "labels": {"rollouts-pod-template-hash": "6c5f", "rollout-type": "Step",
            "step-index": "2"},
            "annotations": {"rollout.argoproj.io/revision": "7"},
            "ownerReferences": [{"kind": "Rollout", "name": "payments-api", "uid": "ro-1"}]
        },
        "spec": {
            "args": [{"name": "limit", "value": "0.05"}],
            "dryRun": [{"metricName": "latency"}],
            "metrics": [
                {"name": "error-rate", "interval": "1m", "count": 5, "failureLimit": "2",
                "inconclusiveLimit": 1,
                 "successCondition": "result[0] < {{args.limit}}",
                 "provider": {"datadog": {"query": "sum:errors"}}},
                {"name": "latency", "failureCondition": "result > 400", "provider": {"web": {}}}
            ]
        },
        "status": {
            "phase": "Running", "startedAt": "2026-11-22T06:10:31Z",
            "metricResults": [
                {"name": "error-rate", "phase": "Running", "count": 3, "successful": 2, "failed": 1,
                "error": 1, "measurements": [
                    {"phase": "Successful", "value": "[0.02]", "startedAt": "2026-11-22T06:11:00Z",
                    "finishedAt": "2026-11-22T06:11:01Z"},
                    {"phase": "Error", "message": "no data", "startedAt": "2026-11-22T06:12:00Z"}
                ]},
                {"name": "left-over", "phase": "Successful", "dryRun": true, "successful": 1}
            ]
        }
    })
}
