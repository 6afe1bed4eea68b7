use crate::support::{check, check_errors};

#[test]
fn text_and_trim_markers() {
    check(&[
        ("a {{- 1 -}} b", "{}", "a1b"),
        ("a {{ 1 }} b", "{}", "a 1 b"),
        ("{{/* note */}}x", "{}", "x"),
        ("x {{- /* note */ -}} y", "{}", "xy"),
    ]);
}

#[test]
fn pipelines_variables_and_scope() {
    check(&[
        (r#"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ end }}{{ $x }}"#, "{}", "2"),
        (r#"{{ with $x := .a }}{{ $x }}{{ . }}{{ else with .b }}{{ . }}{{ end }}"#, r#"{"b": "B"}"#, "B"),
        (r#"{{ "x" | printf "%s-%s" "a" }}"#, "{}", "a-x"),
        ("{{ (.a).b.c }}|{{ (.nope).b }}", r#"{"a": {"b": {"c": 1}}}"#, "1|<no value>"),
        (
            r#"{{ define "a" }}[{{ . }}]{{ end }}{{ template "a" 1 }}{{ block "b" 2 }}({{ . }}){{ end }}"#,
            "{}",
            "[1](2)",
        ),
    ]);
}

#[test]
fn ranges_break_and_continue() {
    check(&[
        ("{{ range $i, $e := .l }}{{ $i }}{{ $e }} {{ end }}", r#"{"l": ["a", "b"]}"#, "0a 1b "),
        ("{{ range $k, $v := .m }}{{ $k }}={{ $v }};{{ end }}", r#"{"m": {"b": 2, "a": 1}}"#, "a=1;b=2;"),
        ("{{ range 3 }}{{ . }}{{ end }}{{ range 0 }}x{{ else }}none{{ end }}", "{}", "012none"),
        (
            "{{ range $i := 5 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ if eq $i 3 }}{{ break }}{{ end }}{{ $i }}{{ end }}",
            "{}",
            "02",
        ),
    ]);
}

#[test]
fn constants_and_printing() {
    check(&[
        (
            "{{ 0x1F }} {{ 1_000 }} {{ 'a' }} {{ 1e3 }} {{ 1i }} {{ 0b11 }} {{ 0o17 }} {{ 1.50 }}",
            "{}",
            "31 1000 97 1000 (0+1i) 3 15 1.5",
        ),
        (
            r#"{{ printf "%5d|%-5s|%05.1f|%x|%q|%v|%T|%t" 42 "ab" 3.14159 "hi" "q\n" nil 1.0 true }}"#,
            "{}",
            "   42|ab   |003.1|6869|\"q\\n\"|<nil>|float64|true",
        ),
        (r#"{{ printf "%d %s" "x" }}"#, "{}", "%!d(string=x) %!s(MISSING)"),
        (r#"{{ printf "%s" 1 2 }}"#, "{}", "%!s(int=1)%!(EXTRA int=2)"),
        (
            "{{ .big }} {{ .small }} {{ .m }} {{ .l }}",
            r#"{"big": 1000000, "small": 0.1, "m": {"b": [1], "a": null}, "l": []}"#,
            "1e+06 0.1 map[a:<nil> b:[1]] []",
        ),
    ]);
}

#[test]
fn errors_of_execution_name_the_node() {
    check_errors(&[
        (
            "{{ .a.b.c }}",
            r#"{"a": {}}"#,
            r#"template: t.yaml:1:5: executing "t.yaml" at <.a.b.c>: nil pointer evaluating interface {}.c"#,
        ),
        (
            "{{ .a.b }}",
            r#"{"a": 1}"#,
            r#"template: t.yaml:1:5: executing "t.yaml" at <.a.b>: can't evaluate field b in type interface {}"#,
        ),
        ("x\n  {{ upper 7 }}", "{}", r#"template: t.yaml:2:11: executing "t.yaml" at <7>: expected string; found 7"#),
        (
            "{{ eq .n 3 }}",
            r#"{"n": 3}"#,
            r#"template: t.yaml:1:3: executing "t.yaml" at <eq .n 3>: error calling eq: incompatible types for comparison: float64 and int"#,
        ),
        (
            "{{ substr 1 }}",
            "{}",
            r#"template: t.yaml:1:3: executing "t.yaml" at <substr>: wrong number of args for substr: want 3 got 1"#,
        ),
        (
            r#"{{ template "no" }}"#,
            "{}",
            r#"template: t.yaml:1:12: executing "t.yaml" at <{{template "no"}}>: template "no" not defined"#,
        ),
        ("{{ $x = 1 }}", "{}", r#"template: t.yaml:1:8: executing "t.yaml" at <1>: undefined variable: $x"#),
    ]);
}

#[test]
fn errors_of_parsing_name_the_line() {
    check_errors(&[
        ("a\n{{ if }}", "{}", "template: t.yaml:2: missing value for if"),
        ("{{ nope 1 }}", "{}", r#"template: t.yaml:1: function "nope" not defined"#),
        ("{{ if true }}", "{}", "template: t.yaml:1: unexpected EOF"),
        ("{{ $x }}", "{}", r#"template: t.yaml:1: undefined variable "$x""#),
        ("{{ \"a }}", "{}", "template: t.yaml:1: unterminated quoted string"),
        ("{{ break }}", "{}", "template: t.yaml:1: {{break}} outside {{range}}"),
        ("{{ (1 }}", "{}", "template: t.yaml:1: unclosed left paren"),
    ]);
}

#[test]
fn and_or_stop_early() {
    check(&[(r#"{{ or 1 (fail "no") }} {{ and 0 (fail "no") }} {{ and 1 2 }}"#, "{}", "1 0 2")]);
}
