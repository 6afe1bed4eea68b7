//! Containers of pods.

use std::collections::{BTreeMap, BTreeSet};

use crate::status::go_quote;

use super::{
    env,
    field::{Causes, Field, port_name},
    paths, probes, resources, security,
};

/// What the containers of a pod need to know of it.
pub(crate) struct Surroundings<'a> {
    /// The volumes by name that are valid.
    pub(crate) volumes: BTreeMap<String, Field<'a>>,
    /// How long a pod may take to end.
    pub(crate) grace: Option<i64>,
    /// When its containers are started again.
    pub(crate) restart: String,
}

/// Checks the containers that a pod runs.
pub(crate) fn check(list: &Field<'_>, pod: &Surroundings<'_>, out: &mut Causes) {
    if list.is_empty() {
        out.push(list.required(""));
        return;
    }
    let mut names = BTreeSet::new();
    for container in list.items() {
        common(&container, pod, out);
        let name = container.at("name");
        if !names.insert(name.text()) {
            out.push(name.duplicate_as(&go_quote(name.text())));
        }
        probes::lifecycle(&container, pod.grace, out);
        probes::check(&container, pod.grace, out);
        container.at("restartPolicy").one_of_if_set(&["Always", "Never", "OnFailure"], out);
    }
    host_ports(&list.items(), out);
}

/// Checks the containers that run before.
pub(crate) fn check_initial(list: &Field<'_>, others: &Field<'_>, pod: &Surroundings<'_>, out: &mut Causes) {
    let others = others.items();
    let mut names: BTreeSet<&str> = others.iter().map(|other| other.at("name").text()).collect();
    for container in list.items() {
        common(&container, pod, out);
        container.at("restartPolicy").one_of_if_set(&["Always", "Never", "OnFailure"], out);
        let name = container.at("name");
        if names.contains(name.text()) {
            out.push(name.duplicate_as(&go_quote(name.text())));
        } else if !name.text().is_empty() {
            names.insert(name.text());
        }
        host_ports(std::slice::from_ref(&container), out);
        if container.at("restartPolicy").text() == "Always" {
            probes::lifecycle(&container, pod.grace, out);
            probes::check(&container, pod.grace, out);
            continue;
        }
        for key in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            let field = container.at(key);
            if field.is_set() {
                out.push(field.forbidden("may not be set for init containers without restartPolicy=Always"));
            }
        }
    }
}

fn common(container: &Field<'_>, pod: &Surroundings<'_>, out: &mut Causes) {
    let name = container.at("name");
    if name.text().is_empty() {
        out.push(name.required(""));
    } else {
        name.label(out);
    }
    container.at("image").needed(out);
    container.at("terminationMessagePolicy").one_of_if_set(&["File", "FallbackToLogsOnError"], out);
    ports(&container.at("ports"), out);
    env::variables(&container.at("env"), out);
    env::sources(&container.at("envFrom"), out);
    mounts(container, pod, out);
    devices(container, pod, out);
    container.at("imagePullPolicy").one_of_if_set(&["Always", "IfNotPresent", "Never"], out);
    resources::requirements(&container.at("resources"), out);
    resize(&container.at("resizePolicy"), pod, out);
    security::of_container(&container.at("securityContext"), out);
}

fn ports(list: &Field<'_>, out: &mut Causes) {
    let mut names = BTreeSet::new();
    for port in list.items() {
        let name = port.at("name");
        if !name.text().is_empty() {
            let problems = port_name(name.text());
            if !problems.is_empty() {
                name.problems(problems, out);
            } else if !names.insert(name.text()) {
                out.push(name.duplicate());
            }
        }
        let number = port.at("containerPort");
        if number.number() == 0 {
            out.push(number.required(""));
        } else {
            number.port(out);
        }
        if port.at("hostPort").number() != 0 {
            port.at("hostPort").port(out);
        }
        port.at("protocol").one_of(&["SCTP", "TCP", "UDP"], out);
    }
}

