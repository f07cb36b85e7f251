//! A monitor as YAML. An unknown key, a wrong type or a detector that does not exist is a problem with
//! its line.
//!
//! ```yaml
//! monitors:
//!   - name: car-loan
//!     columns: [car_value, salary_range]    # all, when not named
//!     detectors: [psi, wasserstein_normed]  # or: all
//!     bins: 10                              # or: doane, values, or a list of cuts
//!     threshold: {alpha: 0.05, correction: holm}   # or: customary, {value: 0.2},
//!                                           # {probability: 0.01}, {deviations: 3} of chunks
//!     by: region
//!     time: timestamp
//!     every: 1d                             # or: 5000 rows
//!     target: repaid
//!     prediction: y_pred
//!     score: y_pred_proba
//!     value: {true_positive: 10, false_positive: -2, false_negative: -5, true_negative: 0}
//!     protected: gender                     # groups whose rates are compared
//!     model: model.json                     # whose features are attributed: XGBoost, LightGBM, linear
//!   - name: product-type                    # more than two classes: a score for each
//!     detectors: [psi, pca_reconstruction, domain_classifier, correlation_change, adwin]
//!     target: y_true
//!     prediction: y_pred
//!     scores: {card: y_pred_proba_card, loan: y_pred_proba_loan, none: y_pred_proba_none}
//!   - name: search                          # a ranking: items of a query by their score
//!     target: relevance
//!     score: score
//!     query: query_id
//!     top: 10
//!   - name: delivery                        # a quantile of a number
//!     target: minutes
//!     prediction: promised_minutes
//!     quantile: 0.9
//!   - name: checkout                        # the reference is the control
//!     experiment: {metrics: [bought, amount], shares: [0.5, 0.5], level: 0.05, scale: 0.01}
//! ```

use stdx::yaml::{self, Fields, Node, Problem, Value};

use super::{Every, Experiment, ModelFile, Monitor};
use crate::detector::Rule;
use crate::performance::{self, binary::Worth};
use crate::profile::Binning;
use crate::threshold::{Correction, Threshold};

impl Monitor {
    /// Reads the monitors of a document.
    pub fn read(text: &str) -> Result<Vec<Monitor>, Problem> {
        let Some(document) = yaml::parse(text)? else { return Ok(Vec::new()) };
        let mut fields = Fields::of(&document, "monitors")?;
        let list = fields.node("monitors");
        let monitors = match list {
            Some(list) => list.list("a list of monitors")?.iter().map(monitor).collect(),
            None => Ok(Vec::new()),
        };
        fields.finish()?;
        monitors
    }
}

fn monitor(node: &Node) -> Result<Monitor, Problem> {
    let mut fields = Fields::of(node, "monitor")?;
    let name = fields.text("name")?.ok_or_else(|| node.problem("a monitor needs a name"))?;
    let mut monitor = Monitor { name, ..Monitor::default() };
    if let Some(columns) = fields.node("columns") {
        monitor.columns = columns.texts()?;
    }
    if let Some(detectors) = fields.node("detectors") {
        monitor.detectors = match &detectors.value {
            Value::Scalar { .. } => vec![detectors.text()?],
            _ => detectors.texts()?,
        };
        monitor.chosen().map_err(|error| detectors.problem(&error.to_string()))?;
    }
    if let Some(bins) = fields.node("bins") {
        monitor.binning = binning(bins)?;
    }
    if let Some(threshold) = fields.node("threshold") {
        monitor.threshold = self::threshold(threshold)?;
    }
    if let Some(every) = fields.node("every") {
        let window = Every::parse(&every.text()?);
        monitor.every = Some(window.map_err(|error| every.problem(&error.to_string()))?);
    }
    monitor.by = fields.text("by")?;
    monitor.time = fields.text("time")?;
    monitor.target = fields.text("target")?;
    monitor.prediction = fields.text("prediction")?;
    monitor.score = fields.text("score")?;
    monitor.protected = fields.text("protected")?;
    if let Some(scores) = fields.node("scores") {
        let entries = scores.entries("a column for each class")?;
        let class = |entry: &yaml::Entry| Ok((entry.key.clone(), entry.value.text()?));
        monitor.scores = entries.iter().map(class).collect::<Result<_, Problem>>()?;
        if monitor.scores.len() < 2 {
            return Err(scores.problem("scores have two classes at least"));
        }
    }
    if let Some(value) = fields.node("value") {
        monitor.worth = Some(worth(value)?);
    }
    model(&mut fields, &mut monitor)?;
    fields.finish()?;
    Ok(monitor)
}

