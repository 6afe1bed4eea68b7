//! The fields of an App in the form that the renderer takes.

use lockstep_api::{AppSpec, HelmOptions, KustomizeImage, KustomizeOptions, KustomizePatch};
use lockstep_engine::AppId;
use lockstep_render::{
    HelmValues, ImageOverride, KustomizeSpec, LoadRestrictor, Overlay, PatchOverride, RenderSpec, TargetOverride,
    ValuesFrom,
};

use crate::source;

/// Returns what is rendered for an App.
pub(crate) fn render_spec(id: &AppId, app: &AppSpec) -> RenderSpec {
    let helm = app.source.helm.as_ref();
    RenderSpec {
        path: source::path_of(&app.source).to_owned(),
        name: source::release_name(helm, &id.name),
        namespace: app.destination.namespace.as_ref().unwrap_or(&id.namespace).clone(),
        values: helm.map(values_of).unwrap_or_default(),
        kustomize: app.source.kustomize.as_ref().map(kustomize_spec).unwrap_or_default(),
    }
}

fn values_of(helm: &HelmOptions) -> HelmValues {
    let from = helm.values_from.iter().map(|reference| ValuesFrom {
        path: source::values_path(reference),
        target: reference.target_path.clone().unwrap_or_default(),
        optional: reference.optional,
    });
    HelmValues { files: helm.value_files.clone(), from: from.collect(), text: helm.values.clone() }
}

fn kustomize_spec(options: &KustomizeOptions) -> KustomizeSpec {
    let overlay = Overlay {
        images: options.images.iter().map(image).collect(),
        patches: options.patches.iter().map(patch).collect(),
        components: options.components.clone(),
        ignore_missing_components: options.ignore_missing_components,
        name_prefix: options.name_prefix.clone(),
        name_suffix: options.name_suffix.clone(),
        namespace: options.namespace.clone(),
        labels: options.labels.clone(),
        annotations: options.common_annotations.clone(),
        replicas: options.replicas.iter().map(|one| (one.name.clone(), one.count)).collect(),
    };
    let load_restrictor = match options.load_restrictor {
        lockstep_api::LoadRestrictor::LoadRestrictionsRootOnly => LoadRestrictor::RootOnly,
        lockstep_api::LoadRestrictor::LoadRestrictionsNone => LoadRestrictor::None,
    };
    let KustomizeOptions { enable_helm, allow_remote_bases, .. } = *options;
    KustomizeSpec { overlay, load_restrictor, enable_helm, allow_remote_bases }
}

fn image(rule: &KustomizeImage) -> ImageOverride {
    ImageOverride {
        name: rule.name.clone(),
        new_name: rule.new_name.clone(),
        new_tag: rule.new_tag.clone(),
        digest: rule.digest.clone(),
    }
}

fn patch(patch: &KustomizePatch) -> PatchOverride {
    let target = patch.target.as_ref().map(|target| TargetOverride {
        group: target.group.clone(),
        version: target.version.clone(),
        kind: target.kind.clone(),
        name: target.name.clone(),
        namespace: target.namespace.clone(),
        label_selector: target.label_selector.clone(),
        annotation_selector: target.annotation_selector.clone(),
    });
    PatchOverride { patch: patch.patch.clone(), target }
}
