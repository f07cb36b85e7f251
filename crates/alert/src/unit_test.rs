//! promtool's unit tests of rules: input series, rules over them, and what should come out.
//!
//! Store and language are a [`Bench`]; the words of failures are promtool's.

mod file;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::metric::{Histogram, Labels};
use stdx::clock::Clock;

use self::file::{AlertTest, ExprTest, TestFile, TestGroup};
use crate::group::Group;
use crate::query::{Append, Query, Sample, SampleValue};
use crate::rule::Surroundings;
use crate::rule_file::{self, Strictness};
use crate::state::State;

/// What a test begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The distance of the samples.
    pub interval: Duration,
    /// The time of the first, milliseconds since 1970.
    pub start: i64,
    /// Series and values in promtool's notation: `up{job="a"}`, `0+1x10 _ stale`.
    pub series: Vec<(String, String)>,
    /// The step of subqueries that do not say.
    pub subquery_interval: Duration,
}

/// A store with a language.
pub trait Stage: Query + Append {}

impl<S: Query + Append> Stage for S {}

/// Makes stores for tests and reads what tests write.
pub trait Bench: Send + Sync {
    /// A store with the input in it.
    fn open(&self, input: &Input) -> Result<Arc<dyn Stage>, String>;
    /// A series' description, `up{job="a"}`; empty is no labels.
    fn labels(&self, text: &str) -> Result<Labels, String>;
    /// A histogram, `{{schema:1 count:2 …}}`.
    fn histogram(&self, text: &str) -> Result<Histogram, String>;
    /// A histogram as it is written in tests.
    fn print_histogram(&self, histogram: &Histogram) -> String;
}

/// Which tests, and how strictly files are read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only test groups whose names match one of these; none is all.
    pub run: Vec<regex::Regex>,
    /// Unknown keys in rule files are left out.
    pub ignore_unknown_fields: bool,
}

/// What came out of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// For standard output.
    pub lines: Vec<String>,
    /// For standard error; empty means success.
    pub failures: Vec<String>,
}

/// Runs the tests of one file.
pub async fn run(path: &Path, bench: &dyn Bench, options: &Options) -> Verdict {
    let mut lines = vec![format!("Unit Testing:  {}", path.display())];
    let failures = match run_file(path, bench, options, &mut lines).await {
        Ok(failures) => failures,
        Err(error) => vec![error],
    };
    if failures.is_empty() {
        lines.push("  SUCCESS".to_owned());
    }
    Verdict { lines, failures }
}

async fn run_file(
    path: &Path,
    bench: &dyn Bench,
    options: &Options,
    lines: &mut Vec<String>,
) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("open {}: {error}", path.display()))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let file = TestFile::parse(&text, directory).map_err(|problem| {
        format!("yaml: unmarshal errors:\n  line {}: {}", problem.line, problem.message)
    })?;
    for missing in &file.missing {
        lines.push(format!("  WARNING: no file match pattern {missing}"));
    }
    let mut order = BTreeMap::new();
    for (at, name) in file.group_order.iter().enumerate() {
        if order.insert(name.clone(), at).is_some() {
            return Err(format!("group name repeated in evaluation order: {name}"));
        }
    }
    let mut failures = Vec::new();
    for test in &file.tests {
        let wanted =
            options.run.is_empty() || options.run.iter().any(|regex| regex.is_match(&test.name));
        if wanted {
            failures.extend(run_test(&file, test, bench, options, &order).await);
        }
    }
    Ok(failures)
}

async fn run_test(
    file: &TestFile,
    test: &TestGroup,
    bench: &dyn Bench,
    options: &Options,
    order: &BTreeMap<String, usize>,
) -> Vec<String> {
    let input = Input {
        interval: test.interval.unwrap_or(file.interval),
        start: test.start,
        series: test.series.clone(),
        subquery_interval: file.interval,
    };
    let stage = match bench.open(&input) {
        Ok(stage) => stage,
        Err(error) => return vec![error],
    };
    let groups = match load(file, test, &*stage, options, order) {
        Ok(groups) => groups,
        Err(errors) => return errors,
    };
    let run = Run { file, test, bench, stage };
    let (mut failures, went_on) = run.alerts(groups).await;
    if went_on {
        for expr_test in &test.exprs {
            failures.extend(run.expr(expr_test).await);
        }
    }
    failures
}

