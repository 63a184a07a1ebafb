//! Serves the page of a run to browsers on this machine, and to nobody else.

use std::{
    io::SeekFrom,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Path as Part, Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    net::TcpListener,
};
use tokio_util::io::ReaderStream;

use crate::{
    cli::{ExitCode, Failed, args::ReportArguments, command::run::interrupt},
    report::{
        Printer, Problem,
        history::{self, History},
        html,
    },
};

pub(super) fn serve(run: &Path, arguments: &ReportArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let port = arguments.port;
    super::history(run).map_err(|error| super::no_record(run, &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let taken = |error: std::io::Error| {
            Failed::usage(Problem::new(format!("port {port} cannot be had: {error}")).help("name another"))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(taken)?;
        let address = listener.local_addr()?;
        let mut interrupts = interrupt::listen(None, None)?;
        printer.data(&format!("http://{address}/\n"))?;
        printer.say("Ctrl-C ends it\n");
        if arguments.open {
            let address = format!("http://{address}/");
            // a browser that comes up slowly must find the page served
            tokio::task::spawn_blocking(move || super::browser::open(address.as_ref()));
        }
        let served = axum::serve(listener, router(run.to_owned(), address)).into_future();
        tokio::select! {
            served = served => served?,
            _ = interrupts.recv() => {}
        }
        Ok(ExitCode::Success)
    })
}

fn router(run: PathBuf, address: SocketAddr) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/data.json", get(data))
        .route("/logs/{*trace}", get(log))
        .layer(middleware::from_fn_with_state(address, only_here))
        .with_state(Arc::new(run))
}

/// Refuses what asks for another host: a page elsewhere whose name was turned to this address.
async fn only_here(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if host == address.to_string() || host == format!("localhost:{}", address.port()) {
        let mut response = next.run(request).await;
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

async fn page(State(run): State<Arc<PathBuf>>) -> Response {
    let text = read(run, |history| {
        let mut text = Vec::new();
        html::write_live(&history, &mut text).map(|()| text)
    });
    text.await.map_or_else(IntoResponse::into_response, |text| Html(text).into_response())
}

async fn data(State(run): State<Arc<PathBuf>>) -> Response {
    let text = read(run, |history| Ok(serde_json::to_vec(&history)?)).await;
    let json = [(header::CONTENT_TYPE, "application/json")];
    text.map_or_else(IntoResponse::into_response, |text| (json, text).into_response())
}

/// Makes something of what the run has come to, in a thread that may block.
async fn read(
    run: Arc<PathBuf>,
    make: impl FnOnce(History) -> std::io::Result<Vec<u8>> + Send + 'static,
) -> Result<Vec<u8>, StatusCode> {
    let made = tokio::task::spawn_blocking(move || super::history(&run).and_then(make)).await;
    made.ok().and_then(Result::ok).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[derive(serde::Deserialize)]
struct From {
    #[serde(default)]
    from: u64,
}

/// A trace from a byte on, by its path in the folder of the run.
async fn log(
    State(run): State<Arc<PathBuf>>,
    Part(trace): Part<String>,
    Query(from): Query<From>,
) -> Response {
    let path = Path::new(&trace);
    let is_trace = path.extension().is_some_and(|it| it == "log") && history::inside(path).is_some();
    let opened = if is_trace { tail(&run.join(path), from.from).await.ok() } else { None };
    match opened {
        Some(body) => ([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn tail(trace: &Path, from: u64) -> std::io::Result<Body> {
    let mut file = File::open(trace).await?;
    let left = file.metadata().await?.len().saturating_sub(from);
    file.seek(SeekFrom::Start(from)).await?;
    Ok(Body::from_stream(ReaderStream::new(file.take(left))))
}
