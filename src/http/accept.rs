//! The accept loop: TCP connections to HTTP requests, with the limits that keep one client from hurting the others. Routes nothing.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::http::tls::{Secure, Secured};
use crate::system::pace;

/// hyper takes no smaller bound of a request head.
const HEADER_BYTES_MIN: usize = 8 << 10;

/// How many connections over the limit are answered at a time; more are dropped without a word.
const TURNED_AWAY_MAX: usize = 64;

/// How long such a connection is given to take its answer.
const TURNED_AWAY: Duration = Duration::from_secs(1);

/// What a connection over the limit is told.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How long the loop rests when the system has no file descriptor left; connections wait in the listener's backlog meanwhile.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// An idle HTTP/2 connection is asked for a sign of life so often, and closed when none comes within the same time.
const HTTP2_ALIVE: Duration = Duration::from_secs(30);

/// Bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A connection whose next request head is not there within this time is closed.
    pub header_deadline: Duration,
    /// HTTP connections at a time, 0 for no limit; one more is answered 503 and closed. WebSockets are not among them: the hub counts those.
    pub connections_max: usize,
    /// The largest request head; a larger one is answered 431. Less than 8 KiB is taken for 8 KiB.
    pub header_bytes_max: usize,
    /// What the kernel may hold for a client that does not read. Its own default is megabytes per socket.
    pub send_buffer_bytes: usize,
    /// HTTP/2 by prior knowledge. WebSockets need HTTP/1.1 in any case.
    pub http2: bool,
    /// How long requests under way may take when the service stops; then their connections are dropped.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            header_deadline: Duration::from_secs(15),
            connections_max: 20_000,
            header_bytes_max: 64 << 10,
            send_buffer_bytes: 128 << 10,
            http2: true,
            drain: Duration::from_secs(10),
        }
    }
}

/// Who is at the other end of the connection: `warp::ext::get::<Peer>()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// How far the service is on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Requests under way are finished, no connection begins another.
    Draining,
    /// Nothing more is finished.
    Cut,
}

/// Serves without TLS until `stop` ends, then lets what is under way finish. Give it `TowerToHyperService::new(warp::service(routes))`.
pub async fn serve<S, B>(listener: TcpListener, service: S, settings: Settings, stop: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve_with(listener, None, service, settings, stop).await;
}

/// The same with TLS, where there is a certificate to show.
pub async fn serve_with<S, B>(
    listener: TcpListener,
    secure: Option<Secure>,
    service: S,
    settings: Settings,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let builder = Arc::new(builder(&settings));
    let room = Arc::new(Semaphore::new(match settings.connections_max {
        0 => Semaphore::MAX_PERMITS,
        max => max.min(Semaphore::MAX_PERMITS),
    }));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let (stage, _) = watch::channel(Stage::Open);
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    rest_after(&error).await;
                    continue;
                }
            },
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            // Over TLS an answer would cost the handshake that there is no room for.
            if secure.is_none()
                && let Ok(place) = Arc::clone(&turned_away).try_acquire_owned()
            {
                tokio::spawn(async move {
                    let _place = place;
                    turn_away(stream).await;
                });
            }
            continue;
        };
        prepare(&stream, &settings);
        let (builder, service, stage) = (Arc::clone(&builder), service.clone(), stage.subscribe());
        let (secure, deadline) = (secure.clone(), settings.header_deadline);
        tokio::spawn(async move {
            let _place = place;
            match secure {
                None => connection(builder, stream, Peer(peer), service, deadline, stage).await,
                Some(secure) => {
                    if let Some(stream) = shaken(&secure, stream, deadline, stage.clone()).await {
                        // Boxed: room for it would lie in every task.
                        Box::pin(connection(builder, stream, Peer(peer), service, deadline, stage)).await;
                    }
                }
            }
        });
    }
    drop(listener);
    stage.send_replace(Stage::Draining);
    if pace::within(settings.drain, stage.closed()).await.is_none() {
        stage.send_replace(Stage::Cut);
        stage.closed().await;
    }
}

fn builder(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let header_bytes_max = settings.header_bytes_max.max(HEADER_BYTES_MIN);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_deadline)
        .max_buf_size(header_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(header_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_ALIVE)
        .keep_alive_timeout(HTTP2_ALIVE);
    if settings.http2 { builder } else { builder.http1_only() }
}

/// Runs one connection to its end, whatever it is made of.
async fn connection<I, S, B>(
    builder: Arc<Builder<TokioExecutor>>,
    stream: I,
    peer: Peer,
    service: S,
    header_deadline: Duration,
    mut stage: watch::Receiver<Stage>,
) where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let spoke = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&spoke);
    let service = service_fn(move |mut request: Request<Incoming>| {
        heard.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        // CONNECT names a host and no path, and warp's routes panic without one. It asks this server as a whole, which says no.
        if request.uri().path_and_query().is_none() {
            *request.uri_mut() = Uri::from_static("/");
        }
        service.call(request)
    });
    let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    // hyper-util waits without end for the bytes that tell HTTP/1 from HTTP/2, so the first request has a deadline here as well.
    let mut first = pin!(pace::sleep(header_deadline));
    let mut waited = false;
    let mut draining = false;
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "connection ended");
                }
                return;
            }
            () = first.as_mut(), if !waited => {
                if !spoke.load(Ordering::Relaxed) {
                    return;
                }
                waited = true;
            }
            // A dropped sender counts as the end as well.
            moved = stage.changed() => {
                if moved.is_err() || *stage.borrow_and_update() == Stage::Cut {
                    return;
                }
                if !draining {
                    draining = true;
                    serving.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The connection behind its handshake; `None` where that failed, took too long, or the service stops meanwhile.
async fn shaken(
    secure: &Secure,
    stream: TcpStream,
    deadline: Duration,
    mut stage: watch::Receiver<Stage>,
) -> Option<Secured> {
    tokio::select! {
        shaken = pace::within(deadline, secure.shake(stream)) => match shaken? {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, "no tls");
                None
            }
        },
        // Any move is one towards the end.
        _ = stage.changed() => None,
    }
}

/// Small frames go out at once, and the kernel holds little for a client that does not read. A socket that refuses is served as it is.
fn prepare(stream: &TcpStream, settings: &Settings) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    if settings.send_buffer_bytes != 0
        && let Err(error) = SockRef::from(stream).set_send_buffer_size(settings.send_buffer_bytes)
    {
        tracing::debug!(%error, "no SO_SNDBUF");
    }
}

/// Says that there is no room, and reads until the client goes: a reset would overtake the answer.
async fn turn_away(mut stream: TcpStream) {
    let goodbye = async {
        stream.write_all(NO_ROOM).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 512];
        while stream.read(&mut ignored).await? > 0 {}
        io::Result::Ok(())
    };
    // It is dropped in any case.
    let _ = pace::within(TURNED_AWAY, goodbye).await;
}

/// A connection that broke before it was taken is nobody's trouble; anything else passes with time.
async fn rest_after(error: &io::Error) {
    if !matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
    {
        tracing::warn!(%error, "cannot accept connections");
        pace::sleep(OUT_OF_FILES).await;
    }
}
