//! What an evaluation needs and may use: limits, time, seed, the caller's data.

use std::{any::Any, collections::HashMap, rc::Rc, sync::Arc};

use crate::{
    error::{Error, ErrorKind, FuncError, Place},
    exec, parse,
    semver::Constraints,
    templates::Templates,
    time::Time,
    trace::{Span, Trace},
    value::{Map, Str, Value},
};

/// Limits of one [`Context`], all its executions together unless said otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Steps: one a node, and one for each 64 bytes or list element that a function makes.
    pub fuel: u64,
    /// Depth of nested template calls (`template`, `include`, `tpl`).
    pub depth: usize,
    /// Bytes of output of one execution.
    pub output: usize,
    /// Bytes of one string that a function makes.
    pub string: usize,
}

impl Default for Limits {
    /// Far above what real charts need; a hostile one ends after seconds.
    fn default() -> Self {
        Self { fuel: 200_000_000, depth: 5_000, output: 256 << 20, string: 64 << 20 }
    }
}

/// What the caller decides about an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The limits.
    pub limits: Limits,
    /// The seed of `randAlpha`, `uuidv4`, `genCA` and the like.
    pub seed: u64,
    /// The time that `now` gives, in seconds since 1970.
    pub now: i64,
}

/// A use of a function whose result is not determined by its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The function.
    pub function: String,
    /// Where it was called.
    pub place: Place,
}

/// The state of evaluations: single-threaded, made for one release.
pub struct Context {
    pub(crate) templates: Arc<Templates>,
    pub(crate) limits: Limits,
    pub(crate) fuel: u64,
    pub(crate) frames: Vec<exec::Frame>,
    pub(crate) parsed: HashMap<String, Vec<Arc<parse::Template>>>,
    pub(crate) regexes: HashMap<Str, Rc<crate::regexp::Regexp>>,
    pub(crate) constraints: HashMap<Str, Rc<Constraints>>,
    /// Lists of arguments of calls that are over, for those to come: most of a template is calls.
    pub(crate) spare: Vec<Vec<Value>>,
    pub(crate) trace: Option<Trace>,
    random: u64,
    now: i64,
    asked_now: bool,
    warnings: Vec<Warning>,
    written: Vec<Map>,
    data: Option<Rc<dyn Any>>,
}

impl Context {
    /// Makes a context over templates.
    pub fn new(templates: Arc<Templates>, options: &Options) -> Self {
        Self {
            templates,
            limits: options.limits,
            fuel: options.limits.fuel,
            frames: Vec::new(),
            parsed: HashMap::new(),
            regexes: HashMap::new(),
            constraints: HashMap::new(),
            spare: Vec::new(),
            trace: None,
            random: options.seed,
            now: options.now,
            asked_now: false,
            warnings: Vec::new(),
            written: Vec::new(),
            data: None,
        }
    }

    /// Gives the caller's functions something of the caller's own, see [`Context::data`].
    pub fn set_data(&mut self, data: Rc<dyn Any>) {
        self.data = Some(data);
    }

    /// Gives the caller's own data when it is a `T`.
    pub fn data<T: Any>(&self) -> Option<Rc<T>> {
        self.data.clone()?.downcast::<T>().ok()
    }

    /// Records from now on what writes what, see [`Context::take_spans`]. It costs time and memory in proportion to the output.
    pub fn start_trace(&mut self) {
        self.trace = Some(Trace::default());
    }

    /// Takes what was recorded since the last call, in the order of the output.
    pub fn take_spans(&mut self) -> Vec<Span> {
        self.trace.as_mut().map_or_else(Vec::new, |trace| std::mem::take(&mut trace.spans))
    }

    /// Runs the template `name` with a dot (and `$`) and gives its output. Functions may call it (`include`).
    ///
    /// # Errors
    /// Go's texts; `template: no template "x" associated with template "y"` when there is none.
    pub fn execute(&mut self, name: &str, dot: &Value) -> Result<Str, Error> {
        let Some(template) = self.templates.lookup(name).cloned() else {
            let message = format!(
                "template: no template {} associated with template {}",
                crate::fmt::quote(name),
                crate::fmt::quote(&self.templates.name)
            );
            return Err(Error::new(ErrorKind::NotFound, message, None));
        };
        exec::execute(self, &template, dot)
    }

    /// Parses a text as the template `name` with all current definitions and runs it (`tpl`); what it defines is seen by it and
    /// by what it calls, and is gone afterwards.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Parse`] when the text does not parse, else as [`Context::execute`].
    pub fn execute_text(&mut self, name: &str, text: &str, dot: &Value) -> Result<Str, Error> {
        let defined = match self.parsed.get(text) {
            Some(defined) if defined.last().is_some_and(|root| *root.name == *name) => defined.clone(),
            _ => {
                self.fuel = self.fuel.saturating_sub(text.len() as u64);
                let defined = parse::parse(name, text, &self.templates.functions)?;
                self.parsed.insert(text.to_owned(), defined.clone());
                defined
            }
        };
        let Some(root) = defined.last().cloned() else {
            return Ok(Str::default());
        };
        let outer = self.templates.clone();
        if defined.len() > 1 || !root.is_empty() {
            let mut inner = Templates::extend(&outer);
            defined.into_iter().for_each(|template| inner.define(template));
            self.templates = Arc::new(inner);
        }
        let result = exec::execute(self, &root, dot);
        self.templates = outer;
        result
    }

    /// Uses fuel for work in proportion to `units` (elements, or bytes / 64).
    ///
    /// # Errors
    /// When there is no fuel left.
    pub fn charge(&mut self, units: u64) -> Result<(), FuncError> {
        match self.fuel.checked_sub(units) {
            Some(rest) => {
                self.fuel = rest;
                Ok(())
            }
            None => {
                self.fuel = 0;
                Err(FuncError::limit("the template does too much work"))
            }
        }
    }

    /// Refuses to make a string that is too long, and charges for it. Call it before allocating.
    ///
    /// # Errors
    /// When the string is over the limit or there is no fuel left.
    pub fn charge_bytes(&mut self, bytes: usize) -> Result<(), FuncError> {
        if bytes > self.limits.string {
            return Err(FuncError::limit(format!(
                "a string of {bytes} bytes is over the limit of {}",
                self.limits.string
            )));
        }
        self.charge(bytes as u64 / 64 + 1)
    }

    /// Gives the time that the caller chose, in UTC.
    pub fn now(&mut self) -> Time {
        self.asked_now = true;
        Time::from_unix(self.now, 0)
    }

    /// Tells whether anything so far asked for the time: with another one the output may be another.
    pub fn asked_now(&self) -> bool {
        self.asked_now
    }

    /// Gives the next number of the seeded sequence (SplitMix64).
    pub fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Records that the running template used a function whose result is not determined by its arguments.
    pub fn warn(&mut self, function: &str) {
        if let Some(place) = self.place() {
            let warning = Warning { function: function.to_owned(), place };
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    /// Lists the uses of functions whose results are not determined by their arguments.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Tells the place of the function call that is running.
    pub fn place(&self) -> Option<Place> {
        self.frames.last().map(exec::Frame::place)
    }

    /// Remembers a map that a function changed, for [`Context::break_cycles`].
    pub fn wrote(&mut self, map: &Map) {
        if !self.written.iter().rev().take(8).any(|other| other.same(map)) {
            self.written.push(map.clone());
        }
    }

    /// Empties every map that templates changed, so that cycles made by `set` are freed. Call it when all executions are done
    /// and no value that templates saw is needed any more.
    pub fn break_cycles(&mut self) {
        self.written.drain(..).for_each(|map| map.clear());
    }
}
