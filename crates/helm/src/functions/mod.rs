//! The functions that Helm adds to sprig's.

mod calls;
mod duration;
mod json;
mod methods;
mod pretty;
mod toml_read;
mod toml_write;
pub(crate) mod yaml;

use lockstep_gotmpl::Functions;

pub(crate) use calls::{State, WARN_END, WARN_START, strip_no_value};

/// Makes everything that a chart's template may call.
pub(crate) fn all() -> Functions {
    let mut functions = Functions::sprig();
    calls::register(&mut functions);
    duration::register(&mut functions);
    json::register(&mut functions);
    methods::register(&mut functions);
    yaml::register(&mut functions);
    pretty::register(&mut functions);
    toml_read::register(&mut functions);
    toml_write::register(&mut functions);
    functions
}
