//! Generates the table of API facts of the crate `schema`.

use std::path::Path;

use anyhow::Context;
use lockstep_schema::table::{Document, pack};

/// Packs the documents of an API server: `openapi_folder` holds `<path with __ for />.json` as /openapi/v3
/// lists them, `discovery_folder` holds `api.json`, `apis.json`, the two `aggregated-*.json` and
/// `<group>__<version>.json` (`v1.json` is the core group).
///
/// # Errors
/// If a folder cannot be read or a document is not what an API server writes.
pub fn generate(openapi_folder: &Path, discovery_folder: &Path) -> anyhow::Result<Vec<u8>> {
    let openapi = documents(openapi_folder)?;
    let mut discovery = documents(discovery_folder)?;
    let groups = group_order(&discovery)?;
    let rank = |name: &str| groups.iter().position(|known| known == name).unwrap_or(groups.len());
    discovery.sort_by_key(|(name, _)| rank(name));
    Ok(pack(&openapi, &discovery)?)
}

fn documents(folder: &Path) -> anyhow::Result<Vec<Document>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().replace("__", "/");
        if path.extension().is_some_and(|extension| extension == "json") {
            found.push((name, std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?));
        }
    }
    found.sort();
    Ok(found)
}

/// Kinds are listed in the order in which discovery lists their groups, the core group first.
fn group_order(discovery: &[Document]) -> anyhow::Result<Vec<String>> {
    let (_, text) = discovery.iter().find(|(name, _)| name == "apis").context("apis.json is missing")?;
    let list: serde_json::Value = serde_json::from_slice(text).context("apis.json")?;
    let versions = list["groups"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|group| group["versions"].as_array().into_iter().flatten());
    let named = versions.filter_map(|version| version["groupVersion"].as_str()).map(str::to_owned);
    Ok(["v1".to_owned()].into_iter().chain(named).collect())
}
