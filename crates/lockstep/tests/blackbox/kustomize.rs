//! Kustomizations: printed by `lockstep render` as kustomize prints them, changed by options of an App, with bases
//! from other repositories.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use lockstep_testkit::git::{HttpOptions, HttpServer, Repo};
use serde_json::Value;

use crate::harness::{Repository, Up, until};

fn render(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockstep")).arg("render").arg(folder).args(arguments).output().unwrap()
}

/// Deploys a folder of a repository and waits until `lockstep up` says that all is healthy.
async fn becomes_healthy(repository: &Repository, path: &str) {
    let log = repository.path().join(".git/up.log");
    let file = fs::File::create(&log).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .arg("up")
        .arg(repository.path())
        .args(["--path", path, "--namespace", "apps", "--exit-when-healthy"])
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let what = format!("{path} is healthy");
    let status = until(&what, &log, async || child.try_wait().unwrap()).await;
    assert!(status.success(), "{path}: {}", fs::read_to_string(&log).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlay_of_the_corpus_becomes_healthy() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/kustomize");
    let repository = Repository::new(&[]);
    let copied = Command::new("cp").arg("-r").arg(corpus.join("shop")).arg(repository.path()).status().unwrap();
    assert!(copied.success());
    repository.commit("shop", &[]);
    becomes_healthy(&repository, "shop/base").await;
    becomes_healthy(&repository, "shop/overlays/production").await;
}

/// The kustomizations of public repositories that need no more than built-in kinds; archives beside the project.
const PUBLIC: &[(&str, &[&str])] = &[
    ("argocd-example-apps", &["kustomize-guestbook", "pre-post-sync", "sock-shop"]),
    ("podinfo", &["kustomize"]),
    (
        "microservices-demo",
        &[
            "kustomize",
            "kubernetes-manifests",
            "kustomize/tests/memorystore-with-all-components",
            "kustomize/tests/spanner-with-all-components",
        ],
    ),
];

/// Checks nothing where the archives are not there: a clone of the project alone has the corpus.
#[tokio::test(flavor = "multi_thread")]
async fn kustomizations_of_public_repositories_become_healthy() {
    let archives = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/repos");
    for (name, paths) in PUBLIC {
        let archive = archives.join(format!("{name}.tgz"));
        if !archive.exists() {
            continue;
        }
        let repository = Repository::new(&[]);
        let unpacked = Command::new("tar").arg("-C").arg(repository.path()).arg("-xzf").arg(&archive).status().unwrap();
        assert!(unpacked.success(), "{}", archive.display());
        repository.commit("all", &[]);
        for path in *paths {
            becomes_healthy(&repository, &format!("{name}/{path}")).await;
        }
    }
}

/// What kustomize 5.8.1 printed for each case; recorded by `crates/bench/go/kustomize`.
#[test]
fn render_prints_the_bytes_of_kustomize_build() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kustomize/tests/corpus");
    let mut cases = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let case: Value = serde_json::from_str(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        let name = case["name"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in case["files"].as_object().unwrap() {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text.as_str().unwrap()).unwrap();
        }
        let open = case["options"]["load_restrictor"] == "none";
        let restrictor = if open { "LoadRestrictionsNone" } else { "LoadRestrictionsRootOnly" };
        let root = folder.path().join(case["root"].as_str().unwrap());
        let output = render(&root, &["--load-restrictor", restrictor]);
        let words = String::from_utf8(output.stderr).unwrap();
        match case["expected"].as_str() {
            Some(expected) => assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{name}: {words}"),
            None => {
                let real = folder.path().canonicalize().unwrap().display().to_string();
                let words = words.replace(&real, "");
                assert!(words.contains(case["error"].as_str().unwrap()), "{name}: {words}");
                assert_eq!(output.status.code(), Some(1), "{name}");
            }
        }
        cases += 1;
    }
    assert!(cases >= 12, "{cases} cases");
}

const CHART: &[(&str, &str)] = &[
    ("kustomization.yaml", "helmCharts:\n- {name: tool, releaseName: r, valuesInline: {text: told}}\nnamePrefix: p-\n"),
    ("charts/tool/Chart.yaml", "apiVersion: v2\nname: tool\nversion: 0.1.0\n"),
    ("charts/tool/values.yaml", "text: none\n"),
    (
        "charts/tool/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\ndata: {text: '{{ .Values.text }}'}\n",
    ),
];

