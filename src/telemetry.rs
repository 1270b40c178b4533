//! Log lines to stderr and, where a collector is named, traces and metrics by OTLP. Decides nothing about what
//! is worth a line: that is said where things happen.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{ConfigError, LogFormat};

/// What the exporter itself is made of. Traces of sending traces would never end.
const EXPORTER_TARGETS: [&str; 5] = ["h2", "hyper", "opentelemetry", "tonic", "tower"];

/// How long the last traces, and the last metrics, may take: a collector that hangs must not hold up a shutdown.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// Owns what still has to be sent; keep it until the process ends.
#[derive(Debug)]
#[must_use = "dropping it ends the export of traces and metrics"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
    meters: Option<SdkMeterProvider>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_MAX)
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
        if let Some(meters) = &self.meters
            && let Err(error) = meters.shutdown_with_timeout(FLUSH_MAX)
        {
            tracing::warn!(%error, "the last metrics were not sent");
        }
    }
}

/// Starts logging for the whole process. Call it once, first, and inside a multi-threaded runtime
/// where `otlp_endpoint` is given: the exporter's connection lives on that runtime.
pub fn init(
    format: LogFormat,
    filter: &str,
    otlp_endpoint: Option<&str>,
) -> Result<Guard, ConfigError> {
    let wrong = |setting: &str, problem: String| ConfigError { setting: setting.into(), problem };
    let filter =
        EnvFilter::builder().parse(filter).map_err(|error| wrong("log", error.to_string()))?;
    let provider = otlp_endpoint
        .map(provider)
        .transpose()
        .map_err(|problem| wrong("otlp_endpoint", problem))?;
    let meters =
        otlp_endpoint.map(meters).transpose().map_err(|problem| wrong("otlp_endpoint", problem))?;
    if let Some(meters) = &meters {
        opentelemetry::global::set_meter_provider(meters.clone());
    }
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("greenlane")).with_filter(
            filter_fn(|it| EXPORTER_TARGETS.iter().all(|target| !it.target().starts_with(target))),
        )
    });
    tracing_subscriber::registry()
        .with(lines(format))
        .with(traces)
        .with(filter)
        .try_init()
        .map_err(|error| wrong("log", error.to_string()))?;
    Ok(Guard { provider, meters })
}

/// One figure of a gauge with its labels.
pub type Figure = (Vec<(&'static str, String)>, i64);

/// Registers a gauge that `read` is asked for whenever metrics are sent. Without a collector it is
/// never asked. Labels are few and name no person.
pub fn gauge(
    name: String,
    unit: &'static str,
    description: &'static str,
    read: impl Fn() -> Vec<Figure> + Send + Sync + 'static,
) {
    opentelemetry::global::meter("greenlane")
        .i64_observable_gauge(name)
        .with_unit(unit)
        .with_description(description)
        .with_callback(move |observer| {
            for (labels, figure) in read() {
                let labels: Vec<KeyValue> =
                    labels.into_iter().map(|(label, value)| KeyValue::new(label, value)).collect();
                observer.observe(figure, &labels);
            }
        })
        .build();
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
    }
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, String> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| error.to_string())?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build())
}

/// Metrics are read and sent once a minute.
fn meters(endpoint: &str) -> Result<SdkMeterProvider, String> {
    let exporter = opentelemetry_otlp::MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| error.to_string())?;
    let meters = SdkMeterProvider::builder().with_periodic_exporter(exporter);
    Ok(meters.with_resource(resource()).build())
}

fn resource() -> Resource {
    Resource::builder().with_service_name("greenlane").build()
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::Tracer as _;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Without the flush the traces of a short life, and the last ones of any, never leave.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_guard_sends_what_is_left() {
        let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let first_bytes = tokio::spawn(async move {
            let (mut connection, _) = collector.accept().await.unwrap();
            let mut preface = [0; 14];
            connection.read_exact(&mut preface).await.unwrap();
            preface
        });
        let provider = provider(&endpoint).unwrap();
        provider.tracer("test").start("span");
        drop(Guard { provider: Some(provider), meters: None });
        assert_eq!(&first_bytes.await.unwrap(), b"PRI * HTTP/2.0");
    }

    #[test]
    fn a_wrong_filter_starts_nothing() {
        let error = init(LogFormat::Text, "greenlane=loud", None).unwrap_err();
        assert_eq!(error.setting, "log");
    }
}
