//! What the sandbox knows of Kubernetes and no document says: the columns of tables, asked of a real server, and the Go
//! types of kinds, printed by a Go program.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use anyhow::Context;
use serde_json::{Value, json};

const TABLE: &str = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Writes `columns.json` and `types.txt` of the sandbox.
pub(crate) fn write() -> anyhow::Result<()> {
    let data = crate::root().join("crates/sandbox/data");
    let types = output(Command::new("go").args(["run", "."]).current_dir(crate::root().join("tests/types")))?;
    std::fs::write(data.join("types.txt"), types)?;
    let server = crate::cluster::up_for_facts()?;
    let columns = columns(&server);
    crate::cluster::down()?;
    std::fs::write(data.join("columns.json"), columns?).context("cannot write the columns")?;
    println!("wrote {}", data.display());
    Ok(())
}

/// A server to ask.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Server {
    fn get(&self, path: &str, accept: &str) -> anyhow::Result<Value> {
        let header = format!("Authorization: Bearer {}", self.token);
        let url = format!("{}{path}", self.url);
        let text = output(Command::new("curl").args(["-sSkf", "-H", &header, "-H", accept, &url]))?;
        serde_json::from_slice(&text).with_context(|| format!("the answer of {path}"))
    }
}

fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// Asks for an empty table of each kind; descriptions are kept once.
fn columns(server: &Server) -> anyhow::Result<String> {
    let json = "Accept: application/json";
    let mut bases = vec![(String::new(), "/api/v1".to_owned())];
    let groups = server.get("/apis", json)?;
    for group in groups["groups"].as_array().into_iter().flatten() {
        for version in group["versions"].as_array().into_iter().flatten() {
            let (name, version) = (group["name"].as_str(), version["groupVersion"].as_str());
            bases.push((name.unwrap_or_default().to_owned(), format!("/apis/{}", version.unwrap_or_default())));
        }
    }
    let (mut kinds, mut texts, mut default) = (BTreeMap::new(), Vec::<String>::new(), Value::Null);
    for (group, base) in bases {
        let list = server.get(&base, json)?;
        for resource in list["resources"].as_array().into_iter().flatten() {
            let name = resource["name"].as_str().unwrap_or_default();
            let lists = resource["verbs"].as_array().is_some_and(|verbs| verbs.iter().any(|verb| verb == "list"));
            if name.contains('/') || !lists {
                continue;
            }
            let table = server.get(&format!("{base}/{name}?limit=1"), TABLE)?;
            let columns = table["columnDefinitions"].as_array().cloned().unwrap_or_default();
            let plain = columns.len() == 2 && columns[1]["name"] == "Created At";
            let packed: Vec<Value> = columns.iter().map(|column| pack(column, &mut texts)).collect();
            if plain {
                default = packed.into();
            } else {
                kinds.entry(format!("{group}/{name}")).or_insert_with(|| Value::from(packed));
            }
        }
    }
    let lines = |items: Vec<String>| items.join(",\n");
    let kinds = lines(kinds.iter().map(|(kind, columns)| format!("{}:{columns}", json!(kind))).collect());
    let texts = lines(texts.iter().map(|text| json!(text).to_string()).collect());
    Ok(format!("{{\"default\":{default},\n\"kinds\":{{\n{kinds}\n}},\n\"texts\":[\n{texts}\n]}}\n"))
}

fn pack(column: &Value, texts: &mut Vec<String>) -> Value {
    let text = column["description"].as_str().unwrap_or_default();
    let place = texts.iter().position(|known| known == text).unwrap_or_else(|| {
        texts.push(text.to_owned());
        texts.len() - 1
    });
    json!([column["name"], column["type"], column["format"], place, column["priority"]])
}
