//! `lockstep app …`: looks at Apps and steers them, through the cluster's API only.

use anyhow::Context;
use lockstep_api::{API_VERSION, App, CONFIRM_PRUNE, REFRESH, SYNC_RESOURCES};
use lockstep_cluster::Cluster;
use lockstep_engine::Inventory;
use lockstep_health::Rules;
use lockstep_object::{Gvk, Object, ObjectKey, to_json_pretty, yaml};
use lockstep_sources::{Author, CacheOptions, Credentials, Git, GitSpec, Reference};
use serde_json::json;

use crate::{
    End,
    arguments::{self, AppCommand, Output},
    connect, table,
};

pub(crate) async fn app(arguments: arguments::App) -> anyhow::Result<End> {
    let cluster = connect::connect(&arguments.connection).await?;
    let view = View { cluster, namespace: arguments.namespace, output: arguments.output };
    match arguments.command {
        AppCommand::List => view.list().await?,
        AppCommand::Get { name } => view.get(&name).await?,
        AppCommand::Tree { name } => view.tree(&name).await?,
        AppCommand::History { name } => view.history(&name).await?,
        AppCommand::Rollback { name, commit } => view.rollback(&name, commit.as_deref()).await?,
        AppCommand::Suspend { name } => view.patch(&name, json!({"spec": {"suspend": true}}), "suspended").await?,
        AppCommand::Resume { name } => view.patch(&name, json!({"spec": {"suspend": false}}), "resumed").await?,
        AppCommand::Refresh { name } => {
            let token = jiff::Timestamp::now().to_string();
            view.patch(&name, json!({"metadata": {"annotations": {REFRESH: token}}}), "is synced now").await?;
        }
        AppCommand::Sync { name, resources } => view.sync(&name, &resources).await?,
        AppCommand::ConfirmPrune { name } => view.confirm_prune(&name).await?,
    }
    Ok(End::Done)
}

struct View {
    cluster: Cluster,
    namespace: String,
    output: Output,
}

impl View {
    fn path(&self, name: &str) -> String {
        format!("/apis/{API_VERSION}/namespaces/{}/apps/{name}", self.namespace)
    }

    async fn object(&self, name: &str) -> anyhow::Result<Object> {
        let object = self.cluster.get(&self.path(name)).await;
        object.with_context(|| format!("cannot read the app {name} in the namespace {}", self.namespace))
    }

    async fn patch(&self, name: &str, patch: serde_json::Value, word: &str) -> anyhow::Result<()> {
        self.cluster.merge(&self.path(name), &patch).await.with_context(|| format!("cannot change the app {name}"))?;
        eprintln!("{name} {word}");
        Ok(())
    }

    /// Asks for a sync, of some objects only if any are named.
    async fn sync(&self, name: &str, resources: &[String]) -> anyhow::Result<()> {
        let token = jiff::Timestamp::now().to_string();
        let chosen = if resources.is_empty() { json!(null) } else { json!(resources.join(",")) };
        let annotations = json!({REFRESH: token, SYNC_RESOURCES: chosen});
        self.patch(name, json!({"metadata": {"annotations": annotations}}), "is synced now").await
    }

    async fn confirm_prune(&self, name: &str) -> anyhow::Result<()> {
        let asks = read(&self.object(name).await?)?.status.asks;
        anyhow::ensure!(!asks.is_empty(), "the app {name} asks for no prune");
        self.patch(name, json!({"metadata": {"annotations": {CONFIRM_PRUNE: asks}}}), "may prune").await
    }

    /// Prints data as asked for; tells whether it did.
    fn printed(&self, object: &Object) -> bool {
        match self.output {
            Output::Yaml => print!("{}", yaml::print(&object.to_value())),
            Output::Json => println!("{}", to_json_pretty(&object.to_value(), "  ")),
            Output::Name => println!("{}", object.name()),
            Output::Wide => return false,
        }
        true
    }

