//! `kubernetes_sd_configs`: targets from the API of Kubernetes, kept up to date by watching it.
//!
//! Each kind of object of a role is listed and then watched ([`api`]); whenever one changes, groups
//! are made anew from all of them ([`groups`]).

mod api;
mod credentials;
mod groups;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use stdx::clock::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::api::{Api, Selector};
use super::Slot;
use crate::prometheus::discovery::{Kubernetes, Role};

/// Objects by namespace and name.
type Objects = BTreeMap<(String, String), Value>;

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Node,
    Namespace,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
}

impl Kind {
    /// The API group's path and the plural.
    fn path(self) -> (&'static str, &'static str) {
        match self {
            Kind::Node => ("/api/v1", "nodes"),
            Kind::Namespace => ("/api/v1", "namespaces"),
            Kind::Pod => ("/api/v1", "pods"),
            Kind::Service => ("/api/v1", "services"),
            Kind::Endpoints => ("/api/v1", "endpoints"),
            Kind::EndpointSlice => ("/apis/discovery.k8s.io/v1", "endpointslices"),
            Kind::Ingress => ("/apis/networking.k8s.io/v1", "ingresses"),
        }
    }

    fn is_namespaced(self) -> bool {
        !matches!(self, Kind::Node | Kind::Namespace)
    }

    fn role(self) -> Option<Role> {
        match self {
            Kind::Node => Some(Role::Node),
            Kind::Namespace => None,
            Kind::Pod => Some(Role::Pod),
            Kind::Service => Some(Role::Service),
            Kind::Endpoints => Some(Role::Endpoints),
            Kind::EndpointSlice => Some(Role::EndpointSlice),
            Kind::Ingress => Some(Role::Ingress),
        }
    }
}

/// What is known of the cluster.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    objects: Mutex<BTreeMap<Kind, Objects>>,
    /// How many lists have not come yet.
    missing: Mutex<usize>,
    changed: Notify,
}

impl Cluster {
    fn change(&self, kind: Kind, change: impl FnOnce(&mut Objects)) {
        change(self.objects.lock().entry(kind).or_default());
        self.changed.notify_one();
    }
}

/// Changes within this time are taken together.
const SETTLE: Duration = Duration::from_millis(100);

pub(super) async fn run(settings: Kubernetes, clock: Clock, seed: u64, slot: Slot) {
    let api = match Api::new(&settings, clock, seed) {
        Ok(api) => Arc::new(api),
        Err(error) => return slot.failed("client", &error),
    };
    let cluster = Arc::new(Cluster::default());
    let watches = watches(&settings, &api);
    *cluster.missing.lock() = watches.len();
    // Watching ends with this future.
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    for (kind, namespace, selector) in watches {
        let (api, cluster, slot) = (Arc::clone(&api), Arc::clone(&cluster), slot.clone());
        let watch =
            async move { api::follow(&api, kind, namespace, selector, &cluster, &slot).await };
        drop(stdx::task::spawn("kubernetes watch", &stop, watch));
    }
    loop {
        cluster.changed.notified().await;
        if *cluster.missing.lock() > 0 {
            continue;
        }
        let groups = groups::of(&settings, &cluster.objects.lock());
        slot.set(groups);
        tokio::time::sleep(SETTLE).await;
    }
}

/// What has to be watched: kinds, where, and which of them.
fn watches(settings: &Kubernetes, api: &Api) -> Vec<(Kind, Option<String>, Selector)> {
    let mut kinds = match settings.role {
        Role::Node => vec![Kind::Node],
        Role::Pod => vec![Kind::Pod],
        Role::Service => vec![Kind::Service],
        Role::Endpoints => vec![Kind::Endpoints, Kind::Service, Kind::Pod],
        Role::EndpointSlice => vec![Kind::EndpointSlice, Kind::Service, Kind::Pod],
        Role::Ingress => vec![Kind::Ingress],
    };
    let of_pods = matches!(settings.role, Role::Pod | Role::Endpoints | Role::EndpointSlice);
    if settings.attach_node && of_pods {
        kinds.push(Kind::Node);
    }
    if settings.attach_namespace && settings.role != Role::Node {
        kinds.push(Kind::Namespace);
    }
    let mut namespaces: Vec<Option<String>> =
        settings.namespaces.iter().cloned().map(Some).collect();
    if settings.own_namespace {
        namespaces.extend(api.own_namespace().map(Some));
    }
    if namespaces.is_empty() {
        namespaces.push(None);
    }
    let mut all = Vec::new();
    for kind in kinds {
        let selector = settings
            .selectors
            .iter()
            .find(|(role, ..)| Some(*role) == kind.role())
            .map(|(_, label, field)| Selector { label: label.clone(), field: field.clone() })
            .unwrap_or_default();
        if kind.is_namespaced() {
            let each = |namespace: &Option<String>| (kind, namespace.clone(), selector.clone());
            all.extend(namespaces.iter().map(each));
        } else {
            all.push((kind, None, selector));
        }
    }
    all
}
