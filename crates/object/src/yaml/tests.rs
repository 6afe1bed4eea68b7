//! What the library does as a whole; the expectations follow the documented rules of yaml.v2.

use proptest::prelude::*;

use super::*;
use crate::{Key, Map, to_json};

fn check(text: &str, json: &str) {
    assert_eq!(parse(text).map(|value| to_json(&value)).map_err(|error| error.message).as_deref(), Ok(json), "{text}");
}

fn check_error(text: &str, message: &str, line: u32, column: u32) {
    let error = parse(text).unwrap_err();
    assert_eq!((error.message.as_str(), error.place.line, error.place.column), (message, line, column), "{text}");
}

#[test]
fn types_are_those_of_yaml_1_1() {
    check(
        "a: yes\nb: 'yes'\nc: 0777\nd: 1_000\ne: 2001-01-01\nf: ~\ng: 12:30",
        r#"{"a":true,"b":"yes","c":511,"d":1000,"e":"2001-01-01","f":null,"g":"12:30"}"#,
    );
    check(
        "a: 1.0\nb: 1e3\nc: 1.5\nd: !!str 1\ne: !!float 2\nf: !!binary aGk=",
        r#"{"a":1,"b":1000,"c":1.5,"d":"1","e":2,"f":"hi"}"#,
    );
    check("", "null");
    check("# only a comment\n", "null");
}

#[test]
fn keys_become_texts() {
    check(
        "1: a\ntrue: b\n1.5: c\non: d\n0x10: e\n2001-01-01: f",
        r#"{"1":"a","true":"d","1.5":"c","16":"e","2001-01-01":"f"}"#,
    );
    check_error("~: a", "unsupported map key of type: %!s(<nil>), key: <nil>, value: \"a\"", 1, 1);
    check_error("{a: b}: c", "yaml: invalid map key: map[interface {}]interface {}{\"a\":\"b\"}", 1, 1);
}

