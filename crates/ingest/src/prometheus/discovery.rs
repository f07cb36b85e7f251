//! Where targets come from: the `*_sd_configs` and `static_configs` of a job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use stdx::yaml::{Fields, Node, Problem};

use super::http::HttpClient;
use super::{Context, duration};

/// Targets that share labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Where it comes from; groups with the same source replace each other.
    pub source: String,
    /// The labels of each target, with `__address__`.
    pub targets: Vec<BTreeMap<String, String>>,
    /// Labels that all of them have.
    pub labels: BTreeMap<String, String>,
}

/// A way of finding targets.
#[derive(Debug, Clone, PartialEq)]
pub enum Discovery {
    /// `static_configs`.
    Static(Vec<Group>),
    /// `file_sd_configs`.
    File {
        /// Patterns.
        files: Vec<PathBuf>,
        /// How often files are read again, changed or not.
        refresh: Duration,
    },
    /// `dns_sd_configs`.
    Dns {
        /// What is asked for.
        names: Vec<String>,
        /// The kind of record.
        record: DnsRecord,
        /// Of `A`, `AAAA`, `MX` and `NS` records.
        port: u16,
        /// How often.
        refresh: Duration,
    },
    /// `http_sd_configs`.
    Http {
        /// What is asked.
        url: String,
        /// How.
        client: Box<HttpClient>,
        /// How often.
        refresh: Duration,
    },
    /// `kubernetes_sd_configs`.
    Kubernetes(Box<Kubernetes>),
}

/// Kinds of DNS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum DnsRecord {
    A,
    Aaaa,
    Srv,
    Mx,
    Ns,
}

/// What is found in Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum Role {
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
}

impl Role {
    /// As it is written.
    pub const ALL: [(&'static str, Role); 6] = [
        ("node", Role::Node),
        ("pod", Role::Pod),
        ("service", Role::Service),
        ("endpoints", Role::Endpoints),
        ("endpointslice", Role::EndpointSlice),
        ("ingress", Role::Ingress),
    ];
}

/// `kubernetes_sd_configs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kubernetes {
    /// What is found.
    pub role: Role,
    /// Where the API is; empty inside a cluster and with a kubeconfig.
    pub api_server: String,
    /// A kubeconfig.
    pub kubeconfig_file: PathBuf,
    /// How the API is asked.
    pub client: HttpClient,
    /// Namespaces; none is all.
    pub namespaces: Vec<String>,
    /// The namespace that this program runs in, too.
    pub own_namespace: bool,
    /// Label and field selectors by role.
    pub selectors: Vec<(Role, String, String)>,
    /// The node's labels come with pods and endpoints.
    pub attach_node: bool,
    /// The namespace's labels come too.
    pub attach_namespace: bool,
}

/// What Prometheus can find targets with and this program cannot.
const OTHERS: &[&str] = &[
    "aws",
    "azure",
    "consul",
    "digitalocean",
    "docker",
    "dockerswarm",
    "ec2",
    "ecs",
    "elasticache",
    "eureka",
    "gce",
    "hetzner",
    "ionos",
    "kuma",
    "lightsail",
    "linode",
    "marathon",
    "msk",
    "nerve",
    "nomad",
    "openstack",
    "outscale",
    "ovhcloud",
    "puppetdb",
    "rds",
    "scaleway",
    "serverset",
    "stackit",
    "triton",
    "uyuni",
    "vultr",
];

impl Discovery {
    /// Reads all ways of one owner.
    pub(crate) fn read_all(
        fields: &mut Fields<'_>,
        context: &Context,
        check_addresses: bool,
        owner: &str,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Discovery>, Problem> {
        let mut all = Vec::new();
        if let Some(node) = fields.node("static_configs") {
            all.push(Discovery::Static(static_groups(node, context, check_addresses)?));
        }
        for node in configs(fields, "file")? {
            all.push(read_file(node, context)?);
        }
        for node in configs(fields, "dns")? {
            all.push(read_dns(node)?);
        }
        for node in configs(fields, "http")? {
            all.push(read_http(node, context)?);
        }
        for node in configs(fields, "kubernetes")? {
            all.push(Discovery::Kubernetes(Box::new(read_kubernetes(node, context)?)));
        }
        for name in OTHERS {
            for node in configs(fields, name)? {
                node.entries("a mapping")?;
                notes.push(format!(
                    "{owner}: {name}_sd_configs on line {} is read but finds no targets here",
                    node.line
                ));
            }
        }
        Ok(all)
    }
}

fn configs<'n>(fields: &mut Fields<'n>, name: &str) -> Result<&'n [Node], Problem> {
    let items = fields.list(&format!("{name}_sd_configs"), "[]*discovery.Config")?;
    match items.iter().find(|node| node.is_null()) {
        Some(node) => Err(node.problem("empty or null section in discovery configs")),
        None => Ok(items),
    }
}

