//! A controller on kube-rs' runtime, through the service without a socket.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{
        Controller, WatchStreamExt,
        controller::Action,
        reflector::{self, Store},
        watcher,
    },
};
use lockstep_sandbox::{Options, Sandbox};

const CHANGES: usize = 1000;
const NAMESPACE: &str = "default";

/// Keeps a Secret with the data of a ConfigMap, which owns it.
async fn mirror(source: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let owner = source.controller_owner_ref(&()).unwrap();
    let metadata =
        ObjectMeta { name: Some(source.name_any()), owner_references: Some(vec![owner]), ..ObjectMeta::default() };
    let secret = Secret { metadata, string_data: source.data.clone(), ..Secret::default() };
    let secrets = Api::<Secret>::namespaced((*client).clone(), NAMESPACE);
    let params = PatchParams::apply("mirror").force();
    secrets.patch(&source.name_any(), &params, &Patch::Apply(&secret)).await?;
    Ok(Action::await_change())
}

/// Makes one change of one of a few objects, so that creates, updates and deletions of the same name follow each other.
async fn change(configs: &Api<ConfigMap>, random: &mut fastrand::Rng, number: usize) -> Result<(), kube::Error> {
    let name = format!("c{}", random.u8(..20));
    let data = BTreeMap::from([("number".to_owned(), number.to_string())]);
    match random.u8(..4) {
        0 => {
            let metadata = ObjectMeta { name: Some(name), ..ObjectMeta::default() };
            let object = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
            configs.create(&PostParams::default(), &object).await.map(|_| ())
        }
        1 => {
            let mut object = configs.get(&name).await?;
            object.data = Some(data);
            configs.replace(&name, &PostParams::default(), &object).await.map(|_| ())
        }
        2 => {
            let patch = serde_json::json!({ "data": data });
            configs.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.map(|_| ())
        }
        _ => configs.delete(&name, &DeleteParams::background()).await.map(|_| ()),
    }
}

/// Names what the parts disagree in, if they do.
async fn difference(client: &Client, configs: &Store<ConfigMap>, secrets: &Store<Secret>) -> Option<String> {
    let found = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE).list(&Default::default()).await.unwrap();
    let mirrored = Api::<Secret>::namespaced(client.clone(), NAMESPACE).list(&Default::default()).await.unwrap();
    let sorted = |mut known: Vec<Arc<ConfigMap>>| {
        known.sort_by_key(|one| one.name_any());
        known.into_iter().map(Arc::unwrap_or_clone).collect::<Vec<_>>()
    };
    if sorted(configs.state()) != found.items {
        return Some("the reflector of the controller and the ConfigMaps".to_owned());
    }
    let mut known: Vec<Secret> = secrets.state().into_iter().map(Arc::unwrap_or_clone).collect();
    known.sort_by_key(|one| one.name_any());
    if known != mirrored.items {
        return Some("the reflector by a streaming list and the Secrets".to_owned());
    }
    let number = |secret: &Secret| Some(String::from_utf8(secret.data.as_ref()?.get("number")?.0.clone()).unwrap());
    let copies: Vec<_> = mirrored.items.iter().map(|one| (one.name_any(), number(one))).collect();
    let number = |config: &ConfigMap| config.data.as_ref()?.get("number").cloned();
    let originals: Vec<_> = found.items.iter().map(|one| (one.name_any(), number(one))).collect();
    (copies != originals).then(|| format!("{copies:?} and {originals:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_of_kube_runtime_and_the_server_agree_after_a_thousand_changes() {
    let sandbox = Sandbox::new(Options { controllers: true, seed: Some(1), ..Options::default() }).unwrap();
    let client = Client::new(sandbox.service(), NAMESPACE);
    let configs = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    let secrets = Api::<Secret>::namespaced(client.clone(), NAMESPACE);

    let (known_secrets, writer) = reflector::store();
    let streamed = watcher(secrets.clone(), watcher::Config::default().streaming_lists());
    let reflected = tokio::spawn(streamed.default_backoff().reflect(writer).for_each(async |_| ()));
    let owned = watcher::Config::default();
    let controller = Controller::new(configs.clone(), watcher::Config::default()).owns(secrets, owned);
    let known_configs = controller.store();
    let again = |_: Arc<ConfigMap>, _: &kube::Error, _: Arc<Client>| Action::requeue(Duration::from_millis(10));
    let controller = tokio::spawn(controller.run(mirror, again, Arc::new(client.clone())).for_each(async |_| ()));

    let mut random = fastrand::Rng::with_seed(1);
    for number in 0..CHANGES {
        match change(&configs, &mut random, number).await {
            Ok(()) => {}
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => panic!("change {number}: {error}"),
        }
    }
    let mut last = None;
    let settled = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            last = difference(&client, &known_configs, &known_secrets).await;
            if last.is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let settled = settled.await.is_ok();
    assert!(settled, "these differ: {last:?}");
    reflected.abort();
    controller.abort();
}
