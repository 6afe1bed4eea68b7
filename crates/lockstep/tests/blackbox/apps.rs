//! Apps of apps and the order between them: the project's own example.

use std::{fs, path::Path};

use lockstep_object::Object;

use crate::harness::{Repository, Up, is_ready};

/// Reads the example, with workloads that need no nodes to run on, for the namespaces of the test.
fn example(folder: &Path, below: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}/{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            example(&path, &name, files);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("namespace: default", "namespace: example-apps");
        let text = text.replace("namespace: shop", "namespace: example-objects");
        let lines = text.lines().map(|line| match line.split_once("replicas:") {
            Some((before, _)) => format!("{before}replicas: 0\n"),
            None => format!("{line}\n"),
        });
        files.push((name, lines.collect()));
    }
}

/// Returns when the App became Ready, to the second.
fn ready_since(app: &Object) -> String {
    let conditions = app.at(&["status", "conditions"]).unwrap().as_list().unwrap();
    let ready = conditions.iter().find(|one| one.get("type").unwrap().as_str() == Some("Ready")).unwrap();
    ready.get("lastTransitionTime").unwrap().as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_deploys_its_apps_one_after_the_other() {
    let mut files = Vec::new();
    example(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop"), "examples/shop", &mut files);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let repository = Repository::new(&files);
    let up = Up::start("example", &repository.path().join("examples/shop"), &[]).await;
    up.until_ready("shop", None).await;
    let mut before = String::new();
    for name in ["database", "api", "web"] {
        let app = up.app(name).await.unwrap();
        assert!(is_ready(&app), "the App that holds it is ready only when it is");
        let since = ready_since(&app);
        assert!(since >= before, "{name} was ready at {since}, what it needs at {before}");
        before = since;
    }
    up.stop();
}
