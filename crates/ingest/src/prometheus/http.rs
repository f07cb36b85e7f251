//! How requests are made: authentication, TLS, proxies, headers. The same keys stand in jobs, in
//! discovery, in `remote_write` and under `alertmanagers`.

use std::path::{Path, PathBuf};

use stdx::yaml::{Fields, Node, Problem};

use super::Context;

/// A value that is given as it is or in a file, which is read anew for every use.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// As it is.
    Inline(String),
    /// In a file; white space around it does not count.
    File(PathBuf),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Secret::Inline(_) => f.write_str("<secret>"),
            Secret::File(path) => path.fmt(f),
        }
    }
}

impl Secret {
    /// The value now.
    pub fn value(&self) -> std::io::Result<String> {
        match self {
            Secret::Inline(text) => Ok(text.clone()),
            Secret::File(path) => Ok(std::fs::read_to_string(path)?.trim().to_owned()),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Secret::Inline(_) => None,
            Secret::File(path) => Some(path),
        }
    }
}

/// Who a request says it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// `basic_auth`.
    Basic {
        /// The name.
        username: Secret,
        /// The password.
        password: Secret,
    },
    /// `authorization`, and `bearer_token` of old.
    Authorization {
        /// `Bearer` and the like.
        kind: String,
        /// What comes after it.
        credentials: Secret,
    },
    /// `oauth2`.
    OAuth2(Box<OAuth2>),
}

/// `oauth2` with client credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`.
    pub client_secret: Secret,
    /// `scopes`.
    pub scopes: Vec<String>,
    /// `token_url`.
    pub token_url: String,
    /// `endpoint_params`.
    pub endpoint_params: Vec<(String, String)>,
    /// For the request of the token.
    pub tls: Tls,
}

/// `tls_config`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Certificates to trust, PEM.
    pub ca: Option<Secret>,
    /// The client's certificate, PEM.
    pub cert: Option<Secret>,
    /// The key of the client's certificate, PEM.
    pub key: Option<Secret>,
    /// The name that the server's certificate has to have.
    pub server_name: String,
    /// Anything is trusted.
    pub insecure_skip_verify: bool,
    /// `TLS12` or `TLS13`.
    pub min_version: Option<String>,
    /// `TLS12` or `TLS13`.
    pub max_version: Option<String>,
}

/// How requests are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpClient {
    /// Who they are from.
    pub authentication: Option<Authentication>,
    /// TLS.
    pub tls: Tls,
    /// Redirects are followed.
    pub follow_redirects: bool,
    /// HTTP/2 is offered.
    pub enable_http2: bool,
    /// A proxy.
    pub proxy_url: Option<String>,
    /// Hosts that the proxy is not for, separated by commas.
    pub no_proxy: String,
    /// Headers of the requests.
    pub headers: Vec<(String, Vec<Secret>)>,
}

impl Default for HttpClient {
    fn default() -> HttpClient {
        HttpClient {
            authentication: None,
            tls: Tls::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy_url: None,
            no_proxy: String::new(),
            headers: Vec::new(),
        }
    }
}

impl HttpClient {
    /// Reads the keys that stand among those of the owner.
    pub(crate) fn read_inline(
        fields: &mut Fields<'_>,
        context: &Context,
        enable_http2: bool,
    ) -> Result<HttpClient, Problem> {
        let proxy_url = fields.text("proxy_url")?.filter(|url| !url.is_empty());
        let client = HttpClient {
            authentication: authentication(fields, context)?,
            tls: Tls::read(fields.node("tls_config"), context)?,
            follow_redirects: fields.flag("follow_redirects")?.unwrap_or(true),
            enable_http2: fields.flag("enable_http2")?.unwrap_or(enable_http2),
            no_proxy: fields.text("no_proxy")?.unwrap_or_default(),
            headers: headers(fields, context)?,
            proxy_url,
        };
        let from_environment = fields.flag("proxy_from_environment")?.unwrap_or(false);
        let connect_header = fields.node("proxy_connect_header").is_some();
        let problem = |message: &str| Err(fields.node.problem(message));
        if from_environment && client.proxy_url.is_some() {
            return problem(
                "if proxy_from_environment is configured, proxy_url must not be configured",
            );
        }
        if from_environment && !client.no_proxy.is_empty() {
            return problem(
                "if proxy_from_environment is configured, no_proxy must not be configured",
            );
        }
        if client.proxy_url.is_none() && !client.no_proxy.is_empty() {
            return problem("if no_proxy is configured, proxy_url must also be configured");
        }
        if connect_header && !from_environment && client.proxy_url.is_none() {
            return problem(
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must \
                 also be configured",
            );
        }
        Ok(client)
    }

