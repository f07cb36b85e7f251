//! Queries as people write them: broken into lines of at most 100 characters where they can be
//! broken, as `promtool promql format` and `/api/v1/format_query` do.

use crate::ast::Expr;
use crate::printer::{AggregateHead, Operator, Suffix};

/// Longer expressions are broken.
const LINE_CHARACTERS_MAX: usize = 100;

/// The query, broken into lines.
#[must_use]
pub fn prettify(expr: &Expr) -> String {
    let mut into = String::new();
    put(&mut into, expr, 0);
    into
}

fn put_indent(into: &mut String, level: usize) {
    for _ in 0..level {
        into.push_str("  ");
    }
}

fn put(into: &mut String, expr: &Expr, level: usize) {
    let line = expr.to_string();
    let fits = line.len() <= LINE_CHARACTERS_MAX;
    match expr {
        // As in Prometheus, a subquery that fits is not indented.
        Expr::Subquery(_) if fits => into.push_str(&line),
        Expr::Unary(unary) => {
            put_indent(into, level);
            into.push(if unary.negative { '-' } else { '+' });
            let mut operand = String::new();
            put(&mut operand, &unary.expr, level);
            into.push_str(operand.trim());
        }
        _ if fits => {
            put_indent(into, level);
            into.push_str(&line);
        }
        Expr::Aggregate(aggregate) => {
            put_indent(into, level);
            into.push_str(&AggregateHead(aggregate).to_string());
            into.push_str("(\n");
            if let Some(param) = &aggregate.param {
                put(into, param, level + 1);
                into.push_str(",\n");
            }
            put(into, &aggregate.expr, level + 1);
            into.push('\n');
            put_indent(into, level);
            into.push(')');
        }
        Expr::Binary(binary) => {
            put(into, &binary.left, level + 1);
            into.push('\n');
            put_indent(into, level);
            into.push_str(&Operator(binary).to_string());
            into.push('\n');
            put(into, &binary.right, level + 1);
        }
        Expr::Call(call) => {
            put_indent(into, level);
            into.push_str(call.function.name);
            into.push_str("(\n");
            for (index, arg) in call.args.iter().enumerate() {
                into.push_str(if index == 0 { "" } else { ",\n" });
                put(into, arg, level + 1);
            }
            into.push('\n');
            put_indent(into, level);
            into.push(')');
        }
        Expr::Paren(paren) => {
            put_indent(into, level);
            into.push_str("(\n");
            put(into, &paren.expr, level + 1);
            into.push('\n');
            put_indent(into, level);
            into.push(')');
        }
        Expr::Subquery(subquery) => {
            put(into, &subquery.expr, level);
            into.push_str(&Suffix(subquery).to_string());
        }
        Expr::Matrix(_) | Expr::Number(_) | Expr::String(_) | Expr::Vector(_) => {
            put_indent(into, level);
            into.push_str(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::{Options, parse};

    #[test]
    fn long_queries_are_broken() {
        let labels = "{long_label_number_one=\"value\",long_label_number_two=\"value\"}";
        for (query, expect) in [
            ("sum( a )", "sum(a)".to_owned()),
            ("-a", "-a".to_owned()),
            (
                &format!("sum by(x)(rate(metric_one{labels}[5m])) / count(metric_two{labels})"),
                format!(
                    "  sum by (x) (rate(metric_one{labels}[5m]))\n/\n  count(metric_two{labels})"
                ),
            ),
            (
                &format!("topk(5, (metric_one{labels} or metric_two{labels}))"),
                format!(
                    "topk(\n  5,\n  (\n      metric_one{labels}\n    or\n      metric_two{labels}\n  )\n)"
                ),
            ),
            (
                &format!("quantile_over_time(0.5, metric_one{labels}[5m] @ start() offset 1h)"),
                format!(
                    "quantile_over_time(\n  0.5,\n  metric_one{labels}[5m] @ start() offset 1h\n)"
                ),
            ),
        ] {
            let expr = parse(query, Options::ALL).expect(query);
            let pretty = prettify(&expr);
            assert_eq!(pretty, expect);
            let again = parse(&pretty, Options::ALL).expect("pretty queries parse");
            assert_eq!(again.to_string(), expr.to_string());
        }
    }
}
