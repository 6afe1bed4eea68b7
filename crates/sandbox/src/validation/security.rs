//! Security contexts of pods and containers.

use super::{
    field::{Causes, Field},
    paths,
};

fn id(field: &Field<'_>, out: &mut Causes) {
    if field.int().is_some_and(|id| !(0..=i64::from(i32::MAX)).contains(&id)) {
        out.push(field.invalid("must be between 0 and 2147483647, inclusive"));
    }
}

fn seccomp(profile: &Field<'_>, out: &mut Causes) {
    if !profile.is_set() {
        return;
    }
    let (kind, local) = (profile.at("type"), profile.at("localhostProfile"));
    if kind.text().is_empty() {
        out.push(kind.required("type is required when seccompProfile is set"));
    } else if !["Localhost", "RuntimeDefault", "Unconfined"].contains(&kind.text()) {
        out.push(kind.unsupported(&["Localhost", "RuntimeDefault", "Unconfined"]));
    }
    if kind.text() == "Localhost" {
        if local.is_set() {
            paths::descending(&local, out);
        } else {
            out.push(local.required("must be set when seccomp type is Localhost"));
        }
    } else if local.is_set() {
        out.push(local.invalid("can only be set when seccomp type is Localhost"));
    }
}

/// Checks the security context of a container.
pub(crate) fn of_container(context: &Field<'_>, out: &mut Causes) {
    if !context.is_set() {
        return;
    }
    let privileged = context.at("privileged").is_true();
    id(&context.at("runAsUser"), out);
    id(&context.at("runAsGroup"), out);
    context.at("procMount").one_of_if_set(&["Default", "Unmasked"], out);
    seccomp(&context.at("seccompProfile"), out);
    if context.at("allowPrivilegeEscalation").value.as_bool() == Some(false) {
        if privileged {
            let text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            out.push(context.invalid(text));
        }
        if context.at("capabilities").at("add").texts().contains(&"CAP_SYS_ADMIN") {
            let text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            out.push(context.invalid(text));
        }
    }
}

/// Checks the security context of a pod.
pub(crate) fn of_pod(spec: &Field<'_>, out: &mut Causes) {
    let context = spec.at("securityContext");
    for key in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(&context.at(key), out);
    }
    for group in context.at("supplementalGroups").items() {
        id(&group, out);
    }
    let shared = spec.at("shareProcessNamespace");
    if shared.is_true() && spec.at("hostPID").is_true() {
        let text = "ShareProcessNamespace and HostPID cannot both be enabled";
        out.push(shared.named(format!("{}.shareProcessNamespace", context.path)).invalid(text));
    }
    context.at("fsGroupChangePolicy").one_of_if_set(&["Always", "OnRootMismatch"], out);
    seccomp(&context.at("seccompProfile"), out);
    context.at("supplementalGroupsPolicy").one_of_if_set(&["Merge", "Strict"], out);
}