#[test]
fn charts_of_a_kustomization_need_a_word() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in CHART {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let refused = render(folder.path(), &[]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("must specify --enable-helm") && words.contains("hint:"), "{words}");
    let printed = render(folder.path(), &["--enable-helm"]).stdout;
    let expected = "apiVersion: v1\ndata:\n  text: told\nkind: ConfigMap\nmetadata:\n  name: p-r\n";
    assert_eq!(String::from_utf8(printed).unwrap(), expected);
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1.0'}]}
";

const APP: &str = "apiVersion: lockstep.dev/v1alpha1
kind: App
metadata: {name: web, namespace: options-apps}
spec:
  destination: {namespace: options-objects}
  sync: {createNamespace: true}
  source:
    git: {path: web}
    kustomize:
      namePrefix: p-
      nameSuffix: -s
      images: [{name: nginx, newName: registry.example.com/nginx, newTag: '2.0'}]
      replicas: [{name: web, count: 2}]
      labels: {tier: front}
      commonAnnotations: {note: told}
      components: [../part, ../absent]
      ignoreMissingComponents: true
      patches:
      - target: {kind: Deployment}
        patch: |
          - {op: add, path: /spec/minReadySeconds, value: 1}
      - patch: |
          apiVersion: apps/v1
          kind: Deployment
          metadata: {name: web}
          spec: {revisionHistoryLimit: 3}
";

#[tokio::test(flavor = "multi_thread")]
async fn options_of_an_app_change_a_kustomization_without_touching_its_files() {
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {part: there}\n";
    let repository = Repository::new(&[
        ("shop/app.yaml", APP),
        ("web/kustomization.yaml", "resources: [deployment.yaml]\nnamePrefix: other-\n"),
        ("web/deployment.yaml", DEPLOYMENT),
        ("part/kustomization.yaml", component),
    ]);
    let up = Up::start("options", &repository.path().join("shop"), &[]).await;
    let object = up.until("the deployment", async |up| up.object("apps/v1/deployments/p-web-s").await).await;
    let container = object.at(&["spec", "template", "spec", "containers"]).unwrap().as_list().unwrap()[0].clone();
    let cases: &[(&[&str], &str)] = &[
        (&["spec", "replicas"], "2"),
        (&["spec", "minReadySeconds"], "1"),
        (&["spec", "revisionHistoryLimit"], "3"),
        (&["metadata", "labels", "tier"], "\"front\""),
        (&["spec", "template", "metadata", "labels", "tier"], "\"front\""),
        (&["spec", "selector", "matchLabels"], "{\"app\":\"web\"}"),
        (&["metadata", "annotations", "note"], "\"told\""),
        (&["metadata", "annotations", "part"], "\"there\""),
    ];
    for (path, expected) in cases {
        let found = serde_json::to_string(object.at(path).unwrap()).unwrap();
        assert_eq!(&found, expected, "{path:?}");
    }
    assert_eq!(container.get("image").unwrap().as_str(), Some("registry.example.com/nginx:2.0"));
    up.stop();
}

fn remote_app(url: &str, allowed: bool) -> String {
    format!(
        "apiVersion: lockstep.dev/v1alpha1\nkind: App\nmetadata: {{name: web, namespace: remote-apps}}\nspec:\n  \
         destination: {{namespace: remote-objects}}\n  sync: {{createNamespace: true}}\n  source:\n    git: {{path: web}}\n    \
         kustomize: {{allowRemoteBases: {allowed}, namePrefix: from-{}-}}\n",
        url.len()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn bases_of_other_repositories_are_fetched_if_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let base = Repo::new();
    base.write("app/kustomization.yaml", "resources: [../deployment.yaml]\n");
    base.write("app/overlay/kustomization.yaml", "resources: [a.yaml]\n");
    base.write("app/overlay/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: one}\n");
    base.commit("first");
    base.git(&["tag", "v1"]);
    base.commit_file("app/overlay/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\n");
    base.bare_copy(folder.path().join("base.git"));
    let server = HttpServer::start(folder.path(), HttpOptions::default()).await;
    let url = format!("{}//app/overlay?ref=v1", server.url("base.git"));
    let kustomization = format!("resources: ['{url}']\n");

    let repository =
        Repository::new(&[("shop/app.yaml", &remote_app(&url, false)), ("web/kustomization.yaml", &kustomization)]);
    let refused = render(&repository.path().join("web"), &[]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("is not allowed") && words.contains("--allow-remote-bases"), "{words}");
    assert!(server.requests().is_empty(), "nothing is asked for before it is allowed");
    let printed = render(&repository.path().join("web"), &["--allow-remote-bases"]);
    let expected = "apiVersion: v1\ndata:\n  key: one\nkind: ConfigMap\nmetadata:\n  name: a\n";
    assert_eq!(String::from_utf8_lossy(&printed.stdout), expected, "{}", String::from_utf8_lossy(&printed.stderr));

    let up = Up::start("remote", &repository.path().join("shop"), &[]).await;
    up.until_message("web", "is not allowed").await;
    repository.commit("allow", &[("shop/app.yaml", &remote_app(&url, true))]);
    let name = format!("v1/configmaps/from-{}-a", url.len());
    up.until("the object of the remote base", async |up| up.object(&name).await).await;

    let wrong = url.replace("ref=v1", "ref=none");
    repository.commit("wrong", &[("web/kustomization.yaml", &format!("resources: ['{wrong}']\n"))]);
    up.until_message("web", "none").await;
    assert!(up.object(&name).await.is_some(), "what cannot be fetched deletes nothing");
    up.stop();
}
