//! Bytes and microseconds an object.
#![expect(unsafe_code, reason = "an allocator that counts can be written no other way")]

use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Instant,
};

use lockstep_object::from_json;
use serde_json::json;

/// The product's allocator, with the bytes that are allocated counted.
pub struct Counting {
    inner: mimalloc::MiMalloc,
    live: AtomicUsize,
    /// All bytes that were ever allocated.
    total: AtomicUsize,
    paused: AtomicBool,
}

impl Counting {
    /// Returns the allocator.
    pub const fn new() -> Self {
        let (live, total, paused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        Self { inner: mimalloc::MiMalloc, live, total, paused }
    }
}

/// Returns the bytes that are allocated now, in MiB.
pub(crate) fn live_mib() -> f64 {
    super::ALLOCATOR.live.load(Ordering::Relaxed) as f64 / (1024.0 * 1024.0)
}

/// Returns the bytes that were allocated so far, freed ones too.
pub(crate) fn allocated() -> usize {
    super::ALLOCATOR.total.load(Ordering::Relaxed)
}

/// Counts, or does not.
pub(crate) fn count(on: bool) {
    super::ALLOCATOR.paused.store(!on, Ordering::Relaxed);
}

// SAFETY: every call is handed to the inner allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !self.paused.load(Ordering::Relaxed) {
            self.live.fetch_add(layout.size(), Ordering::Relaxed);
            self.total.fetch_add(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !self.paused.load(Ordering::Relaxed) {
            self.live.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { self.inner.dealloc(pointer, layout) }
    }
}

const OBJECTS: usize = 2000;

/// Compares representations of one Deployment.
pub(crate) fn object() -> anyhow::Result<serde_json::Value> {
    let text = deployment().to_string();
    println!("a Deployment of {} bytes of JSON, {OBJECTS} times", text.len());
    println!("{:<28} {:>12} {:>12}", "representation", "bytes", "parse, µs");
    let ours = measure("lockstep object", || from_json(text.as_bytes()).map_err(Into::into))?;
    let value = measure("serde_json::Value", || Ok(serde_json::from_str::<serde_json::Value>(&text)?))?;
    let dynamic = measure("kube DynamicObject", || Ok(serde_json::from_str::<kube::core::DynamicObject>(&text)?))?;
    Ok(json!({
        "bench": "object", "json_bytes": text.len(),
        "object_bytes": ours.0, "object_us": ours.1,
        "value_bytes": value.0, "value_us": value.1,
        "dynamic_bytes": dynamic.0, "dynamic_us": dynamic.1,
    }))
}

fn measure<T>(name: &str, mut parse: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<(usize, f64)> {
    // One before the count, so that what is shared (interned keys) is not charged to the first.
    let first = parse()?;
    let before = super::ALLOCATOR.live.load(Ordering::Relaxed);
    let begun = Instant::now();
    let mut held = Vec::with_capacity(OBJECTS);
    for _ in 0..OBJECTS {
        held.push(parse()?);
    }
    let micros = begun.elapsed().as_secs_f64() * 1e6 / OBJECTS as f64;
    let vector = std::mem::size_of::<T>() * OBJECTS;
    let bytes = (super::ALLOCATOR.live.load(Ordering::Relaxed) - before - vector) / OBJECTS + std::mem::size_of::<T>();
    drop(held);
    drop(first);
    println!("{name:<28} {bytes:>12} {micros:>12.1}");
    Ok((bytes, micros))
}

/// Returns a Deployment as an API server gives it back, managed fields included: about 3.3 KB.
fn deployment() -> serde_json::Value {
    let owned = json!({
        "f:metadata": {"f:labels": {"f:app": {}, "f:lockstep.dev/app": {}}},
        "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                ".": {}, "f:name": {}, "f:image": {}, "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}},
                "f:ports": {"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:name": {}}},
                "f:resources": {"f:limits": {"f:memory": {}}, "f:requests": {"f:cpu": {}, "f:memory": {}}},
                "f:readinessProbe": {"f:httpGet": {"f:path": {}, "f:port": {}}},
            }}},
        }},
    });
    let status = json!({
        "f:metadata": {"f:annotations": {".": {}, "f:deployment.kubernetes.io/revision": {}}},
        "f:status": {"f:availableReplicas": {}, "f:conditions": {".": {},
            "k:{\"type\":\"Available\"}": {".": {}, "f:lastTransitionTime": {}, "f:lastUpdateTime": {}, "f:message": {}, "f:reason": {}, "f:status": {}, "f:type": {}},
            "k:{\"type\":\"Progressing\"}": {".": {}, "f:lastTransitionTime": {}, "f:lastUpdateTime": {}, "f:message": {}, "f:reason": {}, "f:status": {}, "f:type": {}}},
            "f:observedGeneration": {}, "f:readyReplicas": {}, "f:replicas": {}, "f:updatedReplicas": {}},
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "0b1f3a62-4f4e-4d57-9b1e-0f3f7a1d2c3b", "resourceVersion": "48213", "generation": 2,
            "creationTimestamp": "2026-11-01T10:00:00Z", "labels": {"app": "web", "lockstep.dev/app": "default.shop"},
            "annotations": {"deployment.kubernetes.io/revision": "2"},
            "managedFields": [
                {"manager": "lockstep", "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-11-01T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": owned},
                {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "apiVersion": "apps/v1", "time": "2026-11-01T10:00:09Z", "fieldsType": "FieldsV1", "fieldsV1": status},
            ],
        },
        "spec": {
            "replicas": 2, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [{
                        "name": "web", "image": "registry.example.com/shop/web:1.4", "imagePullPolicy": "IfNotPresent",
                        "env": [{"name": "A", "value": "b"}], "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                        "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
                        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3, "timeoutSeconds": 1},
                        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    }],
                    "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "securityContext": {}, "schedulerName": "default-scheduler",
                },
            },
        },
        "status": {
            "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
            "conditions": [
                {"type": "Available", "status": "True", "lastUpdateTime": "2026-11-01T10:00:05Z", "lastTransitionTime": "2026-11-01T10:00:05Z", "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability."},
                {"type": "Progressing", "status": "True", "lastUpdateTime": "2026-11-01T10:00:09Z", "lastTransitionTime": "2026-11-01T10:00:00Z", "reason": "NewReplicaSetAvailable", "message": "ReplicaSet \"web-6c9f7d5b4c\" has successfully progressed."},
            ],
        },
    })
}
