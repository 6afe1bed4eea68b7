//! Builds of small trees: what an integrator relies on.
#![allow(clippy::unwrap_used, clippy::panic)]

use lockstep_files::FileTree;
use lockstep_kustomize::{ImageOverride, LoadRestrictor, Options, Overlay, Reorder, build, build_with_overlay};
use proptest::prelude::*;

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - name: web\n        image: nginx:1.0\n        env:\n        - name: A\n          valueFrom:\n            configMapKeyRef: {name: settings, key: a}\n";

fn tree(files: &[(&str, &str)]) -> FileTree {
    FileTree::from_files(files.iter().map(|(path, text)| (*path, text.as_bytes()))).unwrap()
}

fn check(files: &[(&str, &str)], root: &str, expected: &str) {
    let options = Options::default();
    let found = match build(&tree(files).reader(), root, &options) {
        Ok(built) => built.text(),
        Err(error) => format!("error: {error}"),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_prefix_reaches_the_names_that_refer_to_a_generated_config_map() {
    let kustomization = "namePrefix: p-\nresources: [web.yaml]\nconfigMapGenerator:\n- name: settings\n  literals: [a=b]\n  options: {disableNameSuffixHash: true}\n";
    let files = [("kustomization.yaml", kustomization), ("web.yaml", DEPLOYMENT)];
    check(
        &files,
        "",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: p-web\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - env:\n        - name: A\n          valueFrom:\n            configMapKeyRef:\n              key: a\n              name: p-settings\n        image: nginx:1.0\n        name: web\n---\napiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: p-settings\n",
    );
}

#[test]
fn a_container_that_a_patch_adds_goes_first() {
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: side, image: busybox}]}}}\n";
    let files = [
        ("kustomization.yaml", "resources: [web.yaml]\npatches: [{path: p.yaml}]\n"),
        ("p.yaml", patch),
        ("web.yaml", DEPLOYMENT),
    ];
    let built = build(&tree(&files).reader(), "", &Options::default()).unwrap();
    let text = built.text();
    assert!(text.find("busybox").unwrap() < text.find("nginx").unwrap());
    assert_eq!(built.objects().len(), 1);
}

#[test]
fn errors_carry_the_words_of_kustomize_and_the_file() {
    let files = [("a/kustomization.yaml", "resources: [../b.yaml]\n"), ("b.yaml", DEPLOYMENT)];
    check(
        &files,
        "a",
        "error: accumulating resources: accumulation err='accumulating resources from '../b.yaml': security; file '/b.yaml' is not in or below '/a'': must build at directory: '/b.yaml': file is not directory",
    );
    check(
        &[("kustomization.yaml", "resource: []\n")],
        "",
        "error: invalid Kustomization: json: unknown field \"resource\"",
    );
    let bad = [("kustomization.yaml", "resources: [x.yaml]\n"), ("x.yaml", "kind: A\nmetadata: {name: b\n")];
    let error = build(&tree(&bad).reader(), "", &Options::default()).unwrap_err();
    assert_eq!(error.place().map(|place| place.file.as_str()), Some("x.yaml"));
}

#[test]
fn an_overlay_changes_the_build_and_not_the_file() {
    let files = [("kustomization.yaml", "resources: [web.yaml]\n"), ("web.yaml", DEPLOYMENT)];
    let overlay = Overlay {
        images: vec![ImageOverride { name: "nginx".into(), new_tag: "2.0".into(), ..ImageOverride::default() }],
        name_suffix: Some("-b".into()),
        ..Overlay::default()
    };
    let options = Options::default();
    let text = build_with_overlay(&tree(&files).reader(), "", &options, &overlay).unwrap().text();
    assert!(text.contains("nginx:2.0") && text.contains("name: web-b"));
}

#[test]
fn aliases_that_blow_up_are_refused() {
    let mut text = String::from("kind: A\nmetadata: {name: b}\na0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let last = n - 1;
        text.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{last}"); 9].join(", ")));
    }
    let files = [("kustomization.yaml", "resources: [x.yaml]\n"), ("x.yaml", text.as_str())];
    let error = build(&tree(&files).reader(), "", &Options::default()).unwrap_err();
    assert!(error.message().contains("excessive aliasing"), "{error}");
}

/// A case of the corpus: files, and what kustomize 5.8.1 made of them.
struct Case {
    name: String,
    root: String,
    open: bool,
    files: Vec<(String, String)>,
    expected: Result<String, String>,
}

