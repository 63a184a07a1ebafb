//! `podline cluster`: clusters that stay, and what is left of those that should not.

use jiff::Timestamp;

use super::run::interrupt;
use crate::{
    cli::{
        ExitCode, Failed,
        args::{ClusterCommand, ExistingArguments, Format, KindArguments},
        engine::{
            kind::{connect, full_name, options, short_name},
            kube,
        },
        settings::Environment,
    },
    engine::{
        Step, existing,
        kind::{Known, Lifetime, Use},
    },
    report::{
        Printer,
        spinner::Spinner,
        table::{Cell, Column, Table},
        theme::Look,
    },
    runner::pod::labels,
};

pub(super) fn cluster(
    command: &ClusterCommand,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            ClusterCommand::Up { name, kind } => up(name, kind, environment, printer).await,
            ClusterCommand::Down { name } => down(name, environment, printer).await,
            ClusterCommand::List { format } => list(*format, environment, printer).await,
            ClusterCommand::Prune { existing } if *existing != ExistingArguments::default() => {
                prune_existing(existing, environment, printer).await
            }
            ClusterCommand::Prune { .. } => prune(environment, printer).await,
        }
    })?;
    Ok(ExitCode::Success)
}

async fn up(
    name: &str,
    arguments: &KindArguments,
    environment: &Environment,
    printer: &Printer,
) -> Result<(), Failed> {
    let mut interrupts = interrupt::listen(None, None)?;
    let kind = connect(environment).await?;
    let name = full_name(name);
    let is_there = kind.list().await?.iter().any(|known| known.name == name);
    let options = options(&kind, name.clone(), Lifetime::Kept, Vec::new(), arguments, None).await?;
    let warn = |step| {
        if let Step::Warning(message) = step {
            printer.say(&format!("warning: {message}\n"));
        }
    };
    let started = std::time::Instant::now();
    let spinner = Spinner::start(printer, format!("creating the cluster `{name}`"));
    let made = tokio::select! {
        made = kind.create(&options, &warn) => made.map(drop).map_err(Failed::from),
        _ = interrupts.recv(), if !is_there => {
            // what was made half way would keep the name
            kind.delete(&name).await?;
            Err(Failed::told(ExitCode::Interrupted))
        }
    };
    drop(spinner);
    made?;
    let mark = printer.theme().mark(Look::Success);
    let (short, took) = (short_name(&name), started.elapsed().as_secs_f64());
    printer.say(&format!("{mark} `{name}` is up after {took:.0}s: `podline run --cluster {short}`\n"));
    Ok(())
}

async fn down(name: &str, environment: &Environment, printer: &Printer) -> Result<(), Failed> {
    let kind = connect(environment).await?;
    let name = full_name(name);
    let is_there = kind.list().await?.iter().any(|known| known.name == name);
    if !is_there {
        printer.say(&format!("there is no cluster `{name}`\n"));
        return Ok(());
    }
    let spinner = Spinner::start(printer, format!("removing the cluster `{name}`"));
    let result = kind.delete(&name).await;
    drop(spinner);
    result?;
    printer.say(&format!("{} `{name}` is removed\n", printer.theme().mark(Look::Success)));
    Ok(())
}

/// A cluster as programs see it.
#[derive(serde::Serialize)]
struct Row<'k> {
    name: &'k str,
    created: Option<Timestamp>,
    node_image: Option<&'k str>,
    running: bool,
    used: &'static str,
}

async fn list(format: Format, environment: &Environment, printer: &Printer) -> Result<(), Failed> {
    let known = connect(environment).await?.list().await?;
    if format == Format::Json {
        let rows: Vec<Row<'_>> = known.iter().map(row).collect();
        let text = serde_json::to_string_pretty(&rows).expect("rows of text are JSON");
        return Ok(printer.data(&format!("{text}\n"))?);
    }
    if known.is_empty() {
        printer.say("there is no cluster of podline's: `podline cluster up` makes one\n");
        return Ok(());
    }
    let columns = ["name", "age", "node image", "state"].map(Column::new);
    let mut table = Table::new(columns.into());
    for known in &known {
        let row = row(known);
        let state = if row.running { row.used } else { "stopped" };
        let cells = [
            short_name(row.name).to_owned(),
            age(row.created),
            row.node_image.unwrap_or("none").to_owned(),
            state.to_owned(),
        ];
        table.row(cells.map(Cell::text).into());
    }
    let lines = table.lines(&printer.data_theme(), printer.columns());
    Ok(printer.data(&format!("{}\n", lines.join("\n")))?)
}

fn row(known: &Known) -> Row<'_> {
    Row {
        name: &known.name,
        created: known.created,
        node_image: known.node_image.as_deref(),
        running: known.running,
        used: match known.used {
            Use::Held => "in use",
            Use::Kept => "kept",
            Use::Abandoned => "left over: `podline cluster prune` removes it",
        },
    }
}

/// How long ago, in its largest unit.
fn age(since: Option<Timestamp>) -> String {
    let Some(since) = since else { return "unknown".to_owned() };
    let seconds = Timestamp::now().duration_since(since).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

async fn prune(environment: &Environment, printer: &Printer) -> Result<(), Failed> {
    let kind = connect(environment).await?;
    let clusters = kind.prune().await?;
    let runs = kind.prune_pods(labels::RUN).await?;
    if clusters.is_empty() && runs.is_empty() {
        printer.say("nothing is left over\n");
    }
    if !clusters.is_empty() {
        printer.say(&format!("removed {}\n", clusters.join(", ")));
    }
    if !runs.is_empty() {
        printer.say(&format!("removed the pods of {}\n", runs.join(", ")));
    }
    Ok(())
}

async fn prune_existing(
    arguments: &ExistingArguments,
    environment: &Environment,
    printer: &Printer,
) -> Result<(), Failed> {
    let place = kube::existing(arguments, None, environment)?;
    let runs = existing::prune(&place, &kube::state(environment), labels::RUN).await?;
    printer.say(&match runs.is_empty() {
        true => format!("nothing is left over in `{}`\n", place.context),
        false => format!("removed what was left of {}\n", runs.join(", ")),
    });
    Ok(())
}
