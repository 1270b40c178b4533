//! An HTTP endpoint that speaks the envelope of 5203: one page at a time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Identity, Response, redirect};

use super::hook::{self, HookError};
use crate::cli::serve::error_chain;
use crate::clock;
use crate::config::ConfigError;
use crate::intake::pull::{Answer, Endpoint, Envelope, Page, Query, Unusable, body, input};

/// What one answer may hold: a page of the largest records.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The variable in which a program finds the signature that it is to check.
const SIGNATURE_VARIABLE: &str = "CAINFO";

/// Why a page did not come. Never says what an answer held.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the endpoint cannot be reached: {0}")]
    Connect(String),
    #[error("the endpoint did not answer in time")]
    Timeout,
    #[error("the endpoint answers HTTP {0}")]
    Status(u16),
    #[error("the answer was cut short")]
    CutShort,
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("the answer's signature does not fit")]
    WrongSignature,
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error("the value of header {0} cannot be read from its file")]
    Header(String),
}

/// Asks one endpoint.
pub(super) struct Fetcher {
    endpoint: Endpoint,
    client: Client,
    serial: AtomicU32,
}

impl Fetcher {
    /// Prepares to ask. Reads certificates now; secrets in headers are read for each request, so that
    /// they can be changed under way. An error names the setting of the sender.
    pub(super) fn new(sender: &str, endpoint: Endpoint) -> Result<Fetcher, ConfigError> {
        let wrong = |key: &str, problem: String| {
            let setting = format!("sender {sender}: {key}");
            ConfigError { setting, problem }
        };
        let mut builder = Client::builder()
            .user_agent(concat!("greenlane/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(endpoint.timeout)
            // Where it leads to is not what was configured.
            .redirect(redirect::Policy::none())
            .no_proxy();
        if let Some(path) = &endpoint.ca_file {
            let certificates = read(path).and_then(|pem| {
                Certificate::from_pem_bundle(&pem).map_err(|_| "holds no certificates".to_owned())
            });
            let certificates = certificates.map_err(|it| wrong("ca_file", it))?;
            if certificates.is_empty() {
                return Err(wrong("ca_file", "holds no certificates".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(path) = &endpoint.client_certificate_file {
            let identity = read(path).and_then(|pem| {
                let problem = "must hold a certificate and its key, both PEM";
                Identity::from_pem(&pem).map_err(|_| problem.to_owned())
            });
            builder = builder
                .identity(identity.map_err(|problem| wrong("client_certificate_file", problem))?);
        }
        for (name, path) in &endpoint.header_files {
            header(name, path).map_err(|()| {
                wrong("header_files", format!("the value of {name} cannot be read from its file"))
            })?;
        }
        let client = builder.build().map_err(|error| wrong("endpoint", error_chain(&error)))?;
        Ok(Fetcher { endpoint, client, serial: AtomicU32::new(0) })
    }

    /// What is asked.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Fetches one page.
    pub(super) async fn fetch(&self, query: &Query) -> Result<Page, FetchError> {
        let request = self.request(query).await?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, path) in &self.endpoint.header_files {
            let told = || FetchError::Header(name.clone());
            let (name, value) = header(name, path).map_err(|()| told())?;
            headers.insert(name, value);
        }
        let call = self.client.post(&self.endpoint.url).headers(headers).body(request);
        let answer = call.send().await.map_err(broken)?;
        if !answer.status().is_success() {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        self.open(&whole(answer).await?).await
    }

    async fn request(&self, query: &Query) -> Result<String, FetchError> {
        let mut text = input(&self.endpoint, query);
        if let Some(encryption) = &self.endpoint.encryption {
            text = hook::run(&encryption.encrypt, &text, (SIGNATURE_VARIABLE, "")).await?;
        }
        let signature = match &self.endpoint.signature {
            Some(signature) => {
                Some(hook::run(&signature.sign, &text, (SIGNATURE_VARIABLE, "")).await?)
            }
            None => None,
        };
        let envelope = Envelope {
            input: &text,
            signature: signature.as_deref(),
            now: clock::now(),
            serial: self.serial.fetch_add(1, Ordering::Relaxed),
        };
        Ok(body(&self.endpoint, &envelope))
    }

    /// Opens the envelope, checks the signature and decrypts.
    async fn open(&self, answer: &[u8]) -> Result<Page, FetchError> {
        let answer = Answer::read(answer)?;
        let verify = self.endpoint.signature.as_ref().and_then(|it| it.verify.as_ref());
        if let Some(verify) = verify {
            let signature = answer.signature.as_deref().ok_or(FetchError::WrongSignature)?;
            let checked = hook::run(verify, &answer.output, (SIGNATURE_VARIABLE, signature)).await;
            checked.map_err(|_| FetchError::WrongSignature)?;
        }
        let output = match &self.endpoint.encryption {
            Some(encryption) if !answer.output.is_empty() => {
                hook::run(&encryption.decrypt, &answer.output, (SIGNATURE_VARIABLE, "")).await?
            }
            _ => answer.output,
        };
        Ok(Page::read(&output, self.endpoint.paged_by)?)
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn header(name: &str, path: &Path) -> Result<(HeaderName, HeaderValue), ()> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(drop)?;
    let text = std::fs::read_to_string(path).map_err(drop)?;
    let mut value = HeaderValue::from_str(text.trim()).map_err(drop)?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The bytes of an answer, bounded.
async fn whole(mut answer: Response) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if ANSWER_BYTES_MAX < bytes.len() + chunk.len() {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn broken(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        FetchError::Timeout
    } else if error.is_connect() {
        FetchError::Connect(error_chain(&error.without_url()))
    } else {
        FetchError::CutShort
    }
}
