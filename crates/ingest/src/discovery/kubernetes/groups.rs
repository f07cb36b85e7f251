//! Objects of Kubernetes as groups of targets, with the `__meta_kubernetes_*` labels that
//! Prometheus documents.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{Kind, Objects};
use crate::prometheus::discovery::{Group, Kubernetes, Role};

type Labels = BTreeMap<String, String>;

/// All groups of the role.
pub(super) fn of(settings: &Kubernetes, objects: &BTreeMap<Kind, Objects>) -> Vec<Group> {
    let view = View { settings, objects };
    let kind = match settings.role {
        Role::Node => Kind::Node,
        Role::Pod => Kind::Pod,
        Role::Service => Kind::Service,
        Role::Endpoints => Kind::Endpoints,
        Role::EndpointSlice => Kind::EndpointSlice,
        Role::Ingress => Kind::Ingress,
    };
    let group = |object| match settings.role {
        Role::Node => view.node(object),
        Role::Pod => view.pod(object),
        Role::Service => view.service(object),
        Role::Endpoints => view.endpoints(object),
        Role::EndpointSlice => view.endpoint_slice(object),
        Role::Ingress => view.ingress(object),
    };
    objects.get(&kind).map_or_else(Vec::new, |all| all.values().map(group).collect())
}

struct View<'v> {
    settings: &'v Kubernetes,
    objects: &'v BTreeMap<Kind, Objects>,
}

