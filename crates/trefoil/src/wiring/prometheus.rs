//! Joins Prometheus's HTTP API with the engine, the scraper, the rules and the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::prometheus::notifications::Notifications;
use api::prometheus::outside::{
    Alert, Block, Cardinality, CostLimits, Costs, DroppedTarget, Health, LabelCost, MetricCost,
    Metrics, PairCost, RelabelStep, Rule, RuleGroup, RuleKind, Rules, RuntimeInfo, Selection,
    SeriesExemplars, Server, StoreError, Target, Targets,
};
use model::Tenant;
use model::metric::{Labels, Matcher, Metadata};
use promql::source::SeriesSource;
use stdx::clock::{Clock, UnixNanos};
use tokio_util::sync::CancellationToken;
use tsdb::{CostQuery, Tsdb};

use super::series::MetricsSource;
use crate::serve::Scraping;

/// The engine, as the API asks it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) tsdb: Arc<Tsdb>,
    pub(crate) clock: Clock,
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: tsdb::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// All series, when nothing chooses among them.
fn matchers(selection: &Selection) -> Vec<Vec<Matcher>> {
    if selection.matchers.is_empty() { vec![Vec::new()] } else { selection.matchers.clone() }
}

impl Metrics for Store {
    fn source(&self, tenant: &Tenant) -> Arc<dyn SeriesSource> {
        Arc::new(MetricsSource { tsdb: Arc::clone(&self.tsdb), tenant: tenant.clone() })
    }

    fn series(&self, tenant: &Tenant, selection: &Selection) -> Result<Vec<Labels>, StoreError> {
        let Selection { start, end, limit, .. } = *selection;
        self.tsdb.series(tenant, &matchers(selection), start, end, limit).map_err(failed)
    }

    fn label_names(
        &self,
        tenant: &Tenant,
        selection: &Selection,
    ) -> Result<Vec<String>, StoreError> {
        let Selection { matchers, start, end, limit } = selection;
        self.tsdb.label_names(tenant, matchers, *start, *end, *limit).map_err(failed)
    }

    fn label_values(
        &self,
        tenant: &Tenant,
        label: &str,
        selection: &Selection,
    ) -> Result<Vec<String>, StoreError> {
        let Selection { matchers, start, end, limit } = selection;
        self.tsdb.label_values(tenant, label, matchers, *start, *end, *limit).map_err(failed)
    }

    fn metadata(&self, tenant: &Tenant, metric: Option<&str>, limit: usize) -> Vec<Metadata> {
        self.tsdb.metadata(tenant, metric, limit)
    }

    fn exemplars(
        &self,
        tenant: &Tenant,
        selection: &Selection,
    ) -> Result<Vec<SeriesExemplars>, StoreError> {
        let Selection { start, end, .. } = *selection;
        let found = self.tsdb.exemplars(tenant, &matchers(selection), start, end);
        let found = found.into_iter().take(selection.limit).map(|one| {
            let tsdb::SeriesExemplars { labels, exemplars } = one;
            SeriesExemplars { labels, exemplars }
        });
        Ok(found.collect())
    }

    fn cardinality(&self, tenant: &Tenant, limit: usize) -> Cardinality {
        let found = self.tsdb.cardinality(tenant, &[], limit);
        let (min_time, max_time) = found.time.unwrap_or_default();
        let pairs = |costs: &[tsdb::Cost], of: fn(&tsdb::Cost) -> usize| {
            costs.iter().map(|cost| (cost.name.clone(), of(cost) as u64)).collect()
        };
        let labels = |of: fn(&tsdb::LabelCost) -> usize| {
            let mut all: Vec<(String, u64)> =
                found.by_label.iter().map(|one| (one.name.clone(), of(one) as u64)).collect();
            all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            all
        };
        Cardinality {
            series: found.series as u64,
            label_pairs: found.label_pairs as u64,
            chunks: found.series as u64,
            min_time,
            max_time,
            series_by_metric: pairs(&found.by_metric, |cost| cost.series),
            values_by_label: labels(|one| one.values),
            bytes_by_label: labels(|one| one.value_bytes),
            series_by_pair: pairs(&found.by_pair, |cost| cost.series),
        }
    }

