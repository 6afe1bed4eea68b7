//! The library of rules: one file for each family of custom kinds.

/// The files of `rules/`, by name.
pub const FILES: &[(&str, &str)] = &[
    ("argo.rules", include_str!("../rules/argo.rules")),
    ("cluster-api.rules", include_str!("../rules/cluster-api.rules")),
    ("crossplane.rules", include_str!("../rules/crossplane.rules")),
    ("data.rules", include_str!("../rules/data.rules")),
    ("flux.rules", include_str!("../rules/flux.rules")),
    ("gateways.rules", include_str!("../rules/gateways.rules")),
    ("knative.rules", include_str!("../rules/knative.rules")),
    ("numaflow.rules", include_str!("../rules/numaflow.rules")),
    ("platforms.rules", include_str!("../rules/platforms.rules")),
    ("promoter.rules", include_str!("../rules/promoter.rules")),
    ("simple.rules", include_str!("../rules/simple.rules")),
    ("storage.rules", include_str!("../rules/storage.rules")),
    ("threescale.rules", include_str!("../rules/threescale.rules")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_of_the_folder_is_forgotten() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rules")).unwrap();
        let mut names: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let known: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, known);
    }
}
