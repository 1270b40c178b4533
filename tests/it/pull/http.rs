//! A simulated platform on a socket, plain or behind TLS, with everything it was asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::post;
use greenlane::core::day::Moment;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::platform::{Fault, Platform, Reply};

/// What stands around a platform: who may ask, and in which wrapping.
pub type Wrapping = fn(&HeaderMap, &str) -> Result<String, StatusCode>;
/// How an answer is wrapped.
pub type Unwrapping = fn(&[u8]) -> Vec<u8>;

/// A platform on a socket. Gone when dropped.
pub struct Served {
    pub url: String,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    platform: Mutex<Platform>,
    /// The platform's time in µs.
    now: AtomicI64,
    /// The operator of each request, in order.
    asked_by: Mutex<Vec<String>>,
    open: Wrapping,
    close: Unwrapping,
}

impl Served {
    pub async fn start(platform: Platform, now: i64) -> Served {
        Served::wrapped(platform, now, |_, body| Ok(body.to_owned()), <[u8]>::to_vec).await
    }

    pub async fn wrapped(
        platform: Platform,
        now: i64,
        open: Wrapping,
        close: Unwrapping,
    ) -> Served {
        let shared = Arc::new(Shared {
            platform: Mutex::new(platform),
            now: AtomicI64::new(now),
            asked_by: Mutex::default(),
            open,
            close,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/5203", listener.local_addr().unwrap());
        let router = Router::new().route("/5203", post(answer)).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Served { url, shared, tasks: vec![serving] }
    }

    /// Puts TLS before it, on a port of its own.
    pub async fn behind_tls(&mut self, config: ServerConfig) {
        let inner: SocketAddr = self.url[7..].split('/').next().unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.url = format!("https://localhost:{}/5203", listener.local_addr().unwrap().port());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        self.tasks.push(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut outside) = acceptor.accept(stream).await else { return };
                    let mut inside = TcpStream::connect(inner).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        }));
    }

    /// Moves its time.
    pub fn set_now(&self, micros: i64) {
        self.shared.now.store(micros, Ordering::Relaxed);
    }

    /// Who asked, in order.
    pub fn asked_by(&self) -> Vec<String> {
        self.shared.asked_by.lock().unwrap().clone()
    }

    /// Every settlement that can be seen now, and whether it is taken back.
    pub fn settlements(&self) -> std::collections::BTreeMap<String, bool> {
        let now = Moment::from_micros(self.shared.now.load(Ordering::Relaxed));
        self.shared.platform.lock().unwrap().settlements(now)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: String,
) -> Result<Response<Body>, StatusCode> {
    let body = (shared.open)(&headers, &body)?;
    let asked: Value = serde_json::from_str(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    shared.asked_by.lock().unwrap().push(asked["opter"].as_str().unwrap().to_owned());
    let now = Moment::from_micros(shared.now.load(Ordering::Relaxed));
    let reply = shared.platform.lock().unwrap().answer(&body, now);
    let bytes = match reply {
        Reply::Body(bytes) => bytes,
        Reply::Fault(Fault::Refused) => {
            r#"{"infcode": -1, "err_msg": "人员 测试员 不存在"}"#.as_bytes().to_vec()
        }
        // Until the caller hangs up.
        Reply::Fault(Fault::Slow) => std::future::pending().await,
        Reply::Fault(_) => return Err(StatusCode::INTERNAL_SERVER_ERROR),
    };
    Ok(Response::new(Body::from((shared.close)(&bytes))))
}
