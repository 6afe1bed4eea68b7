//! Git LFS pointers: small files that stand for large ones that are elsewhere.

/// Tells whether the bytes are a Git LFS pointer (specification version 1): whoever reads them as a manifest or chart reads the wrong thing.
pub fn is_lfs_pointer(bytes: &[u8]) -> bool {
    let Some(text) = Some(bytes).filter(|bytes| bytes.len() <= 1024).and_then(|bytes| std::str::from_utf8(bytes).ok())
    else {
        return false;
    };
    text.starts_with("version https://git-lfs.github.com/spec/v1\n")
        && text.lines().any(|line| line.starts_with("oid sha256:"))
        && text
            .lines()
            .any(|line| line.strip_prefix("size ").is_some_and(|size| size.bytes().all(|byte| byte.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_files() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
        assert!(is_lfs_pointer(pointer.as_bytes()));
        assert!(!is_lfs_pointer(b"version: 1\n"));
        assert!(!is_lfs_pointer(&[0xff; 100]));
    }
}
