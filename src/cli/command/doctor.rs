//! `podline doctor`: what each engine finds here, and what to do about what it does not.

use crate::{
    cli::{
        ExitCode, Failed,
        args::Format,
        doctor::{Examination, Facts, Finding, State, examine, probe},
        settings::Environment,
    },
    report::{
        Printer,
        table::{Cell, Column, Fit, Table},
        text,
        theme::{Label, Theme},
    },
};

pub(super) fn doctor(
    format: Format,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let facts = runtime.block_on(probe(environment));
    let examination = examine(&facts);
    let text = match format {
        Format::Json => json(&examination, &facts),
        Format::Text => lines(&examination, &printer.data_theme(), printer.columns()).join("\n"),
    };
    printer.data(&format!("{text}\n"))?;
    Ok(if examination.auto.is_some() { ExitCode::Success } else { ExitCode::EngineFailed })
}

fn json(examination: &Examination, facts: &Facts) -> String {
    let all = serde_json::json!({
        "auto": examination.auto,
        "because": examination.because,
        "findings": examination.findings,
        "facts": facts,
    });
    serde_json::to_string_pretty(&all).expect("text and numbers are JSON")
}

/// The table, what to do about what is not as it should be, and the engine that `auto` takes.
fn lines(examination: &Examination, theme: &Theme, columns: usize) -> Vec<String> {
    let mut table = Table::new(vec![
        Column::new("engine"),
        Column::new("needs"),
        Column::new("state"),
        Column::new("found").fit(Fit::End(20)),
    ]);
    let mut last = "";
    for finding in &examination.findings {
        let engine = if finding.engine == last { "" } else { finding.engine };
        last = finding.engine;
        table.row(vec![
            Cell::text(engine),
            Cell::text(finding.what),
            state(finding.state, theme),
            Cell::text(finding.found.as_str()),
        ]);
    }
    let mut lines = table.lines(theme, columns);
    for finding in &examination.findings {
        lines.extend(fix(finding, theme, columns));
    }
    lines.push(String::new());
    let choice = match examination.auto {
        Some(engine) => format!("`--engine auto` takes {engine}: {}", examination.because),
        None => examination.because.clone(),
    };
    lines.extend(text::wrap(&choice, columns));
    lines
}

fn state(state: State, theme: &Theme) -> Cell {
    let (label, mark, word) = match state {
        State::Ok => (Label::Success, if theme.unicode { "✔" } else { "+" }, "ok"),
        State::Limited => (Label::Warning, "!", "limited"),
        State::Missing => (Label::Failure, if theme.unicode { "✖" } else { "x" }, "missing"),
    };
    Cell::new(label, format!("{mark} {word}"))
}

/// What to do, under what it is about.
fn fix(finding: &Finding, theme: &Theme, columns: usize) -> Vec<String> {
    let Some(fix) = finding.fix.as_ref().filter(|_| finding.state != State::Ok) else { return Vec::new() };
    let title = theme.paint(Label::Muted, format!("{}: {}", finding.engine, finding.what));
    let wrapped = text::wrap(&format!("{}. {fix}", finding.found), columns.saturating_sub(2));
    let indented = wrapped.into_iter().map(|line| format!("  {line}"));
    [String::new(), title].into_iter().chain(indented).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a machine's owner sees, by its facts as `--format json` gives them.
    fn seen(facts: &str, columns: usize) -> String {
        let facts: Facts = serde_json::from_str(facts).expect("facts");
        lines(&examine(&facts), &Theme::PLAIN, columns).join("\n")
    }

    const LAPTOP: &str = r#"{"os": "linux", "git": "2.39.5", "kind": "0.33.0", "kubectl": "1.34.4",
        "docker": {"host": "unix:///var/run/docker.sock", "version": "27.3.1", "cgroup": "2",
            "node_image": "kindest/node:v1.34.4"},
        "clusters": [{"name": "dev", "is_left_over": false}, {"name": "5f2c1a", "is_left_over": true}],
        "machine": {"has_user_namespaces": true, "has_subordinate_ids": true, "has_overlay": true,
            "is_cgroup_v2": true, "is_delegated": true, "network_programs": ["iptables"], "images": 3},
        "contexts": ["production", "staging"], "free_bytes": 81234567890}"#;

    const BARE: &str = r#"{"os": "linux", "git": "2.39.5",
        "docker": {"host": "unix:///var/run/docker.sock", "trouble": {
            "message": "no Docker engine answers at `unix:///var/run/docker.sock`: No such file or directory",
            "help": "start it with `sudo systemctl start docker`, or install it: https://docs.docker.com/engine/install/"}},
        "machine": {"has_overlay": true}, "free_bytes": 2345678901}"#;

    #[test]
    fn a_laptop_with_docker() {
        insta::assert_snapshot!("laptop 80", seen(LAPTOP, 80));
        insta::assert_snapshot!("laptop 200", seen(LAPTOP, 200));
    }

    #[test]
    fn a_machine_that_can_run_nothing() {
        insta::assert_snapshot!("bare 80", seen(BARE, 80));
        insta::assert_snapshot!("bare 40", seen(BARE, 40));
    }
}
