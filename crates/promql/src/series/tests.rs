use super::*;

const NONE: f64 = f64::MIN_POSITIVE;

fn check(text: &str, labels: &str, values: &[f64]) {
    let description = parse_series_description(text).unwrap_or_else(|error| {
        panic!("{text}: {error}");
    });
    assert_eq!(description.labels.to_string(), labels, "{text}");
    let found: Vec<f64> = description
        .values
        .iter()
        .map(|value| match value {
            SequenceValue::Omitted => NONE,
            SequenceValue::Float(value) => *value,
            SequenceValue::Histogram { .. } => panic!("{text}"),
        })
        .collect();
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&found), bits(values), "{text}: {found:?}");
}

fn refused(text: &str, message: &str) {
    let error = parse_series_description(text).expect_err(text).to_string();
    assert!(error.contains(message), "{text}: {error}");
}

#[test]
fn floats() {
    check("", "{}", &[]);
    check("{} 1 2 3", "{}", &[1.0, 2.0, 3.0]);
    check("my_metric{} 1 2 3    ", r#"{__name__="my_metric"}"#, &[1.0, 2.0, 3.0]);
    check(
        r#"{"http.requests", "service.name"="api-server", instance="0"}		0+50x2"#,
        r#"{__name__="http.requests", instance="0", service.name="api-server"}"#,
        &[0.0, 50.0, 100.0],
    );
    let labelled = r#"{__name__="my_metric", a="b"}"#;
    for (text, values) in [
        ("1 2 3-10x4", &[1.0, 2.0, 3.0, -7.0, -17.0, -27.0, -37.0][..]),
        ("1 2 3-0x4", &[1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0]),
        ("1x0", &[1.0]),
        ("1+1x0", &[1.0]),
        ("1 3 _ 5 _x4", &[1.0, 3.0, NONE, 5.0, NONE, NONE, NONE, NONE]),
        ("1 -1 -3-10x4 7 9 +5", &[1.0, -1.0, -3.0, -13.0, -23.0, -33.0, -43.0, 7.0, 9.0, 5.0]),
        ("Inf -Inf NaN", &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN]),
        ("stale", &[f64::from_bits(model::metric::STALE_NAN_BITS)]),
        ("1e3 1.5e-1x1", &[1000.0, 0.15, 0.15]),
    ] {
        check(&format!(r#"my_metric{{a="b"}} {text}"#), labelled, values);
    }
    check(
        r#"my_metric{a="\u70ac = torch"} 1"#,
        r#"{__name__="my_metric", a="炬 = torch"}"#,
        &[1.0],
    );
}

#[test]
fn start_timestamps() {
    let text = r#"a{b="c"}@st _ -30s-1mx2 -59999ms-0x1"#;
    check(text, r#"{__name__="a", b="c"}"#, &[NONE, -30.0, -90.0, -150.0, -59.999, -59.999]);
    assert!(parse_series_description(text).expect("read").start_timestamps);
}

#[test]
fn mistakes() {
    for text in [
        "{} 1+1",
        "{} 1 3 _ 5 _a4",
        "{} -3-3 -3",
        "{} -3 -3-3",
        "{} -3 _-2",
        "{} -3 3+3x4-4",
        "{} 1x",
        "{} foo",
    ] {
        refused(text, "parse error: ");
    }
    refused(
        r#"{"http.requests"xx} 0"#,
        r#"unexpected identifier "xx" in label set, expected "," or "}""#,
    );
    refused(r#"{"http.requests"=, x="y"} 0"#, r#"unexpected "," in label set, expected string"#);
    refused(r#"{"http.requests} 0"#, "unterminated quoted string");
    refused("{} {{schema:1 schema:1}}", "1:1: parse error: duplicate key \"schema\" in histogram");
    refused("{} {{foo:1}}", "1:6: parse error: bad histogram descriptor found: \"foo\"");
    refused("{} {{schema :1}}", "1:6: parse error: missing `:` for histogram descriptor");
    refused("{} {{schema: 1}}", "1:13: parse error: unexpected \" \" in series values");
    refused("{} {{buckets:[ 1]}}", "1:15: parse error: unexpected \" \" in series values");
    refused(
        "{} {{counter_reset_hint:foo}}",
        "1:25: parse error: bad histogram descriptor found: \"foo\"",
    );
    refused(
        "{} {{buckets:[5 10 7] schema:1}}+{{buckets:[1 2 3] schema:0}}x2",
        "error combining histograms: cannot merge from schema 0 to 1",
    );
}

fn histograms(text: &str) -> Vec<Histogram> {
    let description = parse_series_description(text).unwrap_or_else(|error| {
        panic!("{text}: {error}");
    });
    let values = description.values.into_iter().map(|value| match value {
        SequenceValue::Histogram { histogram, .. } => (*histogram).clone(),
        other => panic!("{text}: {other:?}"),
    });
    values.collect()
}

#[test]
fn histograms_with_all_properties() {
    let text = "{} {{schema:1  sum:-0.3 count:3.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5.1 10 7  ] \
                offset:-3 n_buckets:[4.1 5] n_offset:5 counter_reset_hint:gauge  }}";
    let expect = Histogram {
        reset_hint: ResetHint::Gauge,
        schema: 1,
        zero_threshold: 0.05,
        zero_count: 7.1,
        count: 3.1,
        sum: -0.3,
        positive_spans: vec![Span { offset: -3, length: 3 }],
        negative_spans: vec![Span { offset: 5, length: 2 }],
        positive_buckets: vec![5.1, 10.0, 7.0],
        negative_buckets: vec![4.1, 5.0],
        custom_values: Vec::new(),
    };
    assert_eq!(histograms(text), [expect]);
    assert_eq!(histograms("{} {{}} {{ }}"), [Histogram::default(), Histogram::default()]);
}

#[test]
fn histograms_are_repeated_and_increased() {
    let buckets = |text: &str| {
        let all = histograms(text);
        all.into_iter().map(|histogram| histogram.positive_buckets).collect::<Vec<_>>()
    };
    assert_eq!(buckets("{} {{buckets:[5 10]}}x1"), [[5.0, 10.0], [5.0, 10.0]]);
    assert_eq!(
        buckets("{} {{buckets:[5 10 7] schema:1}}-{{buckets:[1 2 3] schema:1}}x2"),
        [[5.0, 10.0, 7.0], [4.0, 8.0, 4.0], [3.0, 6.0, 1.0]]
    );
    assert_eq!(
        buckets("{} {{buckets:[5] schema:0}}+{{buckets:[1 2] schema:1}}x2"),
        [vec![5.0], vec![6.0, 2.0], vec![7.0, 4.0]]
    );
    let sums = histograms("{} {{sum:1}}+{{sum:1}}x2 {{sum:2}}+{{sum:2}}x2");
    assert_eq!(
        sums.iter().map(|histogram| histogram.sum).collect::<Vec<_>>(),
        [1.0, 2.0, 3.0, 2.0, 4.0, 6.0]
    );
}