fn corpus() -> Vec<Case> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let case: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let files = case["files"].as_object().unwrap().iter();
        Case {
            name: text(&case["name"]),
            root: text(&case["root"]),
            open: case["options"]["load_restrictor"] == "none",
            files: files.map(|(path, content)| (path.clone(), text(content))).collect(),
            expected: case["expected"].as_str().map(str::to_owned).ok_or_else(|| text(&case["error"])),
        }
    };
    std::fs::read_dir(folder).unwrap().map(read).collect()
}

impl Case {
    fn build(&self, files: &[(String, String)]) -> Result<String, String> {
        let files = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes()));
        let tree = FileTree::from_files(files).unwrap();
        let load_restrictor = if self.open { LoadRestrictor::None } else { LoadRestrictor::RootOnly };
        let options = Options { reorder: Reorder::Legacy, load_restrictor, ..Options::default() };
        let run = || build(&tree.reader(), &self.root, &options).map(|built| built.text());
        let first = run();
        assert_eq!(first, run(), "{}: two builds differ", self.name);
        first.map_err(|error| error.message().to_owned())
    }
}

#[test]
fn the_corpus_builds_as_kustomize_builds_it() {
    for case in corpus() {
        assert_eq!(case.build(&case.files), case.expected, "{}", case.name);
    }
}

fn mutate(text: &str, at: usize, with: &str, remove: usize) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = at % (chars.len() + 1);
    let end = (at + remove).min(chars.len());
    chars.splice(at..end, with.chars());
    chars.into_iter().collect()
}

const KUSTOMIZATION: &str = "resources: [web.yaml]\nnamePrefix: p-\nnamespace: prod\nlabels:\n- pairs: {a: b}\n  includeSelectors: true\nimages:\n- {name: nginx, newTag: '2'}\nreplicas:\n- {name: web, count: 3}\npatches:\n- target: {kind: Deployment}\n  patch: |\n    - {op: replace, path: /spec/replicas, value: 2}\nreplacements:\n- source: {kind: Deployment, name: web, fieldPath: metadata.name}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: [metadata.labels.x]\n    options: {create: true}\nconfigMapGenerator:\n- name: settings\n  literals: [a=b]\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_mutated_corpus_ends_with_a_text_or_an_error(
        case in any::<prop::sample::Index>(), file in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
        at in any::<usize>(), remove in 0_usize..30, swap in any::<bool>(),
        with in prop::sample::select(vec!["", "\n", ": ", "- ", "{", "[", "*x", "&x ", "\"", "- ../overlay\n", "null", "\t", "--- \n", "$patch: replace\n", "metadata.*.[a=b]", "\u{feff}"])
    ) {
        let corpus = corpus();
        let case = case.get(&corpus);
        let mut files = case.files.clone();
        let donor = other.get(&files).1.clone();
        let (_, text) = &mut files[file.index(case.files.len())];
        *text = if swap { donor } else { mutate(text, at, with, remove) };
        // It must end, twice the same, with whatever.
        drop(case.build(&files));
    }

    #[test]
    fn mutated_input_never_panics_and_builds_the_same_twice(
        which in any::<bool>(), at in any::<usize>(), remove in 0_usize..12,
        with in prop::sample::select(vec!["", "\n", ": ", "- ", "[", "{", "*x", "&x ", "\"", "'", "|", "~", "$patch: delete", "<<: ", "..", "/", "\t", "!!int "])
    ) {
        let kustomization = if which { mutate(KUSTOMIZATION, at, with, remove) } else { KUSTOMIZATION.to_owned() };
        let deployment = if which { DEPLOYMENT.to_owned() } else { mutate(DEPLOYMENT, at, with, remove) };
        let tree = tree(&[("kustomization.yaml", &kustomization), ("web.yaml", &deployment)]);
        let options = Options { reorder: Reorder::Legacy, ..Options::default() };
        let run = || build(&tree.reader(), "", &options).map(|built| built.text());
        let first = run();
        prop_assert_eq!(&first, &run());
        let same = build_with_overlay(&tree.reader(), "", &options, &Overlay::default()).map(|built| built.text());
        prop_assert_eq!(first, same);
    }

    #[test]
    fn the_order_of_fields_does_not_matter(seed in any::<usize>()) {
        let fields = ["resources: [web.yaml]\n", "namePrefix: p-\n", "namespace: prod\n", "commonAnnotations: {a: b}\n"];
        let turned: String = fields.iter().cycle().skip(seed % fields.len()).take(fields.len()).copied().collect();
        let text = |kustomization: &str| {
            let tree = tree(&[("kustomization.yaml", kustomization), ("web.yaml", DEPLOYMENT)]);
            build(&tree.reader(), "", &Options::default()).unwrap().text()
        };
        prop_assert_eq!(text(&fields.concat()), text(&turned));
    }
}
