//! Who this program is to the API: a service account inside a cluster, or a kubeconfig.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use stdx::yaml::{Entry, Node, Value};

use crate::prometheus::discovery::Kubernetes;
use crate::prometheus::http::{Authentication, HttpClient, Secret, Tls};

const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The API's address and how it is asked.
pub(super) fn find(settings: &Kubernetes) -> Result<(String, HttpClient), String> {
    if !settings.api_server.is_empty() {
        return Ok((settings.api_server.clone(), settings.client.clone()));
    }
    if !settings.kubeconfig_file.as_os_str().is_empty() {
        let path = &settings.kubeconfig_file;
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        return kubeconfig(&text, directory)
            .map_err(|error| format!("{}: {error}", path.display()));
    }
    let file = |name: &str| Secret::File(Path::new(SERVICE_ACCOUNT).join(name));
    let client = HttpClient {
        authentication: Some(bearer(file("token"))),
        tls: Tls { ca: Some(file("ca.crt")), ..Tls::default() },
        ..HttpClient::default()
    };
    Ok(("https://kubernetes.default.svc".to_owned(), client))
}

/// The namespace that this program runs in.
pub(super) fn own_namespace() -> Option<String> {
    let text = std::fs::read_to_string(Path::new(SERVICE_ACCOUNT).join("namespace")).ok()?;
    Some(text.trim().to_owned())
}

fn bearer(credentials: Secret) -> Authentication {
    Authentication::Authorization { kind: "Bearer".to_owned(), credentials }
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry: &&Entry| entry.key == key).map(|entry| &entry.value)
}

fn text(node: &Node, key: &str) -> Option<String> {
    get(node, key)?.text().ok().filter(|text| !text.is_empty())
}

/// The entry of a list that has the name.
fn named<'n>(root: &'n Node, list: &str, name: &str, inner: &str) -> Result<&'n Node, String> {
    let missing = || format!("{list} has no {name:?}");
    let Value::List(items) = &get(root, list).ok_or_else(missing)?.value else {
        return Err(missing());
    };
    let found = items.iter().find(|item| text(item, "name").as_deref() == Some(name));
    found.and_then(|item| get(item, inner)).ok_or_else(missing)
}

fn kubeconfig(source: &str, directory: &Path) -> Result<(String, HttpClient), String> {
    let root = stdx::yaml::parse(source)
        .map_err(|problem| problem.to_string())?
        .ok_or_else(|| "is empty".to_owned())?;
    let current = text(&root, "current-context").ok_or("has no current-context")?;
    let context = named(&root, "contexts", &current, "context")?;
    let cluster = text(context, "cluster").ok_or("the context has no cluster")?;
    let cluster = named(&root, "clusters", &cluster, "cluster")?;
    let server = text(cluster, "server").ok_or("the cluster has no server")?;
    let mut client = HttpClient::default();
    client.tls.ca = pem(cluster, "certificate-authority", directory)?;
    client.tls.insecure_skip_verify =
        get(cluster, "insecure-skip-tls-verify").is_some_and(|node| node.flag() == Ok(true));
    let Some(user) = text(context, "user") else { return Ok((server, client)) };
    let user = named(&root, "users", &user, "user")?;
    if get(user, "exec").is_some() || get(user, "auth-provider").is_some() {
        return Err("credentials by a program are not supported".to_owned());
    }
    client.tls.cert = pem(user, "client-certificate", directory)?;
    client.tls.key = pem(user, "client-key", directory)?;
    client.authentication = if let Some(token) = text(user, "token") {
        Some(bearer(Secret::Inline(token)))
    } else if let Some(file) = text(user, "tokenFile") {
        Some(bearer(Secret::File(directory.join(file))))
    } else {
        text(user, "username").map(|username| Authentication::Basic {
            username: Secret::Inline(username),
            password: Secret::Inline(text(user, "password").unwrap_or_default()),
        })
    };
    Ok((server, client))
}

/// A file, or its content in base64 under `…-data`.
fn pem(node: &Node, key: &str, directory: &Path) -> Result<Option<Secret>, String> {
    if let Some(data) = text(node, &format!("{key}-data")) {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(data.trim())
            .map_err(|error| format!("{key}-data: {error}"))?;
        let pem = String::from_utf8(bytes).map_err(|error| format!("{key}-data: {error}"))?;
        return Ok(Some(Secret::Inline(pem)));
    }
    Ok(text(node, key).map(|path| Secret::File(directory.join(PathBuf::from(path)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_is_read() {
        let source = "
apiVersion: v1
current-context: dev
contexts: [{name: dev, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'https://k:6443', certificate-authority-data: Q0E=}}]
users: [{name: u, user: {token: t0}}]
";
        let (server, client) = kubeconfig(source, Path::new("/k")).expect("reads");
        assert_eq!(server, "https://k:6443");
        assert_eq!(client.tls.ca, Some(Secret::Inline("CA".to_owned())));
        assert_eq!(client.authentication, Some(bearer(Secret::Inline("t0".to_owned()))));
        assert!(kubeconfig("a: 1", Path::new("")).is_err());
    }
}
