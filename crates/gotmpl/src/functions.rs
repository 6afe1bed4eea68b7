//! Functions: names, parameter types as the evaluator checks them, code.

use std::{collections::HashMap, sync::Arc};

use crate::{context::Context, error::FuncError, types::Type, value::Value};

/// The parameters of a function, as Go's evaluator checks them before a call.
#[derive(Clone, Debug, Default)]
pub struct Signature {
    pub(crate) fixed: Vec<Type>,
    pub(crate) variadic: Option<Type>,
}

impl Signature {
    /// Makes a signature of fixed parameters.
    pub fn new(fixed: &[Type]) -> Self {
        Self { fixed: fixed.to_vec(), variadic: None }
    }

    /// Adds a last parameter that may come any number of times.
    #[must_use]
    pub fn variadic(mut self, element: Type) -> Self {
        self.variadic = Some(element);
        self
    }
}

/// The code of a function. The arguments fit the signature: their number, and each value's type (a `Type::Str` parameter gets a
/// `Value::Str`, `Type::Int` a `Value::Int`, and so on; `Type::MAP` and `Type::LIST` may be nil maps and lists).
pub(crate) type Code = dyn Fn(&mut Context, &[Value]) -> Result<Value, FuncError> + Send + Sync;

/// A function with its signature.
#[derive(Clone)]
pub struct Function {
    pub(crate) signature: Signature,
    pub(crate) builtin: bool,
    pub(crate) code: Arc<Code>,
}

impl Function {
    /// Makes a function.
    pub fn new(
        signature: Signature,
        code: impl Fn(&mut Context, &[Value]) -> Result<Value, FuncError> + Send + Sync + 'static,
    ) -> Self {
        Self { signature, builtin: false, code: Arc::new(code) }
    }

    /// Gives the name of the type as `%T` prints it.
    pub(crate) fn type_name(&self) -> String {
        let mut params: Vec<String> = self.signature.fixed.iter().map(ToString::to_string).collect();
        params.extend(self.signature.variadic.map(|element| format!("...{element}")));
        format!("func({}) interface {{}}", params.join(", "))
    }
}

/// The functions that templates may call. Names are resolved when a template is parsed.
#[derive(Clone, Default)]
pub struct Functions {
    by_name: HashMap<String, Arc<Function>>,
    /// A handful, asked for at each step of a path: faster in a list than in a map.
    methods: Vec<(&'static str, &'static str, Arc<Function>)>,
}

impl Functions {
    /// Makes Go's builtin functions: `and`, `call`, `eq`, `index`, `printf`, ….
    pub fn builtins() -> Self {
        let mut functions = Self::default();
        crate::library::builtins::register(&mut functions);
        for function in functions.by_name.values_mut() {
            Arc::make_mut(function).builtin = true;
        }
        functions
    }

    /// Makes the builtins and sprig 3.3 without `env` and `expandenv`, which Helm removes. `getHostByName` gives "".
    pub fn sprig() -> Self {
        let mut functions = Self::builtins();
        crate::library::register(&mut functions);
        functions
    }

    /// Adds a function or replaces one.
    pub fn add(
        &mut self,
        name: &str,
        signature: Signature,
        code: impl Fn(&mut Context, &[Value]) -> Result<Value, FuncError> + Send + Sync + 'static,
    ) {
        self.by_name.insert(name.to_owned(), Arc::new(Function::new(signature, code)));
    }

    /// Adds a method of a named map type such as `common.Values`. The code gets the map first, then the arguments, of which
    /// alone the signature speaks.
    pub fn add_method(
        &mut self,
        type_name: &'static str,
        name: &'static str,
        signature: Signature,
        code: impl Fn(&mut Context, &[Value]) -> Result<Value, FuncError> + Send + Sync + 'static,
    ) {
        self.methods.push((type_name, name, Arc::new(Function::new(signature, code))));
    }

    /// Finds a method of a named map type.
    pub(crate) fn method(&self, type_name: &str, name: &str) -> Option<&Arc<Function>> {
        let found = self.methods.iter().find(|(owner, method, _)| *method == name && *owner == type_name);
        found.map(|(_, _, function)| function)
    }

    /// Removes a function; templates that name it do not parse.
    pub fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Finds a function.
    pub fn get(&self, name: &str) -> Option<&Arc<Function>> {
        self.by_name.get(name)
    }

    /// Lists the names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}
