//! The feature store's Redis: one that runs already, one that is started, or none.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use super::child::Child;

const USUAL_PORT: u16 = 6379;

#[derive(Debug)]
pub(super) enum Redis {
    /// It was there.
    Running(String),
    /// It was started on a free port.
    Started(String, Box<Child>),
    /// There is none: the store is in the service's memory.
    Absent,
}

impl Redis {
    pub(super) async fn find() -> Redis {
        if answers(USUAL_PORT).await {
            return Redis::Running(url(USUAL_PORT));
        }
        match start().await {
            Some((port, child)) => Redis::Started(url(port), Box::new(child)),
            None => Redis::Absent,
        }
    }

    pub(super) fn url(&self) -> Option<&str> {
        match self {
            Redis::Running(url) | Redis::Started(url, _) => Some(url),
            Redis::Absent => None,
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Redis::Running(url) => format!("Redis at {url}"),
            Redis::Started(url, _) => format!("Redis, started at {url}"),
            Redis::Absent => "in memory; with redis-server installed it would be Redis".to_owned(),
        }
    }

    pub(super) async fn stop(self) {
        if let Redis::Started(_, child) = self {
            child.stop().await;
        }
    }
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

async fn start() -> Option<(u16, Child)> {
    /// Redis does not end with its standard input; this shell sees to that.
    const SCRIPT: &str = "redis-server --port \"$0\" --bind 127.0.0.1 --save '' --appendonly no \
                          >/dev/null 2>&1 </dev/null & pid=$!; cat >/dev/null; kill $pid; wait";
    let installed = Command::new("redis-server")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok_and(|status| status.success());
    if !installed {
        return None;
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?.local_addr().ok()?.port();
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, &port.to_string()]);
    let child = Child::start(command).ok()?;
    for _ in 0..50 {
        if answers(port).await {
            return Some((port, child));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    child.stop().await;
    None
}

async fn answers(port: u16) -> bool {
    let ping = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await.ok()?;
        (&answer == b"+PONG\r\n").then_some(())
    };
    matches!(tokio::time::timeout(Duration::from_millis(500), ping).await, Ok(Some(())))
}
