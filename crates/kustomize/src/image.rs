//! Changes images: their names, tags and digests.

use regex::Regex;

use crate::{
    config::FieldSpec,
    error::{Error, quote},
    fields::{apply_all, set_scalar},
    kustomization::Image,
    node::Node,
    resource::Resource,
    scalar::Tag,
    show,
};

/// Changes the images that a rule names: in containers wherever they are, and in the configured fields.
pub(crate) fn change(resources: &mut [Resource], rule: &Image, specs: &[FieldSpec]) -> Result<(), Error> {
    let pattern = Pattern::new(&rule.name)?;
    for resource in resources.iter_mut().filter(|resource| resource.kind() != "CustomResourceDefinition") {
        let mut set = |field: &mut Node| {
            if field.is_null() {
                return Ok(());
            }
            let Node::Scalar(scalar) = &*field else { return Err(show::wrong_kind("ScalarNode", field)) };
            match changed_image(&scalar.text, rule, &pattern) {
                Some(changed) => set_scalar(field, &changed, Tag::Open),
                None => Ok(()),
            }
        };
        containers(&mut resource.node, &mut set)?;
        apply_all(&mut resource.node, specs, None, &mut set)?;
    }
    Ok(())
}

fn containers(node: &mut Node, set: &mut dyn FnMut(&mut Node) -> Result<(), Error>) -> Result<(), Error> {
    match node {
        Node::Map(entries) => {
            for (key, value) in entries {
                containers(value, set)?;
                if !matches!(&*key.text, "containers" | "initContainers") {
                    continue;
                }
                if let Node::List(items) = value {
                    for item in items.iter_mut() {
                        match item {
                            Node::Map(_) => item.get_mut("image").map_or(Ok(()), &mut *set)?,
                            item if item.is_null() => {}
                            item => return Err(show::wrong_kind("MappingNode", item)),
                        }
                    }
                }
            }
            Ok(())
        }
        Node::List(items) => items.iter_mut().try_for_each(|item| containers(item, set)),
        Node::Scalar(_) => Ok(()),
    }
}

/// Which images a rule is for: its name is an expression to kustomize, followed by a tag and a digest.
enum Pattern<'r> {
    /// A name whose only special characters are dots, each of which stands for any character.
    Name(&'r str),
    Regex(Regex),
}

impl<'r> Pattern<'r> {
    fn new(name: &'r str) -> Result<Self, Error> {
        // To compile an expression costs more than all its matches.
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/:.".contains(&byte)) {
            return Ok(Self::Name(name));
        }
        Regex::new(&format!("^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$"))
            .map(Self::Regex)
            .map_err(|_| Error::new(format!("the image name {} is no pattern", quote(name))))
    }

    fn fits(&self, image: &str) -> bool {
        match self {
            Self::Name(name) => {
                let mut chars = image.chars();
                let same = |wanted: char, found: char| if wanted == '.' { found != '\n' } else { wanted == found };
                name.chars().all(|wanted| chars.next().is_some_and(|found| same(wanted, found)))
                    && is_tag_and_digest(chars.as_str())
            }
            Self::Regex(regex) => regex.is_match(image),
        }
    }
}

fn is_tag_and_digest(text: &str) -> bool {
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.{}-".contains(&byte));
    let (tag, digest) = text.split_once('@').map_or((text, None), |(tag, digest)| (tag, Some(digest)));
    (tag.is_empty() || tag.strip_prefix(':').is_some_and(word))
        && digest.is_none_or(|digest| digest.strip_prefix("sha256:").is_some_and(word))
}

fn changed_image(image: &str, rule: &Image, pattern: &Pattern) -> Option<String> {
    if !pattern.fits(image) {
        return None;
    }
    let (name, mut tag, mut digest) = split_image(image);
    let name = if rule.new_name.is_empty() { name } else { &rule.new_name };
    match (!rule.new_tag.is_empty(), !rule.digest.is_empty()) {
        (true, true) => (tag, digest) = (rule.new_tag.clone(), rule.digest.clone()),
        (true, false) => (tag, digest) = (rule.new_tag.clone(), String::new()),
        (false, true) => (tag, digest) = (String::new(), rule.digest.clone()),
        (false, false) if !rule.tag_suffix.is_empty() => {
            tag.push_str(&rule.tag_suffix);
            digest.clear();
        }
        (false, false) => {}
    }
    let mut changed = name.to_owned();
    if !tag.is_empty() {
        changed.push(':');
        changed.push_str(&tag);
    }
    if !digest.is_empty() {
        changed.push('@');
        changed.push_str(&digest);
    }
    Some(changed)
}

/// Cuts `name:tag@digest`; a colon before the first slash belongs to the name.
fn split_image(image: &str) -> (&str, String, String) {
    let slash = image.find('/').filter(|at| *at > 0).unwrap_or(0);
    let rest = &image[slash..];
    let (at, colon) = (rest.find('@').map(|at| at + slash), rest.find(':').map(|at| at + slash));
    match (at, colon) {
        (None, None) => (image, String::new(), String::new()),
        (Some(at), colon) if colon.is_none_or(|colon| at < colon) => {
            (&image[..at], String::new(), image[at..].trim_start_matches('@').to_owned())
        }
        (Some(at), Some(colon)) => (&image[..colon], image[colon + 1..at].to_owned(), image[at + 1..].to_owned()),
        (_, Some(colon)) => (&image[..colon], image[colon + 1..].to_owned(), String::new()),
        (Some(at), None) => (&image[..at], String::new(), image[at + 1..].to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_what_its_expression_fits() {
        let images = [
            "",
            "a",
            "a:1",
            "a:",
            "a@sha256:0",
            "a@sha256:",
            "a@md5:0",
            "a:1@sha256:0",
            "a:1@",
            "a:1:2",
            "a/b:1",
            "ab",
            "a:1\n",
            "a.b:x",
            "axb:{v}",
            "a\nb",
            "a\u{e9}b:1",
            "b:1",
            "a@sha256:0:1",
        ];
        for name in ["", "a", "a.b", "a/b", "a:1", "b"] {
            let name = Pattern::new(name).map(|pattern| (pattern, name)).unwrap();
            let regex =
                Regex::new(&format!("^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", name.1)).unwrap();
            for image in images {
                assert_eq!(name.0.fits(image), regex.is_match(image), "{} {image:?}", name.1);
            }
        }
    }
}
