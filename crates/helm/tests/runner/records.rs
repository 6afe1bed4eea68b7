//! Helm's records of releases.

use lockstep_helm::{Options, Record, Status, decode_record, encode_record, render};

use crate::{chart, release};

#[test]
fn a_record_comes_back_as_it_was() {
    let files = [
        ("values.yaml", "a: 1\n"),
        ("templates/a.yaml", "kind: ConfigMap\nmetadata: {name: a}\n"),
        ("templates/h.yaml", "kind: Job\nmetadata: {name: h, annotations: {helm.sh/hook: test}}\n"),
        ("templates/NOTES.txt", "Thanks"),
    ];
    let chart = chart(&files).unwrap();
    let mut options = Options::default();
    options.values.set.push("a=2".into());
    let rendered = render(&chart, &release(), &options).unwrap();
    let mut record = Record::new(&chart, &release(), &options.values, &rendered, "2026-01-02T03:04:05Z").unwrap();
    record.status = Status::Deployed;
    let text = encode_record(&record).unwrap();
    assert_eq!(decode_record(&text).unwrap(), record);
    assert_eq!(record.notes, "Thanks");
    assert_eq!(record.config["a"], 2);
    assert_eq!(record.chart["metadata"]["name"], "t");
    assert_eq!(record.hooks[0]["events"][0], "test");
    assert_eq!(record.manifest, "---\n# Source: t/templates/a.yaml\nkind: ConfigMap\nmetadata: {name: a}\n\n");
}

#[test]
fn the_secret_has_the_labels_that_helm_lists_by() {
    let chart = chart(&[("templates/a.yaml", "kind: A\n")]).unwrap();
    let rendered = render(&chart, &release(), &Options::default()).unwrap();
    let record = Record::new(&chart, &release(), &Default::default(), &rendered, "2026-01-02T03:04:05Z").unwrap();
    let secret = record.secret().unwrap();
    assert_eq!(secret["metadata"]["name"], "sh.helm.release.v1.rel.v1");
    assert_eq!(secret["type"], "helm.sh/release.v1");
    let labels = &secret["metadata"]["labels"];
    assert_eq!((&labels["owner"], &labels["status"]), (&"helm".into(), &"pending-install".into()));
}

#[test]
fn broken_records_are_errors() {
    for text in ["", "!", "H4sI", "bm90IGpzb24="] {
        assert!(decode_record(text).is_err(), "{text}");
    }
}
