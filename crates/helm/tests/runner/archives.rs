//! Charts from archives and folders.

use std::io::Write;

use lockstep_files::FileTree;
use lockstep_helm::{Chart, ErrorKind};

use crate::CHART;

/// Packs files into a gzipped tar.
pub(crate) fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, data) in files {
        tar.extend(header(name, data.len(), b'0'));
        tar.extend_from_slice(data);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    gzip(&tar)
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn header(name: &str, size: usize, kind: u8) -> [u8; 512] {
    let mut block = [0u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

fn check_refused(files: &[(&str, &[u8])], expect: &str) {
    let error = Chart::from_archive(&pack(files)).err().unwrap();
    assert_eq!(error.to_string(), expect);
}

#[test]
fn an_archive_with_subcharts_is_read() {
    let inner = pack(&[("sub/Chart.yaml", b"apiVersion: v2\nname: sub\nversion: 1.0.0\n")]);
    let chart = Chart::from_archive(&pack(&[("t/Chart.yaml", CHART.as_bytes()), ("t/charts/sub-1.0.0.tgz", &inner)]));
    assert_eq!(chart.unwrap().metadata().name, "t");
}

#[test]
fn paths_that_leave_the_chart_are_refused() {
    check_refused(&[("t/../../x", b"")], "chart illegally references parent directory");
    check_refused(&[("t//etc/passwd", b"")], "chart illegally contains absolute paths");
    check_refused(&[("t/a/..", b"")], "chart illegally contains content outside the base directory: \"t/a/..\"");
    check_refused(&[("t/c:/x", b"")], "chart contains illegally named files");
    check_refused(&[("Chart.yaml/x", b"")], "chart yaml not in base directory");
    check_refused(&[], "no files in chart archive");
}

#[test]
fn an_archive_that_unpacks_to_gigabytes_is_refused() {
    let mut tar = header("t/Chart.yaml", 200 << 20, b'0').to_vec();
    tar.resize(tar.len() + (4 << 20), 0);
    let error = Chart::from_archive(&gzip(&tar)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Limit);

    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for n in 0..30 {
        files.push((format!("t/file{n}"), vec![0; 4 << 20]));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, data)| (name.as_str(), &data[..])).collect();
    assert_eq!(Chart::from_archive(&pack(&files)).err().unwrap().kind(), ErrorKind::Limit);
}

#[test]
fn broken_archives_are_errors() {
    let whole = pack(&[("t/Chart.yaml", CHART.as_bytes())]);
    for length in 0..whole.len() {
        // Some cuts lose only padding, so this may succeed; it never panics.
        let result = Chart::from_archive(&whole[..length]);
        assert!(length > 20 || result.is_err());
    }
    assert!(Chart::from_archive(b"not gzip").is_err());
}

#[test]
fn a_folder_is_read_without_what_it_ignores() {
    let files = [
        ("apps/t/Chart.yaml", CHART),
        ("apps/t/.helmignore", "*.bak\n"),
        ("apps/t/templates/a.yaml", "{{ .Files.Get \"x.bak\" }}|{{ .Files.Get \"x.txt\" }}"),
        ("apps/t/x.bak", "no"),
        ("apps/t/x.txt", "yes"),
    ];
    let tree = FileTree::from_files(files.map(|(name, text)| (name, text.as_bytes().to_vec()))).unwrap();
    let chart = Chart::from_folder(&tree.reader(), "apps/t").unwrap();
    let rendered = lockstep_helm::render_files(&chart, &crate::release(), &Default::default()).unwrap();
    assert_eq!(rendered["t/templates/a.yaml"], "|yes");
}
