//! A set of templates that name each other.

use std::{collections::HashMap, sync::Arc};

use crate::{
    error::Error,
    functions::Functions,
    parse::{self, Template},
};

/// What a missing key of a map yields: Go's `missingkey` option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MissingKey {
    /// No value: `<no value>`.
    #[default]
    Invalid,
    /// The zero value of the map's elements (Helm's choice).
    Zero,
    /// An error (Helm's `--strict`).
    Error,
}

/// Parsed templates that call each other by name. `Send + Sync`; cloning shares what was parsed.
#[derive(Clone)]
pub struct Templates {
    pub(crate) name: Arc<str>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) missing_key: MissingKey,
    parent: Option<Arc<Templates>>,
    own: HashMap<Arc<str>, Arc<Template>>,
}

impl Templates {
    /// Makes an empty set. The name stands in `no template "x" associated with template "NAME"` (Helm's is `gotpl`).
    pub fn new(name: &str, functions: Arc<Functions>, missing_key: MissingKey) -> Self {
        Self { name: name.into(), functions, missing_key, parent: None, own: HashMap::new() }
    }

    /// Parses a text: adds the template `name` and every template that the text defines. As in Go, a later definition replaces
    /// an earlier one unless it is empty (blanks and comments only).
    ///
    /// # Errors
    /// Texts as Go's: `template: NAME:LINE: …`.
    pub fn parse(&mut self, name: &str, text: &str) -> Result<(), Error> {
        for template in parse::parse(name, text, &self.functions)? {
            self.define(template);
        }
        Ok(())
    }

    /// Tells whether a template is defined.
    pub fn contains(&self, name: &str) -> bool {
        self.lookup(name).is_some()
    }

    /// Lists the names of all templates, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names = self.parent.as_ref().map_or_else(Vec::new, |parent| parent.names());
        names.extend(self.own.keys().cloned());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Makes a set that sees all of `parent` and can be extended without changing it.
    pub(crate) fn extend(parent: &Arc<Self>) -> Self {
        Self {
            name: parent.name.clone(),
            functions: parent.functions.clone(),
            missing_key: parent.missing_key,
            parent: Some(parent.clone()),
            own: HashMap::new(),
        }
    }

    pub(crate) fn define(&mut self, template: Arc<Template>) {
        if template.is_empty() && self.lookup(&template.name).is_some() {
            return;
        }
        self.own.insert(template.name.clone(), template);
    }

    pub(crate) fn lookup(&self, name: &str) -> Option<&Arc<Template>> {
        let mut set = self;
        loop {
            if let Some(template) = set.own.get(name) {
                return Some(template);
            }
            set = set.parent.as_deref()?;
        }
    }
}