fn load(
    file: &TestFile,
    test: &TestGroup,
    stage: &dyn Stage,
    options: &Options,
    order: &BTreeMap<String, usize>,
) -> Result<Vec<Group>, Vec<String>> {
    let strictness = Strictness { ignore_unknown_fields: options.ignore_unknown_fields };
    let interval = test.interval.unwrap_or(file.interval);
    let mut groups = Vec::new();
    let mut errors = Vec::new();
    for path in &file.rule_files {
        match rule_file::read_file(path, &AsQuery(stage), strictness) {
            Ok(read) => groups.extend(
                read.into_iter()
                    .map(|group| Group::new(path.clone(), group, interval, Duration::ZERO)),
            ),
            Err(wrong) => errors.extend(wrong),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    groups.sort_by_key(|group| order.get(&group.name).copied().unwrap_or(0));
    for rule in groups.iter_mut().flat_map(|group| &mut group.rules) {
        rule.restored = true;
    }
    Ok(groups)
}

/// A stage seen as a language only.
#[derive(Debug)]
struct AsQuery<'s>(&'s dyn Stage);

#[async_trait::async_trait]
impl Query for AsQuery<'_> {
    fn check(&self, expression: &str) -> Result<String, String> {
        self.0.check(expression)
    }

    async fn instant(
        &self,
        expression: &str,
        time: i64,
    ) -> Result<Vec<Sample>, crate::query::QueryError> {
        self.0.instant(expression, time).await
    }

    async fn newest(
        &self,
        matchers: &[model::metric::Matcher],
        start: i64,
        end: i64,
    ) -> Result<Vec<Sample>, crate::query::QueryError> {
        self.0.newest(matchers, start, end).await
    }
}

struct Run<'r> {
    file: &'r TestFile,
    test: &'r TestGroup,
    bench: &'r dyn Bench,
    stage: Arc<dyn Stage>,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn shown(time: i64) -> String {
    model::duration::format(Duration::from_millis(u64::try_from(time).unwrap_or(0)))
}

/// Labels and annotations of an alert, side by side.
type Pair = (Labels, Labels);

