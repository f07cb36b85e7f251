//! What of a statement's conditions chooses series and times.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use model::metric::{Matcher, NAME_LABEL};

/// What has to be read. It may be more than what the conditions leave, never less.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) matchers: Vec<Matcher>,
    /// Milliseconds, included.
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Wanted {
    pub(super) fn of(filters: &[Expr]) -> Wanted {
        let mut wanted = Wanted { matchers: Vec::new(), start: i64::MIN, end: i64::MAX };
        filters.iter().for_each(|filter| wanted.narrow(filter));
        wanted
    }

    fn narrow(&mut self, filter: &Expr) {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.narrow(left);
                self.narrow(right);
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
                (subject, Expr::Literal(value, _)) => self.compare(subject, *op, value),
                (Expr::Literal(value, _), subject) => {
                    if let Some(op) = op.swap() {
                        self.compare(subject, op, value);
                    }
                }
                _ => {}
            },
            Expr::Between(between) if !between.negated => {
                if let (Expr::Literal(low, _), Expr::Literal(high, _)) =
                    (&*between.low, &*between.high)
                {
                    self.compare(&between.expr, Operator::GtEq, low);
                    self.compare(&between.expr, Operator::LtEq, high);
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, subject: &Expr, op: Operator, value: &ScalarValue) {
        if is_column(subject, "time") {
            if let Some(us) = microseconds(value) {
                let (down, up) = (us.div_euclid(1_000), us.div_euclid(1_000) + 1);
                match op {
                    Operator::Eq => {
                        (self.start, self.end) = (self.start.max(down), self.end.min(up));
                    }
                    Operator::Gt | Operator::GtEq => self.start = self.start.max(down),
                    Operator::Lt | Operator::LtEq => self.end = self.end.min(up),
                    _ => {}
                }
            }
            return;
        }
        let label = if is_column(subject, "name") { Some(NAME_LABEL) } else { label_of(subject) };
        let text = value.try_as_str().flatten();
        // The empty text is also what a series without the label has.
        if let (Operator::Eq, Some(label), Some(text)) = (op, label, text)
            && !text.is_empty()
        {
            self.matchers.push(Matcher::equal(label, text));
        }
    }
}

fn is_column(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Column(column) if column.name == name)
}

/// The label of `labels['job']`.
fn label_of(expr: &Expr) -> Option<&str> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let [of, Expr::Literal(label, _)] = call.args.as_slice() else { return None };
    (call.name() == "get_field" && is_column(of, "labels")).then(|| label.try_as_str())??
}

fn microseconds(value: &ScalarValue) -> Option<i64> {
    let as_time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    match value.cast_to(&as_time).ok()? {
        ScalarValue::TimestampMicrosecond(us, _) => us,
        _ => None,
    }
}
