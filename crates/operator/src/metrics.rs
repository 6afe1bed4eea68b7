//! What is counted, in the text format of Prometheus.

use std::fmt;

use lockstep_cluster::{Cluster, Verb};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::AppView;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AppLabels {
    namespace: String,
    name: String,
    phase: String,
    health: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerbLabel {
    verb: &'static str,
}

/// What the core counts as it goes. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    /// Revisions whose files were rendered.
    pub(crate) rendered: Counter,
    /// Revisions that touched nothing an App had read.
    pub(crate) kept: Counter,
    told: Family<Reason, Counter>,
}

impl Metrics {
    /// Counts a notice.
    pub(crate) fn tell(&self, reason: &'static str) {
        self.told.get_or_create(&Reason { reason }).inc();
    }

    /// Prints everything, with the Apps and requests as they are now.
    ///
    /// # Errors
    /// None that a `String` could give.
    pub(crate) fn print(&self, apps: &[AppView], cluster: &Cluster) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("lockstep");
        registry.register("renders", "Revisions whose files were rendered", self.rendered.clone());
        registry.register("renders_kept", "Revisions that touched nothing an App had read", self.kept.clone());
        registry.register("notices", "What people were told, by reason: syncs, drift, failures", self.told.clone());
        let requests = Family::<VerbLabel, Counter>::default();
        for verb in Verb::ALL {
            requests.get_or_create(&VerbLabel { verb: verb.as_str() }).inc_by(cluster.counts().get(verb));
        }
        registry.register("api_requests", "Requests to the API server", requests);
        let info = Family::<AppLabels, Gauge>::default();
        let (mut objects, mut ready) = (0, 0);
        for app in apps {
            info.get_or_create(&AppLabels {
                namespace: app.id.namespace.clone(),
                name: app.id.name.clone(),
                phase: format!("{:?}", app.status.phase),
                health: format!("{:?}", app.status.health),
            })
            .set(1);
            objects += app.objects;
            ready += usize::from(app.status.conditions.iter().any(|one| one.kind == "Ready" && one.status == "True"));
        }
        registry.register("app_info", "The phase and health of each App", info);
        for (name, help, value) in [
            ("apps", "Apps", apps.len()),
            ("apps_ready", "Apps whose condition Ready is True", ready),
            ("objects", "Objects that Apps own", objects),
        ] {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
        let mut printed = String::new();
        text::encode(&mut printed, &registry)?;
        Ok(printed)
    }
}