    async fn list(&self) -> anyhow::Result<()> {
        let list = self.cluster.get(&format!("/apis/{API_VERSION}/apps")).await.context("cannot list the apps")?;
        if matches!(self.output, Output::Yaml | Output::Json) {
            self.printed(&list);
            return Ok(());
        }
        let items = list.at(&["items"]).and_then(|items| items.as_list().cloned()).unwrap_or_default();
        let mut rows = Vec::new();
        for item in items {
            let object = Object::try_from(item)?;
            if self.printed(&object) {
                continue;
            }
            let app = read(&object)?;
            let status = &app.status;
            rows.push(vec![
                app.metadata.namespace.clone(),
                app.metadata.name.clone(),
                table::short(&status.revision),
                table::phase(status.phase).to_owned(),
                table::health(status.health).to_owned(),
                status.message.lines().next().unwrap_or_default().to_owned(),
            ]);
        }
        if self.output == Output::Wide {
            println!("{}", table::table(&["NAMESPACE", "APP", "REVISION", "SYNC", "HEALTH", "MESSAGE"], &rows));
        }
        Ok(())
    }

    async fn get(&self, name: &str) -> anyhow::Result<()> {
        let object = self.object(name).await?;
        if self.printed(&object) {
            return Ok(());
        }
        let app = read(&object)?;
        let status = &app.status;
        let commit = status.history.iter().find(|entry| entry.revision == status.revision);
        let words =
            commit.map(|entry| format!(" \"{}\" ({}, {})", entry.message, entry.author, table::ago(&entry.finished)));
        let revision = table::short(&status.revision);
        println!("{name}   {} at {revision}{}", table::health(status.health), words.unwrap_or_default());
        println!("sync   {}", table::phase(status.phase));
        if !status.message.is_empty() {
            println!("why    {}", status.message.replace('\n', "\n       "));
        }
        for drift in status.drift.iter().take(3) {
            let by = if drift.manager.is_empty() { String::new() } else { format!(" by {}", drift.manager) };
            println!(
                "drift  {}: {}{by}, {} ({})",
                drift.object,
                drift.fields.join(", "),
                drift.action,
                table::ago(&drift.time)
            );
        }
        println!("{}", self.objects_table(&status.inventory).await?);
        Ok(())
    }

    async fn objects_table(&self, inventory: &[String]) -> anyhow::Result<String> {
        let rules = Rules::builtin();
        let mut rows = Vec::new();
        for (key, record) in Inventory::parse(inventory).iter() {
            let health = match self.live(key, &record.version).await? {
                None => ("○ missing".to_owned(), String::new()),
                Some(live) => match rules.assess(&live, jiff::Timestamp::now()) {
                    None => ("–".to_owned(), String::new()),
                    Some(health) => (health.status.as_str().to_lowercase(), health.message),
                },
            };
            rows.push(vec![key.namespace.to_string(), key.kind.to_string(), key.name.to_string(), health.0, health.1]);
        }
        Ok(table::table(&["NAMESPACE", "KIND", "NAME", "HEALTH", "MESSAGE"], &rows))
    }