fn static_groups(
    node: &Node,
    context: &Context,
    check_addresses: bool,
) -> Result<Vec<Group>, Problem> {
    let mut groups = Vec::new();
    for (index, item) in node.list("[]*targetgroup.Group")?.iter().enumerate() {
        if item.is_null() {
            return Err(item.problem("empty or null section in static_configs"));
        }
        let group = read_group(item, &index.to_string(), context)?;
        let addresses = group.targets.iter().filter_map(|target| target.get("__address__"));
        if check_addresses {
            for address in addresses {
                if address.contains('/') {
                    return Err(item.problem(&format!("{address:?} is not a valid hostname")));
                }
            }
        }
        groups.push(group);
    }
    Ok(groups)
}

/// A group as it stands in `static_configs` and in files for `file_sd_configs`.
pub(crate) fn read_group(node: &Node, source: &str, context: &Context) -> Result<Group, Problem> {
    let mut fields = Fields::of(
        node,
        "struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet \"yaml:\\\"labels\\\"\" }",
    )?;
    let targets = fields.texts("targets")?;
    let mut labels = BTreeMap::new();
    if let Some(node) = fields.node("labels") {
        for entry in node.entries("model.LabelSet")? {
            if !context.scheme.allows_label(&entry.key) {
                let message = format!("{:?} is not a valid label name", entry.key);
                return Err(entry.value.problem(&message));
            }
            labels.insert(entry.key.clone(), entry.value.text()?);
        }
    }
    fields.finish()?;
    Ok(Group { source: source.to_owned(), targets: addresses(targets), labels })
}

/// Targets of which only the address is known.
pub(crate) fn addresses(targets: Vec<String>) -> Vec<BTreeMap<String, String>> {
    let target = |address| BTreeMap::from([("__address__".to_owned(), address)]);
    targets.into_iter().map(target).collect()
}

fn refresh(fields: &mut Fields<'_>, or: Duration) -> Result<Duration, Problem> {
    Ok(duration(fields, "refresh_interval")?.filter(|d| !d.is_zero()).unwrap_or(or))
}

fn read_file(node: &Node, context: &Context) -> Result<Discovery, Problem> {
    let mut fields = Fields::of(node, "file.plain")?;
    let files = fields.texts("files")?;
    let refresh = refresh(&mut fields, Duration::from_secs(300))?;
    fields.finish()?;
    if files.is_empty() {
        return Err(
            node.problem("file service discovery config must contain at least one path name")
        );
    }
    for file in &files {
        let name = file.rsplit_once('/').map_or(file.as_str(), |(_, name)| name);
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
        if !extension.is_some_and(|e| ["json", "yml", "yaml"].contains(&e.as_str())) {
            return Err(
                node.problem(&format!("path name {file:?} is not valid for file discovery"))
            );
        }
    }
    Ok(Discovery::File { files: files.iter().map(|file| context.path(file)).collect(), refresh })
}

fn read_dns(node: &Node) -> Result<Discovery, Problem> {
    let mut fields = Fields::of(node, "dns.plain")?;
    let names = fields.texts("names")?;
    let kind = fields.text("type")?.unwrap_or_else(|| "SRV".to_owned());
    let port = fields.count("port")?;
    let refresh = refresh(&mut fields, Duration::from_secs(30))?;
    fields.finish()?;
    if names.is_empty() {
        return Err(node.problem("DNS-SD config must contain at least one SRV record name"));
    }
    let record = match kind.to_uppercase().as_str() {
        "SRV" => DnsRecord::Srv,
        "A" => DnsRecord::A,
        "AAAA" => DnsRecord::Aaaa,
        "MX" => DnsRecord::Mx,
        "NS" => DnsRecord::Ns,
        other => return Err(node.problem(&format!("invalid DNS-SD records type {other}"))),
    };
    if record != DnsRecord::Srv && port.is_none() {
        return Err(
            node.problem("a port is required in DNS-SD configs for all record types except SRV")
        );
    }
    let port = u16::try_from(port.unwrap_or(0))
        .map_err(|_| node.problem("the port has to be below 65536"))?;
    Ok(Discovery::Dns { names, record, port, refresh })
}

