//! The ports.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

use crate::config::{Listen, variable_of};

/// The open ports.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) main: TcpListener,
    pub(crate) otlp_grpc: Option<TcpListener>,
    pub(crate) otlp_http: Option<TcpListener>,
    pub(crate) prometheus: Option<TcpListener>,
    /// What was said about ports that were taken.
    pub(crate) moved: Vec<String>,
}

/// What to do when a port is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is an error.
    Refuse,
    /// A free one does as well.
    MoveAside,
}

impl Listeners {
    pub(crate) async fn bind(listen: &Listen, taken: Taken) -> anyhow::Result<Listeners> {
        let mut moved = Vec::new();
        let main = bind("listen.main", listen.main, taken, &mut moved).await?;
        let mut optional = async |path, address| match address {
            Some(address) => bind(path, address, taken, &mut moved).await.map(Some),
            None => Ok(None),
        };
        let otlp_grpc = optional("listen.otlp_grpc", listen.otlp_grpc).await?;
        let otlp_http = optional("listen.otlp_http", listen.otlp_http).await?;
        let prometheus = optional("listen.prometheus", listen.prometheus).await?;
        Ok(Listeners { main, otlp_grpc, otlp_http, prometheus, moved })
    }
}

async fn bind(
    path: &str,
    address: SocketAddr,
    taken: Taken,
    moved: &mut Vec<String>,
) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match taken {
            Taken::Refuse => bail!(
                "cannot listen on {address} ({path}): another process has this port; stop it, or \
                 set {path} or {} to another address",
                variable_of(path)
            ),
            Taken::MoveAside => {
                let free = SocketAddr::new(address.ip(), 0);
                let listener = TcpListener::bind(free).await?;
                moved
                    .push(format!("{address} ({path}) is taken, using {}", listener.local_addr()?));
                Ok(listener)
            }
        },
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address} ({path})")),
    }
}
