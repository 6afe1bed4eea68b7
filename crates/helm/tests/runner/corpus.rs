//! The charts of `corpus/helm`: they render, and broken they fail with a message.

use std::{fs, path::Path};

use lockstep_helm::{Chart, Limits, Options, render};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::release;

type Files = Vec<(String, Vec<u8>)>;

/// Reads a chart's files, as paths from its folder.
fn files(folder: &Path) -> Files {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn charts() -> Vec<(String, Files)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/helm");
    let mut charts: Vec<(String, Files)> = fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_str().unwrap().to_owned(), files(&entry.path())))
        .collect();
    charts.sort();
    charts
}

/// Renders; a failure has words.
fn check(files: Files) -> bool {
    let limits = Limits { fuel: 300_000, ..Limits::default() };
    let options = Options { limits, trace: true, ..Options::default() };
    match Chart::from_files(files).and_then(|chart| render(&chart, &release(), &options)) {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.message().is_empty());
            false
        }
    }
}

#[test]
fn all_charts_render() {
    let charts = charts();
    assert!(charts.len() >= 6);
    for (name, files) in charts {
        assert!(check(files), "{name}");
    }
}

/// A change of bytes: where (as parts of the file's length), and what is put in the place of how many.
fn change() -> impl Strategy<Value = (f64, usize, Vec<u8>)> {
    const PIECES: [&str; 12] =
        ["{{", "}}", "{{ end }}", "(", "|", "\"", ".Values", "\n", ": ", "- ", "include \"x\" .", "\u{e9}"];
    let piece = prop_oneof![
        proptest::sample::select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    (0.0..1.0, 0..12_usize, piece)
}

#[test]
fn changed_charts_render_or_fail_but_never_panic() {
    let charts = charts();
    let case = (0..charts.len(), any::<proptest::sample::Index>(), proptest::collection::vec(change(), 1..4));
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&case, |(chart, file, changes)| {
        let mut files = charts[chart].1.clone();
        let victim = file.index(files.len());
        for (part, removed, piece) in changes {
            let data = &mut files[victim].1;
            let at = (data.len() as f64 * part) as usize;
            let end = (at + removed).min(data.len());
            data.splice(at..end, piece);
        }
        check(files);
        Ok(())
    });
    outcome.unwrap();
}