    async fn live(&self, key: &ObjectKey, version: &str) -> anyhow::Result<Option<Object>> {
        let resource = self.cluster.resource(&Gvk::new(&key.group, version, &key.kind)).await?;
        match self.cluster.get(&resource.path(&key.namespace, &key.name)).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn tree(&self, name: &str) -> anyhow::Result<()> {
        let app = read(&self.object(name).await?)?;
        let inventory = Inventory::parse(&app.status.inventory);
        let mut namespaces: Vec<String> = inventory.iter().map(|(key, _)| key.namespace.to_string()).collect();
        namespaces.sort();
        namespaces.dedup();
        let mut owned = Vec::new();
        for (group, kind) in
            [("apps", "ReplicaSet"), ("", "Pod"), ("batch", "Job"), ("discovery.k8s.io", "EndpointSlice")]
        {
            let discovery = self.cluster.discovery();
            let Some(resource) = discovery.preferred(group, kind) else { continue };
            for namespace in namespaces.iter().filter(|namespace| !namespace.is_empty()) {
                let list = self.cluster.get(&resource.collection(namespace)).await?;
                let items = list.at(&["items"]).and_then(|items| items.as_list().cloned()).unwrap_or_default();
                owned.extend(items.into_iter().filter_map(|item| Object::try_from(item).ok()).map(|item| (kind, item)));
            }
        }
        println!("{name}");
        for (key, record) in inventory.iter() {
            println!("  {key}");
            if let Some(live) = self.live(key, &record.version).await? {
                print_children(live.str_at(&["metadata", "uid"]), &owned, 2);
            }
        }
        Ok(())
    }

    async fn history(&self, name: &str) -> anyhow::Result<()> {
        let object = self.object(name).await?;
        if self.printed(&object) {
            return Ok(());
        }
        let app = read(&object)?;
        let row = |entry: &lockstep_api::HistoryEntry| {
            vec![
                table::short(&entry.revision),
                table::ago(&entry.finished),
                format!("{:?}", entry.outcome).to_lowercase(),
                entry.changed.to_string(),
                entry.author.clone(),
                entry.message.clone(),
                entry.reason.lines().next().unwrap_or_default().to_owned(),
            ]
        };
        let rows: Vec<_> = app.status.history.iter().map(row).collect();
        println!("{}", table::table(&["REVISION", "WHEN", "OUTCOME", "CHANGED", "AUTHOR", "MESSAGE", "REASON"], &rows));
        Ok(())
    }

    /// Makes the revert commit and pushes it; the cluster follows as it follows any commit.
    async fn rollback(&self, name: &str, commit: Option<&str>) -> anyhow::Result<()> {
        let app = read(&self.object(name).await?)?;
        let git = app.spec.source.git.as_ref().context("the app does not come from Git; there is nothing to revert")?;
        let deployed = &app.status.revision;
        let attempted = &app.status.attempted_revision;
        let commit = commit.unwrap_or(if attempted.is_empty() { deployed } else { attempted });
        anyhow::ensure!(!commit.is_empty(), "the app {name} has no revision yet");
        let secret = git.secret_ref.as_ref().map(|secret| secret.name.as_str());
        let credentials = lockstep_operator::credentials(&self.cluster, &self.namespace, &git.url, secret).await;
        let credentials: Credentials = credentials.map_err(|problem| anyhow::anyhow!(problem.message))?;
        let folder = tempfile::tempdir()?;
        let handle = Git::new(CacheOptions::new(folder.path()))?;
        let reference = Reference::Auto(git.reference.clone().unwrap_or_default());
        let spec = GitSpec::new(&git.url, reference).with_credentials(credentials);
        let time = jiff::Timestamp::now().as_second();
        let author = Author { name: "lockstep".to_owned(), email: "lockstep@localhost".to_owned(), time };
        let id = commit.parse().with_context(|| format!("{commit} is not a whole commit id"))?;
        let made = handle.revert_commit(&spec, id, &author).await.map_err(|error| {
            let hint = error.hint_text().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            anyhow::anyhow!("{error}{hint}")
        })?;
        println!("{made}");
        eprintln!("pushed the revert of {}; {name} follows it", table::short(commit));
        Ok(())
    }
}

fn print_children(uid: &str, objects: &[(&str, Object)], depth: usize) {
    for (kind, object) in objects {
        let owners = object.at(&["metadata", "ownerReferences"]).and_then(|owners| owners.as_list());
        let owned =
            owners.into_iter().flatten().any(|owner| owner.get("uid").and_then(|uid| uid.as_str()) == Some(uid));
        if owned {
            println!("{}{kind}/{}", "  ".repeat(depth), object.name());
            print_children(object.str_at(&["metadata", "uid"]), objects, depth + 1);
        }
    }
}

fn read(object: &Object) -> anyhow::Result<App> {
    serde_json::from_value(serde_json::to_value(object)?).context("the App has fields that this version cannot read")
}
