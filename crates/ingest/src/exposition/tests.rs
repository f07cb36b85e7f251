//! Pages in, entries out.

use std::fmt::Write as _;

use super::*;

fn read(page: &[u8], format: Format, options: Options) -> Result<String, String> {
    let mut parser = Parser::new(page, format, options).map_err(|error| error.to_string())?;
    let mut text = String::new();
    while let Some(entry) = parser.next() {
        let entry = entry.map_err(|error| error.to_string())?;
        write_entry(&mut text, &entry);
    }
    Ok(text)
}

fn write_labels(text: &mut String, labels: SeriesLabels<'_>) {
    for (index, (name, value)) in labels.iter().enumerate() {
        match index {
            0 => text.push_str(&value),
            _ => write!(text, " {name}={value:?}").expect("text"),
        }
    }
}

fn write_exemplars(text: &mut String, exemplars: &[PageExemplar]) {
    for PageExemplar { labels, value, timestamp } in exemplars {
        write!(text, " # {labels} {value}").expect("text");
        if let Some(timestamp) = timestamp {
            write!(text, " @{timestamp}").expect("text");
        }
    }
}

fn write_entry(text: &mut String, entry: &Entry<'_>) {
    match entry {
        Entry::Type { metric, kind } => write!(text, "TYPE {metric} {}", kind.as_str()),
        Entry::Help { metric, help } => write!(text, "HELP {metric} {help:?}"),
        Entry::Unit { metric, unit } => write!(text, "UNIT {metric} {unit}"),
        Entry::Comment(comment) => write!(text, "{comment}"),
        Entry::Series(series) => {
            write_labels(text, series.labels);
            write!(text, " = {}", series.value).expect("text");
            if let Some(timestamp) = series.timestamp {
                write!(text, " @{timestamp}").expect("text");
            }
            if series.start != 0 {
                write!(text, " since {}", series.start).expect("text");
            }
            write_exemplars(text, series.exemplars);
            Ok(())
        }
        Entry::Histogram(native) => {
            write_labels(text, native.labels);
            let HistogramSample { timestamp, start, histogram } = &native.sample;
            write!(text, " = {histogram:?} @{timestamp} since {start}").expect("text");
            write_exemplars(text, native.exemplars);
            Ok(())
        }
    }
    .expect("text");
    text.push('\n');
}

fn check(page: &str, format: Format, expected: &str) {
    let lines = |text: &str| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    match read(page.as_bytes(), format, Options::default()) {
        Ok(text) => assert_eq!(lines(&text), lines(expected), "{page}"),
        Err(error) => assert_eq!(error, expected.trim(), "{page}"),
    }
}

