//! The text of a path. Validation makes one for every field that it looks at and shows nearly none.

use std::{fmt, ops::Deref};

/// Long enough for the fields of containers in the templates of workloads.
const INLINE: usize = 118;

/// A path as field errors name it. It allocates only when it is unusually long.
#[derive(Clone)]
pub(crate) enum Path {
    Inline { len: u8, bytes: [u8; INLINE] },
    Long(String),
}

impl Path {
    /// Returns the path with these parts behind it.
    pub(crate) fn with<const N: usize>(&self, parts: [&str; N]) -> Self {
        if let Self::Inline { len, bytes } = self {
            let (mut bytes, mut end) = (*bytes, usize::from(*len));
            let fits = parts.iter().all(|part| {
                let Some(room) = bytes.get_mut(end..end + part.len()) else { return false };
                room.copy_from_slice(part.as_bytes());
                end += part.len();
                true
            });
            if let Some(len) = u8::try_from(end).ok().filter(|_| fits) {
                return Self::Inline { len, bytes };
            }
        }
        Self::Long([&**self, &parts.concat()].concat())
    }
}

impl Default for Path {
    fn default() -> Self {
        Self::Inline { len: 0, bytes: [0; INLINE] }
    }
}

impl Deref for Path {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Inline { len, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).expect("whole texts were copied one behind the other")
            }
            Self::Long(text) => text,
        }
    }
}

impl From<&str> for Path {
    fn from(text: &str) -> Self {
        Self::default().with([text])
    }
}

impl From<String> for Path {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_its_parts_however_long_it_becomes() {
        let mut path = Path::from("spec");
        let mut expect = "spec".to_owned();
        for step in 0..40 {
            path = path.with([".", "größe", "[0]"]);
            expect.push_str(".größe[0]");
            assert_eq!(&*path, expect, "step {step}");
        }
    }
}
