//! Which experimental PromQL the commands on files take.

use promql::features::Features;

/// Arguments of commands that read PromQL.
#[derive(Debug, clap::Args)]
pub(crate) struct Enabled {
    /// Experimental PromQL to take, by the names of the setting prometheus.features; may be
    /// repeated, and have several with commas between.
    #[arg(
        long,
        env = "TREFOIL_PROMETHEUS_FEATURES",
        value_name = "NAME",
        value_delimiter = ',',
        hide_env_values = true
    )]
    enable_feature: Vec<String>,
}

impl Enabled {
    /// What they switch on.
    pub(crate) fn features(&self) -> anyhow::Result<Features> {
        // As YAML the variable of the setting may have brackets.
        let name = |name: &String| name.trim_matches(['[', ']', ' ', '"', '\'']).to_owned();
        let names: Vec<String> = self.enable_feature.iter().map(name).collect();
        let names: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
        Features::of(&names).map_err(anyhow::Error::msg)
    }
}
