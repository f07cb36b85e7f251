//! Requests that this program makes: scrapes, discovery, forwarding. With the authentication, TLS
//! and proxy of a [`HttpClient`] section, whose files are read again when they change.

use std::time::Duration;

use parking_lot::Mutex;
use reqwest::{Client, Method, Proxy, RequestBuilder, Url};
use stdx::clock::{Clock, UnixNanos};

use crate::prometheus::http::{Authentication, HttpClient, OAuth2, Secret, Tls};

/// What this program calls itself.
pub(crate) const USER_AGENT: &str = concat!("Trefoil/", env!("CARGO_PKG_VERSION"));

/// Why a request could not be made or got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutgoingError(pub String);

/// Makes requests.
#[derive(Debug)]
pub struct Outgoing {
    settings: HttpClient,
    client: Mutex<(Vec<String>, Client)>,
    token: Mutex<Option<Token>>,
    clock: Clock,
}

#[derive(Debug, Clone)]
struct Token {
    value: String,
    expires_at: UnixNanos,
}

impl Outgoing {
    /// Reads what the section names.
    pub fn new(settings: &HttpClient, clock: Clock) -> Result<Outgoing, OutgoingError> {
        let material = tls_material(&settings.tls)?;
        let client = build(settings, &material)?;
        Ok(Outgoing {
            settings: settings.clone(),
            client: Mutex::new((material, client)),
            token: Mutex::new(None),
            clock,
        })
    }

    /// A request with everything on it that the section asks for.
    pub async fn request(
        &self,
        method: Method,
        url: Url,
        timeout: Duration,
    ) -> Result<RequestBuilder, OutgoingError> {
        let client = self.client()?;
        let mut request = client.request(method, url).timeout(timeout);
        request = request.header(http::header::USER_AGENT, USER_AGENT);
        for (name, values) in &self.settings.headers {
            for value in values {
                request = request.header(name, read(value)?);
            }
        }
        match &self.settings.authentication {
            None => Ok(request),
            Some(Authentication::Basic { username, password }) => {
                Ok(request.basic_auth(read(username)?, Some(read(password)?)))
            }
            Some(Authentication::Authorization { kind, credentials }) => {
                let value = format!("{kind} {}", read(credentials)?);
                Ok(request.header(http::header::AUTHORIZATION, value))
            }
            Some(Authentication::OAuth2(oauth2)) => {
                let token = self.token(oauth2, &client, timeout).await?;
                Ok(request.bearer_auth(token))
            }
        }
    }

    /// The client; another one when a certificate has changed.
    fn client(&self) -> Result<Client, OutgoingError> {
        let tls = &self.settings.tls;
        let in_files = [&tls.ca, &tls.cert, &tls.key]
            .into_iter()
            .flatten()
            .any(|secret| secret.file().is_some());
        let mut held = self.client.lock();
        if in_files {
            let material = tls_material(tls)?;
            if material != held.0 {
                *held = (material.clone(), build(&self.settings, &material)?);
            }
        }
        Ok(held.1.clone())
    }

    async fn token(
        &self,
        oauth2: &OAuth2,
        client: &Client,
        timeout: Duration,
    ) -> Result<String, OutgoingError> {
        let held = self.token.lock().clone();
        if let Some(token) = held
            && token.expires_at > self.clock.now()
        {
            return Ok(token.value);
        }
        let own_client;
        let client = if oauth2.tls == Tls::default() {
            client
        } else {
            let settings = HttpClient { tls: oauth2.tls.clone(), ..HttpClient::default() };
            own_client = build(&settings, &tls_material(&settings.tls)?)?;
            &own_client
        };
        let token = fetch_token(oauth2, client, timeout, self.clock.now()).await?;
        *self.token.lock() = Some(token.clone());
        Ok(token.value)
    }
}