#[test]
fn text_is_read_as_prometheus_reads_it() {
    check(
        "# HELP a What it\\n is\\\\\n# TYPE a counter\na 1\n\n  a{b = \"c\" , d=\"e\\\"\\n\" } 2.5 1000 \n\
         # a comment\n#TYPE no\nx:y{} +Inf\n{\"a.b\",\"c d\"=\"e\"} -3\n{a=\"1\",\"q\"} NaN\nlast 1",
        Format::Text,
        r#"
        HELP a "What it\n is\\"
        TYPE a counter
        a = 1
        a b="c" d="e\"\n" = 2.5 @1000
        # a comment
        #TYPE no
        x:y = inf
        a.b c d="e" = -3
        q a="1" = NaN
        last = 1
        "#,
    );
    check(
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_bucket{le=\"1e6\"} 2\n\
         # TYPE s summary\ns{quantile=\"0.50\"} 1\n# TYPE g untyped\ng{le=\"1\"} 3\n",
        Format::Text,
        r#"
        TYPE h histogram
        h_bucket le="1.0" = 1
        h_bucket le="+Inf" = 2
        h_bucket le="1e+06" = 2
        TYPE s summary
        s quantile="0.5" = 1
        TYPE g unknown
        g le="1" = 3
        "#,
    );
    check("", Format::Text, "");
    check("a{b=\"c\"d=\"e\",} 1\n", Format::Text, r#"a b="c" d="e" = 1"#);
}

#[test]
fn what_is_wrong_in_text_is_told_with_its_line() {
    let check = |page: &str, expected: &str| check(page, Format::Text, expected);
    check(
        "a 1\nb{c=\"d\"}\n",
        r#"line 2: expected value after metric while parsing: "b{c=\"d\"}\n""#,
    );
    check("a{b}\n", r#"line 1: expected equal while parsing: "a{b}""#);
    check("a{b=c} 1\n", r#"line 1: expected label value while parsing: "a{b=c""#);
    check("a{b=\"c} 1\n", "line 1: expected label value while parsing: \"a{b=\\\"\"");
    check("a 1 x\n", r#"line 1: expected timestamp or new record while parsing: "a 1 x""#);
    check("a 1 1 1\n", r#"line 1: expected next entry after timestamp while parsing: "a 1 1 1""#);
    check("{a=\"b\"} 1\n", r#"line 1: metric name not set while parsing: "{a=\"b\"} ""#);
    check("a{\"b\"} 1\n", r#"line 1: metric name already set while parsing: "a{\"b\"}""#);
    check("a 0x1p3\n", r#"line 1: invalid number "0x1p3" while parsing: "a 0""#);
    check("-a 1\n", r#"line 1: expected a valid start token while parsing: "-""#);
    check("# TYPE a x\n", "line 1: invalid metric type \"x\" while parsing: \"# TYPE a x\\n\"");
    check("# TYPE  \n", "line 1: expected metric name after TYPE while parsing: \"# TYPE  \\n\"");
    let error = read(b"a 1\nb{c=\"\xff\"} 1\n", Format::Text, Options::default());
    assert_eq!(error, Err("line 2: text is not UTF-8".to_owned()));
}

#[test]
fn openmetrics_is_read_with_exemplars_and_seconds() {
    check(
        "# TYPE a counter\n# UNIT a_seconds seconds\n# HELP a x\\\"y\n\
         a_total{b=\"c\"} 17 1520879607.789 # {id=\"x\",t=\"é\"} 0.5 1520879607.1\n\
         a_created 1520872607.123\nh_bucket{le=\"1\"} 3 # {} 2\n{\"q.u\"} 1\n# EOF\n",
        Format::OpenMetrics,
        r#"
        TYPE a counter
        UNIT a_seconds seconds
        HELP a "x\"y"
        a_total b="c" = 17 @1520879607789 # {id="x", t="é"} 0.5 @1520879607100
        a_created = 1520872607.123
        h_bucket le="1" = 3 # {} 2
        q.u = 1
        "#,
    );
    let check = |page: &str, expected: &str| check(page, Format::OpenMetrics, expected);
    check("a 1\n", "line 2: data does not end with # EOF while parsing: \"\"");
    check("a 1", "line 1: data does not end with # EOF while parsing: \"a 1\"");
    check("# EOF\na 1\n", "line 1: unexpected data after # EOF while parsing: \"# EOF\\na\"");
    check("a  1\n# EOF\n", "line 1: expected value after metric while parsing: \"a  \"");
    check(
        "# UNIT a b\n# EOF",
        "line 1: unit \"b\" not a suffix of metric \"a\" while parsing: \"# UNIT a b\\n#\"",
    );
}

#[test]
fn creation_times_become_starts_when_asked() {
    let page = "# TYPE a counter\na_total{x=\"1\",y=\"2\"} 1\na_total{x=\"2\"} 2\n\
                a_created{y=\"2\",x=\"1\"} 12.5\na_total{x=\"3\"} 3\na_created{x=\"2\"} 13\n\
                # TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n\
                h_created 14\n# TYPE g gauge\ng_created 15\n# EOF\n";
    let options = Options { start_timestamps: true, ..Options::default() };
    let text = read(page.as_bytes(), Format::OpenMetrics, options).expect("a valid page");
    let series: Vec<_> = text.lines().filter(|line| line.contains('=')).collect();
    assert_eq!(
        series,
        [
            r#"a_total x="1" y="2" = 1 since 12500"#,
            r#"a_total x="2" = 2 since 13000"#,
            r#"a_total x="3" = 3"#,
            r#"h_bucket le="1.0" = 1 since 14000"#,
            r#"h_bucket le="+Inf" = 1 since 14000"#,
            "h_count = 1 since 14000",
            "g_created = 15",
        ]
    );
}

#[test]
fn keys_are_those_of_the_text() {
    let mut parser = Parser::new(b" a{b=\"c\"} 1\n{\"x y\"} 2", Format::Text, Options::default())
        .expect("a parser");
    let mut keys = Vec::new();
    while let Some(entry) = parser.next() {
        if let Ok(Entry::Series(series)) = entry {
            keys.push(String::from_utf8_lossy(series.labels.key()).into_owned());
            assert_eq!(series.labels.name(), if keys.len() == 1 { "a" } else { "x y" });
        }
    }
    assert_eq!(keys, [r#"a{b="c"}"#, r#"{"x y"}"#]);
}

#[test]
fn content_types_choose_the_format() {
    let check = |content_type: &str, fallback, expected: Result<Format, &str>| {
        let format = Format::of_content_type(content_type, fallback);
        assert_eq!(format.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    };
    check("text/plain; version=0.0.4; charset=utf-8", None, Ok(Format::Text));
    check("application/openmetrics-text; version=1.0.0", None, Ok(Format::OpenMetrics));
    check("Application/vnd.google.protobuf; encoding=delimited", None, Ok(Format::Protobuf));
    check("text/html", Some(Format::Text), Ok(Format::Text));
    check(
        "text/html",
        None,
        Err("received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol \
             specified for target"),
    );
    check(
        "",
        None,
        Err("non-compliant scrape target sending blank Content-Type and no \
             fallback_scrape_protocol specified for target"),
    );
}

/// The cases of the specification: each is a directory with a page and whether it parses.
#[test]
fn openmetrics_conformance() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/openmetrics");
    let Ok(cases) = std::fs::read_dir(root) else {
        eprintln!("left out: {root} is not there");
        return;
    };
    let (mut count, mut wrong) = (0, Vec::new());
    for case in cases.filter_map(Result::ok) {
        let name = case.file_name().to_string_lossy().into_owned();
        let Ok(told) = std::fs::read(case.path().join("test.json")) else { continue };
        let told: serde_json::Value = serde_json::from_slice(&told).expect("JSON");
        let file = told["file"].as_str().expect("a name");
        let page = std::fs::read(case.path().join(file)).expect("a page");
        let options = Options { strict: true, ..Options::default() };
        let parsed = read(&page, Format::OpenMetrics, options);
        count += 1;
        // Scraping is never stricter.
        if parsed.is_ok() {
            assert!(read(&page, Format::OpenMetrics, Options::default()).is_ok(), "{name}");
        }
        if parsed.is_ok() != (told["shouldParse"] == true) {
            wrong.push(format!("{name}: {:?}", parsed.err()));
        }
    }
    println!("{count} cases of OpenMetrics, {} wrong", wrong.len());
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn strict_text_has_metadata_once_and_first() {
    let options = || Options { strict: true, ..Options::default() };
    let problem = |page: &str| {
        let error = read(page.as_bytes(), Format::Text, options()).err().unwrap_or_default();
        error.split(" while parsing").next().unwrap_or("").to_owned()
    };
    assert_eq!(problem("# TYPE a counter\na 1\na{x=\"1\"} 2\nb 1\na{x=\"2\"} 1\n"), "");
    assert_eq!(problem("# TYPE a histogram\n# HELP a x\na_bucket{le=\"1\"} 1\na_sum 1\n"), "");
    assert_eq!(problem("a{x=\"1\",x=\"2\"} 1\n"), "line 1: label \"x\" comes twice");
    assert_eq!(
        problem("# TYPE a counter\n# TYPE a gauge\n"),
        "line 2: second TYPE line for metric \"a\""
    );
    assert_eq!(
        problem("a 1\n# TYPE a gauge\n"),
        "line 2: metadata of metric \"a\" after its samples"
    );
    assert_eq!(problem("# HELP a x\n# HELP a y\n"), "line 2: second HELP line for metric \"a\"");
}

mod protobuf {
    use super::*;
    use crate::wire::Writer;

    fn label(writer: &mut Writer, name: &str, value: &str) {
        let open = writer.open(1);
        writer.bytes(1, name.as_bytes());
        writer.bytes(2, value.as_bytes());
        writer.close(open);
    }

    fn time(writer: &mut Writer, number: u32, millis: u64) {
        let open = writer.open(number);
        writer.varint(1, millis / 1_000);
        writer.varint(2, millis % 1_000 * 1_000_000);
        writer.close(open);
    }

    fn exemplar(writer: &mut Writer, number: u32, millis: u64) {
        let open = writer.open(number);
        label(writer, "trace_id", "abc");
        writer.fixed64(2, 0.5_f64.to_bits());
        time(writer, 3, millis);
        writer.close(open);
    }

    fn family(name: &str, kind: u64, metric: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(1, name.as_bytes());
        writer.bytes(2, b"what it is");
        writer.varint(3, kind);
        let open = writer.open(4);
        label(&mut writer, "z", "1");
        label(&mut writer, "Z", "2");
        metric(&mut writer);
        writer.close(open);
        let message = writer.finish();
        let mut delimited = Writer::default();
        delimited.packed_varint(message.len() as u64);
        let mut body = delimited.finish();
        body.extend_from_slice(&message);
        body
    }

    fn histogram(writer: &mut Writer, native: bool) {
        let open = writer.open(7);
        writer.varint(1, 6);
        writer.fixed64(2, 7.5_f64.to_bits());
        for (count, bound) in [(2, 0.5_f64), (5, 1.0)] {
            let bucket = writer.open(3);
            writer.varint(1, count);
            writer.fixed64(2, bound.to_bits());
            exemplar(writer, 3, 5_000);
            writer.close(bucket);
        }
        if native {
            writer.varint(5, 6);
            writer.fixed64(6, 0.25_f64.to_bits());
            writer.varint(7, 1);
            let span = writer.open(12);
            writer.varint(1, 1);
            writer.varint(2, 2);
            writer.close(span);
            let deltas = writer.open(13);
            writer.packed_varint(4);
            writer.packed_varint(2);
            writer.close(deltas);
        }
        time(writer, 15, 1_500);
        writer.close(open);
    }

    fn check(body: &[u8], options: Options, expected: &str) {
        let text = read(body, Format::Protobuf, options).expect("a valid body");
        let expected: Vec<_> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn families_of_all_kinds() {
        let mut body = family("c_total", 0, |writer| {
            let open = writer.open(3);
            writer.fixed64(1, 3.5_f64.to_bits());
            exemplar(writer, 2, 1_700_000_000_123);
            time(writer, 3, 1_600_000_000_500);
            writer.close(open);
            writer.varint(6, 99);
        });
        body.extend(family("s", 2, |writer| {
            let open = writer.open(4);
            writer.varint(1, 4);
            writer.fixed64(2, 5.0_f64.to_bits());
            let quantile = writer.open(3);
            writer.fixed64(1, 1.0_f64.to_bits());
            writer.fixed64(2, f64::NAN.to_bits());
            writer.close(quantile);
            writer.close(open);
        }));
        check(
            &body,
            Options::default(),
            r#"
            HELP c_total "what it is"
            TYPE c_total counter
            c_total Z="2" z="1" = 3.5 @99 since 1600000000500 # {trace_id="abc"} 0.5 @1700000000123
            HELP s "what it is"
            TYPE s summary
            s_count Z="2" z="1" = 4
            s_sum Z="2" z="1" = 5
            s Z="2" quantile="1.0" z="1" = NaN
            "#,
        );
    }

    #[test]
    fn histograms_are_native_or_classic_or_both() {
        let classic = r##"
            h_count Z="2" z="1" = 6 since 1500
            h_sum Z="2" z="1" = 7.5 since 1500
            h_bucket Z="2" le="0.5" z="1" = 2 since 1500 # {trace_id="abc"} 0.5 @5000
            h_bucket Z="2" le="1.0" z="1" = 5 since 1500 # {trace_id="abc"} 0.5 @5000
            h_bucket Z="2" le="+Inf" z="1" = 6 since 1500
            "##;
        let head = "HELP h \"what it is\"\nTYPE h histogram\n";
        let plain = family("h", 4, |writer| histogram(writer, false));
        check(&plain, Options::default(), &format!("{head}{classic}"));
        let both = family("h", 4, |writer| histogram(writer, true));
        let options = Options { no_native_histograms: true, ..Options::default() };
        check(&both, options, &format!("{head}{classic}"));

        let text = read(&both, Format::Protobuf, Options::default()).expect("valid");
        let native = text.lines().last().expect("a line");
        for part in [
            "schema: 3, zero_threshold: 0.25, zero_count: 1.0, count: 6.0, sum: 7.5",
            "positive_spans: [Span { offset: -1, length: 2 }]",
            "positive_buckets: [2.0, 3.0]",
            "@0 since 1500",
        ] {
            assert!(native.contains(part), "{part} in {native}");
        }
        assert_eq!(native.matches(" # ").count(), 2);
        let options = Options { classic_histograms: true, ..Options::default() };
        let text = read(&both, Format::Protobuf, options).expect("valid");
        assert_eq!(text.lines().count(), 2 + 1 + 5);
    }

    #[test]
    fn what_does_not_parse_is_told_with_the_number_of_the_message() {
        let good = family("g", 1, |writer| {
            let open = writer.open(2);
            writer.fixed64(1, 1.0_f64.to_bits());
            writer.close(open);
        });
        let problem = |body: &[u8]| {
            read(&[&good[..], body].concat(), Format::Protobuf, Options::default())
                .expect_err("wrong")
        };
        assert_eq!(problem(&[5, 1]), "line 2: 5 bytes needed, 1 left");
        assert_eq!(problem(&[2, 0x0a, 0x07]), "line 2: 7 bytes needed, 0 left");
        assert_eq!(problem(&[0]), "line 2: a metric family has no name");
        assert_eq!(problem(&[3, 0x0a, 0x01, 0xff]), "line 2: text is not UTF-8");
    }
}
