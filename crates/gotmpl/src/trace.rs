//! A record of which part of a template wrote which part of an output, and of what it read for that.

use std::{ops::Range, sync::Arc};

use crate::{
    error::Place,
    parse::{Pipe, Template},
    value::{Map, Str},
};

/// What one text or action of a template wrote.
pub struct Span {
    /// The bytes of the output.
    pub output: Range<usize>,
    /// The action, as Go prints it; none for the template's own text.
    pub action: Option<String>,
    /// What was read for the action, also by templates that it included: the address of a map ([`Map::address`]) and a key.
    pub reads: Vec<(usize, Str)>,
    template: Arc<Template>,
    pos: usize,
}

impl Span {
    /// Tells where in the template a byte of the output comes from.
    pub fn place(&self, offset: usize) -> Place {
        let inside = offset.clamp(self.output.start, self.output.end) - self.output.start;
        self.template.place(self.pos + if self.action.is_some() { 0 } else { inside })
    }
}

/// The record of a context. Only what a template writes itself is a span; what it includes belongs to the including action.
#[derive(Default)]
pub(crate) struct Trace {
    /// How many executions are running, one inside the other.
    pub(crate) running: usize,
    pub(crate) spans: Vec<Span>,
    reads: Vec<(usize, Str)>,
}

impl Trace {
    /// Begins an action.
    pub(crate) fn begin(&mut self) {
        if self.running == 1 {
            self.reads.clear();
        }
    }

    /// Records that a key of a map was read.
    pub(crate) fn read(&mut self, map: &Map, key: &str) {
        self.reads.push((map.address(), key.into()));
    }

    /// Records what was written: by an action, or as text that begins at a place of the template.
    pub(crate) fn wrote(&mut self, template: &Arc<Template>, pos: usize, output: Range<usize>, pipe: Option<&Pipe>) {
        if self.running != 1 || output.is_empty() {
            return;
        }
        let reads = if pipe.is_some() { std::mem::take(&mut self.reads) } else { Vec::new() };
        let action = pipe.map(|pipe| format!("{{{{{pipe}}}}}"));
        self.spans.push(Span { output, action, reads, template: template.clone(), pos });
    }
}
