//! The tree of a query as JSON, as `/api/v1/parse_query` gives it to the tree view.

use model::metric::Matcher;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::ast::{
    Aggregate, At, Binary, Call, DurationValue, Expr, Extended, Subquery, VectorSelector,
};
use crate::number::format_plain;
use crate::signature::Function;

/// A tree that serializes as Prometheus's API gives it. Keys are in alphabetical order.
#[derive(Debug, Clone, Copy)]
pub struct AstJson<'a>(pub &'a Expr);

type Outcome<S> = Result<<S as Serializer>::Ok, <S as Serializer>::Error>;

impl Serialize for AstJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Outcome<S> {
        match self.0 {
            Expr::Aggregate(aggregate) => serialize_aggregate(aggregate, serializer),
            Expr::Binary(binary) => serialize_binary(binary, serializer),
            Expr::Call(call) => serialize_call(call, serializer),
            Expr::Matrix(matrix) => {
                serialize_selector(&matrix.vector, Some(&matrix.range), serializer)
            }
            Expr::Number(number) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("type", "numberLiteral")?;
                map.serialize_entry("val", &format_plain(number.value))?;
                map.end()
            }
            Expr::Paren(paren) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("expr", &AstJson(&paren.expr))?;
                map.serialize_entry("type", "parenExpr")?;
                map.end()
            }
            Expr::String(text) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("type", "stringLiteral")?;
                map.serialize_entry("val", &text.value)?;
                map.end()
            }
            Expr::Subquery(subquery) => serialize_subquery(subquery, serializer),
            Expr::Unary(unary) => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("expr", &AstJson(&unary.expr))?;
                map.serialize_entry("op", if unary.negative { "-" } else { "+" })?;
                map.serialize_entry("type", "unaryExpr")?;
                map.end()
            }
            Expr::Vector(vector) => serialize_selector(vector, None, serializer),
        }
    }
}

fn serialize_aggregate<S: Serializer>(aggregate: &Aggregate, serializer: S) -> Outcome<S> {
    let mut map = serializer.serialize_map(Some(6))?;
    map.serialize_entry("expr", &AstJson(&aggregate.expr))?;
    map.serialize_entry("grouping", &aggregate.grouping)?;
    map.serialize_entry("op", aggregate.op.as_str())?;
    map.serialize_entry("param", &aggregate.param.as_ref().map(AstJson))?;
    map.serialize_entry("type", "aggregation")?;
    map.serialize_entry("without", &aggregate.without)?;
    map.end()
}

#[derive(Serialize)]
struct FillValues {
    lhs: Option<f64>,
    rhs: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Matching<'a> {
    card: &'static str,
    fill_values: FillValues,
    include: &'a [String],
    labels: &'a [String],
    on: bool,
}

fn serialize_binary<S: Serializer>(binary: &Binary, serializer: S) -> Outcome<S> {
    let matching = binary.matching.as_ref().map(|matching| Matching {
        card: matching.cardinality.as_str(),
        fill_values: FillValues { lhs: matching.fill_left, rhs: matching.fill_right },
        include: &matching.include,
        labels: &matching.labels,
        on: matching.on,
    });
    let mut map = serializer.serialize_map(Some(6))?;
    map.serialize_entry("bool", &binary.return_bool)?;
    map.serialize_entry("lhs", &AstJson(&binary.left))?;
    map.serialize_entry("matching", &matching)?;
    map.serialize_entry("op", binary.op.as_str())?;
    map.serialize_entry("rhs", &AstJson(&binary.right))?;
    map.serialize_entry("type", "binaryExpr")?;
    map.end()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signature {
    arg_types: Vec<&'static str>,
    name: &'static str,
    return_type: &'static str,
    variadic: i8,
}

fn signature(function: &Function) -> Signature {
    Signature {
        arg_types: function.args.iter().map(|arg| arg.as_str()).collect(),
        name: function.name,
        return_type: function.returns.as_str(),
        variadic: function.variadic,
    }
}

fn serialize_call<S: Serializer>(call: &Call, serializer: S) -> Outcome<S> {
    let args: Vec<_> = call.args.iter().map(AstJson).collect();
    let mut map = serializer.serialize_map(Some(3))?;
    map.serialize_entry("args", &args)?;
    map.serialize_entry("func", &signature(call.function))?;
    map.serialize_entry("type", "call")?;
    map.end()
}

fn at_parts(at: Option<At>) -> (Option<&'static str>, Option<i64>) {
    match at {
        None => (None, None),
        Some(At::Start) => (Some("start"), None),
        Some(At::End) => (Some("end"), None),
        Some(At::Time(millis)) => (None, Some(millis)),
    }
}

/// Lengths that are not known before the query runs are 0, as in Prometheus.
fn millis(duration: &DurationValue) -> i64 {
    match duration {
        DurationValue::Fixed(millis) => *millis,
        DurationValue::Expr(_) => 0,
    }
}

fn serialize_subquery<S: Serializer>(subquery: &Subquery, serializer: S) -> Outcome<S> {
    let (start_or_end, timestamp) = at_parts(subquery.at);
    let mut map = serializer.serialize_map(Some(7))?;
    map.serialize_entry("expr", &AstJson(&subquery.expr))?;
    map.serialize_entry("offset", &millis(&subquery.offset))?;
    map.serialize_entry("range", &millis(&subquery.range))?;
    map.serialize_entry("startOrEnd", &start_or_end)?;
    map.serialize_entry("step", &millis(&subquery.step))?;
    map.serialize_entry("timestamp", &timestamp)?;
    map.serialize_entry("type", "subquery")?;
    map.end()
}

#[derive(Serialize)]
struct MatcherJson<'a> {
    name: &'a str,
    r#type: &'static str,
    value: &'a str,
}

