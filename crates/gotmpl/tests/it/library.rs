use crate::support::{check, check_errors, render};

#[test]
fn maps_are_shared() {
    check(&[
        (r#"{{ $_ := set .m "k" "v" }}{{ .m.k }}"#, r#"{"m": {}}"#, "v"),
        (r#"{{ $c := deepCopy .m }}{{ $_ := set $c "k" 1 }}{{ hasKey .m "k" }}"#, r#"{"m": {}}"#, "false"),
        (r#"{{ $d := merge (dict "a" false) (dict "a" true "b" 1) }}{{ toJson $d }}"#, "{}", r#"{"a":true,"b":1}"#),
        (r#"{{ $d := mergeOverwrite (dict "a" true) (dict "a" false) }}{{ toJson $d }}"#, "{}", r#"{"a":false}"#),
        (r#"{{ dig "a" "b" "none" .m }}"#, r#"{"m": {"a": {}}}"#, "none"),
    ]);
}

#[test]
fn numbers() {
    check(&[
        (r#"{{ int "010" }} {{ int64 "1e3" }} {{ add 1 "2" 3.9 }} {{ div 7 2 }} {{ mod -7 3 }}"#, "{}", "8 0 6 3 -1"),
        (r#"{{ addf 0.1 0.2 }} {{ divf 10 3 }} {{ round 2.5 0 }} {{ max 1 3 2 }}"#, "{}", "0.3 3.3333333333333335 3 3"),
        (r#"{{ until 3 }} {{ seq 1 2 7 }} {{ untilStep 3 0 -1 }}"#, "{}", "[0 1 2] 1 3 5 7 [3 2 1]"),
    ]);
}

#[test]
fn strings() {
    check(&[
        (
            r#"{{ camelcase "foo_bar" }} {{ snakecase "FooBar9x" }} {{ kebabcase "HTTPServer" }}"#,
            "{}",
            "FooBar foo_bar_9x http-server",
        ),
        (r#"{{ trunc 3 "abcdef" }} {{ trunc -2 "abc" }} {{ abbrev 5 "hello world" }}"#, "{}", "abc bc he..."),
        (r#"{{ quote "a\"b" 1 nil }} {{ squote "x" }} {{ "a b" | title }}"#, "{}", r#""a\"b" "1" 'x' A B"#),
        (
            r#"{{ "a\nb" | indent 2 }}|{{ join "-" .l }}|{{ splitList "," "a,b" }}"#,
            r#"{"l": [1, null, "x"]}"#,
            "  a\n  b|1-x|[a b]",
        ),
        (
            r#"{{ regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }} {{ regexReplaceAll "a(x*)b" "-ab-axxb-" "$1W" }}"#,
            "{}",
            "-W-xxW- ---",
        ),
        (
            r#"{{ toJson (dict "a" "<x>") }} {{ toRawJson (dict "a" "<x>") }}"#,
            "{}",
            "{\"a\":\"\\u003cx\\u003e\"} {\"a\":\"<x>\"}",
        ),
    ]);
}

#[test]
fn dates_and_versions() {
    check(&[
        (r#"{{ dateInZone "2006-01-02 15:04 MST" 1700000000 "Europe/Berlin" }}"#, "{}", "2023-11-14 23:13 CET"),
        (
            r#"{{ toDate "2006-01-02" "2021-02-03" | date "Jan _2 Mon" }} {{ durationRound "26h" }}"#,
            "{}",
            "Feb  3 Wed 1d",
        ),
        (
            r#"{{ semverCompare "^1.2" "1.9.0" }} {{ semverCompare ">=1.2" "1.3.0-rc.1" }} {{ (semver "v1.2.3").Minor }}"#,
            "{}",
            "true false 2",
        ),
    ]);
}

#[test]
fn what_go_draws_at_random_comes_from_the_seed() {
    let template = r#"{{ randAlphaNum 12 }}{{ uuidv4 }}{{ now | unixEpoch }}{{ shuffle "abcdef" }}{{ randBytes 4 }}"#;
    assert_eq!(render(template, "{}"), render(template, "{}"));
    check(&[(r#"{{ encryptAES "k" "text" | decryptAES "k" }}"#, "{}", "text")]);
}

#[test]
fn errors_of_functions() {
    check_errors(&[
        (
            "{{ div 1 0 }}",
            "{}",
            r#"template: t.yaml:1:3: executing "t.yaml" at <div 1 0>: error calling div: runtime error: integer divide by zero"#,
        ),
        (
            "{{ regexFind `[a` `a` }}",
            "{}",
            r#"template: t.yaml:1:3: executing "t.yaml" at <regexFind `[a` `a`>: error calling regexFind: regexp: Compile(`[a`): error parsing regexp: missing closing ]: `[a`"#,
        ),
        (
            "{{ first 1 }}",
            "{}",
            r#"template: t.yaml:1:3: executing "t.yaml" at <first 1>: error calling first: Cannot find first on type int"#,
        ),
    ]);
}