    fn costs(
        &self,
        tenant: &Tenant,
        selection: &Selection,
        limits: &CostLimits<'_>,
    ) -> Result<Costs, StoreError> {
        let Selection { matchers, start, end, limit } = selection;
        let (start, end, limit) = (*start, *end, *limit);
        let query = CostQuery { matchers, start, end, limit, bytes_max: limits.bytes_max };
        let found = self.tsdb.costs(tenant, &query, limits.give_up).map_err(failed)?;
        let metric = |one: tsdb::MetricCost| MetricCost {
            metric: one.name,
            series: one.series,
            bytes: one.price.head_bytes,
            samples: one.price.samples,
            block_bytes: one.price.block_bytes,
        };
        let label = |one: tsdb::LabelCosts| LabelCost {
            label: one.name,
            values: one.values,
            bytes: one.value_bytes,
        };
        let pair = |one: tsdb::PairCost| PairCost {
            label: one.name,
            value: one.value,
            series: one.series,
        };
        Ok(Costs {
            series: found.series,
            head_series: found.total.head_series,
            head_bytes: found.total.head_bytes,
            samples: found.total.samples,
            block_bytes: found.total.block_bytes,
            label_names: found.label_names as u64,
            label_pairs: found.label_pairs,
            one_in: found.one_in,
            complete: found.complete,
            metrics: found.by_metric.into_iter().map(metric).collect(),
            labels: found.by_label.into_iter().map(label).collect(),
            pairs: found.by_pair.into_iter().map(pair).collect(),
        })
    }

    fn delete(&self, tenant: &Tenant, selection: &Selection) -> Result<(), StoreError> {
        let Selection { matchers, start, end, .. } = selection;
        self.tsdb.delete(tenant, matchers, *start, *end).map_err(failed)
    }

    fn clean_tombstones(&self) -> Result<(), StoreError> {
        self.tsdb.clean_tombstones().map(drop).map_err(failed)
    }

    fn blocks(&self, tenant: &Tenant) -> Vec<Block> {
        let of = |(meta, tombstones): (tsdb::block::Meta, usize)| Block {
            id: meta.id.to_string(),
            min_time: meta.min_time,
            max_time: meta.max_time,
            series: meta.stats.series,
            floats: meta.stats.floats,
            histograms: meta.stats.histograms,
            chunks: meta.stats.chunks,
            tombstones: tombstones as u64,
            level: meta.level.saturating_add(1),
            sources: meta.origins.iter().map(ToString::to_string).collect(),
            resolution_ms: meta.resolution_ms,
        };
        self.tsdb.blocks(tenant).into_iter().map(of).collect()
    }

    fn replayed(&self) -> (u64, u64) {
        self.tsdb.replayed()
    }

    fn snapshot(&self, skip_head: bool) -> Result<String, StoreError> {
        let now = api::rfc3339(self.clock.now()).replace([':', '-', '.'], "");
        let random = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{now}-{}", random.get(..8).unwrap_or_default());
        self.tsdb.snapshot(&name, skip_head).map_err(failed)?;
        Ok(name)
    }
}

/// The scraper, as the API asks it.
#[derive(Debug)]
pub(crate) struct Scraped(pub(crate) Arc<Scraping>);

fn labels_of(labels: &BTreeMap<String, String>) -> Labels {
    let pairs: Vec<(&String, &String)> = labels.iter().collect();
    Labels::from_pairs(&pairs)
}

/// Milliseconds, 0 for never.
fn time_of(milliseconds: i64) -> Option<UnixNanos> {
    (milliseconds != 0).then(|| milliseconds.saturating_mul(1_000_000))
}

fn target_of(target: ingest::scrape::TargetState) -> Target {
    Target {
        discovered_labels: labels_of(&target.discovered_labels),
        labels: labels_of(&target.labels),
        pool: target.scrape_pool,
        url: target.scrape_url,
        last_error: target.last_error,
        last_scrape: time_of(target.last_scrape_ms),
        last_scrape_seconds: target.last_scrape_duration,
        health: match target.health {
            ingest::scrape::Health::Up => Health::Up,
            ingest::scrape::Health::Down => Health::Down,
            ingest::scrape::Health::Unknown => Health::Unknown,
        },
        interval: target.scrape_interval,
        timeout: target.scrape_timeout,
    }
}

impl Targets for Scraped {
    fn active(&self) -> Vec<Target> {
        let pools = self.0.manager().pools();
        pools.into_iter().flat_map(|pool| pool.active).map(target_of).collect()
    }

    fn dropped(&self) -> Vec<DroppedTarget> {
        let of = |pool: ingest::scrape::PoolState| {
            let name = pool.name;
            pool.dropped.into_iter().map(move |labels| DroppedTarget {
                discovered_labels: labels_of(&labels),
                pool: name.clone(),
            })
        };
        self.0.manager().pools().into_iter().flat_map(of).collect()
    }

    fn pools(&self) -> Vec<String> {
        self.0.manager().pools().into_iter().map(|pool| pool.name).collect()
    }

    fn pool_config(&self, pool: &str) -> Option<String> {
        self.0.manager().pool_config(pool)
    }

