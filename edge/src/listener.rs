//! A listener of either plane: plain or TLS, HTTP/1.1 and HTTP/2, every connection within its bounds, and an end in which running
//! requests finish.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum::Router;
use axum_server::{Server, accept::NoDelayAcceptor, tls_rustls::RustlsAcceptor};
use tokio::task::JoinSet;

use crate::{
    connection::{BoundedAcceptor, Bounds},
    tls::Tls,
};

pub use axum_server::Handle;

/// Header fields of a request.
const HEADERS_MAX: usize = 100;

/// Streams that a client may open and reset before anyone looked at them; the next one ends the connection (CVE-2023-44487).
const RESET_STREAMS_MAX: usize = 20;

/// Streams that this side may have to reset for what a client did wrong before the connection ends (CVE-2025-8671).
const ERROR_STREAMS_MAX: usize = 100;

/// How often an HTTP/2 client that has requests open is asked whether it lives, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Hyper adds its clock to a point in time, and would panic where the sum is none.
const CLOCK_MAX: Duration = Duration::from_hours(24);

/// Binds an address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves a router on a listener, as one of the tasks. Handlers find the client's address in `ConnectInfo<SocketAddr>`.
pub fn serve(
    tasks: &mut JoinSet<io::Result<()>>,
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    tls: Option<&Tls>,
) -> io::Result<Handle<SocketAddr>> {
    let handle = Handle::new();
    let server = bounded(axum_server::from_tcp(listener)?.handle(handle.clone()), bounds);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let plain = NoDelayAcceptor::new();
    match tls {
        None => tasks.spawn(server.acceptor(BoundedAcceptor::new(plain, bounds)).serve(service)),
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(tls.config()).handshake_timeout(bounds.header_timeout).acceptor(plain);
            tasks.spawn(server.acceptor(BoundedAcceptor::new(acceptor, bounds)).serve(service))
        }
    };
    Ok(handle)
}

fn bounded<A>(server: Server<SocketAddr, A>, bounds: Bounds) -> Server<SocketAddr, A> {
    let mut server = server.first_request_timeout(bounds.header_timeout).accept_error_handler(|address, error| {
        let address = address.map(ToString::to_string);
        tracing::debug!(address, %error, "a connection was not accepted");
    });
    let builder = server.http_builder();
    // Heads are timed by `connection`: hyper's clock does not tell a slow head from a client that is at rest. It runs all the same,
    // because without it a connection is not looked at between two requests. The buffer bounds what a connection takes of the memory before its
    // request is known, and so how much of a body is read at once: hyper can tell the two apart (`max_header_size`), but not through its builder
    // for both versions of HTTP.
    let clock = bounds.idle_timeout.max(bounds.header_timeout).saturating_mul(2).min(CLOCK_MAX);
    builder.http1().header_read_timeout(clock).max_buf_size(bounds.header_bytes_max).max_headers(HEADERS_MAX);
    let header_list = u32::try_from(bounds.header_bytes_max).unwrap_or(u32::MAX);
    builder
        .http2()
        .max_concurrent_streams(bounds.streams_max)
        .max_header_list_size(header_list)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(ERROR_STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    server
}
