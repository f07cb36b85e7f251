use super::*;

fn parse(text: &str) -> Result<Config, Problems> {
    let mut raw = RawConfig::default();
    raw.read_document("t.yml", text)?;
    raw.parse()
}

fn problem(text: &str) -> String {
    parse(text).expect_err("a problem").to_string()
}

#[test]
fn an_empty_file_is_the_defaults() {
    for text in ["", "# nothing\n", "listen:\n"] {
        let config = parse(text).expect("good");
        assert_eq!(config.listen.main, SocketAddr::from(([127, 0, 0, 1], 3000)));
        assert_eq!(config.memory_limit, 1 << 30);
        assert_eq!(
            config.retention[&model::Table::Logs].age,
            Some(Duration::from_secs(744 * 3600))
        );
    }
}

#[test]
fn values_are_read_in_their_units() {
    let config = parse(
        "listen: {main: localhost:1, otlp_grpc: off}\nmemory: {limit: 256 MiB}\n\
         storage: {flush_age: 1.5s, options: {aws_region: eu-1}, url: s3://b/p}\n\
         auth: {keys: [in-the-clear, {key: another-one, tenant: team-a}]}\n",
    )
    .expect("good");
    assert_eq!(config.listen.main.port(), 1);
    assert_eq!(config.listen.otlp_grpc, None);
    assert_eq!(config.memory_limit, 256 << 20);
    assert_eq!(config.storage.flush_age, Duration::from_millis(1500));
    assert_eq!(config.storage.options, [("aws_region".to_owned(), "eu-1".to_owned())]);
    assert_eq!(config.auth_keys.len(), 2);
}

#[test]
fn features_are_words_of_a_list() {
    for (text, features) in [
        ("", &[][..]),
        ("prometheus: {features: [promql-duration-expr]}", &["promql-duration-expr"]),
        (
            "prometheus: {features: 'promql-duration-expr, use-start-timestamps'}",
            &["promql-duration-expr", "use-start-timestamps"],
        ),
    ] {
        assert_eq!(parse(text).expect("good").prometheus.features, features, "{text}");
    }
    let wrong = problem("prometheus:\n  features: [promql-everything]\n");
    assert!(wrong.starts_with(
        "t.yml:2:3: prometheus.features: \"promql-everything\" is not one of promql-experimental-f"
    ));
    assert!(problem("prometheus: {cors_origin: '('}").starts_with("prometheus.cors_origin: "));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
    assert_eq!(
        problem("# c\nlisten:\n  mian: 127.0.0.1:1\n"),
        "t.yml:3:3: unknown key listen.mian; did you mean listen.main?"
    );
    assert_eq!(
        problem("retention: {spans: {aeg: 1d}}"),
        "t.yml:1:21: unknown key retention.spans.aeg; did you mean retention.spans.age?"
    );
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    assert_eq!(
        problem("memory:\n  limit: lots\n"),
        "t.yml:2:3: memory.limit: \"lots\" is no size such as 64MiB"
    );
    assert_eq!(
        problem("log: {format: xml}"),
        "t.yml:1:7: log.format: \"xml\" is not one of text, json"
    );
    assert_eq!(problem("listen: 1"), "t.yml:1:1: listen is a section, it needs keys in it");
    assert!(problem("a: [").starts_with("t.yml:"));
}

#[test]
fn beyond_loopback_it_wants_keys_or_to_be_told() {
    assert!(problem("listen: {main: 0.0.0.0:1}").contains("auth.keys"));
    assert!(parse("listen: {main: 0.0.0.0:1}\ninsecure: true").is_ok());
    assert!(parse("listen: {main: 0.0.0.0:1}\nauth: {keys: [long-enough]}").is_ok());
}

#[test]
fn the_environment_goes_over_the_file() {
    let mut raw = RawConfig::default();
    raw.read_document("t.yml", "query: {timeout: 3s}").expect("good");
    let variables = [
        ("TREFOIL_QUERY_TIMEOUT", "1s"),
        ("TREFOIL_AUTH_KEYS", "[\"open-sesame\"]"),
        ("TREFOIL_SEED", "1"),
        ("PATH", "/bin"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    raw.read_environment(variables.into_iter()).expect("good");
    let config = raw.parse().expect("good");
    assert_eq!(config.query.timeout, Duration::from_secs(1));
    assert_eq!(config.auth_keys.len(), 1);
    let wrong = [("TREFOIL_QUERY_TIMEUOT".to_owned(), "1s".to_owned())];
    assert_eq!(
        raw.read_environment(wrong.into_iter()).expect_err("a problem").to_string(),
        "TREFOIL_QUERY_TIMEUOT: no such setting; did you mean TREFOIL_QUERY_TIMEOUT?"
    );
}

#[test]
fn the_reference_page_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == reference::page(),
        "docs/configuration.md is old: run `trefoil docs > docs/configuration.md`"
    );
}