impl Run<'_> {
    /// Evaluates all groups over the time of the tests and compares alerts; `false` when a rule
    /// failed and expressions should not be tried.
    async fn alerts(&self, mut groups: Vec<Group>) -> (Vec<String>, bool) {
        let surroundings = Surroundings {
            external_labels: self.test.external_labels.clone(),
            external_url: self.test.external_url.clone(),
        };
        let query = AsQuery(&*self.stage);
        let append = AsAppend(&*self.stage);
        let mut tests: Vec<&AlertTest> = self.test.alerts.iter().collect();
        tests.sort_by_key(|test| test.eval_time);
        let mut tests = tests.into_iter().peekable();
        let times = self.test.alerts.iter().map(|test| test.eval_time);
        let end = times.chain(self.test.exprs.iter().map(|test| test.eval_time)).max().unwrap_or(0);
        let step = millis(self.file.interval).max(1);
        let mut failures = Vec::new();
        let mut time = 0;
        while time <= end {
            let at = self.test.start + time;
            let clock = Clock::manual(at.saturating_mul(1_000_000));
            let mut wrong = Vec::new();
            for group in &mut groups {
                let _counted = group.evaluate(at, &clock, &query, &append, &surroundings).await;
                for rule in group.rules.iter().filter(|rule| !rule.last_error.is_empty()) {
                    wrong.push(format!(
                        "    rule: {}, time: {}, err: {}",
                        rule.rule.name,
                        shown(time),
                        rule.last_error
                    ));
                }
            }
            if !wrong.is_empty() {
                failures.extend(wrong);
                return (failures, false);
            }
            while let Some(test) = tests.next_if(|test| test.eval_time < time + step) {
                failures.extend(self.compare_alerts(test, &groups));
            }
            time += step;
        }
        (failures, true)
    }

    fn compare_alerts(&self, test: &AlertTest, groups: &[Group]) -> Option<String> {
        let labels = |map: &BTreeMap<String, String>| {
            Labels::from_pairs(&map.iter().collect::<Vec<(&String, &String)>>())
        };
        let states = groups.iter().map(Group::state);
        let mut got: Vec<Pair> = states
            .flat_map(|group| group.rules)
            .filter(|rule| rule.name == test.alertname)
            .flat_map(|rule| rule.alerts)
            .filter(|alert| alert.state == State::Firing)
            .map(|alert| (labels(&alert.labels), labels(&alert.annotations)))
            .collect();
        let mut expected: Vec<Pair> = test
            .expected
            .iter()
            .map(|(of, annotations)| {
                let mut of = of.clone();
                of.insert("alertname".to_owned(), test.alertname.clone());
                (labels(&of), labels(annotations))
            })
            .collect();
        got.sort();
        expected.sort();
        if got == expected {
            return None;
        }
        let name = if self.test.name.is_empty() {
            String::new()
        } else {
            format!("    name: {},\n", self.test.name)
        };
        Some(format!(
            "{name}    alertname: {}, time: {}, \n        exp:{}, \n        got:{}",
            test.alertname,
            shown(test.eval_time),
            print_alerts(&expected),
            print_alerts(&got)
        ))
    }

    async fn expr(&self, test: &ExprTest) -> Option<String> {
        let about = format!("    expr: {:?}, time: {},", test.expr, shown(test.eval_time));
        let answer = self.stage.instant(&test.expr, self.test.start + test.eval_time).await;
        let mut got = match answer {
            Ok(samples) => samples,
            Err(error) => return Some(format!("{about} err: {error}")),
        };
        let mut expected = Vec::new();
        for sample in &test.expected {
            match self.expected(sample) {
                Ok(sample) => expected.push(sample),
                Err(error) => return Some(format!("{about} err: {error}")),
            }
        }
        got.sort_by(|a, b| a.labels.cmp(&b.labels));
        expected.sort_by(|a, b| a.labels.cmp(&b.labels));
        let same = got.len() == expected.len()
            && got.iter().zip(&expected).all(|(got, expected)| self.is_same(got, expected));
        if same {
            return None;
        }
        Some(format!(
            "{about}\n        exp: {}\n        got: {}",
            self.print(&expected),
            self.print(&got)
        ))
    }

    fn expected(&self, sample: &file::ExpectedSample) -> Result<Sample, String> {
        let labels = if sample.labels.is_empty() {
            Labels::empty()
        } else {
            self.bench
                .labels(&sample.labels)
                .map_err(|error| format!("labels {:?}: {error}", sample.labels))?
        };
        let value = if sample.histogram.is_empty() {
            SampleValue::Float(sample.value)
        } else {
            let histogram = self.bench.histogram(&sample.histogram);
            SampleValue::Histogram(Arc::new(histogram?))
        };
        Ok(Sample { labels, timestamp: 0, value })
    }

    fn is_same(&self, got: &Sample, expected: &Sample) -> bool {
        if got.labels != expected.labels {
            return false;
        }
        match (&got.value, &expected.value) {
            (SampleValue::Float(got), SampleValue::Float(expected)) => {
                same_float(*got, *expected, self.file.fuzzy)
            }
            (SampleValue::Histogram(got), SampleValue::Histogram(expected)) => {
                self.bench.print_histogram(got) == self.bench.print_histogram(expected)
            }
            _ => false,
        }
    }

    fn print(&self, samples: &[Sample]) -> String {
        if samples.is_empty() {
            return "nil".to_owned();
        }
        let one = |sample: &Sample| {
            let value = match &sample.value {
                SampleValue::Float(value) => print_exponent(*value),
                SampleValue::Histogram(histogram) => self.bench.print_histogram(histogram),
            };
            format!("{} {value}", sample.labels)
        };
        samples.iter().map(one).collect::<Vec<String>>().join(", ")
    }
}

/// A stage seen as a store only.
#[derive(Debug)]
struct AsAppend<'s>(&'s dyn Stage);

#[async_trait::async_trait]
impl Append for AsAppend<'_> {
    async fn append(
        &self,
        batch: model::metric::Batch,
    ) -> Result<Vec<crate::query::Rejected>, String> {
        self.0.append(batch).await
    }
}

/// Equal, or when it need not be exact, neighbours.
#[expect(clippy::float_cmp, reason = "exactness is what is asked for")]
fn same_float(got: f64, expected: f64, fuzzy: bool) -> bool {
    let near = fuzzy && (got.next_up() == expected || got.next_down() == expected);
    got == expected || (got.is_nan() && expected.is_nan()) || near
}

/// Go's `%E`, shortest: `1E+00`.
fn print_exponent(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) => {
            let (mark, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}E{mark}{digits:0>2}")
        }
        None => text,
    }
}

fn print_alerts(alerts: &[Pair]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let indent = " ".repeat(12);
    let mut text = "[".to_owned();
    for (at, (labels, annotations)) in alerts.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _infallible = write!(
            text,
            "{comma}\n{indent}{at}:\n{indent}  Labels:{labels}\n{indent}  Annotations:{annotations}"
        );
    }
    let _infallible = write!(text, "\n{indent}]");
    text
}