#[test]
fn block_scalars_end_as_they_are_written() {
    check("a: |\n  x\n\n", r#"{"a":"x\n"}"#);
    check("a: |+\n  x\n\n", r#"{"a":"x\n\n"}"#);
    check("a: |-\n  x\n", r#"{"a":"x"}"#);
    check("a: |\n  x", r#"{"a":"x"}"#);
    check("a: |+\n  x\n  ", r#"{"a":"x\n"}"#);
    check("a: |2\n    x\n   y\n", r#"{"a":"  x\n y\n"}"#);
    check("a: >\n  x\n  y\n\n  z\n   w\n", r#"{"a":"x y\nz\n w\n"}"#);
}

#[test]
fn scalars_are_folded() {
    check("a: x\n  y\n\n  z", r#"{"a":"x y\nz"}"#);
    check("a: \"x\\\n   y\\ \n  z\\u00e9\"", r#"{"a":"xy  zé"}"#);
    check("a: 'it''s\n  one'", r#"{"a":"it's one"}"#);
}

#[test]
fn anchors_and_merges_are_followed() {
    check("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3", r#"{"a":{"b":1,"c":2},"d":{"b":1,"c":3}}"#);
    check(
        "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}",
        r#"{"a":{"b":1},"c":{"b":2,"d":3},"e":{"b":1,"d":3}}"#,
    );
    check_error("a: *x", "yaml: unknown anchor 'x' referenced", 1, 4);
    check_error("a: &x [*x]", "yaml: anchor 'x' value contains itself", 1, 8);
    check_error("a:\n  <<: 1", "yaml: map merge requires map or sequence of maps as the value", 2, 7);
}

#[test]
fn a_document_that_explodes_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let item = format!("*a{}, ", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", item.repeat(10)));
    }
    assert_eq!(parse(&text).unwrap_err().message, "yaml: document contains excessive aliasing");
}

#[test]
fn nesting_has_a_limit() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("a:\n", "")] {
        let mut text = String::new();
        for level in 0..2000 {
            if open.ends_with('\n') {
                text.push_str(&" ".repeat(level));
            }
            text.push_str(open);
        }
        text.push_str(&close.repeat(2000));
        assert!(parse(&text).is_err(), "{open}");
    }
    let text = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(parse(&text).is_ok());
}

#[test]
fn duplicate_keys_are_errors_if_asked_for() {
    let text = "a: 1\nb: 2\na: 3\n";
    check(text, r#"{"a":3,"b":2}"#);
    let error = parse_with(text, Options { strict: true }).unwrap_err();
    assert_eq!(error.message, "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map");
    assert_eq!(error.place.line, 3);
    assert!(parse_with("1: a\n'1': b", Options { strict: true }).is_ok());
}

#[test]
fn errors_have_the_words_of_go_and_the_real_place() {
    check_error("a:\n    b: 1\n  c: 2\n", "yaml: line 2: did not find expected key", 3, 3);
    check_error("a: b: c", "yaml: mapping values are not allowed in this context", 1, 5);
    check_error("a: \"b", "yaml: found unexpected end of stream", 1, 6);
    check_error("a: \"b\n", "yaml: line 2: found unexpected end of stream", 2, 1);
    check_error("a: [b", "yaml: line 1: did not find expected ',' or ']'", 2, 1);
    check_error("a: |\n\tb", "yaml: line 2: found a tab character where an indentation space is expected", 2, 1);
    check_error("a: \u{1}", "yaml: control characters are not allowed", 1, 4);
    check_error("%YAML 1.2\n---\na: 1", "yaml: found incompatible YAML document", 1, 1);
}

#[test]
fn every_document_of_a_stream_is_read() {
    let documents =
        parse_all("f.yaml", "# first\n---\na: 1\n---\n---\n# none\n---\nb: 2\n...\n", Options::default()).unwrap();
    let found: Vec<_> =
        documents.iter().map(|document| (to_json(&document.value), document.place.to_string())).collect();
    assert_eq!(
        found,
        [(r#"{"a":1}"#.to_owned(), "f.yaml:3:1".to_owned()), (r#"{"b":2}"#.to_owned(), "f.yaml:8:1".to_owned())]
    );
}

#[test]
fn places_are_found_by_path() {
    let text = "a: 1\n---\nb:\n  c:\n  - d\n  - e: 'é'\n    f: {g: [1, 2]}\n";
    for (path, place) in [
        (&["b"] as &[&str], (3, 1)),
        (&["b", "c", "1", "f"], (7, 5)),
        (&["b", "c", "1", "f", "g", "1"], (7, 16)),
        (&["b", "c", "7"], (4, 3)),
        (&[], (3, 1)),
    ] {
        let found = locate(text, 1, path).unwrap();
        assert_eq!((found.line, found.column), place, "{path:?}");
    }
    assert_eq!(locate(text, 2, &[]), None);
}

#[test]
fn objects_are_read_from_yaml_json_and_lists() {
    let one = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n- {apiVersion: v1, kind: Secret, metadata: {generateName: c-}}\n";
    let (objects, diagnostics) = parse_objects("f.yaml", &format!("{one}---\n---\n{list}"));
    assert_eq!(diagnostics, []);
    let places: Vec<String> = objects.iter().map(|(object, place)| format!("{} {place}", object.key())).collect();
    assert_eq!(places, ["ConfigMap/a f.yaml:1:1", "Secret/b f.yaml:10:3", "Secret/ f.yaml:11:3"]);
    let json = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "\ud83d\ude00"}}"#;
    assert_eq!(parse_objects("f.json", json).0[0].0.str_at(&["data", "a"]), "😀");
}

#[test]
fn what_is_no_object_is_told_with_its_place() {
    let head = "apiVersion: v1\nkind: ConfigMap\n";
    for (text, message, place) in [
        ("- a\n", "a manifest is a map with apiVersion, kind and metadata, but this is a list", "f:1:1"),
        ("kind: A\nmetadata: {name: a}\n", "apiVersion is not set", "f:1:1"),
        (&format!("{head}metadata:\n  labels: {{}}\n"), "metadata.name is not set", "f:3:1"),
        (&format!("{head}metadata:\n  name: 1\n"), "metadata.name must be a string, but is a number", "f:4:3"),
        (
            &format!("{head}metadata:\n  name: a\n  annotations:\n    port: 8080\n"),
            "metadata.annotations[port] must be a string, but is a number",
            "f:6:5",
        ),
        (
            &format!("{head}metadata: {{name: a, labels: {{on: yes}}}}\n"),
            "metadata.labels[true] must be a string, but is a boolean",
            "f:3:30",
        ),
        ("a: [\n", "yaml: line 1: did not find expected node content", "f:2:1"),
    ] {
        let (objects, diagnostics) = parse_objects("f", text);
        assert_eq!(objects.len(), 0, "{text}");
        assert_eq!(
            (diagnostics[0].message.as_str(), diagnostics[0].place.to_string().as_str()),
            (message, place),
            "{text}"
        );
    }
    let (_, diagnostics) = parse_objects("f", &format!("{head}metadata:\n  name: a\n  annotations:\n    port: 8080\n"));
    assert_eq!(diagnostics[0].hint.as_deref(), Some("put the value in quotes: `port: \"8080\"`"));
}

fn check_print(json: &str, yaml: &str) {
    assert_eq!(print(&crate::from_json(json.as_bytes()).unwrap()), yaml, "{json}");
}

#[test]
fn values_are_printed_as_yaml_v2_does() {
    check_print(
        r#"{"b":{"d":[],"c":{}},"a":[1,[2,3],{"x":null,"y":[true]}]}"#,
        "a:\n- 1\n- - 2\n  - 3\n- x: null\n  \"y\":\n  - true\nb:\n  c: {}\n  d: []\n",
    );
    check_print(
        r##"["yes","1","1.5","2001-01-01","12:30","~","","a: b","# a","-","- a","*a"," a","it's","a\tb","é","😀","null","0x","<<"]"##,
        "- \"yes\"\n- \"1\"\n- \"1.5\"\n- \"2001-01-01\"\n- \"12:30\"\n- \"~\"\n- \"\"\n- 'a: b'\n- '# a'\n- '-'\n- '- a'\n- '*a'\n- ' a'\n- it's\n- \"a\\tb\"\n- é\n- \"\\U0001F600\"\n- \"null\"\n- 0x\n- <<\n",
    );
    check_print(
        r#"{"a":"x\ny\n","b":"x\n\n","c":"x\n y","d":" x\n","e":"x \n","f":"\n"}"#,
        "a: |\n  x\n  y\nb: |+\n  x\n\nc: |-\n  x\n   y\nd: |2\n   x\ne: \"x \\n\"\nf: |2+\n\n",
    );
    check_print(
        "[1.0, 1e21, 1234567.5, 1e-7, 18446744073709551615, 123456789012]",
        "- 1\n- 1e+21\n- 1.2345675e+06\n- 1e-07\n- 18446744073709551615\n- 123456789012\n",
    );
}

#[test]
fn long_lines_are_folded_at_spaces() {
    let words = "word ".repeat(30);
    let printed = print(&Value::from(words.trim_end()));
    assert!(printed.lines().all(|line| line.len() <= 90), "{printed}");
    assert_eq!(parse(&printed).unwrap(), Value::from(words.trim_end()));
}

#[test]
fn long_keys_and_keys_with_line_breaks_are_written_with_a_question_mark() {
    let long = "k".repeat(129);
    let map: Map = [(long.as_str(), Value::from(vec![Value::Int(1)])), ("a\nb", Value::from(2))].into_iter().collect();
    let printed = print(&Value::Map(map.clone()));
    assert_eq!(printed, format!("? |-\n  a\n  b\n: 2\n? {long}\n: - 1\n"));
    assert_eq!(parse(&printed).unwrap(), Value::Map(map));
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~]{0,8}",
        "\\PC{0,12}",
        "[a-z \\n'\"#:,-]{0,100}",
        any::<String>(),
        Just("yes".to_owned()),
        Just("0777".to_owned()),
        Just("2001-01-01".to_owned()),
    ];
    // As a key, yaml.v2 writes this one so that it is read as a merge.
    let key = text.clone().prop_filter("a merge", |key| key != "<<");
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite() && number.fract() != 0.0)
            .prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| Value::Map(
                entries.into_iter().map(|(key, value)| (Key::from(key), value)).collect()
            )),
        ]
    })
}

/// Pieces of which texts are made that are nearly YAML.
const PIECES: &[&str] = &[
    "a: ",
    "b:\n  ",
    "- ",
    "\n",
    " ",
    "\t",
    "x",
    "'",
    "\"",
    "|",
    ">-",
    "|2+",
    "&a ",
    "*a",
    "<<: ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ":",
    "#",
    "---",
    "...",
    "!!int ",
    "!x,",
    "? ",
    "%YAML 1.1\n",
    "%TAG !e! x\n",
    "\r",
    "é",
    "\u{2028}",
    "\u{feff}",
    "\\u00",
    "\\",
    "\0",
    "~",
    "kind: List\nitems:\n",
];

proptest! {
    #[test]
    fn what_is_printed_is_read_back(value in any_value()) {
        let printed = print(&value);
        prop_assert_eq!(parse(&printed).map_err(|error| error.message), Ok(value), "{}", printed);
    }

    #[test]
    fn no_text_makes_a_reader_panic(picks in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
        let value = parse(&text);
        prop_assert_eq!(value.is_err(), parse_with(&text, Options { strict: true }).is_err() && value.is_err());
        let (objects, diagnostics) = parse_objects("f", &text);
        prop_assert!(objects.is_empty() || diagnostics.iter().all(|diagnostic| diagnostic.place.line > 0));
        locate(&text, 0, &["a", "0", "b"]);
        check_head(&text);
    }

    #[test]
    fn no_change_of_a_manifest_makes_a_reader_panic(at in 0usize..200, with in any::<char>()) {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: &m\n  name: 'a'\n  labels: {x: \"y\", z: [1, 2]}\ndata:\n  <<: *m\n  text: |-\n    some\n    lines\n  other: >\n    folded\n---\n- end\n...\n";
        let mut chars: Vec<char> = text.chars().collect();
        let at = at % chars.len();
        chars[at] = with;
        let changed: String = chars.iter().collect();
        let removed: String = chars.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, c)| c).collect();
        for text in [changed.as_str(), removed.as_str(), &text[..at]] {
            parse_objects("f", text);
            locate(text, 0, &["metadata", "labels", "z", "1"]);
            check_head(text);
        }
    }
}

#[test]
fn a_head_is_what_the_whole_document_says() {
    let documents = [
        "kept: {a: 1}\nother: [1, 2]\n",
        "other: &x [1]\nkept: *x\n",
        "other: {a: {b: !!int \"x\"}}\nkept: 1\n",
        "other: .inf\nkept: 1\n",
        "other: {1: a, null: b}\nkept: 1\n",
        "other: {<<: {a: 1}}\nkept: 1\n",
        "other: {[a]: b}\nkept: 1\n",
        "kept: 1\nkept: 2\n",
        "kept: 1\nother: {a: b\n",
        "kept: 1\n---\nkept: 2\n",
        "kept: 1\n... x\n",
        "- kept\n",
        "kept\n",
        "",
        "&a kept: 1\nother: *a\n",
        "? kept\n: 1\n",
        "other: |\n  text\nkept: >-\n  text\n",
        "other: \"\\x\"\nkept: 1\n",
    ];
    documents.into_iter().for_each(check_head);
}

fn check_head(text: &str) {
    let keep = |key: &str| matches!(key, "kept" | "metadata");
    match (parse_head(text, keep), parse(text)) {
        (Ok(head), Ok(whole)) if whole.as_map().is_some() => {
            ["kept", "metadata"].iter().for_each(|key| assert_eq!(head.get(key), whole.get(key), "{text}"));
        }
        (Ok(head), Ok(whole)) => assert_eq!(head, whole, "{text}"),
        (head, whole) => assert_eq!(head.map_err(|e| e.message), whole.map_err(|e| e.message), "{text}"),
    }
}
