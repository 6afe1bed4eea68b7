//! `lockstep diff`: what a folder would change.

use lockstep_diff::{ObjectDiff, Options, text};
use lockstep_engine::{AppId, prepare};
use lockstep_object::{Gvk, Object, from_json};

use crate::{End, arguments, connect, render};

pub(crate) async fn diff(arguments: arguments::Diff) -> anyhow::Result<End> {
    let objects = render::objects_of(&arguments.folder).await?;
    let cluster = connect::connect(&arguments.connection).await?;
    let app = app_of(&arguments.namespace, &arguments.folder)?;
    let prepared = prepare(&app, &objects, &arguments.namespace, &*cluster.discovery());
    render::report(&prepared.diagnostics)?;
    let options = Options { manager: Some(lockstep_api::FIELD_MANAGER), ..Options::default() };
    let mut diffs = Vec::new();
    for one in &prepared.desired {
        let mut desired = Object::try_from(from_json(&one.body)?)?;
        let gvk = Gvk { group: one.key.group.clone(), version: one.version.clone(), kind: one.key.kind.clone() };
        let live = match cluster.resource(&gvk).await {
            Ok(resource) => match cluster.get(&resource.path(&one.key.namespace, &one.key.name)).await {
                Ok(live) => Some(live),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error.into()),
            },
            Err(lockstep_cluster::Error::UnknownKind(_)) => None,
            Err(error) => return Err(error.into()),
        };
        // Whose the object is, is not a change of what it is.
        if let Some(label) = live.as_ref().and_then(|live| live.label(lockstep_api::APP_LABEL)) {
            desired.set_label(lockstep_api::APP_LABEL, label);
        } else if let Some(labels) = desired.metadata_mut().get_mut("labels").and_then(|labels| labels.as_map_mut()) {
            labels.remove(lockstep_api::APP_LABEL);
        }
        diffs.extend(ObjectDiff::of(&app.name, Some(&desired), live.as_ref(), &options));
    }
    if diffs.is_empty() {
        eprintln!("no differences in {} objects", prepared.desired.len());
        return Ok(End::Done);
    }
    print!("{}", text(&diffs));
    Ok(End::Differences)
}

/// Names the app that a folder is.
pub(crate) fn app_of(namespace: &str, folder: &std::path::Path) -> anyhow::Result<AppId> {
    let folder = std::fs::canonicalize(folder)?;
    Ok(AppId::new(namespace, &folder.file_name().unwrap_or_default().to_string_lossy()))
}