fn read_http(node: &Node, context: &Context) -> Result<Discovery, Problem> {
    let mut fields = Fields::of(node, "http.plain")?;
    let url = fields.text("url")?.unwrap_or_default();
    let refresh = refresh(&mut fields, Duration::from_secs(60))?;
    let client = HttpClient::read_inline(&mut fields, context, true)?;
    fields.finish()?;
    if url.is_empty() {
        return Err(node.problem("URL is missing"));
    }
    match url.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() && !rest.starts_with('/') => {}
        Some(("http" | "https", _)) => return Err(node.problem("host is missing in URL")),
        _ => return Err(node.problem("URL scheme must be 'http' or 'https'")),
    }
    Ok(Discovery::Http { url, client: Box::new(client), refresh })
}

fn role(node: &Node) -> Result<Role, Problem> {
    let text = node.text()?;
    Role::ALL
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, role)| *role)
        .ok_or_else(|| node.problem(&format!("unknown Kubernetes SD role {text:?}")))
}

fn read_kubernetes(node: &Node, context: &Context) -> Result<Kubernetes, Problem> {
    let mut fields = Fields::of(node, "kubernetes.plain")?;
    let Some(role_node) = fields.node("role") else {
        return Err(node.problem(
            "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)",
        ));
    };
    let (namespaces, own_namespace) = namespaces(fields.node("namespaces"))?;
    let (attach_node, attach_namespace) = attached(fields.node("attach_metadata"))?;
    let kubernetes = Kubernetes {
        role: role(role_node)?,
        api_server: fields.text("api_server")?.unwrap_or_default(),
        kubeconfig_file: context.path(&fields.text("kubeconfig_file")?.unwrap_or_default()),
        namespaces,
        own_namespace,
        selectors: selectors(&mut fields)?,
        attach_node,
        attach_namespace,
        client: HttpClient::read_inline(&mut fields, context, true)?,
    };
    fields.finish()?;
    let custom = kubernetes.client != HttpClient::default();
    let with_file = !kubernetes.kubeconfig_file.as_os_str().is_empty();
    if with_file && !kubernetes.api_server.is_empty() {
        return Err(node.problem("cannot use 'kubeconfig_file' and 'api_server' simultaneously"));
    }
    if with_file && custom {
        return Err(node.problem(
            "cannot use a custom HTTP client configuration together with 'kubeconfig_file'",
        ));
    }
    if kubernetes.api_server.is_empty() && custom {
        return Err(node.problem(
            "to use custom HTTP client configuration please provide the 'api_server' URL \
             explicitly",
        ));
    }
    if with_file && own_namespace {
        return Err(node.problem(
            "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously",
        ));
    }
    if own_namespace && !kubernetes.api_server.is_empty() {
        return Err(
            node.problem("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously")
        );
    }
    Ok(kubernetes)
}

fn namespaces(node: Option<&Node>) -> Result<(Vec<String>, bool), Problem> {
    let Some(node) = node else { return Ok((Vec::new(), false)) };
    let mut fields = Fields::of(node, "kubernetes.plain")?;
    let read = (fields.texts("names")?, fields.flag("own_namespace")?.unwrap_or(false));
    fields.finish()?;
    Ok(read)
}

fn attached(node: Option<&Node>) -> Result<(bool, bool), Problem> {
    let Some(node) = node else { return Ok((false, false)) };
    let mut fields = Fields::of(node, "kubernetes.AttachMetadataConfig")?;
    let read = (fields.flag("node")?.unwrap_or(false), fields.flag("namespace")?.unwrap_or(false));
    fields.finish()?;
    Ok(read)
}

fn selectors(fields: &mut Fields<'_>) -> Result<Vec<(Role, String, String)>, Problem> {
    let mut selectors = Vec::new();
    for node in fields.list("selectors", "[]kubernetes.SelectorConfig")? {
        let mut inner = Fields::of(node, "kubernetes.SelectorConfig")?;
        let role = match inner.node("role") {
            Some(node) => role(node)?,
            None => return Err(node.problem("unknown Kubernetes SD role \"\"")),
        };
        let label = inner.text("label")?.unwrap_or_default();
        let field = inner.text("field")?.unwrap_or_default();
        inner.finish()?;
        selectors.push((role, label, field));
    }
    Ok(selectors)
}
