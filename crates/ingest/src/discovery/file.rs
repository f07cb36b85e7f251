//! `file_sd_configs`: lists of groups in JSON and YAML files, read again when they change.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Slot;
use crate::prometheus::discovery::{Group, read_group};
use crate::prometheus::{Context, glob};
use crate::relabel::NameScheme;

/// How often files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What tells a changed file.
type Stamp = (Option<SystemTime>, u64);

pub(super) async fn run(patterns: Vec<PathBuf>, refresh: Duration, slot: Slot) {
    let mut known: HashMap<PathBuf, (Stamp, Vec<Group>)> = HashMap::new();
    let mut since_refresh = Duration::ZERO;
    loop {
        let force = since_refresh >= refresh;
        if force {
            since_refresh = Duration::ZERO;
        }
        let look = {
            let (patterns, slot) = (patterns.clone(), slot.clone());
            tokio::task::spawn_blocking(move || look(&patterns, known, force, &slot)).await
        };
        let Ok(now_known) = look else { return };
        known = now_known;
        let mut paths: Vec<&PathBuf> = known.keys().collect();
        paths.sort();
        slot.set(paths.iter().flat_map(|path| known[*path].1.clone()).collect());
        let pause = LOOK_INTERVAL.min(refresh);
        tokio::time::sleep(pause).await;
        since_refresh += pause;
    }
}

fn look(
    patterns: &[PathBuf],
    mut known: HashMap<PathBuf, (Stamp, Vec<Group>)>,
    force: bool,
    slot: &Slot,
) -> HashMap<PathBuf, (Stamp, Vec<Group>)> {
    let mut next = HashMap::new();
    for path in patterns.iter().flat_map(|pattern| glob(pattern)) {
        let stamp = std::fs::metadata(&path)
            .map(|metadata| (metadata.modified().ok(), metadata.len()))
            .unwrap_or_default();
        let old = known.remove(&path);
        if let Some((_, groups)) = old.as_ref().filter(|(old, _)| *old == stamp && !force) {
            next.insert(path, (stamp, groups.clone()));
            continue;
        }
        match read_file(&path) {
            Ok(groups) => {
                next.insert(path, (stamp, groups));
            }
            Err(error) => {
                slot.failed(&path.display().to_string(), &error);
                // What it said before it became unreadable still counts.
                next.insert(path, (stamp, old.map(|(_, groups)| groups).unwrap_or_default()));
            }
        }
    }
    next
}

/// Reads one file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<Group>, String> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    if !extension.as_deref().is_some_and(|e| ["json", "yml", "yaml"].contains(&e)) {
        return Err(format!("invalid file extension for file: {:?}", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let root = stdx::yaml::parse(&text).map_err(|problem| problem.to_string())?;
    let Some(root) = root else { return Ok(Vec::new()) };
    let context = Context::new(Path::new(""), NameScheme::Utf8);
    let name = path.display().to_string();
    let mut groups = Vec::new();
    for (index, node) in
        root.list("[]*targetgroup.Group").map_err(|problem| problem.to_string())?.iter().enumerate()
    {
        if node.is_null() {
            return Err(format!("nil target group item found (index {index})"));
        }
        let mut group = read_group(node, &format!("{name}:{index}"), &context)
            .map_err(|problem| problem.to_string())?;
        group.labels.insert("__meta_filepath".to_owned(), name.clone());
        groups.push(group);
    }
    Ok(groups)
}