    fn relabel_steps(&self, pool: &str, labels: &Labels) -> Option<Vec<RelabelStep>> {
        let of = |step: ingest::relabel::Step| RelabelStep {
            rule: serde_json::to_value(step.rule).unwrap_or_default(),
            labels: step.labels,
            keep: step.keep,
        };
        Some(self.0.manager().relabel_steps(pool, labels)?.into_iter().map(of).collect())
    }

    fn metadata(&self, target: &Target) -> Vec<Metadata> {
        let of_target = |one: &ingest::scrape::TargetMetadata| {
            target.labels.iter().eq(one.target.iter().map(|(n, v)| (n.as_str(), v.as_str())))
        };
        let all = self.0.manager().metadata(None);
        all.into_iter().filter(of_target).map(|one| one.metadata).collect()
    }
}

/// The rules, as the API asks them.
#[derive(Debug)]
pub(crate) struct Evaluated(pub(crate) Arc<Scraping>);

fn alert_of(alert: &alert::AlertState) -> Alert {
    Alert {
        labels: labels_of(&alert.labels),
        annotations: labels_of(&alert.annotations),
        state: alert.state.as_str(),
        active_at: time_of(alert.active_at),
        keep_firing_since: alert.keep_firing_since.and_then(time_of),
        value: alert.value,
    }
}

fn rule_of(rule: alert::RuleState) -> Rule {
    let kind = match rule.kind {
        alert::rule_file::RuleKind::Record => RuleKind::Recording,
        alert::rule_file::RuleKind::Alert => RuleKind::Alerting {
            state: rule.state.as_str(),
            hold_seconds: rule.hold.as_secs_f64(),
            keep_firing_seconds: rule.keep_firing.as_secs_f64(),
            annotations: labels_of(&rule.annotations),
            alerts: rule.alerts.iter().map(alert_of).collect(),
        },
    };
    Rule {
        name: rule.name,
        query: rule.query,
        labels: labels_of(&rule.labels),
        health: match rule.health {
            alert::Health::Ok => "ok",
            alert::Health::Err => "err",
            alert::Health::Unknown => "unknown",
        },
        last_error: rule.last_error,
        evaluation_seconds: rule.evaluation_seconds,
        last_evaluation: time_of(rule.last_evaluation),
        kind,
    }
}

impl Rules for Evaluated {
    fn groups(&self, tenant: &Tenant) -> Vec<RuleGroup> {
        // The configuration's rules look at and write to the default tenant.
        if *tenant != Tenant::default_tenant() {
            return Vec::new();
        }
        let of = |group: alert::GroupState| RuleGroup {
            name: group.name,
            file: group.file.display().to_string(),
            rules: group.rules.into_iter().map(rule_of).collect(),
            interval_seconds: group.interval.as_secs_f64(),
            limit: group.limit as u64,
            evaluation_seconds: group.evaluation_seconds,
            last_evaluation: time_of(group.last_evaluation),
        };
        self.0.rules().groups().into_iter().map(of).collect()
    }
}

/// The process, as Prometheus's API describes it.
pub(crate) struct Process {
    pub(crate) scraping: Arc<Scraping>,
    pub(crate) runtime: RuntimeInfo,
    pub(crate) own_metrics: api::Metrics,
    pub(crate) handle: tokio::runtime::Handle,
    /// Settings, by the names of Prometheus's flags.
    pub(crate) flags: BTreeMap<String, String>,
    /// Asks the process to end, where that is allowed.
    pub(crate) quit: Option<CancellationToken>,
}

impl Server for Process {
    fn config(&self) -> String {
        self.scraping.config().text.clone()
    }

    fn runtime(&self) -> RuntimeInfo {
        RuntimeInfo {
            config_loaded: self.scraping.is_loaded(),
            config_loaded_at: Some(self.scraping.loaded_at()),
            tasks: self.handle.metrics().num_alive_tasks() as u64,
            ..self.runtime.clone()
        }
    }

    fn reload(&self) -> Result<(), String> {
        // Called from a thread that may block.
        self.handle.block_on(self.scraping.reload()).map_err(|error| format!("{error:#}"))
    }

    fn flags(&self) -> BTreeMap<String, String> {
        self.flags.clone()
    }

    fn quit(&self) -> bool {
        self.quit.as_ref().inspect(|quit| quit.cancel()).is_some()
    }

    fn notifications(&self) -> Option<&Notifications> {
        Some(self.scraping.notifications())
    }

    fn own_metrics(&self) -> String {
        (self.own_metrics)()
    }

    fn external_labels(&self) -> Labels {
        self.scraping.config().global.external_labels.clone()
    }
}
