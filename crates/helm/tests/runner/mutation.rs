//! Broken charts never panic: small changes to a chart that uses much.

use lockstep_helm::{Limits, Options, render, render_files};

use crate::{chart, release};

const FILES: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: t\nversion: 0.1.0\ndependencies:\n- name: sub\n  version: 0.1.0\n  condition: sub.on\n  import-values: [data]\n",
    ),
    ("values.yaml", "a: {b: [1, x, {c: d}]}\nsub: {on: true, global: {g: 1}}\ntext: '{{ .Release.Name }}'\n"),
    (
        "values.schema.json",
        "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"object\", \"required\": [\"b\"]}}}",
    ),
    ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
    ("charts/sub/values.yaml", "exports: {data: {e: 1}}\n"),
    ("charts/sub/templates/s.yaml", "kind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\n"),
    (
        "templates/_h.tpl",
        "{{- define \"name\" -}}\n{{ printf \"%s-%s\" .Release.Name .Chart.Name | trunc 63 | trimSuffix \"-\" }}\n{{- end -}}\n",
    ),
    (
        "templates/t.yaml",
        "{{- range $i, $x := .Values.a.b }}\n---\nkind: ConfigMap\nmetadata:\n  name: {{ include \"name\" $ }}-{{ $i }}\n  annotations: {helm.sh/hook: pre-install}\ndata:\n  v: {{ $x | toYaml | quote }}\n  t: {{ tpl $.Values.text $ }}\n{{- else }}x{{ end }}\n{{ with .Values.none }}{{ .x }}{{ end }}{{ if and .Values.a (not .Values.z) }}y: 1{{ end }}\n",
    ),
];

/// A small generator of numbers, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

fn mutate(text: &str, numbers: &mut Numbers) -> String {
    const PIECES: &[&str] = &[
        "{{", "}}", "(", ")", "|", ".", "$", "\"", "`", "-", ":", "\n", " ", "[", "{", "}", "null", "0", "é", "end",
        "range", "---",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(chars.len());
        match numbers.below(4) {
            0 if !chars.is_empty() => {
                chars.remove(at);
            }
            1 if !chars.is_empty() => {
                let other = numbers.below(chars.len());
                chars.swap(at, other);
            }
            2 => chars.truncate(at),
            _ => {
                let piece = PIECES[numbers.below(PIECES.len())];
                chars.splice(at..at, piece.chars());
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn mutated_charts_render_or_fail_but_never_panic() {
    let mut numbers = Numbers(42);
    let limits = Limits { fuel: 200_000, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let mut rendered = 0;
    for _ in 0..800 {
        let victim = numbers.below(FILES.len());
        let changed = mutate(FILES[victim].1, &mut numbers);
        let mut files = FILES.to_vec();
        files[victim].1 = &changed;
        if let Ok(chart) = chart(&files) {
            rendered += usize::from(render(&chart, &release(), &options).is_ok());
        }
    }
    assert!(rendered > 50, "only {rendered} of the mutants rendered");
}

#[test]
fn mutated_set_expressions_never_panic() {
    let chart = chart(FILES).unwrap();
    let mut numbers = Numbers(7);
    for seed in ["a.b[0].c=1,d={x,y}", "a[0][1]=x", "x={\"a\":[1,2]}", "a\\.b=c,d.e.f=null"] {
        for _ in 0..150 {
            let text = mutate(seed, &mut numbers);
            let mut options = Options::default();
            match numbers.below(4) {
                0 => options.values.set.push(text),
                1 => options.values.set_string.push(text),
                2 => options.values.set_json.push(text),
                _ => options.values.set_literal.push(text),
            }
            // Either answer is right; that there is one is what is tested.
            let result = render_files(&chart, &release(), &options);
            assert!(result.is_ok() || result.is_err());
        }
    }
}
