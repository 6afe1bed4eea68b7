//! Charts that mean harm: an error with a place, in bounded time and memory.

use lockstep_helm::{Chart, ErrorKind, Limits, Options};

use crate::{chart, release, text, texts};

/// The error of a template that never ends has a place in that template.
fn check_fails_at(template: &str, files: &[(&str, &str)]) {
    let mut all = files.to_vec();
    all.push(("templates/t.yaml", template));
    let options = Options { limits: small(), ..Options::default() };
    let error = texts(&all, &options).unwrap_err();
    let place = error.place().unwrap_or_else(|| panic!("{template}: {error}"));
    assert!(place.file.starts_with("t/templates/") || place.file == "gotpl", "{template}: {place:?}");
}

fn small() -> Limits {
    Limits { fuel: 2_000_000, output: 4 << 20, string: 1 << 20, ..Limits::default() }
}

#[test]
fn templates_that_call_themselves_end() {
    check_fails_at(
        "{{ include \"a\" . }}",
        &[("templates/_a.tpl", "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}")],
    );
    check_fails_at(
        "{{ include \"a\" . }}",
        &[("templates/_a.tpl", "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}")],
    );
    check_fails_at("{{ tpl .Values.a . }}", &[("values.yaml", "a: '{{ tpl .Values.a . }}'")]);
    let two = "{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"b\" }}{{ include \"a\" . }}{{ end }}";
    check_fails_at("{{ include \"a\" . }}", &[("templates/_a.tpl", two)]);
}

#[test]
fn loops_and_lists_without_end_end() {
    check_fails_at("{{ range until 1000000 }}{{ range until 1000000 }}x{{ end }}{{ end }}", &[]);
    check_fails_at("{{ range $i := 100000000 }}x{{ end }}", &[]);
    check_fails_at("{{ until 2000000000 | len }}", &[]);
    check_fails_at("{{ untilStep 0 2000000000 1 | len }}", &[]);
}

#[test]
fn texts_of_gigabytes_are_not_made() {
    check_fails_at("{{ repeat 2000000000 \"x\" | len }}", &[]);
    check_fails_at("{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}", &[]);
    check_fails_at(
        "{{ range until 100000 }}{{ \"0123456789012345678901234567890123456789012345678901234\" }}{{ end }}",
        &[],
    );
    check_fails_at("{{ indent 2000000000 \"x\" }}", &[]);
}

#[test]
fn values_that_contain_themselves_do_not_print_forever() {
    for print in ["toYaml", "toJson", "toToml", "toYamlPretty", "print"] {
        let template = format!("{{{{ $_ := set .Values \"self\" .Values }}}}{{{{ {print} .Values | len }}}}");
        let options = Options { limits: small(), ..Options::default() };
        // Helm's functions that swallow errors give an empty text or the error's.
        if let Err(error) = texts(&[("templates/t.yaml", &template)], &options) {
            assert!(error.place().is_some(), "{print}: {error}");
        }
    }
}

#[test]
fn a_value_that_doubles_with_each_level_is_not_written_out() {
    let template =
        "{{ $x := dict }}{{ range until 60 }}{{ $x = dict \"a\" $x \"b\" $x }}{{ end }}{{ toYaml $x | len }}";
    check_fails_at(template, &[]);
    check_fails_at(&template.replace("toYaml", "toYamlPretty"), &[]);
}

#[test]
fn files_outside_the_chart_are_not_found() {
    for path in ["../../etc/passwd", "/etc/passwd", "..\\secret", "charts/../../x"] {
        assert_eq!(text(&format!("[{{{{ .Files.Get {path:?} }}}}]")).unwrap(), "[]");
    }
}

#[test]
fn charts_in_charts_in_charts_are_refused_at_some_depth() {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut prefix = String::new();
    for _ in 0..200 {
        files.push((format!("{prefix}Chart.yaml"), crate::CHART.as_bytes().to_vec()));
        prefix.push_str("charts/t/");
    }
    let error = Chart::from_files(files).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Limit);
}

#[test]
fn a_schema_that_never_ends_is_an_error() {
    let doubling =
        r##"{"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}"##;
    let cyclic = r##"{"$ref": "#"}"##;
    for schema in [doubling, cyclic] {
        let files = [("values.schema.json", schema), ("templates/t.yaml", "x")];
        let error = texts(&files, &Options::default()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Limit | ErrorKind::Schema), "{error}");
    }
}

#[test]
fn schemas_do_not_reach_the_network() {
    let files = [("values.schema.json", r#"{"$ref": "https://example.com/x.json"}"#), ("templates/t.yaml", "x")];
    let error = texts(&files, &Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.message().contains("https://example.com/x.json"), "{error}");
}

#[test]
fn wrong_uses_of_lists_and_maps_are_errors_with_a_place() {
    for template in [
        "{{ index (list 1) 5 }}",
        "{{ slice (list 1 2) 5 9 }}",
        "{{ .Values.a.b.c }}",
        "{{ first 5 }}",
        "{{ div 1 0 }}",
        "{{ mod 1 0 }}",
        "{{ substr -5 99 \"x\" }}",
        "{{ index .Values.list -1 }}",
        "{{ nil.x }}",
    ] {
        if let Err(error) = text(template) {
            assert!(error.place().is_some() || error.message().starts_with("parse error"), "{template}: {error}");
        }
    }
}

#[test]
fn a_shared_chart_is_not_changed_by_its_releases() {
    let files = [
        ("values.yaml", "a: {b: 1}"),
        ("templates/t.yaml", "{{ .Values.a.b }}{{ $_ := set .Values.a \"b\" 2 }}{{ $_ := set .Chart \"Name\" \"x\" }}"),
    ];
    let chart = chart(&files).unwrap();
    for _ in 0..2 {
        let files = lockstep_helm::render_files(&chart, &release(), &Options::default()).unwrap();
        assert_eq!(files["t/templates/t.yaml"], "1");
    }
}