fn host_ports(containers: &[Field<'_>], out: &mut Causes) {
    let mut known = BTreeSet::new();
    for port in containers.iter().flat_map(|container| container.at("ports").items()) {
        let number = port.at("hostPort");
        if number.number() == 0 {
            continue;
        }
        let key = format!("{}/{}/{}", port.at("protocol").text(), port.at("hostIP").text(), number.number());
        if !known.insert(key.clone()) {
            out.push(number.duplicate_as(&go_quote(&key)));
        }
    }
}

fn mounts(container: &Field<'_>, pod: &Surroundings<'_>, out: &mut Causes) {
    let list = container.at("volumeMounts");
    let devices = container.at("volumeDevices").items();
    let device_names: Vec<&str> = devices.iter().map(|device| device.at("name").text()).collect();
    let device_paths: Vec<&str> = devices.iter().map(|device| device.at("devicePath").text()).collect();
    let privileged = container.at("securityContext").at("privileged").is_true();
    let mut places = BTreeSet::new();
    for mount in list.items() {
        let (name, path) = (mount.at("name"), mount.at("mountPath"));
        name.needed(out);
        if !pod.volumes.contains_key(name.text()) {
            out.push(name.not_found());
        }
        path.needed(out);
        if !places.insert(path.text()) {
            out.push(path.invalid("must be unique"));
        }
        if device_names.contains(&name.text()) {
            out.push(name.invalid("must not already exist in volumeDevices"));
        }
        if device_paths.contains(&path.text()) {
            out.push(path.invalid("must not already exist as a path in volumeDevices"));
        }
        let (sub, expression) = (mount.at("subPath"), mount.at("subPathExpr"));
        if !sub.text().is_empty() {
            paths::descending(&sub.named(format!("{}.subPath", list.path)), out);
        }
        if !expression.text().is_empty() {
            if !sub.text().is_empty() {
                out.push(expression.invalid("subPathExpr and subPath are mutually exclusive"));
            }
            paths::descending(&expression.named(format!("{}.subPathExpr", list.path)), out);
        }
        let propagation = mount.at("mountPropagation").named(format!("{}.mountPropagation", list.path));
        propagation.one_of_if_set(&["Bidirectional", "HostToContainer", "None"], out);
        if propagation.text() == "Bidirectional" && !privileged {
            let text = "Bidirectional mount propagation is available only to privileged containers";
            out.push(propagation.forbidden(text));
        }
    }
}

fn devices(container: &Field<'_>, pod: &Surroundings<'_>, out: &mut Causes) {
    let mounts = container.at("volumeMounts").items();
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for device in container.at("volumeDevices").items() {
        let (name, path) = (device.at("name"), device.at("devicePath"));
        let volume = pod.volumes.get(name.text());
        name.needed(out);
        if !name.text().is_empty() && !names.insert(name.text()) {
            out.push(name.invalid("must be unique"));
        }
        match volume {
            Some(volume) if !volume.at("persistentVolumeClaim").is_set() && !volume.at("ephemeral").is_set() => {
                out.push(
                    name.invalid(
                        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
                    ),
                );
            }
            Some(_) => {}
            None => out.push(name.not_found()),
        }
        path.needed(out);
        if !places.insert(path.text()) {
            out.push(path.invalid("must be unique"));
        }
        if paths::climbs(path.text()) {
            out.push(path.invalid("can not contain backsteps ('..')"));
        }
        if mounts.iter().any(|mount| mount.at("name").text() == name.text()) {
            out.push(name.invalid("must not already exist in volumeMounts"));
        }
        if mounts.iter().any(|mount| mount.at("mountPath").text() == path.text()) {
            out.push(path.invalid("must not already exist as a path in volumeMounts"));
        }
    }
}

fn resize(list: &Field<'_>, pod: &Surroundings<'_>, out: &mut Causes) {
    let mut known = BTreeSet::new();
    for policy in list.items() {
        let (name, restart) = (policy.at("resourceName"), policy.at("restartPolicy"));
        if !known.insert(name.text()) {
            out.push(policy.duplicate_as(&go_quote(name.text())));
        }
        name.named(list.path.clone()).one_of(&["cpu", "memory"], out);
        let restart = restart.named(list.path.clone());
        restart.one_of(&["NotRequired", "RestartContainer"], out);
        if pod.restart == "Never" && restart.text() != "NotRequired" {
            out.push(restart.invalid("must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
        }
    }
}