async fn fetch_token(
    oauth2: &OAuth2,
    client: &Client,
    timeout: Duration,
    now: UnixNanos,
) -> Result<Token, OutgoingError> {
    #[derive(serde::Deserialize)]
    struct Answer {
        access_token: String,
        #[serde(default)]
        expires_in: i64,
    }
    let wrong = |error: String| OutgoingError(format!("oauth2: cannot fetch token: {error}"));
    let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
    if !oauth2.scopes.is_empty() {
        form.push(("scope".to_owned(), oauth2.scopes.join(" ")));
    }
    form.extend(oauth2.endpoint_params.iter().cloned());
    let mut encoded = Url::parse("http://x/").map_err(|error| wrong(error.to_string()))?;
    encoded.query_pairs_mut().extend_pairs(&form);
    let answer = client
        .post(&oauth2.token_url)
        .timeout(timeout)
        .basic_auth(&oauth2.client_id, Some(read(&oauth2.client_secret)?))
        .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(encoded.query().unwrap_or("").to_owned())
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| wrong(describe(&error)))?;
    let answer: Answer = answer.json().await.map_err(|error| wrong(describe(&error)))?;
    let seconds = if answer.expires_in > 0 { answer.expires_in - 10 } else { 3_600 };
    Ok(Token { value: answer.access_token, expires_at: now + seconds.max(0) * 1_000_000_000 })
}

fn read(secret: &Secret) -> Result<String, OutgoingError> {
    secret.value().map_err(|error| {
        let path = secret.file().unwrap_or(std::path::Path::new("")).display();
        OutgoingError(format!("unable to read file {path}: {error}"))
    })
}

/// The texts of CA, certificate and key.
fn tls_material(tls: &Tls) -> Result<Vec<String>, OutgoingError> {
    [&tls.ca, &tls.cert, &tls.key]
        .into_iter()
        .map(|secret| secret.as_ref().map_or(Ok(String::new()), read))
        .collect()
}

fn build(settings: &HttpClient, material: &[String]) -> Result<Client, OutgoingError> {
    let wrong = |error: &reqwest::Error| OutgoingError(describe(error));
    let tls = &settings.tls;
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(if settings.follow_redirects {
            reqwest::redirect::Policy::limited(10)
        } else {
            reqwest::redirect::Policy::none()
        })
        .gzip(false)
        .pool_max_idle_per_host(4)
        .tls_danger_accept_invalid_certs(tls.insecure_skip_verify);
    if !settings.enable_http2 {
        builder = builder.http1_only();
    }
    if let [ca, cert, key] = material {
        if !ca.is_empty() {
            let certificates = reqwest::Certificate::from_pem_bundle(ca.as_bytes())
                .map_err(|error| wrong(&error))?;
            builder = builder.tls_certs_only(certificates);
        }
        if !cert.is_empty() {
            let pem = format!("{cert}\n{key}\n");
            let identity =
                reqwest::Identity::from_pem(pem.as_bytes()).map_err(|error| wrong(&error))?;
            builder = builder.identity(identity);
        }
    }
    if let Some(version) = tls.min_version.as_deref().and_then(tls_version) {
        builder = builder.tls_version_min(version);
    }
    if let Some(version) = tls.max_version.as_deref().and_then(tls_version) {
        builder = builder.tls_version_max(version);
    }
    if let Some(url) = &settings.proxy_url {
        let proxy = Proxy::all(url).map_err(|error| wrong(&error))?;
        builder = builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_string(&settings.no_proxy)));
    }
    builder.build().map_err(|error| wrong(&error))
}

fn tls_version(name: &str) -> Option<reqwest::tls::Version> {
    match name {
        // Older versions are not spoken at all.
        "TLS10" | "TLS11" | "TLS12" => Some(reqwest::tls::Version::TLS_1_2),
        "TLS13" => Some(reqwest::tls::Version::TLS_1_3),
        _ => None,
    }
}

/// An error with its causes, without the URL, which the caller knows.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "context deadline exceeded".to_owned();
    }
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        // Wrappers repeat what they wrap; the innermost says it best.
        text = error.to_string();
        cause = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}
