//! What an object's annotations ask for: our words, Argo CD's, Flux's and Helm's.

use lockstep_api::{COMPARE_OPTIONS, HOOK, PRUNE, SYNC_OPTIONS, WAVE};
use lockstep_object::Object;

/// Whether an object that is no longer wanted is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PruneMark {
    /// It is, unless its kind holds data.
    #[default]
    Plain,
    /// It is kept: `lockstep.dev/prune: disabled`, `Prune=false`, Flux's `prune: disabled`, Helm's `resource-policy: keep`.
    Never,
    /// It is, whatever its kind: `lockstep.dev/prune: allowed`.
    Allowed,
    /// It is, after a person agreed: `lockstep.dev/prune: confirm`, `Prune=confirm`.
    Confirm,
}

/// What an object asks for in its annotations.
///
/// Argo CD's words (3.6) are read from `argocd.argoproj.io/sync-options` and ours of the same form from
/// `lockstep.dev/sync-options`. What is our way in any case needs no word: `ServerSideApply=true`, `PruneLast=true`,
/// `SkipDryRunOnMissingResource=true`, `ApplyOutOfSyncOnly=true`, `RespectIgnoreDifferences=true`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Whether it is pruned.
    pub prune: PruneMark,
    /// It stays when its App is deleted: `Delete=false`.
    pub keep_on_delete: bool,
    /// It goes with its App only after a person agreed: `Delete=confirm`.
    pub confirm_delete: bool,
    /// It is not checked before a sync that checks everything first: `Validate=false`.
    pub skip_validation: bool,
    /// It is put in place of the live object instead of being applied: `Replace=true`.
    pub replace: bool,
    /// It is deleted and made anew where the server refuses the change: `Force=true`.
    pub force: bool,
    /// An object that carries our label and is not wanted is none of ours: `IgnoreExtraneous`.
    pub extraneous: bool,
    /// Its health counts for nothing: Argo CD's `ignore-healthcheck`.
    pub ignore_health: bool,
    /// It is a hook.
    pub hook: bool,
    /// Its wave.
    pub wave: i32,
}

/// The annotations that tell a wave, the first that is there counts.
pub(crate) const WAVES: [&str; 3] = [WAVE, "argocd.argoproj.io/sync-wave", "helm.sh/hook-weight"];

impl Marks {
    /// Reads the annotations of an object.
    pub fn of(object: &Object) -> Self {
        let mut marks = Self::default();
        for name in ["argocd.argoproj.io/sync-options", SYNC_OPTIONS] {
            for word in object.annotation(name).unwrap_or_default().split(',') {
                marks.read_sync_option(word.trim());
            }
        }
        for name in ["argocd.argoproj.io/compare-options", COMPARE_OPTIONS] {
            let words = object.annotation(name).unwrap_or_default();
            marks.extraneous |= words.split(',').any(|word| word.trim() == "IgnoreExtraneous");
        }
        let is = |name: &str, value: &str| object.annotation(name) == Some(value);
        if is("kustomize.toolkit.fluxcd.io/prune", "disabled") || is("helm.sh/resource-policy", "keep") {
            marks.prune = PruneMark::Never;
            marks.keep_on_delete = true;
        }
        match object.annotation(PRUNE) {
            Some("disabled") => {
                marks.prune = PruneMark::Never;
                marks.keep_on_delete = true;
            }
            Some("allowed") => marks.prune = PruneMark::Allowed,
            Some("confirm") => marks.prune = PruneMark::Confirm,
            _ => {}
        }
        marks.ignore_health = is("argocd.argoproj.io/ignore-healthcheck", "true");
        marks.hook =
            [HOOK, "argocd.argoproj.io/hook", "helm.sh/hook"].iter().any(|name| object.annotation(name).is_some());
        let wave = WAVES.iter().find_map(|name| object.annotation(name));
        marks.wave = wave.and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        marks
    }

    fn read_sync_option(&mut self, word: &str) {
        match word {
            "Prune=false" => self.prune = PruneMark::Never,
            "Prune=confirm" => self.prune = PruneMark::Confirm,
            "Delete=false" => self.keep_on_delete = true,
            "Delete=confirm" => self.confirm_delete = true,
            "Validate=false" => self.skip_validation = true,
            "Replace=true" => self.replace = true,
            "Force=true" => self.force = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_object::from_json;

    use super::*;

    #[test]
    fn the_words_of_every_tool_are_understood() {
        let keep = Marks { prune: PruneMark::Never, keep_on_delete: true, ..Marks::default() };
        let marks = Marks::default();
        for (name, value, expect) in [
            ("lockstep.dev/prune", "disabled", keep),
            ("kustomize.toolkit.fluxcd.io/prune", "disabled", keep),
            ("helm.sh/resource-policy", "keep", keep),
            ("lockstep.dev/prune", "allowed", Marks { prune: PruneMark::Allowed, ..marks }),
            ("argocd.argoproj.io/sync-options", "Prune=false", Marks { prune: PruneMark::Never, ..marks }),
            ("argocd.argoproj.io/sync-options", "Prune=confirm", Marks { prune: PruneMark::Confirm, ..marks }),
            ("lockstep.dev/sync-options", "Replace=true, Force=true", Marks { replace: true, force: true, ..marks }),
            ("argocd.argoproj.io/sync-options", "Delete=false", Marks { keep_on_delete: true, ..marks }),
            ("argocd.argoproj.io/sync-options", "Delete=confirm", Marks { confirm_delete: true, ..marks }),
            ("argocd.argoproj.io/sync-options", "Validate=false", Marks { skip_validation: true, ..marks }),
            ("argocd.argoproj.io/sync-options", "ServerSideApply=true,PruneLast=true", marks),
            ("argocd.argoproj.io/compare-options", "IgnoreExtraneous", Marks { extraneous: true, ..marks }),
            ("argocd.argoproj.io/ignore-healthcheck", "true", Marks { ignore_health: true, ..marks }),
            ("helm.sh/hook", "pre-install", Marks { hook: true, ..marks }),
            ("argocd.argoproj.io/sync-wave", "-3", Marks { wave: -3, ..marks }),
        ] {
            let json = format!(r#"{{"metadata":{{"annotations":{{"{name}":"{value}"}}}}}}"#);
            let object = Object::try_from(from_json(json.as_bytes()).unwrap()).unwrap();
            assert_eq!(Marks::of(&object), expect, "{name}: {value}");
        }
    }
}