/// What models of particular kinds need.
fn model(fields: &mut Fields<'_>, monitor: &mut Monitor) -> Result<(), Problem> {
    monitor.query = fields.text("query")?;
    if let Some(top) = fields.node("top") {
        monitor.top = usize::try_from(top.count()?)
            .ok()
            .filter(|top| *top > 0)
            .ok_or_else(|| top.problem("top is a number of places from 1 on"))?;
    }
    if let Some(quantile) = fields.node("quantile") {
        let number = quantile.number()?;
        performance::quantile::valid(number)
            .map_err(|error| quantile.problem(&error.to_string()))?;
        monitor.quantile = Some(number);
    }
    if let Some(plan) = fields.node("experiment") {
        monitor.experiment = Some(experiment(plan)?);
    }
    monitor.model = fields.text("model")?.map(ModelFile::Named);
    Ok(())
}

fn experiment(node: &Node) -> Result<Experiment, Problem> {
    let mut fields = Fields::of(node, "experiment")?;
    let mut plan = Experiment::of(fields.texts("metrics")?);
    if let Some(shares) = fields.node("shares") {
        let list = shares.list("two shares")?.iter().map(Node::number);
        let list = list.collect::<Result<Vec<f64>, Problem>>()?;
        plan.shares = list
            .try_into()
            .map_err(|_| shares.problem("shares are two: of control and treatment"))?;
    }
    if let Some(level) = fields.number("level")? {
        plan.level = level;
    }
    plan.scale = fields.number("scale")?;
    fields.finish()?;
    plan.check().map_err(|error| node.problem(&error.to_string()))?;
    Ok(plan)
}

fn binning(node: &Node) -> Result<Binning, Problem> {
    if matches!(node.value, Value::List(_)) {
        let cuts = node.list("cuts")?.iter().map(Node::number).collect::<Result<_, _>>()?;
        return Ok(Binning::Cuts(cuts));
    }
    match node.text()?.as_str() {
        "doane" => Ok(Binning::Doane),
        "values" => Ok(Binning::Values),
        number => match number.parse() {
            Ok(bins) if bins >= 2 => Ok(Binning::Quantiles(bins)),
            _ => Err(node.problem("bins are a number from 2 on, doane, values or a list of cuts")),
        },
    }
}

fn worth(node: &Node) -> Result<Worth, Problem> {
    let mut fields = Fields::of(node, "value")?;
    let mut cell = |name: &'static str| match fields.node(name) {
        Some(number) => number.number(),
        None => Ok(0.0),
    };
    let worth = Worth {
        true_positive: cell("true_positive")?,
        false_positive: cell("false_positive")?,
        false_negative: cell("false_negative")?,
        true_negative: cell("true_negative")?,
    };
    fields.finish()?;
    Ok(worth)
}

type OfOneNumber = (&'static str, fn(f64) -> Threshold);

/// Thresholds of one number, whatever the sample's size.
const FIXED: [OfOneNumber; 3] = [
    ("value", |value| Threshold::Fixed(Rule::ValueAtLeast(value))),
    ("probability", |level| Threshold::Fixed(Rule::ProbabilityBelow(level))),
    ("deviations", |deviations| Threshold::Chunks { deviations }),
];

fn threshold(node: &Node) -> Result<Threshold, Problem> {
    if !matches!(node.value, Value::Map(_)) {
        return match node.text()?.as_str() {
            "customary" => Ok(Threshold::Customary),
            _ => Err(node.problem(
                "a threshold is customary, {alpha, correction}, {value}, {probability} or {deviations}",
            )),
        };
    }
    let mut fields = Fields::of(node, "threshold")?;
    for (key, made) in FIXED {
        if let Some(number) = fields.node(key) {
            let number = number.number()?;
            fields.finish()?;
            return Ok(made(number));
        }
    }
    let alpha = match fields.node("alpha") {
        Some(alpha) => alpha.number()?,
        None => 0.05,
    };
    let correction = match fields.text("correction")?.as_deref() {
        None | Some("holm") => Correction::Holm,
        Some("bonferroni") => Correction::Bonferroni,
        Some("false_discovery") => Correction::FalseDiscovery,
        Some("none") => Correction::None,
        Some(other) => return Err(node.problem(&format!("no correction is called {other:?}"))),
    };
    fields.finish()?;
    if !(0.0..1.0).contains(&alpha) {
        return Err(node.problem("alpha lies between 0 and 1"));
    }
    Ok(Threshold::Sampled { alpha, correction })
}
