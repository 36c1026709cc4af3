//! What the rooms tell of their work, as Prometheus reads it: every name, label and bucket. `docs/metrics.md` explains them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::system::meter::{Answered, Message, Meter, Stock, Traffic};

/// From the grain of a timer to the longest that a missed alarm waits for a restart by default.
const LATENESS: [f64; 13] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3_600.0];
const IMPORT: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0];
const REQUEST: [f64; 13] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Series that are there from the start at zero, so that an alert on one of them does not wait for its first count. A name that is missing
/// here shows when it is first told.
const DIALECTS: [&str; 4] = ["cti_messages", "side", "stomp", "wazo"];
const REASONS: [&str; 6] = ["broken", "lost", "refused", "silent", "slow", "stalled"];
const EVENTS: [&str; 13] = [
    "alarm",
    "alarm_answered",
    "changed",
    "group",
    "import",
    "list",
    "member",
    "notification",
    "presence",
    "published",
    "rights",
    "signed_out",
    "token_ended",
];
const FIRED: [(&str, &str); 2] = [("AUDIO", "side"), ("DISPLAY", "side")];
const FETCHED: [&str; 3] = ["failed", "imported", "unchanged"];
const OUTCOMES: [&str; 4] = ["created", "failed", "unchanged", "updated"];

