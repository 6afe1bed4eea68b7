//! Laws that hold for any objects, and small cases written by hand from the tools' documentation.
#![allow(clippy::unwrap_used, clippy::panic)]

mod apply;
mod arbitrary;
mod patches;

use lockstep_object::{Value, from_json};

fn value(json: &str) -> Value {
    from_json(json.as_bytes()).unwrap()
}
