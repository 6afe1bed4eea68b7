//! Helm charts, rendered from files.
//!
//! What: reading charts (folders, archives, subcharts), joining values, running templates, sorting manifests and hooks,
//! checking `values.schema.json`, release records: as Helm 4.3.1 does, with its texts.
//!
//! What not: no network, no disk, no clock, no cluster. Subcharts must be vendored; `lookup` asks what the caller gives.
//!
//! Why: a chart comes from strangers and must render the same bytes each time. In process there is no program to call, no
//! temporary file, and a thousand releases of one chart share its parsed templates ([`Chart`] is cheap to clone).
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod archive;
mod capabilities;
mod chart;
mod chart_files;
mod coalesce;
mod decode;
mod dependencies;
mod error;
mod explain;
mod functions;
mod glob;
mod ignore;
mod manifest;
mod metadata;
mod plain;
mod record;
mod render;
mod schema;
mod semver;
mod strvals;
mod templates;
mod values;

pub use capabilities::{KubeVersion, default_api_versions};
pub use chart::Chart;
pub use error::{Error, ErrorKind, Place};
pub use explain::{Explanation, ValueOrigin, Writer};
pub use manifest::{Hook, HookEvent, Manifest, Order, Sorted, sort, split};
pub use metadata::{Dependency, Maintainer, Metadata};
pub use record::{Record, Status, decode_record, encode_record};
pub use render::{Crd, Lookup, Options, PostRender, Release, Rendered, render, render_files};
pub use values::UserValues;

pub use lockstep_gotmpl::Limits;

/// Tells whether a version fits a constraint, as Helm checks `kubeVersion` and versions of dependencies: false when either
/// cannot be read.
pub fn is_compatible_range(constraint: &str, version: &str) -> bool {
    semver::is_compatible(constraint, version)
}