/// One, two or three labels of a family.
type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];
type Three = (Two, [(&'static str, u16); 1]);

/// Everything that is measured in this process, since its start.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    dialects: Dialects,
    dropped: Family<One, Counter>,
    events: Family<One, Counter>,
    fired: Family<Two, Counter>,
    lateness: Histogram,
    pending: Gauge,
    items: Family<One, Counter>,
    import: Histogram,
    fetched: Family<One, Counter>,
    upstream: Family<[(&'static str, String); 1], Gauge<f64, AtomicU64>>,
    bytes: Gauge,
    requests: Family<Three, Counter>,
    request: Histogram,
}

impl Metrics {
    pub fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("campanile"),
            dialects: Dialects::default(),
            dropped: Family::default(),
            events: Family::default(),
            fired: Family::default(),
            lateness: Histogram::new(LATENESS),
            pending: Gauge::default(),
            items: Family::default(),
            import: Histogram::new(IMPORT),
            fetched: Family::default(),
            upstream: Family::default(),
            bytes: Gauge::default(),
            requests: Family::default(),
            request: Histogram::new(REQUEST),
        };
        let registry = &mut metrics.registry;
        registry.register_collector(Box::new(metrics.dialects.clone()));
        registry.register(
            "ws_dropped",
            "WebSockets that ended without a goodbye, or were refused",
            metrics.dropped.clone(),
        );
        registry.register("events", "Events handed to the bus", metrics.events.clone());
        registry.register("alarm_fired", "Alarms handed to a sink", metrics.fired.clone());
        let lateness = metrics.lateness.clone();
        registry.register_with_unit(
            "alarm_lateness",
            "From an alarm's instant to its publishing",
            Unit::Seconds,
            lateness,
        );
        registry.register(
            "alarms_pending",
            "Objects with an alarm ahead, and alarms made ready",
            metrics.pending.clone(),
        );
        registry.register("import_items", "Items of imports by what became of them", metrics.items.clone());
        registry.register_with_unit("import", "Work on one import", Unit::Seconds, metrics.import.clone());
        registry.register("feed_runs", "Looks at feeds by what came of them", metrics.fetched.clone());
        registry.register(
            "upstream_sync_age_seconds",
            "Since a feed of the configuration last succeeded",
            metrics.upstream.clone(),
        );
        registry.register_with_unit("store", "The store on disk", Unit::Bytes, metrics.bytes.clone());
        registry.register("http_requests", "HTTP requests answered", metrics.requests.clone());
        let request = metrics.request.clone();
        registry.register_with_unit("http_request", "From a request's head to its answer's", Unit::Seconds, request);
        metrics.begin();
        metrics
    }

    fn begin(&self) {
        for dialect in DIALECTS {
            self.traffic(dialect);
        }
        for reason in REASONS {
            self.dropped.get_or_create(&[("reason", reason)]).inc_by(0);
        }
        for event in EVENTS {
            self.events.get_or_create(&[("type", event)]).inc_by(0);
        }
        for (action, sink) in FIRED {
            self.fired.get_or_create(&[("action", action), ("sink", sink)]).inc_by(0);
        }
        for outcome in OUTCOMES {
            self.items.get_or_create(&[("outcome", outcome)]).inc_by(0);
        }
        for outcome in FETCHED {
            self.fetched.get_or_create(&[("outcome", outcome)]).inc_by(0);
        }
        // Any will do: an empty family is not shown at all.
        self.requests.get_or_create(&([("route", "/readyz"), ("method", "GET")], [("status", 200)])).inc_by(0);
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Meter for Metrics {
    fn traffic(&self, dialect: &'static str) -> Arc<Traffic> {
        self.dialects.lock().entry(dialect).or_default().clone()
    }

    fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&[("reason", reason)]).inc();
    }

    fn told(&self, event: &'static str) {
        self.events.get_or_create(&[("type", event)]).inc();
    }

    fn fired(&self, action: &'static str, sink: &'static str) {
        self.fired.get_or_create(&[("action", action), ("sink", sink)]).inc();
    }

    fn late(&self, by: Duration) {
        self.lateness.observe(by.as_secs_f64());
    }

    fn imported(&self, outcome: &'static str, items: u64) {
        self.items.get_or_create(&[("outcome", outcome)]).inc_by(items);
    }

    fn import_took(&self, time: Duration) {
        self.import.observe(time.as_secs_f64());
    }

    fn fetched(&self, outcome: &'static str) {
        self.fetched.get_or_create(&[("outcome", outcome)]).inc();
    }

    fn upstream(&self, ages: &[(String, Option<f64>)]) {
        self.upstream.clear();
        for (source, age) in ages {
            if let Some(age) = age {
                self.upstream.get_or_create(&[("source", source.clone())]).set(*age);
            }
        }
    }

    fn answered(&self, answer: Answered) {
        let Answered { route, method, status, time } = answer;
        self.requests.get_or_create(&([("route", route), ("method", method)], [("status", status)])).inc();
        self.request.observe(time.as_secs_f64());
    }

    fn stock(&self, stock: Stock) {
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.pending.set(gauge(stock.alarms_pending));
        self.bytes.set(gauge(stock.store_bytes));
    }

    fn text(&self) -> String {
        let mut encoded = String::new();
        // Writing to a String does not fail.
        let _ = text::encode_registry(&mut encoded, &self.registry);
        plain(&encoded)
    }
}

/// OpenMetrics, which the library writes, as the older text format, which every scraper reads: a counter's family has the name of its
/// samples there, and there are no units.
fn plain(open: &str) -> String {
    let mut plain = String::with_capacity(open.len());
    let mut lines = open.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(comment) = line.strip_prefix("# ") else {
            plain.extend([line, "\n"]);
            continue;
        };
        let (what, rest) = comment.split_once(' ').unwrap_or((comment, ""));
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        // The line that says what it is follows the one that explains it.
        let kind =
            if what == "TYPE" { rest } else { lines.peek().and_then(|next| next.rsplit(' ').next()).unwrap_or("") };
        let suffix = if kind == "counter" { "_total" } else { "" };
        if what != "UNIT" {
            plain.extend(["# ", what, " ", name, suffix, " ", rest, "\n"]);
        }
    }
    plain
}

/// The traffic of each dialect that had a socket.
#[derive(Clone, Debug, Default)]
struct Dialects(Arc<Mutex<BTreeMap<&'static str, Arc<Traffic>>>>);

impl Dialects {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Traffic>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Dialects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let dialects = self.lock().clone();
        let mut connections =
            encoder.encode_descriptor("ws_connections", "Open WebSockets", None, MetricType::Gauge)?;
        for (dialect, traffic) in &dialects {
            let labels = [("dialect", *dialect)];
            let gauge = ConstGauge::new(traffic.sockets());
            gauge.encode(connections.encode_family(&labels)?)?;
        }
        let help = "Messages taken from clients, and messages handed to their sockets";
        let mut messages = encoder.encode_descriptor("ws_messages", help, None, MetricType::Counter)?;
        for (dialect, traffic) in &dialects {
            for message in Message::ALL {
                let labels = [("dialect", *dialect), ("direction", message.direction()), ("kind", message.kind())];
                let counter = ConstCounter::new(traffic.messages(message));
                counter.encode(messages.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::meter::Counted;

    #[test]
    fn the_text_is_what_every_scraper_reads() {
        let metrics = Metrics::new();
        let socket = Counted::new(metrics.traffic("side"));
        socket.add(Message::News);
        metrics.told("alarm");
        metrics.late(Duration::from_millis(3));
        metrics.answered(Answered { route: "/a/{b}", method: "GET", status: 200, time: Duration::from_secs(1) });
        metrics.stock(Stock { alarms_pending: 7, store_bytes: 9 });
        let text = metrics.text();
        for line in [
            "# TYPE campanile_ws_messages_total counter",
            "# TYPE campanile_ws_connections gauge",
            "campanile_ws_connections{dialect=\"side\"} 1",
            "campanile_ws_messages_total{dialect=\"side\",direction=\"out\",kind=\"news\"} 1",
            "campanile_events_total{type=\"alarm\"} 1",
            "# HELP campanile_events_total Events handed to the bus.",
            "# TYPE campanile_alarm_lateness_seconds histogram",
            "campanile_alarm_lateness_seconds_bucket{le=\"0.001\"} 0",
            "campanile_alarm_lateness_seconds_bucket{le=\"0.005\"} 1",
            "campanile_alarm_lateness_seconds_bucket{le=\"3600.0\"} 1",
            "campanile_http_requests_total{route=\"/a/{b}\",method=\"GET\",status=\"200\"} 1",
            "campanile_ws_dropped_total{reason=\"slow\"} 0",
            "campanile_alarms_pending 7",
            "campanile_store_bytes 9",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("# UNIT") && !text.contains("# EOF"), "{text}");
        drop(socket);
        assert!(metrics.text().contains("campanile_ws_connections{dialect=\"side\"} 0"));
    }
}
