//! What is said about workloads that are not well.
#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_health::reason;
use lockstep_object::{Object, yaml};

fn check(object: &str, children: &[&str], events: &[&str], expected: Option<&str>) {
    let parse = |text: &str| Object::try_from(yaml::parse(text).unwrap()).unwrap();
    let children: Vec<Object> = children.iter().map(|text| parse(text)).collect();
    let events: Vec<Object> = events.iter().map(|text| parse(text)).collect();
    let (children, events): (Vec<&Object>, Vec<&Object>) = (children.iter().collect(), events.iter().collect());
    assert_eq!(reason(&parse(object), &children, &events).as_deref(), expected);
}

const API: &str = "{kind: Deployment, metadata: {name: api}, spec: {replicas: 2}, status: {readyReplicas: 0}}";

#[test]
fn an_image_that_is_not_there_is_named() {
    check(
        API,
        &[
            "{kind: Pod, metadata: {name: api-6c9f}, status: {phase: Pending, containerStatuses: [{name: api, image: 'r.example.com/api:1.9', state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image \"r.example.com/api:1.9\"'}}}]}}",
            "{kind: Pod, metadata: {name: api-7d00}, status: {phase: Pending, containerStatuses: [{name: api, image: 'r.example.com/api:1.9', state: {waiting: {reason: ImagePullBackOff}}}]}}",
        ],
        &[
            "{kind: Event, reason: Failed, type: Warning, involvedObject: {kind: Pod, name: api-6c9f}, message: 'Failed to pull image \"r.example.com/api:1.9\": rpc error: code = NotFound: not found'}",
        ],
        Some(
            "Deployment/api: 0/2 ready: pod api-6c9f container api: ImagePullBackOff: r.example.com/api:1.9: not found (and 1 more pod)",
        ),
    );
}

#[test]
fn a_container_that_crashes_tells_how_it_ended() {
    check(
        API,
        &[
            "{kind: Pod, metadata: {name: api-1}, status: {phase: Running, containerStatuses: [{name: api, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff, message: back-off 5m0s}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}}]}}",
        ],
        &[],
        Some(
            "Deployment/api: 0/2 ready: pod api-1 container api: CrashLoopBackOff: OOMKilled (exit code 137), 5 restarts",
        ),
    );
}

#[test]
fn a_pod_that_fits_nowhere_says_what_lacks() {
    check(
        API,
        &[
            "{kind: Pod, metadata: {name: api-1}, status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/3 nodes are available: 3 Insufficient cpu.'}]}}",
        ],
        &[],
        Some("Deployment/api: 0/2 ready: pod api-1 Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."),
    );
}

#[test]
fn a_quota_is_told_where_there_is_no_pod() {
    check(
        API,
        &[
            "{kind: ReplicaSet, metadata: {name: api-1}, status: {conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: 'exceeded quota: small'}]}}",
        ],
        &[],
        Some("Deployment/api: 0/2 ready: FailedCreate: exceeded quota: small"),
    );
}

#[test]
fn a_probe_that_fails_is_read_from_the_latest_event() {
    let event = |time: &str, text: &str| {
        format!(
            "{{kind: Event, type: Warning, reason: Unhealthy, lastTimestamp: '{time}', involvedObject: {{kind: Pod, name: api-1}}, message: '{text}'}}"
        )
    };
    let (old, new) =
        (event("2026-01-01T00:00:00Z", "old"), event("2026-01-01T00:01:00Z", "Readiness probe failed: 503"));
    check(
        API,
        &[
            "{kind: Pod, metadata: {name: api-1}, status: {phase: Running, containerStatuses: [{name: api, ready: false, state: {running: {}}}]}}",
        ],
        &[&old, &new],
        Some("Deployment/api: 0/2 ready: pod api-1 Unhealthy: Readiness probe failed: 503"),
    );
}

#[test]
fn other_kinds_speak_by_their_conditions() {
    check(
        "{kind: Certificate, metadata: {name: c}, status: {conditions: [{type: Ready, status: 'False', reason: DoesNotExist, message: 'Issuing certificate'}]}}",
        &[],
        &[],
        Some("Certificate/c: DoesNotExist: Issuing certificate"),
    );
    check(
        "{kind: Job, metadata: {name: j}, status: {conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded, message: Job has reached the specified backoff limit}]}}",
        &[
            "{kind: Pod, metadata: {name: j-1}, status: {phase: Failed, containerStatuses: [{name: run, state: {terminated: {exitCode: 2, reason: Error, message: \"line 1\\nno such table\"}}}]}}",
        ],
        &[],
        Some("Job/j: pod j-1 container run: exit code 2: no such table"),
    );
}

#[test]
fn what_is_well_has_no_reason() {
    check("{kind: Deployment, metadata: {name: api}, spec: {replicas: 1}, status: {readyReplicas: 1}}", &[], &[], None);
    check("{kind: ConfigMap, metadata: {name: c}}", &[], &[], None);
}
