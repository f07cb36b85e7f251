use model::metric::Labels;

use super::*;
use crate::query::SampleValue;

fn data() -> Data {
    let sample = |instance: &str, value: f64| Sample {
        labels: Labels::from_pairs(&[("__name__", "metric"), ("instance", instance)]),
        timestamp: 0,
        value: SampleValue::Float(value),
    };
    Data {
        labels: [("instance", "host:80"), ("job", "a")].map(|(k, v)| (k.into(), v.into())).into(),
        external_labels: [("region".to_owned(), "eu".to_owned())].into(),
        external_url: "http://host:9090/prom".to_owned(),
        value: 1_234_567.25,
        time: 1_500,
        answers: [
            ("metric".to_owned(), vec![sample("b", 21.0), sample("a", 11.0)]),
            ("none".to_owned(), Vec::new()),
        ]
        .into(),
    }
}

fn check(text: &str, expect: &str) {
    let seen = match Template::parse("t", text) {
        Err(error) => error,
        Ok(template) => template.expand(&data()).unwrap_or_else(|stop| stop.to_string()),
    };
    assert_eq!(seen, expect, "{text}");
}

#[test]
fn go_templates_are_written() {
    for (text, expect) in [
        ("plain", "plain"),
        ("{{ 1 }}{{ `a` }}{{ \"b\\n\" }}", "1ab\n"),
        ("a {{- 1 -}} b", "a1b"),
        ("a{{/* gone */}}b", "ab"),
        ("{{ $labels.instance }} of {{ $labels.job }}", "host:80 of a"),
        ("{{ .Labels.nothing }}|{{ .ExternalLabels.region }}", "|eu"),
        ("{{ $value }}", "1.23456725e+06"),
        ("{{ if gt $value 1.0 }}big{{ else }}small{{ end }}", "big"),
        ("{{ if false }}1{{ else if true }}2{{ else }}3{{ end }}", "2"),
        ("{{ with $x := 5 }}{{ $x }}{{ end }}", "5"),
        ("{{ with \"\" }}a{{ else }}b{{ end }}", "b"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ range $i, $s := query \"metric\" }}{{ $i }}={{ $s | value }};{{ end }}", "0=21;1=11;"),
        ("{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty"),
        (
            "{{ range query \"metric\" | sortByLabel \"instance\" }}{{ .Labels.instance }}{{ break }}{{ end }}",
            "a",
        ),
        ("{{ query \"metric\" | first | label \"instance\" }}", "b"),
        ("{{ define \"x\" }}<{{ . }}>{{ end }}{{ template \"x\" 7 }}{{ tmpl \"x\" 8 }}", "<7><8>"),
        ("{{ and 1 0 }}{{ or 0 3 }}{{ not 1 }}", "03false"),
        ("{{ eq 1 2 1 }}{{ ne \"a\" \"b\" }}{{ le 1 1 }}", "truetruetrue"),
        ("{{ len \"abc\" }}{{ index $labels \"job\" }}{{ slice \"abcd\" 1 3 }}", "3abc"),
        (
            "{{ printf \"%d %5.2f|%-4s|%q|%v|%05d|%+d|%%\" 3 1.5 \"ab\" \"c\" true 42 7 }}",
            "3  1.50|ab  |\"c\"|true|00042|+7|%",
        ),
        ("{{ printf \"%d\" 1.5 }}{{ printf \"%s\" }}", "%!d(float64=1.5)%!s(MISSING)"),
        ("{{ print 1 2 \"a\" 3 }}", "1 2a3"),
        ("{{ (args 1 \"x\").arg1 }}", "x"),
    ] {
        check(text, expect);
    }
}

#[test]
fn functions_are_prometheus_functions() {
    for (text, expect) in [
        (
            "{{ humanize 1234567 }} {{ humanize 0.0123 }} {{ humanize 0 }} {{ humanize \"12\" }}",
            "1.235M 12.3m 0 12",
        ),
        ("{{ humanize1024 1048576 }} {{ humanize1024 0.5 }}", "1Mi 0.5"),
        (
            "{{ humanizeDuration 0 }} {{ humanizeDuration 60 }} {{ humanizeDuration 86400 }} {{ humanizeDuration 12.345 }} {{ humanizeDuration 0.001 }} {{ humanizeDuration -3700 }}",
            "0s 1m 0s 1d 0h 0m 0s 12.35s 1ms -1h 1m 40s",
        ),
        ("{{ humanizePercentage 0.1234567 }}", "12.35%"),
        ("{{ humanizeTimestamp 1435065584.128 }}", "2015-06-23 13:19:44.128 +0000 UTC"),
        (
            "{{ toTime 0 }} {{ toDuration 90 }} {{ toDuration 0.0015 }}",
            "1970-01-01 00:00:00 +0000 UTC 1m30s 1.5ms",
        ),
        ("{{ parseDuration \"1h2m10ms\" }} {{ now }}", "3720.01 1.5"),
        ("{{ title \"aa bB cc\" }} {{ toUpper \"ab\" }} {{ toLower \"AB\" }}", "Aa BB Cc AB ab"),
        (
            "{{ reReplaceAll \"(a)b\" \"x$1\" \"ab\" }} {{ match \"a+\" \"aa\" }} {{ match \"a+\" \"b\" }}",
            "xa true false",
        ),
        (
            "{{ stripPort \"host:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"1.2.3.4:5\" }}",
            "host ::1 a:80 1.2.3.4:5",
        ),
        ("{{ graphLink \"up == 0\" }}", "/graph?g0.expr=up+%3D%3D+0&g0.tab=0"),
        ("{{ externalURL }} {{ pathPrefix }}", "http://host:9090/prom /prom"),
        ("{{ \"a&b\" | urlQueryEscape }} {{ html \"<\" }}", "a%26b &lt;"),
    ] {
        check(text, expect);
    }
}

#[test]
fn mistakes_are_told_as_go_tells_them() {
    for (text, expect) in [
        ("{{ $label.foo }}", "template: t:1: undefined variable \"$label\""),
        ("a\n{{ nonsense 1 }}", "template: t:2: function \"nonsense\" not defined"),
        ("{{ if true }}", "template: t:1: unexpected EOF"),
        ("{{ end }}", "template: t:1: unexpected {{end}}"),
        ("{{ 1", "template: t:1: unclosed action"),
        ("{{ }}", "template: t:1: missing value for command"),
        ("{{ \"a }}", "template: t:1: unterminated quoted string"),
        ("{{ break }}", "template: t:1: {{break}} outside {{range}}"),
        (
            "{{ query \"none\" | first }}",
            "error executing template t: template: t: error calling first: first() called on vector with no elements",
        ),
        (
            "{{ template \"x\" }}",
            "error executing template t: template: t: template \"x\" not defined",
        ),
        ("{{ query \"unknown\" }}", "the answer to \"unknown\" is needed"),
    ] {
        check(text, expect);
    }
    let recursive = "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}";
    check(
        recursive,
        "error executing template t: template: t: exceeded maximum template depth (50)",
    );
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(Template::parse("t", &parens).is_err());
    let elses = format!("{{{{ if 1 }}}}{}{{{{ end }}}}", "{{ else if 1 }}".repeat(10_000));
    assert!(Template::parse("t", &elses).is_err());
}