    /// The files that it names, with what promtool calls them.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        let mut files = Vec::new();
        if let Some(Authentication::Authorization { credentials, .. }) = &self.authentication {
            let what = "authorization credentials or bearer token file";
            files.extend(credentials.file().map(|path| (what, path)));
        }
        let tls = &self.tls;
        let secrets = [("client cert file", &tls.cert), ("client key file", &tls.key)];
        for (what, secret) in secrets {
            files.extend(secret.as_ref().and_then(Secret::file).map(|path| (what, path)));
        }
        files
    }
}

/// One of `x`, `x_file` and `x_ref`.
fn secret(
    fields: &mut Fields<'_>,
    context: &Context,
    key: &str,
    too_many: &str,
) -> Result<Option<Secret>, Problem> {
    let inline = fields.text(key)?.filter(|text| !text.is_empty());
    let file = fields.text(&format!("{key}_file"))?.filter(|text| !text.is_empty());
    let reference = fields.node(&format!("{key}_ref"));
    if usize::from(inline.is_some())
        + usize::from(file.is_some())
        + usize::from(reference.is_some())
        > 1
    {
        return Err(fields.node.problem(too_many));
    }
    if let Some(node) = reference {
        return Err(node.problem("secret refs are not supported, no secret manager is configured"));
    }
    Ok(inline.map(Secret::Inline).or(file.map(|file| Secret::File(context.path(&file)))))
}

fn authentication(
    fields: &mut Fields<'_>,
    context: &Context,
) -> Result<Option<Authentication>, Problem> {
    let here = fields.node;
    let basic = fields.node("basic_auth").map(|node| basic_auth(node, context)).transpose()?;
    let authorization =
        fields.node("authorization").map(|node| read_authorization(node, context)).transpose()?;
    let oauth2 = fields.node("oauth2").map(|node| OAuth2::read(node, context)).transpose()?;
    let bearer = secret(
        fields,
        context,
        "bearer_token",
        "at most one of bearer_token & bearer_token_file must be configured",
    )?;
    if bearer.is_some() && (basic.is_some() || oauth2.is_some()) {
        return Err(here.problem(
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
        ));
    }
    if bearer.is_some() && authorization.is_some() {
        return Err(
            here.problem("authorization is not compatible with bearer_token & bearer_token_file")
        );
    }
    let bearer = bearer.map(|credentials| Authentication::Authorization {
        kind: "Bearer".to_owned(),
        credentials,
    });
    let mut given = [
        basic,
        authorization,
        oauth2.map(|oauth2| Authentication::OAuth2(Box::new(oauth2))),
        bearer,
    ]
    .into_iter()
    .flatten();
    let first = given.next();
    if given.next().is_some() {
        return Err(
            here.problem("at most one of basic_auth, oauth2 & authorization must be configured")
        );
    }
    Ok(first)
}

fn basic_auth(node: &Node, context: &Context) -> Result<Authentication, Problem> {
    let mut fields = Fields::of(node, "config.plain")?;
    let empty = || Secret::Inline(String::new());
    let username = secret(
        &mut fields,
        context,
        "username",
        "at most one of basic_auth username, username_file & username_ref must be configured",
    )?;
    let password = secret(
        &mut fields,
        context,
        "password",
        "at most one of basic_auth password, password_file & password_ref must be configured",
    )?;
    fields.finish()?;
    Ok(Authentication::Basic {
        username: username.unwrap_or_else(empty),
        password: password.unwrap_or_else(empty),
    })
}

fn read_authorization(node: &Node, context: &Context) -> Result<Authentication, Problem> {
    let mut fields = Fields::of(node, "config.plain")?;
    let kind = fields.text("type")?.map(|kind| kind.trim().to_owned());
    let kind = kind.filter(|kind| !kind.is_empty()).unwrap_or_else(|| "Bearer".to_owned());
    if kind.eq_ignore_ascii_case("basic") {
        return Err(node
            .problem("authorization type cannot be set to \"basic\", use \"basic_auth\" instead"));
    }
    let credentials = secret(
        &mut fields,
        context,
        "credentials",
        "at most one of authorization credentials & credentials_file must be configured",
    )?;
    fields.finish()?;
    let credentials = credentials.unwrap_or(Secret::Inline(String::new()));
    Ok(Authentication::Authorization { kind, credentials })
}