fn matcher(matcher: &Matcher) -> MatcherJson<'_> {
    MatcherJson { name: &matcher.name, r#type: matcher.op.as_str(), value: &matcher.value }
}

fn serialize_selector<S: Serializer>(
    vector: &VectorSelector,
    range: Option<&DurationValue>,
    serializer: S,
) -> Outcome<S> {
    let (start_or_end, timestamp) = at_parts(vector.at);
    let matchers: Vec<_> = vector.matchers.iter().map(matcher).collect();
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("anchored", &(vector.extended == Some(Extended::Anchored)))?;
    map.serialize_entry("matchers", &matchers)?;
    map.serialize_entry("name", vector.name.as_deref().unwrap_or_default())?;
    map.serialize_entry("offset", &millis(&vector.offset))?;
    if let Some(range) = range {
        map.serialize_entry("range", &millis(range))?;
    }
    map.serialize_entry("smoothed", &(vector.extended == Some(Extended::Smoothed)))?;
    map.serialize_entry("startOrEnd", &start_or_end)?;
    map.serialize_entry("timestamp", &timestamp)?;
    let kind = if range.is_some() { "matrixSelector" } else { "vectorSelector" };
    map.serialize_entry("type", kind)?;
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::{Options, parse};

    #[test]
    fn trees_as_the_api_gives_them() {
        for (query, expect) in [
            ("-1.5", r#"{"type":"numberLiteral","val":"-1.5"}"#),
            (
                r#"rate(x{a="b"}[5m] offset 1m)"#,
                r#"{"args":[{"anchored":false,"matchers":[{"name":"a","type":"=","value":"b"},{"name":"__name__","type":"=","value":"x"}],"name":"x","offset":60000,"range":300000,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"matrixSelector"}],"func":{"argTypes":["matrix"],"name":"rate","returnType":"vector","variadic":0},"type":"call"}"#,
            ),
            ("1 + (sum by (a) (x @ 5))[1h:] @ end()", "refused"),
            (
                "topk(1, x) == bool on (a) group_left (b) -x @ 5",
                r#"{"bool":true,"lhs":{"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"x"}],"name":"x","offset":0,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"},"grouping":[],"op":"topk","param":{"type":"numberLiteral","val":"1"},"type":"aggregation","without":false},"matching":{"card":"many-to-one","fillValues":{"lhs":null,"rhs":null},"include":["b"],"labels":["a"],"on":true},"op":"==","rhs":{"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"x"}],"name":"x","offset":0,"smoothed":false,"startOrEnd":null,"timestamp":5000,"type":"vectorSelector"},"op":"-","type":"unaryExpr"},"type":"binaryExpr"}"#,
            ),
            (
                "(x)[1h:1m] @ end()",
                r#"{"expr":{"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"x"}],"name":"x","offset":0,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"},"type":"parenExpr"},"offset":0,"range":3600000,"startOrEnd":"end","step":60000,"timestamp":null,"type":"subquery"}"#,
            ),
        ] {
            let json = parse(query, Options::ALL).map_or_else(
                |_| "refused".to_owned(),
                |expr| serde_json::to_string(&AstJson(&expr)).expect("serializes"),
            );
            assert_eq!(json, expect, "{query}");
        }
    }
}
