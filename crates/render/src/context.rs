//! What a chart is told beside its files: the cluster, the release, and where to find charts that are parsed already.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use lockstep_files::{Id, Reader};
use lockstep_helm::{Chart, Error, Lookup};

/// The seed of random functions in charts that no App renders: fixed, so that the same files render the same bytes.
pub const CHART_SEED: u64 = 1;

/// What a chart is told beside its files. The default is what `helm template` assumes.
#[derive(Clone)]
pub struct ChartContext {
    /// The version of the cluster, as `v1.36.3`; Helm's default without one.
    pub kube_version: Option<String>,
    /// All API versions that the cluster knows; Helm's defaults without them.
    pub api_versions: Option<Arc<[String]>>,
    /// The seed of functions such as `randAlphaNum`: the same seed renders the same bytes.
    pub seed: u64,
    /// The time of `now` and of certificates that charts make, in seconds since 1970.
    pub now: i64,
    /// Answers `lookup`; without it every look finds nothing.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// The revision of the release, from 1; 0 is 1.
    pub revision: i64,
    /// Whether the release is there already.
    pub is_upgrade: bool,
    /// Whether Helm's record of the release is made.
    pub record: bool,
    /// Charts that were read before.
    pub charts: Option<Arc<ChartCache>>,
}

impl Default for ChartContext {
    fn default() -> Self {
        Self {
            kube_version: None,
            api_versions: None,
            seed: CHART_SEED,
            now: 0,
            lookup: None,
            revision: 0,
            is_upgrade: false,
            record: false,
            charts: None,
        }
    }
}

impl fmt::Debug for ChartContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChartContext").field("kube_version", &self.kube_version).finish_non_exhaustive()
    }
}

/// Charts that were read, by the ids of their folders: a thousand releases of one chart share its parsed templates.
#[derive(Default)]
pub struct ChartCache(Mutex<Vec<(Id, Chart)>>);

/// A large chart takes some megabytes; nobody deploys many more different ones at a time.
const MOST_CHARTS: usize = 24;

impl ChartCache {
    /// Reads a chart, or finds it as it was read before.
    pub(crate) fn read(&self, reader: &Reader, path: &str) -> Result<Chart, Error> {
        // The id answers for everything below the folder, and asking for it is on the reader's record.
        let Ok(Some(id)) = reader.id(path) else { return Chart::from_folder(reader, path) };
        if let Some(chart) = self.find(id) {
            return Ok(chart);
        }
        let chart = Chart::from_folder(reader, path)?;
        let mut charts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        charts.insert(0, (id, chart.clone()));
        charts.truncate(MOST_CHARTS);
        Ok(chart)
    }

    /// Finds a chart and makes it the last to be forgotten.
    fn find(&self, id: Id) -> Option<Chart> {
        let mut charts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = charts.iter().position(|(known, _)| *known == id)?;
        let found = charts.remove(place);
        charts.insert(0, found);
        Some(charts[0].1.clone())
    }
}