impl OAuth2 {
    fn read(node: &Node, context: &Context) -> Result<OAuth2, Problem> {
        let mut fields = Fields::of(node, "config.plain")?;
        let client_secret = secret(
            &mut fields,
            context,
            "client_secret",
            "at most one of oauth2 client_secret & client_secret_file must be configured using \
             grant-type=client_credentials",
        )?;
        let oauth2 = OAuth2 {
            client_id: fields.text("client_id")?.unwrap_or_default(),
            client_secret: client_secret.unwrap_or(Secret::Inline(String::new())),
            scopes: fields.texts("scopes")?,
            token_url: fields.text("token_url")?.unwrap_or_default(),
            endpoint_params: fields.text_map("endpoint_params")?,
            tls: Tls::read(fields.node("tls_config"), context)?,
        };
        if let Some(grant) = fields.node("grant_type") {
            let text = grant.text()?;
            if !text.is_empty() && text != "client_credentials" {
                return Err(grant.problem(&format!("oauth2 grant_type {text:?} is not supported")));
            }
        }
        for key in ["proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header"] {
            fields.ignore(key);
        }
        if oauth2.client_id.is_empty() {
            return Err(node.problem("oauth2 client_id must be configured"));
        }
        if oauth2.token_url.is_empty() {
            return Err(node.problem("oauth2 token_url must be configured"));
        }
        fields.finish()?;
        Ok(oauth2)
    }
}

impl Tls {
    pub(crate) fn read(node: Option<&Node>, context: &Context) -> Result<Tls, Problem> {
        let Some(node) = node else { return Ok(Tls::default()) };
        let mut fields = Fields::of(node, "config.plain")?;
        let one =
            |key: &str| format!("at most one of {key}, {key}_file & {key}_ref must be configured");
        let tls = Tls {
            ca: secret(&mut fields, context, "ca", &one("ca"))?,
            cert: secret(&mut fields, context, "cert", &one("cert"))?,
            key: secret(&mut fields, context, "key", &one("key"))?,
            server_name: fields.text("server_name")?.unwrap_or_default(),
            insecure_skip_verify: fields.flag("insecure_skip_verify")?.unwrap_or(false),
            min_version: tls_version(&mut fields, "min_version")?,
            max_version: tls_version(&mut fields, "max_version")?,
        };
        fields.finish()?;
        match (&tls.cert, &tls.key) {
            (Some(_), None) => Err(node.problem(
                "exactly one of key or key_file must be configured when a client certificate is \
                 configured",
            )),
            (None, Some(_)) => Err(node.problem(
                "exactly one of cert or cert_file must be configured when a client key is \
                 configured",
            )),
            _ => Ok(tls),
        }
    }
}

fn tls_version(fields: &mut Fields<'_>, key: &str) -> Result<Option<String>, Problem> {
    let Some(node) = fields.node(key) else { return Ok(None) };
    let text = node.text()?;
    if !["TLS10", "TLS11", "TLS12", "TLS13"].contains(&text.as_str()) {
        return Err(node.problem(&format!("unknown TLS version: {text}")));
    }
    Ok(Some(text))
}

fn headers(
    fields: &mut Fields<'_>,
    context: &Context,
) -> Result<Vec<(String, Vec<Secret>)>, Problem> {
    const RESERVED: [&str; 12] = [
        "accept-charset",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "proxy-authenticate",
        "proxy-authorization",
        "user-agent",
        "www-authenticate",
    ];
    let Some(node) = fields.node("http_headers") else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for entry in node.entries("map[string]config.Header")? {
        if RESERVED.contains(&entry.key.to_lowercase().as_str()) {
            return Err(entry
                .value
                .problem(&format!("setting header {:?} is not allowed", entry.key)));
        }
        let mut inner = Fields::of(&entry.value, "config.Header")?;
        let mut values: Vec<Secret> =
            inner.texts("values")?.into_iter().map(Secret::Inline).collect();
        values.extend(inner.texts("secrets")?.into_iter().map(Secret::Inline));
        let files = inner.texts("files")?;
        values.extend(files.iter().map(|path| Secret::File(context.path(path))));
        inner.finish()?;
        headers.push((entry.key.clone(), values));
    }
    Ok(headers)
}