/// What stands at a path, as text.
fn text(object: &Value, path: &str) -> String {
    match object.pointer(path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn list<'v>(object: &'v Value, path: &str) -> &'v [Value] {
    object.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn set(labels: &mut Labels, name: &str, value: impl Into<String>) {
    labels.insert(format!("__meta_kubernetes_{name}"), value.into());
}

/// Letters, digits and underscores.
fn sanitized(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Name, labels and annotations of an object of a kind.
fn set_meta(labels: &mut Labels, object: &Value, kind: &str) {
    set(labels, &format!("{kind}_name"), text(object, "/metadata/name"));
    set_maps(labels, object, kind);
}

fn set_maps(labels: &mut Labels, object: &Value, kind: &str) {
    for (path, what) in [("/metadata/labels", "label"), ("/metadata/annotations", "annotation")] {
        let Some(map) = object.pointer(path).and_then(Value::as_object) else { continue };
        for (name, value) in map {
            let name = sanitized(name);
            set(labels, &format!("{kind}_{what}_{name}"), value.as_str().unwrap_or(""));
            set(labels, &format!("{kind}_{what}present_{name}"), "true");
        }
    }
}

fn namespaced(object: &Value, kind: &str) -> (String, Labels) {
    let namespace = text(object, "/metadata/namespace");
    let source = format!("{kind}/{namespace}/{}", text(object, "/metadata/name"));
    let mut labels = Labels::new();
    set(&mut labels, "namespace", namespace);
    (source, labels)
}

fn address(host: &str, port: &str) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port.is_empty() { host } else { format!("{host}:{port}") }
}

impl View<'_> {
    fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&kind)?.get(&(namespace.to_owned(), name.to_owned()))
    }

    fn node(&self, node: &Value) -> Group {
        let name = text(node, "/metadata/name");
        let mut labels = Labels::new();
        set_meta(&mut labels, node, "node");
        set(&mut labels, "node_provider_id", text(node, "/spec/providerID"));
        let addresses = list(node, "/status/addresses");
        let of_kind = |kind: &str| {
            addresses.iter().find(|one| text(one, "/type") == kind).map(|one| text(one, "/address"))
        };
        let kinds =
            ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"];
        let mut targets = Vec::new();
        if let Some(host) = kinds.iter().find_map(|kind| of_kind(kind)) {
            let port = text(node, "/status/daemonEndpoints/kubeletEndpoint/Port");
            let mut target = Labels::from([
                ("__address__".to_owned(), address(&host, &port)),
                ("instance".to_owned(), name.clone()),
            ]);
            for one in addresses.iter().rev() {
                let kind = sanitized(&text(one, "/type"));
                set(&mut target, &format!("node_address_{kind}"), text(one, "/address"));
            }
            targets.push(target);
        }
        Group { source: format!("node/{name}"), targets, labels }
    }

    fn service(&self, service: &Value) -> Group {
        let (source, mut labels) = namespaced(service, "svc");
        set_meta(&mut labels, service, "service");
        self.set_namespace(&mut labels, service);
        let name = text(service, "/metadata/name");
        let namespace = text(service, "/metadata/namespace");
        let kind = text(service, "/spec/type");
        let mut targets = Vec::new();
        for port in list(service, "/spec/ports") {
            let number = text(port, "/port");
            let host = format!("{name}.{namespace}.svc");
            let mut target = Labels::from([("__address__".to_owned(), address(&host, &number))]);
            set(&mut target, "service_port_name", text(port, "/name"));
            set(&mut target, "service_port_number", number);
            set(&mut target, "service_port_protocol", text(port, "/protocol"));
            set(&mut target, "service_type", kind.clone());
            match kind.as_str() {
                "ExternalName" => {
                    set(&mut target, "service_external_name", text(service, "/spec/externalName"));
                }
                kind => {
                    set(&mut target, "service_cluster_ip", text(service, "/spec/clusterIP"));
                    if kind == "LoadBalancer" {
                        let ip = text(service, "/spec/loadBalancerIP");
                        set(&mut target, "service_loadbalancer_ip", ip);
                    }
                }
            }
            targets.push(target);
        }
        Group { source, targets, labels }
    }

    fn pod(&self, pod: &Value) -> Group {
        let (source, _) = namespaced(pod, "pod");
        let ip = text(pod, "/status/podIP");
        if ip.is_empty() {
            return Group { source, ..Group::default() };
        }
        let mut labels = self.pod_labels(pod);
        self.set_namespace(&mut labels, pod);
        let mut targets = Vec::new();
        for (container, init) in containers(pod) {
            let ports = list(container, "/ports");
            for port in ports {
                let mut target = Labels::new();
                set_container(&mut target, pod, container, init);
                set_container_port(&mut target, port);
                let number = text(port, "/containerPort");
                target.insert("__address__".to_owned(), address(&ip, &number));
                targets.push(target);
            }
            if ports.is_empty() {
                let mut target = Labels::new();
                set_container(&mut target, pod, container, init);
                target.insert("__address__".to_owned(), address(&ip, ""));
                targets.push(target);
            }
        }
        Group { source, targets, labels }
    }

    fn pod_labels(&self, pod: &Value) -> Labels {
        let (_, mut labels) = namespaced(pod, "pod");
        set_meta(&mut labels, pod, "pod");
        let node = text(pod, "/spec/nodeName");
        let ready = list(pod, "/status/conditions")
            .iter()
            .find(|condition| text(condition, "/type") == "Ready")
            .map_or_else(|| "unknown".to_owned(), |ready| text(ready, "/status").to_lowercase());
        set(&mut labels, "pod_ip", text(pod, "/status/podIP"));
        set(&mut labels, "pod_ready", ready);
        set(&mut labels, "pod_phase", text(pod, "/status/phase"));
        set(&mut labels, "pod_node_name", node.clone());
        set(&mut labels, "pod_host_ip", text(pod, "/status/hostIP"));
        set(&mut labels, "pod_uid", text(pod, "/metadata/uid"));
        let owners = list(pod, "/metadata/ownerReferences");
        if let Some(owner) = owners.iter().find(|owner| text(owner, "/controller") == "true") {
            set(&mut labels, "pod_controller_kind", text(owner, "/kind"));
            set(&mut labels, "pod_controller_name", text(owner, "/name"));
        }
        self.set_node(&mut labels, &node);
        labels
    }

    /// Labels of the node, when they are wanted.
    fn set_node(&self, labels: &mut Labels, name: &str) {
        if !self.settings.attach_node || name.is_empty() {
            return;
        }
        if let Some(node) = self.find(Kind::Node, "", name) {
            set_meta(labels, node, "node");
        }
    }

    fn set_namespace(&self, labels: &mut Labels, object: &Value) {
        if !self.settings.attach_namespace {
            return;
        }
        let name = text(object, "/metadata/namespace");
        if let Some(namespace) = self.find(Kind::Namespace, "", &name) {
            set_maps(labels, namespace, "namespace");
        }
    }

    fn set_service(&self, labels: &mut Labels, namespace: &str, name: &str) {
        if let Some(service) = self.find(Kind::Service, namespace, name) {
            set_meta(labels, service, "service");
        }
    }

    fn endpoints(&self, endpoints: &Value) -> Group {
        let (source, mut labels) = namespaced(endpoints, "endpoints");
        set_meta(&mut labels, endpoints, "endpoints");
        self.set_namespace(&mut labels, endpoints);
        let namespace = text(endpoints, "/metadata/namespace");
        self.set_service(&mut labels, &namespace, &text(endpoints, "/metadata/name"));
        let mut seen = SeenPods::default();
        let mut targets = Vec::new();
        for subset in list(endpoints, "/subsets") {
            for port in list(subset, "/ports") {
                for (path, ready) in [("/addresses", "true"), ("/notReadyAddresses", "false")] {
                    for endpoint in list(subset, path) {
                        let number = text(port, "/port");
                        let host = text(endpoint, "/ip");
                        let mut target =
                            Labels::from([("__address__".to_owned(), address(&host, &number))]);
                        set(&mut target, "endpoint_port_name", text(port, "/name"));
                        set(&mut target, "endpoint_port_protocol", text(port, "/protocol"));
                        set(&mut target, "endpoint_ready", ready);
                        set_reference(&mut target, endpoint, "endpoint");
                        let node = text(endpoint, "/nodeName");
                        set_some(&mut target, "endpoint_node_name", &node);
                        set_some(&mut target, "endpoint_hostname", &text(endpoint, "/hostname"));
                        self.set_node(&mut target, &node);
                        self.join_pod(&mut target, endpoint, &number, &namespace, &mut seen);
                        targets.push(target);
                    }
                }
            }
        }
        targets.extend(self.other_ports(&seen));
        Group { source, targets, labels }
    }

    fn endpoint_slice(&self, slice: &Value) -> Group {
        let (source, mut labels) = namespaced(slice, "endpointslice");
        set_meta(&mut labels, slice, "endpointslice");
        set(&mut labels, "endpointslice_address_type", text(slice, "/addressType"));
        self.set_namespace(&mut labels, slice);
        let namespace = text(slice, "/metadata/namespace");
        let service = text(slice, "/metadata/labels/kubernetes.io~1service-name");
        self.set_service(&mut labels, &namespace, &service);
        let mut seen = SeenPods::default();
        let mut targets = Vec::new();
        for port in list(slice, "/ports") {
            for endpoint in list(slice, "/endpoints") {
                for host in list(endpoint, "/addresses").iter().filter_map(Value::as_str) {
                    let number = text(port, "/port");
                    let mut target = slice_target(port, endpoint);
                    target.insert("__address__".to_owned(), address(host, &number));
                    self.set_node(&mut target, &text(endpoint, "/nodeName"));
                    self.join_pod(&mut target, endpoint, &number, &namespace, &mut seen);
                    targets.push(target);
                }
            }
        }
        targets.extend(self.other_ports(&seen));
        Group { source, targets, labels }
    }

    /// Labels of the pod and the container behind an endpoint.
    fn join_pod(
        &self,
        target: &mut Labels,
        endpoint: &Value,
        port: &str,
        namespace: &str,
        seen: &mut SeenPods,
    ) {
        if text(endpoint, "/targetRef/kind") != "Pod" {
            return;
        }
        let of = text(endpoint, "/targetRef/namespace");
        let of = if of.is_empty() { namespace.to_owned() } else { of };
        let name = text(endpoint, "/targetRef/name");
        let Some(pod) = self.find(Kind::Pod, &of, &name) else { return };
        target.extend(self.pod_labels(pod));
        for (container, init) in containers(pod) {
            for one in list(container, "/ports") {
                if text(one, "/containerPort") == port {
                    set_container(target, pod, container, init);
                    set_container_port(target, one);
                }
            }
        }
        seen.entry((of, name)).or_default().insert(port.to_owned());
    }

    /// Ports of pods behind endpoints that are no endpoints' ports are targets, too.
    fn other_ports(&self, seen: &SeenPods) -> Vec<Labels> {
        let mut targets = Vec::new();
        for ((namespace, name), ports) in seen {
            let Some(pod) = self.find(Kind::Pod, namespace, name) else { continue };
            let ip = text(pod, "/status/podIP");
            if ip.is_empty() {
                continue;
            }
            for (container, init) in containers(pod) {
                for port in list(container, "/ports") {
                    let number = text(port, "/containerPort");
                    if ports.contains(&number) {
                        continue;
                    }
                    let mut target = self.pod_labels(pod);
                    target.insert("__address__".to_owned(), address(&ip, &number));
                    set_container(&mut target, pod, container, init);
                    set_container_port(&mut target, port);
                    targets.push(target);
                }
            }
        }
        targets
    }

    fn ingress(&self, ingress: &Value) -> Group {
        let (source, mut labels) = namespaced(ingress, "ingress");
        set_meta(&mut labels, ingress, "ingress");
        self.set_namespace(&mut labels, ingress);
        let class = text(ingress, "/spec/ingressClassName");
        set_some(&mut labels, "ingress_class_name", &class);
        let secure: Vec<String> = list(ingress, "/spec/tls")
            .iter()
            .flat_map(|tls| list(tls, "/hosts"))
            .filter_map(|host| host.as_str().map(str::to_owned))
            .collect();
        let mut targets = Vec::new();
        for rule in list(ingress, "/spec/rules") {
            let host = text(rule, "/host");
            let scheme =
                if secure.iter().any(|pattern| covers(pattern, &host)) { "https" } else { "http" };
            let mut paths: Vec<String> =
                list(rule, "/http/paths").iter().map(|path| text(path, "/path")).collect();
            if paths.is_empty() {
                paths.push("/".to_owned());
            }
            for path in paths {
                let path = if path.is_empty() { "/".to_owned() } else { path };
                let mut target = Labels::from([("__address__".to_owned(), host.clone())]);
                set(&mut target, "ingress_scheme", scheme);
                set(&mut target, "ingress_host", host.clone());
                set(&mut target, "ingress_path", path);
                targets.push(target);
            }
        }
        Group { source, targets, labels }
    }
}

