//! Plain folders.

use std::fs;

use lockstep_files::Kind;
use lockstep_sources::{ErrorKind, Worktree, WorktreeOptions};
use lockstep_testkit::git::Repo;

use crate::soon;

#[tokio::test]
async fn a_clean_working_tree_has_the_id_that_git_gives_it() {
    let repo = Repo::new();
    repo.write("a b/ü.yaml", "x").write("run", "y").make_executable("run").link("link", "a b/ü.yaml");
    repo.write(".gitignore", "*.log\nbuild/\n").write("sub/.gitignore", "!keep.log\n");
    repo.commit("all");
    repo.write("debug.log", "no").write("build/out", "no").write(".DS_Store", "no");
    let tree = Worktree::open(repo.path(), WorktreeOptions::default()).await.unwrap().tree();
    assert_eq!(tree.id().to_string(), repo.git(&["rev-parse", "HEAD^{tree}"]), "{:?}", tree.reader().walk("").unwrap());
    assert_eq!(tree.find("link").unwrap().unwrap().kind, Kind::Link);
    repo.write("sub/keep.log", "yes");
    let tree = Worktree::open(repo.path(), WorktreeOptions::default()).await.unwrap().tree();
    assert!(tree.find("sub/keep.log").unwrap().is_some());
}

#[tokio::test]
async fn saving_a_file_is_told_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "1").unwrap();
    let mut worktree = Worktree::open(folder.path(), WorktreeOptions::default()).await.unwrap();
    for text in ["2", "3", "4"] {
        fs::write(folder.path().join("a"), text).unwrap();
        let tree = soon(worktree.changed()).await.unwrap();
        assert_eq!(tree.reader().read_text("a").unwrap(), text);
    }
    fs::create_dir_all(folder.path().join("new/deep")).unwrap();
    fs::write(folder.path().join("new/deep/b"), "b").unwrap();
    while worktree.tree().find("new/deep/b").unwrap().is_none() {
        soon(worktree.changed()).await.unwrap();
    }
    fs::write(folder.path().join("a.swp"), "editor").unwrap();
    fs::remove_file(folder.path().join("a")).unwrap();
    let tree = soon(worktree.changed()).await.unwrap();
    assert_eq!(tree.reader().walk("").unwrap(), ["new/deep/b"]);
}

#[tokio::test]
async fn a_link_out_of_the_folder_is_refused_and_the_last_tree_stays() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "1").unwrap();
    let mut worktree = Worktree::open(folder.path(), WorktreeOptions::default()).await.unwrap();
    let before = worktree.tree();
    std::os::unix::fs::symlink("../../etc/passwd", folder.path().join("bad")).unwrap();
    let error = soon(worktree.changed()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Escapes, "{error}");
    assert!(error.message().contains("bad"), "{error}");
    assert_eq!(worktree.tree(), before);
    fs::remove_file(folder.path().join("bad")).unwrap();
    fs::write(folder.path().join("a"), "2").unwrap();
    let tree = loop {
        match soon(worktree.changed()).await {
            Ok(tree) => break tree,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Escapes),
        }
    };
    assert_eq!(tree.reader().read_text("a").unwrap(), "2");
}

#[tokio::test]
async fn limits_hold_and_large_folders_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..100 {
        let inner = folder.path().join(format!("{number}"));
        fs::create_dir(&inner).unwrap();
        (0..100).for_each(|file| fs::write(inner.join(format!("{file}")), format!("{number}/{file}")).unwrap());
    }
    fs::write(folder.path().join("large"), vec![b'x'; 10 << 20]).unwrap();
    let tree = Worktree::open(folder.path(), WorktreeOptions::default()).await.unwrap().tree();
    assert_eq!(tree.reader().walk("").unwrap().len(), 10_001);
    for options in [
        WorktreeOptions { max_files: 10_000, ..Default::default() },
        WorktreeOptions { max_bytes: 10 << 20, ..Default::default() },
    ] {
        let error = Worktree::open(folder.path(), options).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    }
    let missing = Worktree::open(folder.path().join("missing"), WorktreeOptions::default()).await.err().unwrap();
    assert_eq!(missing.kind(), ErrorKind::Storage);
}
