//! A monitor as YAML. An unknown key, a wrong type or a detector that does not exist is a problem with
//! its line.
//!
//! ```yaml
//! monitors:
//!   - name: car-loan
//!     columns: [car_value, salary_range]    # all, when not named
//!     detectors: [psi, wasserstein_normed]  # or: all
//!     bins: 10                              # or: doane, values, or a list of cuts
//!     threshold: {alpha: 0.05, correction: holm}   # or: customary
//!     by: region
//!     time: timestamp
//!     every: 1d                             # or: 5000 rows
//!     target: repaid
//!     prediction: y_pred
//!     score: y_pred_proba
//! ```

use stdx::yaml::{self, Fields, Node, Problem, Value};

use super::{Every, Monitor};
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
    fields.finish()?;
    Ok(monitor)
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

fn threshold(node: &Node) -> Result<Threshold, Problem> {
    if !matches!(node.value, Value::Map(_)) {
        return match node.text()?.as_str() {
            "customary" => Ok(Threshold::Customary),
            _ => Err(node.problem("a threshold is customary or {alpha, correction}")),
        };
    }
    let mut fields = Fields::of(node, "threshold")?;
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