/// Pods by namespace and name, with the ports that were seen.
type SeenPods = BTreeMap<(String, String), HashSet<String>>;

fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern == host,
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest == domain),
    }
}

fn set_some(labels: &mut Labels, name: &str, value: &str) {
    if !value.is_empty() {
        set(labels, name, value);
    }
}

fn set_reference(labels: &mut Labels, endpoint: &Value, kind: &str) {
    if endpoint.get("targetRef").is_some_and(Value::is_object) {
        let kind_name = text(endpoint, "/targetRef/kind");
        set(labels, &format!("{kind}_address_target_kind"), kind_name);
        let name = text(endpoint, "/targetRef/name");
        set(labels, &format!("{kind}_address_target_name"), name);
    }
}

fn slice_target(port: &Value, endpoint: &Value) -> Labels {
    let mut target = Labels::new();
    for (path, name) in [
        ("/name", "endpointslice_port_name"),
        ("/port", "endpointslice_port"),
        ("/protocol", "endpointslice_port_protocol"),
        ("/appProtocol", "endpointslice_port_app_protocol"),
    ] {
        set_some(&mut target, name, &text(port, path));
    }
    for (path, name) in [
        ("/conditions/ready", "endpointslice_endpoint_conditions_ready"),
        ("/conditions/serving", "endpointslice_endpoint_conditions_serving"),
        ("/conditions/terminating", "endpointslice_endpoint_conditions_terminating"),
        ("/hostname", "endpointslice_endpoint_hostname"),
        ("/nodeName", "endpointslice_endpoint_node_name"),
        ("/zone", "endpointslice_endpoint_zone"),
    ] {
        set_some(&mut target, name, &text(endpoint, path));
    }
    set_reference(&mut target, endpoint, "endpointslice");
    target
}

/// The containers of a pod, and whether each is an init container.
fn containers(pod: &Value) -> impl Iterator<Item = (&Value, bool)> {
    let main = list(pod, "/spec/containers").iter().map(|container| (container, false));
    main.chain(list(pod, "/spec/initContainers").iter().map(|container| (container, true)))
}

fn set_container(labels: &mut Labels, pod: &Value, container: &Value, init: bool) {
    let name = text(container, "/name");
    let path = if init { "/status/initContainerStatuses" } else { "/status/containerStatuses" };
    let status = list(pod, path).iter().find(|status| text(status, "/name") == name);
    set(labels, "pod_container_name", name);
    set(labels, "pod_container_image", text(container, "/image"));
    set(labels, "pod_container_init", init.to_string());
    if let Some(status) = status {
        set(labels, "pod_container_id", text(status, "/containerID"));
    }
}

fn set_container_port(labels: &mut Labels, port: &Value) {
    set(labels, "pod_container_port_name", text(port, "/name"));
    set(labels, "pod_container_port_number", text(port, "/containerPort"));
    set(labels, "pod_container_port_protocol", text(port, "/protocol"));
}
