//! What all services have in common: listening, stopping.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use sdk::WithDispatchLayer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Requests that are still running this long after the stop are cut off.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Serves until `shutdown`, then lets running requests end.
pub(crate) async fn serve(
    router: Router,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let service = router
        .layer(WithDispatchLayer::current())
        .into_make_service_with_connect_info::<SocketAddr>();
    let server =
        axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_WITHIN).await;
    };
    tokio::select! {
        served = server.into_future() => served.map_err(Error::Serve),
        () = drained => Ok(()),
    }
}
