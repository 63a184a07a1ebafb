//! Services that cannot run beside each other: all containers of a pod share one network, so a port has one owner.

use std::collections::HashSet;

use crate::{
    config::{Diagnostic, Diagnostics, Span, keyword::job::Service},
    pipeline::Pipeline,
};

/// Images of servers and the port that they listen on unless they are told otherwise, by the last part of their name.
const WELL_KNOWN: [(&str, u16); 34] = [
    ("cassandra", 9042),
    ("clickhouse-server", 8123),
    ("clickhouse", 8123),
    ("cockroach", 26257),
    ("couchdb", 5984),
    ("docker", 2375),
    ("dynamodb-local", 8000),
    ("elasticsearch", 9200),
    ("etcd", 2379),
    ("httpd", 80),
    ("influxdb", 8086),
    ("kafka", 9092),
    ("localstack", 4566),
    ("mailhog", 1025),
    ("mariadb", 3306),
    ("memcached", 11211),
    ("minio", 9000),
    ("mongo", 27017),
    ("mongodb", 27017),
    ("mysql", 3306),
    ("nats", 4222),
    ("neo4j", 7687),
    ("nginx", 80),
    ("opensearch", 9200),
    ("percona", 3306),
    ("postgis", 5432),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("rabbitmq", 5672),
    ("redis", 6379),
    ("registry", 5000),
    ("selenium", 4444),
    ("valkey", 6379),
    ("vault", 8200),
];

/// A warning for every two services of a job that will listen on one port, as far as that is known before they run:
/// by `HEALTHCHECK_TCP_PORT`, by a port that the command names, or by an image that everybody knows and that is not
/// told anything about ports.
pub fn shared(pipeline: &Pipeline) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    // instances of one job have the same services
    let mut told: HashSet<(Span, Span)> = HashSet::new();
    for job in &pipeline.jobs {
        let known: Vec<_> = job.services.iter().filter_map(|it| Some((it, port(it)?))).collect();
        for (at, (second, port)) in known.iter().enumerate() {
            let Some((first, _)) = known[..at].iter().find(|(_, other)| other == port) else { continue };
            let (one, other) = (&first.image.name, &second.image.name);
            if told.insert((one.span, other.span)) {
                diagnostics.push(warning(&job.name, (first, second), *port));
            }
        }
    }
    diagnostics
}

fn warning(job: &str, (first, second): (&Service, &Service), port: u16) -> Diagnostic {
    let message =
        format!("services {} and {} of job `{job}` both listen on port {port}", name(first), name(second));
    Diagnostic::warning("services-on-one-port", message, second.image.name.span).help(
        "the containers of a pod share one network, so the second cannot start: give one of them another port by its \
         `command` or `variables`",
    )
}

/// A service as a job names it.
fn name(service: &Service) -> String {
    let image = &service.image.name.value;
    match service.aliases.first() {
        Some(alias) => format!("`{alias}` (`{image}`)"),
        None => format!("`{image}`"),
    }
}

/// The port that a service will listen on, where that is known.
fn port(service: &Service) -> Option<u16> {
    if let Some(variable) = service.variables.get("HEALTHCHECK_TCP_PORT") {
        return variable.value.trim().parse().ok();
    }
    let words: Vec<&str> = service
        .image
        .entrypoint
        .iter()
        .chain(&service.command)
        .flatten()
        .flat_map(|word| word.split_whitespace())
        .collect();
    if let Some(port) = asked_for(&words) {
        return Some(port);
    }
    let is_told = words.iter().any(|word| may_be_about_ports(word))
        || service.variables.keys().any(|name| name.to_ascii_uppercase().contains("PORT"));
    if is_told {
        return None;
    }
    let image = last_part(&service.image.name.value);
    WELL_KNOWN.iter().find(|(known, _)| *known == image).map(|(_, port)| *port)
}

/// The port that a command names: `--port=5433`, `--port 5433`, `-p 5433`.
fn asked_for(words: &[&str]) -> Option<u16> {
    let following =
        words.windows(2).filter(|pair| matches!(pair[0], "--port" | "-port" | "-p")).map(|pair| pair[1]);
    let joined = words.iter().filter_map(|word| word.strip_prefix("--port="));
    following.chain(joined).find_map(|port| port.trim_end_matches(';').parse().ok())
}

/// Whether an argument may change the port: `-c port=5433`, `0.0.0.0:81`, a script.
fn may_be_about_ports(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["port", "addr", "listen", "bind", ":", ".conf"].iter().any(|hint| word.contains(hint)) || word == "-c"
}

/// The last part of an image's name, without registry, path, tag and digest.
fn last_part(image: &str) -> &str {
    let (image, _) = image.split_once('@').unwrap_or((image, ""));
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(':').next().unwrap_or(last)
}
