use super::*;

/// What all but `fill` switched on says to a query: position and message of the error.
const OPTIONS: Options = Options { binop_fill_modifiers: false, ..Options::ALL };

fn refused(query: &str, start: u32, end: u32, message: &str) {
    let error = parse(query, OPTIONS).expect_err(query);
    assert_eq!(
        (error.position, error.message.as_str()),
        (PosRange::new(start, end), message),
        "{query}"
    );
}

/// The query prints as `printed`.
fn reads(query: &str, printed: &str) -> Expr {
    let expr = parse(query, OPTIONS).unwrap_or_else(|error| panic!("{query}: {error}"));
    assert_eq!(expr.to_string(), printed, "{query}");
    expr
}

#[test]
fn mistakes_in_words() {
    refused("", 0, 0, "no expression found in input");
    refused("# just a comment\n\n", 0, 0, "no expression found in input");
    refused(".", 0, 1, "unexpected character: '.'");
    refused("2.5.", 0, 4, "bad number or duration syntax: \"2.5.\"");
    refused("100..4", 0, 6, "bad number or duration syntax: \"100..\"");
    refused("0deadbeef", 0, 9, "bad number or duration syntax: \"0de\"");
    refused("(1))", 4, 4, "unexpected right parenthesis ')'");
    refused("((1)", 4, 4, "unclosed left parenthesis");
    refused("(", 1, 1, "unclosed left parenthesis");
    refused("sum(", 4, 4, "unclosed left parenthesis");
    refused("sum(rate(", 9, 9, "unclosed left parenthesis");
    refused("1 !~ 1", 2, 6, "unexpected character after '!': '~'");
    refused("1 =~ 1", 2, 6, "unexpected character after '=': '~'");
    refused("{", 1, 1, "unexpected end of input inside braces");
    refused("}", 0, 1, "unexpected character: '}'");
    refused("some{", 5, 5, "unexpected end of input inside braces");
    refused("some}", 4, 5, "unexpected character: '}'");
    refused(r#"some_metric{a:b="b"}"#, 13, 20, "unexpected character inside braces: ':'");
    refused(r#"foo{a*"b"}"#, 5, 10, "unexpected character inside braces: '*'");
    refused(r#"foo{a>="b"}"#, 5, 11, "unexpected character inside braces: '>'");
    refused("foo{1}", 4, 6, "unexpected character inside braces: '1'");
    refused("some_metric{a=\"\u{fffd}\"}", 14, 20, "invalid UTF-8 rune");
    refused(r#"sum by ("foo)(some_metric{})"#, 8, 28, "unterminated quoted string");
    refused(r"`\``", 3, 4, "unterminated raw string");
    refused(r#""\"#, 0, 2, "escape sequence not terminated");
    refused(r#""\c""#, 0, 4, "unknown escape sequence U+0063 'c'");
    refused(r#""\x.""#, 0, 5, "illegal character U+002E '.' in escape sequence");
    refused(r#""\ud800""#, 0, 8, "escape sequence is an invalid Unicode code point");
    refused("foo[5mm]", 4, 8, "bad number or duration syntax: \"5mm\"");
    refused("foo[5m1]", 4, 8, "bad number or duration syntax: \"5m1\"");
    refused("foo[5m:1m1]", 7, 11, "bad number or duration syntax: \"1m1\"");
    refused("foo[\"5m\"]", 4, 9, "unexpected character in duration expression: '\"'");
    refused("some_metric[5m] OFFSET 1mm", 23, 26, "bad number or duration syntax: \"1mm\"");
    refused("foo[5s x 5s]", 7, 12, "unexpected character: 'x', expected ':'");
    refused("foo[5s s 5s]", 7, 12, "unexpected character: 's', expected ':'");
    refused("foo{bar=\"baz\"}[", 15, 15, "unexpected end of input in duration expression");
    refused("foo[5m:1m:1m]", 9, 13, "unexpected colon ':'");
    let huge = "9".repeat(309);
    let message =
        format!("error parsing number: strconv.ParseFloat: parsing \"{huge}\": value out of range");
    refused(&huge, 0, 309, &message);
}

#[test]
fn words_in_the_wrong_place() {
    refused("1+", 2, 2, "unexpected end of input");
    refused("1 /", 3, 3, "unexpected end of input");
    refused("*1", 0, 1, "unexpected <op:*>");
    refused("*test", 0, 1, "unexpected <op:*>");
    refused("@@", 0, 1, "unexpected <op:@>");
    refused("-=", 1, 2, "unexpected \"=\"");
    refused("++-++-+-+-<", 10, 11, "unexpected <op:<>");
    refused("e-+=/(0)", 3, 4, "unexpected \"=\"");
    refused("a - on(b) ignoring(c) d", 10, 18, "unexpected <ignoring>");
    refused("foo + group_left(baz) bar", 6, 16, "unexpected <group_left>");
    refused("foo bar", 4, 7, "unexpected identifier \"bar\"");
    refused("foo a:b", 4, 7, "unexpected metric identifier \"a:b\"");
    refused("foo \"a long string\"", 4, 19, "unexpected string \"\\\"a long st\"...");
    refused("foo 5m", 4, 6, "unexpected duration \"5m\"");
    refused("foo sum", 4, 7, "unexpected <aggr:sum>");
    refused("foo start", 4, 9, "unexpected \"start\"");
    refused("sum some_metric by (test)", 4, 15, "unexpected identifier \"some_metric\"");
    refused("MIN keep_common (some_metric)", 4, 15, "unexpected identifier \"keep_common\"");
    refused("MIN (some_metric) keep_common", 18, 29, "unexpected identifier \"keep_common\"");
    refused("sum (some_metric) without (test) by (test)", 33, 35, "unexpected <by>");
    refused("sum without (test) (some_metric) by (test)", 33, 35, "unexpected <by>");
    refused("sum(foo bar)", 8, 11, "unexpected identifier \"bar\" in aggregation");
    refused("sum by (a) b", 11, 12, "unexpected identifier \"b\" in aggregation");
    refused(
        "sum without(==)(some_metric)",
        12,
        14,
        "unexpected <op:==> in grouping opts, expected label",
    );
    refused(
        "sum without(,)(some_metric)",
        12,
        13,
        "unexpected \",\" in grouping opts, expected label",
    );
    refused(
        "sum without(foo,,)(some_metric)",
        16,
        17,
        "unexpected \",\" in grouping opts, expected label",
    );
    refused(
        "sum by (foo bar)(x)",
        12,
        15,
        "unexpected identifier \"bar\" in grouping opts, expected \",\" or \")\"",
    );
    refused(
        "sum (some_metric) by test",
        21,
        25,
        "unexpected identifier \"test\" in grouping opts, expected \"(\"",
    );
    refused("topk(some_metric,)", 16, 17, "trailing commas not allowed in function call args");
    refused("rate(x, *)", 6, 7, "trailing commas not allowed in function call args");
}

#[test]
fn mistakes_in_selectors() {
    let place = |what: &str| format!("unexpected {what}");
    let label = |what: &str, expected: &str| {
        format!("{} in label matching, expected {expected}", place(what))
    };
    refused("some_metric{a=b}", 14, 15, &label("identifier \"b\"", "string"));
    refused("foo{gibberish}", 13, 14, &label("\"}\"", "label matching operator"));
    refused("foo{__name__= =}", 14, 15, &label("\"=\"", "string"));
    refused("foo{,}", 4, 5, &label("\",\"", "identifier or \"}\""));
    refused("foo{__name__ == \"bar\"}", 14, 15, &label("\"=\"", "string"));
    refused("foo{__name__=\"bar\" lol}", 19, 22, &label("identifier \"lol\"", "\",\" or \"}\""));
    refused("foo{\"a\"=}", 8, 9, &label("\"}\"", "string"));
    let empty = "vector selector must contain at least one non-empty matcher";
    for query in ["{}", "{x=\"\"}", "{x=~\".*\"}", "{x!~\".+\"}", "{x!=\"a\"}"] {
        refused(query, 0, u32::try_from(query.len()).expect("short"), empty);
    }
    refused(
        "foo{__name__=\"bar\"}",
        0,
        19,
        "metric name must not be set twice: \"foo\" or \"bar\"",
    );
    refused("foo{a=~\"(\"}", 4, 10, "error parsing regexp: missing closing ): `^(?s:()$`");
    refused(
        "foo{a=~\"*\"}",
        4,
        10,
        "error parsing regexp: missing argument to repetition operator: `*`",
    );
}

#[test]
fn mistakes_in_modifiers() {
    let preceded =
        "must be preceded by an instant vector selector or range vector selector or a subquery";
    refused("1 offset 1d", 0, 1, &format!("offset modifier {preceded}"));
    refused("rate(some_metric[5m]) @ 1234", 0, 21, &format!("@ modifier {preceded}"));
    refused("foo offset 1s offset 2s", 0, 13, "offset may not be set multiple times");
    refused("foo @ 1 @ 2", 0, 7, "@ <timestamp> may not be set multiple times");
    for (query, text) in [
        ("foo @ +Inf", "+Inf"),
        ("foo @ -Inf", "-Inf"),
        ("foo @ NaN", "NaN"),
        ("foo @ 9223372036854775808.000000", "9223372036854775808.000000"),
        ("foo @ -9223372036854775808.000000", "-9223372036854775808.000000"),
    ] {
        refused(query, 0, 3, &format!("timestamp out of bounds for @ modifier: {text}"));
    }
    refused("some_metric[5m] @", 17, 17, "unexpected end of input in @, expected timestamp");
    refused("foo @ bar", 6, 9, "unexpected identifier \"bar\" in @, expected timestamp");
    let length = "number, duration, step(), or range()";
    refused(
        "some_metric[5m] OFFSET",
        22,
        22,
        &format!("unexpected end of input in offset, expected {length}"),
    );
    let selector = "in subquery or range selector, expected";
    refused("foo[]", 4, 5, &format!("unexpected \"]\" {selector} {length}"));
    refused("foo[step]", 8, 9, &format!("unexpected \"]\" {selector} {length}"));
    refused(
        "foo[5m \"a\"]",
        7,
        10,
        "unexpected string \"\\\"a\\\"\" in subquery or range, expected \":\" or \"]\"",
    );
    refused(
        "foo[5m:5m \"a\"]",
        10,
        13,
        "unexpected string \"\\\"a\\\"\" in subquery selector, expected \"]\"",
    );
    refused("foo[5m:)", 8, 8, "unexpected right parenthesis ')'");
    refused("foo[5y1hs]", 4, 9, "unknown unit \"hs\" in duration \"5y1hs\"");
    refused("foo[5m1h]", 4, 8, "not a valid duration string: \"5m1h\"");
    refused("foo[0m]", 4, 6, "duration must be greater than 0");
    refused("foo[-1]", 4, 6, "duration must be greater than 0");
    refused("some_metric OFFSET 1m[5m]", 21, 25, "no offset modifiers allowed before range");
    refused("some_metric offset step()[5m]", 25, 29, "no offset modifiers allowed before range");
    refused("some_metric @ 1234 [5m]", 19, 23, "no @ modifiers allowed before range");
    refused("some_metric @ start() [5m]", 22, 26, "no @ modifiers allowed before range");
    refused("some_metric @ end()[5m]", 19, 23, "no @ modifiers allowed before range");
    for query in ["(foo + bar)[5m]", "rate(foo[1])[5m]", "1[5m] smoothed"] {
        let start = u32::try_from(query.find("[5m").expect("a range")).expect("short");
        refused(query, start, start + 4, "ranges only allowed for vector selectors");
    }
    refused("foo[step()/0d]", 10, 11, "division by zero");
    refused("foo[5s/0d]", 6, 7, "division by zero");
    refused("foo offset (4d/0)", 14, 15, "division by zero");
    refused("foo[5s%0d]", 6, 7, "modulo by zero");
    refused("foo offset 9.5e10", 11, 17, "duration out of range");
    refused("foo[9.5e10]", 4, 10, "duration out of range");
    refused(
        "foo anchored smoothed",
        0,
        3,
        "anchored and smoothed modifiers cannot be used together",
    );
    refused("foo[1h:1m] anchored", 0, 10, "anchored modifier is not supported for subqueries");
    refused("sum(foo) smoothed", 0, 8, "smoothed modifier not implemented");
}

#[test]
fn mistakes_in_types() {
    let unary =
        "unary expression only allowed on expressions of type scalar or instant vector, got";
    refused("-\"string\"", 0, 9, &format!("{unary} \"string\""));
    refused("-test[5m]", 0, 9, &format!("{unary} \"range vector\""));
    for (query, op) in [("1 and 1", "and"), ("1 or 1", "or"), ("1 unless 1", "unless")] {
        let message = format!("set operator \"{op}\" not allowed in binary scalar expression");
        refused(query, 0, u32::try_from(query.len()).expect("short"), &message);
    }
    refused("1 == 1", 2, 3, "comparisons between scalars must use BOOL modifier");
    refused("1 or on(bar) foo", 0, 16, "vector matching only allowed between instant vectors");
    refused("foo == on(bar) 10", 0, 17, "vector matching only allowed between instant vectors");
    for op in ["and", "or", "unless"] {
        let query = format!("foo {op} on(bar) group_left(baz) bar");
        let message = format!("no grouping allowed for \"{op}\" operation");
        refused(&query, 0, u32::try_from(query.len()).expect("short"), &message);
    }
    refused(
        "http_requests{group=\"production\"} + on(instance) group_left(job,instance) cpu_count{type=\"smp\"}",
        34,
        72,
        "label \"instance\" must not occur in ON and GROUP clause at once",
    );
    let bool_modifier = "bool modifier can only be used on comparison operators";
    refused("foo + bool bar", 4, 9, bool_modifier);
    refused("foo and bool 10", 4, 11, bool_modifier);
    refused(
        "foo + x[5m]",
        6,
        11,
        "binary expression must contain only scalar and instant vector types",
    );
    let nested = "subquery is only allowed on instant vector, got matrix instead";
    refused("test[5d] OFFSET 10s [10m:5s]", 0, 28, nested);
    refused("(foo + bar{nm=\"val\"})[5m:][10m:5s]", 0, 34, nested);
    refused("sum () by (test)", 0, 16, "no arguments for aggregate expression provided");
    refused(
        "topk(some_metric)",
        0,
        17,
        "wrong number of arguments for aggregate expression provided, expected 2, got 1",
    );
    refused(
        "topk(some_metric, other_metric)",
        5,
        16,
        "expected type scalar in aggregation parameter, got instant vector",
    );
    refused(
        "count_values(5, other_metric)",
        13,
        14,
        "expected type string in aggregation parameter, got scalar",
    );
    for (query, end, message) in [
        ("floor()", 7, "expected 1 argument(s) in call to \"floor\", got 0"),
        ("floor(some_metric, 1)", 21, "expected 1 argument(s) in call to \"floor\", got 2"),
        ("hour(a, b, c)", 13, "expected at most 1 argument(s) in call to \"hour\", got 3"),
        ("time(some_metric)", 17, "expected 0 argument(s) in call to \"time\", got 1"),
        (
            "label_join(a, \"b\")",
            18,
            "expected at least 3 argument(s) in call to \"label_join\", got 2",
        ),
    ] {
        refused(query, 0, end, message);
    }
    refused(
        "floor(1)",
        6,
        7,
        "expected type instant vector in call to function \"floor\", got scalar",
    );
    refused(
        "rate(some_metric)",
        5,
        16,
        "expected type range vector in call to function \"rate\", got instant vector",
    );
    refused("non_existent()", 0, 12, "unknown function with name \"non_existent\"");
    refused("a>b()", 2, 3, "unknown function with name \"b\"");
    refused(
        "info(a, target_info{foo=\"bar\"})",
        8,
        30,
        "expected label selectors only, got vector selector instead",
    );
    refused("info(a, {foo=\"bar\"} == 1)", 8, 24, "expected label selectors only");
}

#[test]
fn experimental_parts_have_to_be_switched_on() {
    for (query, message) in [
        ("sort_by_label(x, \"a\")", "1:1: parse error: function \"sort_by_label\" is not enabled"),
        (
            "limitk(1, x)",
            "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
        ),
        ("x[1m+2m]", "1:3: parse error: experimental duration expression is not enabled"),
        ("x[step()]", "1:3: parse error: experimental duration expression is not enabled"),
        ("x offset (1m)", "1:11: parse error: experimental duration expression is not enabled"),
        ("x anchored", "1:1: parse error: anchored modifier is experimental and not enabled"),
        (
            "x + fill(1) y",
            "1:1: parse error: binop fill modifiers are experimental and not enabled",
        ),
        (
            "\n\n  foo{bar=baz}",
            "3:11: parse error: unexpected identifier \"baz\" in label matching, expected string",
        ),
    ] {
        let error = parse(query, Options::default()).expect_err(query);
        assert_eq!(error.to_string(), message);
        let allowed = parse(query, Options::ALL);
        assert!(allowed.is_ok() || query.contains("baz"), "{query}: {allowed:?}");
    }
    let fills = parse("x + fill_left(-1) fill_right(2) y or y + fill (0) z", Options::ALL);
    assert_eq!(
        fills.expect("read").to_string(),
        "x + fill_left (-1) fill_right (2) y or y + fill (0) z"
    );
    let mistake = parse("1 + fill(1) y", Options::ALL).expect_err("a scalar");
    assert_eq!(mistake.message, "filling in missing series only allowed between instant vectors");
    reads("fill + fill{fill_left=\"a\"}", "fill + fill{fill_left=\"a\"}");
}

#[test]
fn precedence() {
    let grouped = |query: &str| format!("{}", Grouped(&reads(query, query)));
    for (query, groups) in [
        ("-1 ^ 2", "(-(1 ^ 2))"),
        ("-1 * 2", "(-1 * 2)"),
        ("2 ^ 3 ^ 4", "(2 ^ (3 ^ 4))"),
        ("a ^ -b * c", "((a ^ (-b)) * c)"),
        ("-a * b", "((-a) * b)"),
        ("a - b - c", "((a - b) - c)"),
        ("1 < bool 2 - 1 * 2", "(1 < bool (2 - (1 * 2)))"),
        ("foo + bar or bla and blub", "((foo + bar) or (bla and blub))"),
        ("foo and bar unless baz or qux", "(((foo and bar) unless baz) or qux)"),
        ("a atan2 b + c % d", "((a atan2 b) + (c % d))"),
        ("a </ 5 == b", "((a </ 5) == b)"),
        ("foo offset -1s ^ 1", "(foo offset -1s ^ 1)"),
        ("foo offset 5s - 8", "(foo offset 5s - 8)"),
    ] {
        assert_eq!(grouped(query), groups);
    }
}

struct Grouped<'a>(&'a Expr);

impl std::fmt::Display for Grouped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Expr::Binary(binary) => {
                let operator = crate::printer::Operator(binary);
                write!(f, "({} {operator} {})", Grouped(&binary.left), Grouped(&binary.right))
            }
            Expr::Unary(unary) => {
                write!(f, "({}{})", if unary.negative { '-' } else { '+' }, Grouped(&unary.expr))
            }
            other => write!(f, "{other}"),
        }
    }
}

#[test]
fn positions() {
    for (query, start, end) in [
        ("sum (some_metric) without (foo)", 0, 31),
        ("sum by (foo,)(some_metric)", 0, 26),
        (" +some_metric", 1, 13),
        ("-1", 0, 2),
        ("foo offset -7m", 0, 14),
        ("foo @ start()", 0, 13),
        ("test[5y] @ end()", 0, 16),
        ("test{a=\"b\"}[5m] OFFSET 3600", 0, 27),
        ("some_metric[10m:5s] offset 1m @ 123", 0, 35),
        ("foo[ step ( ) ]", 0, 15),
        ("foo offset -min_of(5s,step()+8s)", 0, 32),
    ] {
        let expr = parse(query, OPTIONS).expect(query);
        assert_eq!(expr.position(), PosRange::new(start, end), "{query}");
    }
    let Expr::Paren(paren) = parse("(sum(foo) )", OPTIONS).expect("read") else { panic!() };
    assert_eq!(paren.expr.position(), PosRange::new(1, 9));
    let Expr::Matrix(matrix) = parse("test[5h] OFFSET 5m", OPTIONS).expect("read") else {
        panic!()
    };
    assert_eq!(matrix.vector.position, PosRange::new(0, 4));
}

#[test]
fn printing() {
    for (query, printed) in [
        ("sum by() (task:errors{job=\"s\"})", "sum(task:errors{job=\"s\"})"),
        ("sum without() (x)", "sum without () (x)"),
        ("sum by(code, \"a b\")(x)", "sum by (code, \"a b\") (x)"),
        ("a - ignoring(b) c", "a - ignoring (b) c"),
        ("a - on() c", "a - on () c"),
        ("up > BOOL 0", "up > bool 0"),
        ("a[1h:5m] offset -1m", "a[1h:5m] offset -1m"),
        ("a[5m] @ 1.5 offset 1d", "a[5m] @ 1.500 offset 1d"),
        ("{__name__=\"a\"}", "{__name__=\"a\"}"),
        ("{\"a b\", \"c.d\"=~\"e\"}", "{\"c.d\"=~\"e\",__name__=\"a b\"}"),
        ("foo[11s+10s-5*2^2]", "foo[11s + 10s - 5 * 2 ^ 2]"),
        ("foo[-(10s-5s)+20s]", "foo[-(10s - 5s) + 20s]"),
        ("foo offset (5)", "foo offset (5)"),
        ("foo[4s+4s:1s*2] offset (5s-8)", "foo[4s + 4s:1s * 2] offset (5s - 8)"),
        ("foo offset +max_of(step(),5s)", "foo offset max_of(step(), 5s)"),
        ("foo[2m/range()]", "foo[2m / range()]"),
        ("rate(foo[5m] smoothed @ 3 offset 1h)", "rate(foo[5m] smoothed @ 3.000 offset 1h)"),
        ("foo anchored offset 1h", "foo anchored offset 1h"),
        ("0x10 + 1h", "16 + 1h"),
        ("'a\"b'", "\"a\\\"b\""),
        (
            "start + end{step=\"1\"} + range() + step()",
            "start + end{step=\"1\"} + range() + step()",
        ),
        ("sum(sum)", "sum(sum)"),
        ("min_of(1, time())", "min_of(1, time())"),
    ] {
        reads(query, printed);
        reads(printed, printed);
    }
}

#[test]
fn depth_is_limited() {
    let deep = |times: usize| format!("{}1{}", "(".repeat(times), ")".repeat(times));
    assert!(parse(&deep(150), OPTIONS).is_ok());
    let message = parse(&deep(100_000), OPTIONS).expect_err("too deep").message;
    assert_eq!(message, "expression is nested too deeply");
    let signs = parse(&format!("{}1", "-".repeat(100_000)), OPTIONS);
    assert_eq!(signs.expect_err("too deep").message, "expression is nested too deeply");
    let chain = |times: usize| format!("1{}", " + 1".repeat(times));
    assert!(parse(&chain(500), OPTIONS).is_ok());
    let message = parse(&chain(100_000), OPTIONS).expect_err("too long").message;
    assert_eq!(message, "expression has too many operators in a row");
    let subqueries = format!("x{}", "[1m:]".repeat(100_000));
    assert!(parse(&subqueries, OPTIONS).is_err());
    let long = format!("x{}", " ".repeat(QUERY_BYTES_MAX));
    assert!(parse(&long, OPTIONS).is_err());
}

#[test]
fn selectors_of_the_api() {
    let matchers = parse_selector("{__name__=~\"a.*\", b=\"c\"}").expect("read");
    assert_eq!(format!("{matchers:?}"), "[__name__=~\"a.*\", b=\"c\"]");
    assert_eq!(format!("{:?}", parse_selector("up").expect("read")), "[__name__=\"up\"]");
    for (text, message) in [
        ("up[5m]", "1:3: parse error: unexpected \"[\""),
        ("sum(x)", "1:4: parse error: unexpected \"(\""),
        ("", "1:1: parse error: unexpected end of input"),
        ("1", "1:1: parse error: unexpected number \"1\""),
    ] {
        assert_eq!(parse_selector(text).expect_err(text).to_string(), message);
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Words that queries are made of, so that many of them parse.
    fn words() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "foo",
            "bar",
            "sum",
            "by",
            "without",
            "on",
            "ignoring",
            "group_left",
            "bool",
            "offset",
            "anchored",
            "fill",
            "fill_left",
            "@",
            "start",
            "end",
            "step",
            "range",
            "min_of",
            "rate",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ":",
            ",",
            "=",
            "==",
            "=~",
            "!=",
            "</",
            ">/",
            "<",
            "+",
            "-",
            "*",
            "/",
            "^",
            "%",
            "and",
            "or",
            "unless",
            "1",
            "5m",
            "0x1f",
            "1e3",
            "Inf",
            "NaN",
            "\"a\"",
            "'b'",
            "`c`",
            "# x\n",
            "\"\\x\"",
            "é",
            "[5m]",
            "(foo)",
            "{a=\"b\"}",
            "rate(foo[5m])",
        ]);
        prop::collection::vec(words, 0..20).prop_map(|words| words.join(" "))
    }

    /// Queries that parse.
    fn queries() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "foo",
            "foo{a=\"b\",c!~\"d|e\"}",
            "{\"f g\"}",
            "1",
            "-2.5",
            "1h30m",
            "vector(1)",
            "rate(foo[5m])",
            "foo offset 1m",
            "foo @ end()",
            "foo @ -1.5 offset -5m",
            "time()",
            "max_over_time(foo[1h:5m] @ 3)",
            "rate(foo[step() + 1m])",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(5, 40, 3, |inner| {
            let operators = prop::sample::select(vec![
                "+", "-", "*", "/", "%", "^", "atan2", "== bool", "<= bool", "> bool",
            ]);
            prop_oneof![
                inner.clone().prop_map(|a| format!("({a})")),
                inner.clone().prop_map(|a| format!("-{a}")),
                inner.clone().prop_map(|a| format!("abs(vector(scalar({a} + vector(0))))")),
                inner.clone().prop_map(|a| format!("topk by (x) (3, {a} + foo)")),
                (inner.clone(), operators, inner).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_panics(query in ".{0,60}") {
            let _outcome = parse(&query, Options::ALL);
            let _outcome = parse_selector(&query);
            let _outcome = series::parse_series_description(&query);
        }

        #[test]
        fn words_in_any_order_do_not_panic_and_print_stably(query in words()) {
            if let Ok(expr) = parse(&query, Options::ALL) {
                let printed = expr.to_string();
                let again = parse(&printed, Options::ALL);
                prop_assert_eq!(again.map(|expr| expr.to_string()), Ok(printed));
            }
        }

        #[test]
        fn printed_queries_are_the_same(query in queries()) {
            let expr = parse(&query, Options::ALL);
            prop_assert!(expr.is_ok(), "{}: {:?}", query, expr);
            let printed = expr.expect("read").to_string();
            let again = parse(&printed, Options::ALL).expect("printed queries parse");
            prop_assert_eq!(again.to_string(), printed.clone());
            let pretty = crate::prettier::prettify(&again);
            let again = parse(&pretty, Options::ALL).expect("pretty queries parse");
            prop_assert_eq!(again.to_string(), printed);
        }
    }
}
