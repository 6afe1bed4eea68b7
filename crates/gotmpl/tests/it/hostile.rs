use lockstep_gotmpl::ErrorKind;
use proptest::prelude::*;

use crate::support::{SMALL, render, render_with};

/// Checks that a template ends with a limit's error that names a place.
fn ends(template: &str) {
    let error = render_with(template, "{}", SMALL).expect_err(template);
    assert_eq!(error.kind(), ErrorKind::Limit, "{template}: {error}");
    assert!(error.place().is_some(), "{template}");
}

#[test]
fn recursion_without_end_is_an_error_with_a_place() {
    ends(r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#);
    ends(r#"{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#);
    ends(r#"{{ define "a" }}{{ tpl "{{ include `a` . }}" . }}{{ end }}{{ include "a" . }}"#);
}

#[test]
fn endless_work_runs_out_of_fuel() {
    ends("{{ range 1000000000000 }}{{ end }}");
    ends("{{ range until 1000000000 }}{{ end }}");
    ends("{{ range untilStep 0 9223372036854775807 1 }}{{ end }}");
    ends("{{ seq 1 9223372036854775807 }}");
    ends(r#"{{ $l := list 1 }}{{ range 100000 }}{{ $l = concat $l $l }}{{ end }}"#);
    ends(r#"{{ range 1000 }}{{ range 1000 }}{{ range 1000 }}x{{ end }}{{ end }}{{ end }}"#);
}

#[test]
fn strings_and_outputs_have_a_limit() {
    ends(r#"{{ repeat 9223372036854775807 "abc" }}"#);
    ends(r#"{{ indent 1000000000 "abc" }}"#);
    ends(r#"{{ $s := "abcdefgh" }}{{ range 100 }}{{ $s = print $s $s }}{{ end }}"#);
    ends(r#"{{ $s := "abcdefgh" }}{{ range 100 }}{{ $s = replace "a" $s $s }}{{ end }}"#);
    ends(r#"{{ range 2000000 }}{{ repeat 1000 "x" }}{{ end }}"#);
}

#[test]
fn a_value_may_contain_itself() {
    for show in [
        "print $d",
        "toJson $d",
        "deepCopy $d",
        "deepEqual $d (dict `a` $d)",
        "merge $d $d",
        "$d",
        "toString $d",
        "printf `%#v` $d",
    ] {
        let template = format!(
            "{{{{ $d := dict }}}}{{{{ $_ := set $d `a` $d }}}}{{{{ $_ := set $d `b` $d }}}}{{{{ $x := {show} }}}}"
        );
        drop(render(&template, "{}"));
    }
}

#[test]
fn deep_nesting_neither_overflows_when_built_nor_when_dropped() {
    drop(render("{{ $x := list }}{{ range 100000 }}{{ $x = list $x }}{{ end }}{{ $x }}", "{}"));
    drop(render("{{ $x := dict }}{{ range 100000 }}{{ $x = dict `a` $x }}{{ end }}{{ $x | toJson }}", "{}"));
    drop(render(&"(".repeat(100_000).replace('(', "{{ (").chars().collect::<String>(), "{}"));
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(render(&parens, "{}").unwrap_err().contains("max expression depth exceeded"));
    drop(render(&"{{ if true }}".repeat(20_000), "{}"));
    drop(render("{{ regexMatch (repeat 5000 `(`) `x` }}", "{}"));
    drop(render("{{ fromJson (repeat 100000 `[`) }}", "{}"));
}

#[test]
fn regular_expressions_stay_small() {
    drop(render("{{ regexMatch `((((a{100}){100}){100}){100}){100}` `x` }}", "{}"));
    drop(render("{{ mustRegexMatch `(x+x+)+y` (repeat 50000 `x`) }}", "{}"));
}

const SEEDS: [&str; 14] = [
    r#"{{- range $i, $e := .l -}}{{ $i }}{{ with $e.a }}{{ . | quote }}{{ else }}{{ break }}{{ end }}{{- end -}}"#,
    r#"{{ define "x" }}{{ printf "%5.2f|%-8s|%+v|%x" 1.5 .s .m .l }}{{ end }}{{ template "x" . }}{{ include "x" $ }}"#,
    r#"{{ if and (eq .s "a") (not .f) | or .n }}{{ .m.a.b.c | default "d" | upper }}{{ else if lt 1 2 }}{{ end }}"#,
    r#"{{ $d := dict "a" 1 "b" (list 1 2 3) }}{{ $_ := set $d "c" $d }}{{ toJson (omit $d "c") }}{{ dig "a" "b" 1 $d }}"#,
    r#"{{ regexReplaceAll "(a)(?P<n>b*)[^x-z]\\d{1,3}" .s "${n}$1" }}{{ regexSplit `\s+` .s -1 }}"#,
    r#"{{ dateInZone "2006-01-02T15:04:05.999Z07:00 MST Jan Mon _2" 1700000000 "Europe/Berlin" }}{{ toDate "2006" .s }}"#,
    r#"{{ semverCompare ">=1.2.3-0 <2 || ~1.x" "1.2.3" }}{{ (semver "1.2.3+a").Major }}{{ durationRound "2h3m" }}"#,
    r#"{{ urlParse "https://u:p@h:80/p%20q?x=1#f" | urlJoin }}{{ wrap 3 .s }}{{ abbrev 5 .s }}{{ substr 0 3 .s }}{{ trunc -2 .s }}"#,
    r#"{{ index .l 0 1 "a" }}{{ slice .l 1 2 }}{{ slice .s 1 }}{{ len .m }}{{ call .f }}{{ html .s }}{{ js .s }}{{ urlquery .s }}"#,
    r#"{{ snakecase .s }}{{ camelcase .s }}{{ kebabcase .s }}{{ title .s }}{{ b64dec .s }}{{ b32dec .s }}{{ fromJson .s }}"#,
    r#"{{ add 1 .n }}{{ div .n 2 }}{{ divf 1 .n }}{{ round 3.14159 2 }}{{ seq 1 2 9 }}{{ until 3 }}{{ untilStep 3 0 -1 }}{{ toDecimal "777" }}"#,
    r#"{{ merge (dict "a" (dict "b" 1)) .m }}{{ mergeOverwrite .m (dict "a" nil) }}{{ pluck "a" .m }}{{ chunk 2 .l }}{{ concat .l .l }}"#,
    r#"{{/* c */ -}} {{- 0x1Fp-2 }}{{ 'x' }}{{ 1_000 }}{{ 1i }}{{ `raw` }}{{ "\u00e9\n" }}{{ block "b" . }}{{ . }}{{ end }}"#,
    r#"{{ tpl "{{ .s }}{{ define `q` }}{{ end }}" . }}{{ printf "%[2]*[1]d %q %!" 3 4 }}"#,
];
const DATA: &str =
    r#"{"s": "a b-C_d é 12", "n": 3, "f": false, "l": [{"a": "x"}, 1, "two", null], "m": {"a": {"b": {"c": "leaf"}}}}"#;

fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(String::new()),
        "[ -~]{1,3}",
        prop::sample::select(vec![
            "{{",
            "}}",
            "-}}",
            "{{-",
            "(",
            ")",
            "|",
            ".",
            "$",
            "\"",
            "`",
            "é",
            "\\",
            "-1",
            "99999999999",
            "nil",
            "%",
            "[",
            "*",
            "."
        ])
        .prop_map(str::to_owned),
    ];
    (
        prop::sample::select(SEEDS.to_vec()),
        prop::collection::vec((any::<prop::sample::Index>(), 0..4usize, piece), 0..4),
    )
        .prop_map(|(seed, edits)| {
            let mut chars: Vec<char> = seed.chars().collect();
            for (at, cut, piece) in edits {
                let at = at.index(chars.len() + 1);
                let end = chars.len().min(at + cut);
                chars.splice(at..end, piece.chars());
            }
            chars.into_iter().collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutated_template_panics(template in mutated()) {
        drop(render(&template, DATA));
    }

    #[test]
    fn no_format_panics(format in "(%[-+# 0]{0,3}(\\*|[0-9]{0,3})(\\.[0-9]{0,2})?(\\[[0-9]\\])?[a-zA-Z%é!]?| |x){0,4}", n in any::<i64>(), f in any::<f64>(), s in any::<String>()) {
        let args = [n.into_value(), lockstep_gotmpl::Value::Float(f), lockstep_gotmpl::Value::str(s)];
        drop(lockstep_gotmpl::print::sprintf(&format, &args));
    }

    #[test]
    fn no_argument_panics(name in any::<prop::sample::Index>(), args in prop::collection::vec(prop::sample::select(vec![
        "nil", "1", "-1", "0", "9223372036854775807", "1.5", "\"\"", "\"a\"", "\"é\\xff\"", "true", ".l", ".m", ".n", ".s", "(list)", "(dict)", "(now)", "(semver \"1.2.3\")",
        "\"2006-01-02\"", "\"1h\"", "\"UTC\"", "\"%s%d\"", "\"[a-z\"", "\".*\"", "(b64dec \"/w==\")",
    ]), 0..5)) {
        let functions = crate::support::functions();
        let names: Vec<&str> = functions.names().into_iter().filter(|name| !name.starts_with("gen") && !matches!(*name, "bcrypt" | "htpasswd" | "derivePassword")).collect();
        let template = format!("{{{{ {} {} }}}}", names[name.index(names.len())], args.join(" "));
        drop(render(&template, DATA));
    }
}

trait IntoValue {
    fn into_value(self) -> lockstep_gotmpl::Value;
}

impl IntoValue for i64 {
    fn into_value(self) -> lockstep_gotmpl::Value {
        lockstep_gotmpl::Value::Int(self)
    }
}
