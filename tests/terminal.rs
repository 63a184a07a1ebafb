//! `podline run` and `podline shell` in a real pseudo-terminal.

#![cfg(unix)]
#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use podline::{
    event::{Event, Outline, OutlineJob},
    report::{
        Hands, Printer, Surroundings, follow,
        printer::{Color, View},
    },
};
use regex::{Captures, Regex};
use rustix::process::Signal;

use crate::support::{
    Project, cluster,
    pty::{OnTerminal, Terminal},
};

/// Runs on this machine's own files, without a cluster: for what is about the terminal alone.
#[cfg(target_os = "linux")]
struct Here {
    project: Project,
    machine: tempfile::TempDir,
}

#[cfg(target_os = "linux")]
impl Here {
    fn with(configuration: &str) -> Self {
        Self { project: Project::with(configuration), machine: tempfile::tempdir().expect("a folder") }
    }

    fn podline(&self, arguments: &str) -> OnTerminal {
        OnTerminal::podline(&self.project, arguments.split(' '))
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("PODLINE_STATE", self.machine.path().join("state"))
            .env("PODLINE_CACHE", self.machine.path().join("cache"))
    }

    fn run(&self) -> OnTerminal {
        self.podline("run --engine embedded --image-fallback host")
    }
}

/// Every state that a live view shows: done, failed but allowed, running, waiting for a job, for a stage, for
/// somebody.
#[cfg(target_os = "linux")]
const STATES: &str = r#"
stages: [build, test, deploy]
default: { image: none }
compile: { stage: build, script: echo compiled }
unit:
  stage: test
  parallel: { matrix: [{ KIND: [fast, thorough] }] }
  script: 'echo "tests of the $KIND kind" && sleep 600'
style: { stage: test, script: exit 3, allow_failure: true }
report: { stage: test, needs: ["unit: [fast]"], script: echo report }
publish: { stage: deploy, script: echo published }
production: { stage: deploy, script: echo deployed, environment: production }
"#;

/// A screen without what differs from run to run; what stands right of that stays where it is.
#[cfg(target_os = "linux")]
fn settled(screen: &str) -> String {
    let replace = |pattern: &str, text: &str, with: &dyn Fn(usize) -> String| {
        let pattern = Regex::new(pattern).expect("a pattern");
        pattern.replace_all(text, |found: &Captures<'_>| with(found[0].len())).into_owned()
    };
    let screen = replace("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", screen, &|_| "⠿".to_owned());
    let screen = replace(r" {2,}[0-9.]+s\b", &screen, &|length| format!("{:>length$}", "#s"));
    let screen = replace(r" [0-9.]+s\b", &screen, &|_| " #s".to_owned());
    replace(r"[0-9.]+/1 cpu  [0-9]+Mi/1Gi *", &screen, &|length| format!("{:<length$}", "#.#/1 cpu  #Mi/1Gi"))
}

#[test]
#[cfg(target_os = "linux")]
fn the_live_view_at_40_80_and_200_columns() {
    for columns in [40, 80, 200] {
        let here = Here::with(STATES);
        let mut run = here.run().size(columns, 24).start();
        run.until("both kinds of tests, and the end of `style`", |screen| {
            let screen = screen.contents();
            screen.matches("  tests of th").count() == 2 && screen.contains("1 of 4 done")
        });
        let holds_limits = !run.screen().contains("not enforced");
        if columns == 200 && holds_limits {
            run.until("what both use", |screen| screen.contents().matches("/1 cpu").count() == 2);
        }
        if columns < 200 || holds_limits {
            let screen = run.screen();
            // what is above was said of this machine
            let view = screen.split_once("preparing this machine").map_or("", |(_, view)| view);
            insta::assert_snapshot!(format!("live_{columns}"), settled(view));
        }
        run.press("q");
        run.end().expect(130);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_view_fits_a_terminal_whose_size_changes() {
    let here = Here::with(STATES);
    let mut run = here.run().size(100, 30).start();
    run.until_text("tests of the thorough kind");
    for (columns, lines) in [(50, 30), (36, 12), (120, 8), (80, 24)] {
        run.resize(columns, lines).until("a view of the new size", |screen| {
            let rows: Vec<_> = screen.rows(0, columns).collect();
            let at = screen.cursor_position().0;
            // the totals stand right above the cursor, and nothing is broken at the edge
            at > 0
                && rows[usize::from(at) - 1].contains("of 7 done")
                && (0..lines).all(|row| !screen.row_wrapped(row))
        });
    }
    run.press("q");
    let ended = run.end().expect(130);
    assert!(!ended.everything.contains(" done"), "nothing of the view stays:\n{}", ended.everything);
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_jobs_never_take_more_lines_than_the_terminal_has() {
    let here = Here::with(
        "stages: [test]\ntest: { stage: test, image: none, parallel: 100, script: echo shard $CI_NODE_INDEX }\n",
    );
    let mut run = here.run().size(80, 12).start();
    run.until_text("of 100 done");
    let ended = run.end().expect(0);
    // a line of the view that had scrolled away would still be there
    assert!(!ended.everything.contains(" done"), "{}", ended.everything);
    assert_eq!(ended.everything.matches("100 jobs in 1 stage").count(), 1, "{}", ended.everything);
    assert!(ended.everything.contains("pipeline succeeded"), "{}", ended.everything);
}

#[test]
#[cfg(target_os = "linux")]
fn where_nothing_can_move_a_run_is_shown_line_by_line() {
    let table = [("TERM", "dumb"), ("CI", "true")];
    for (name, value) in table {
        let here = Here::with("job: { image: none, script: echo hello }\n");
        let mut run = here.run().env(name, value).start();
        let ended = run.end().expect(0);
        assert!(ended.everything.contains("job | hello"), "{name}: {}", ended.everything);
        assert!(!run.raw().contains("\u{1b}[?25l") && !run.raw().contains("\u{1b}[J"), "{:?}", run.raw());
        let colours = run.raw().contains('\u{1b}');
        assert_eq!(
            colours,
            name == "CI",
            "a service shows colours, a dumb terminal has none: {:?}",
            run.raw()
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_colours_the_view_moves_all_the_same() {
    let here = Here::with("job:\n  image: none\n  script: printf '\\033[31mred\\033[0m'\n");
    let mut run = here.run().env("NO_COLOR", "1").start();
    run.end().expect(0);
    assert!(run.raw().contains("\u{1b}[?25l"), "{:?}", run.raw());
    // what moves the cursor ends in another letter
    let colours = run.raw().split('\u{1b}').filter(|part| {
        part.strip_prefix('[').is_some_and(|rest| {
            rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
        })
    });
    assert_eq!(colours.count(), 0, "{:?}", run.raw());
}

/// Whether the terminal is as a shell leaves it to programs.
fn is_restored(terminal: &Terminal) -> bool {
    terminal.has_cursor() && terminal.is_cooked()
}

/// What somebody does to end a run.
#[cfg(target_os = "linux")]
type End<'e> = &'e dyn for<'t> Fn(&'t mut Terminal) -> &'t mut Terminal;

#[test]
#[cfg(target_os = "linux")]
fn the_terminal_is_as_it_was_however_a_run_is_ended() {
    let ends: [(&str, End<'_>); 5] = [
        ("q", &|run| run.press("q")),
        ("Ctrl-C", &|run| run.press("\u{3}")),
        ("Ctrl-C twice", &|run| run.press("\u{3}").until_text("canceling").press("\u{3}")),
        ("SIGTERM", &|run| run.signal(Signal::TERM)),
        ("Ctrl-\\", &|run| run.press("\u{1c}")),
    ];
    for (name, end) in ends {
        // what an interrupt lets run is what the next one ends
        let after = if name.contains("twice") { "sleep 600" } else { "'true'" };
        let job = format!("job: {{ image: none, script: echo begun && sleep 600, after_script: {after} }}\n");
        let here = Here::with(&job);
        let mut run = here.run().start();
        run.until_text("begun");
        assert!(!is_restored(&run), "{name}: the view has the terminal");
        end(&mut run);
        let ended = run.end().expect(130);
        assert!(is_restored(&run), "{name}: {}", ended.everything);
        assert!(ended.everything.contains("pipeline canceled"), "{name}: {}", ended.everything);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_stopped_run_leaves_the_terminal_and_comes_back() {
    let here = Here::with("job: { image: none, script: echo begun && sleep 600 }\n");
    let mut run = here.run().start();
    run.until_text("begun");
    run.press("\u{1a}").until_stopped();
    assert!(is_restored(&run), "{}", run.screen());
    assert!(!run.screen().contains("of 1 done"), "{}", run.screen());
    run.signal(Signal::CONT).until_text("of 1 done");
    assert!(!is_restored(&run), "the view has the terminal again");
    run.press("q");
    run.end().expect(130);
    assert!(is_restored(&run));
}

#[test]
fn after_a_panic_the_terminal_is_as_it_was_and_the_reason_can_be_read() {
    let own = std::env::current_exe().expect("a test is a program");
    let arguments = ["--exact", "terminal::a_view_whose_program_panics", "--ignored", "--nocapture"];
    let mut view = OnTerminal::program(&own, arguments).start();
    view.until_text("0 of 1 done");
    assert!(!is_restored(&view), "the view has the terminal");
    // `c` cancels the job, of which this program makes a panic
    view.press("c");
    let ended = view.end();
    assert!(is_restored(&view), "{}", ended.everything);
    assert!(ended.everything.contains("somebody has pressed a key"), "{}", ended.everything);
}

#[test]
#[ignore = "another test starts it in a terminal"]
fn a_view_whose_program_panics() {
    let surroundings = Surroundings {
        color: Color::Never,
        view: Some(View::Live),
        no_color: false,
        term: Some("xterm".to_owned()),
        ci: false,
        unicode: true,
        stdout_is_terminal: true,
        stderr_is_terminal: true,
        columns: None,
        folder: None,
    };
    let printer = Printer::new(&surroundings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (sender, events) = tokio::sync::mpsc::channel(1);
        let (wishes, mut wished) = tokio::sync::mpsc::channel(1);
        let work = async {
            sender.send(Event::PipelineStarted(outline())).await.expect("the view takes events");
            let runner = Some("runner".to_owned());
            let started = Event::JobStarted { job: "job".to_owned(), attempt: 1, runner };
            sender.send(started).await.expect("the view takes events");
            wished.recv().await;
            panic!("somebody has pressed a key");
        };
        tokio::join!(follow(&printer, events, Hands { wishes, ..Hands::none() }), work);
    });
}

fn outline() -> Outline {
    let job = OutlineJob { name: "job".to_owned(), stage: "test".to_owned(), needs: None };
    Outline {
        name: None,
        title: "a test".to_owned(),
        engine: "none".to_owned(),
        slots: 1,
        stages: vec!["test".to_owned()],
        jobs: vec![job],
    }
}

/// The engines that this machine has, each with the arguments that choose it.
fn engines() -> Vec<(&'static str, String)> {
    let mut engines = Vec::new();
    if cfg!(target_os = "linux") {
        engines.push(("embedded", "--engine embedded --image-fallback host".to_owned()));
    }
    if cluster::is_up() {
        engines.push(("kind", format!("--cluster {}", cluster::name())));
    }
    engines
}

#[test]
fn the_live_view_comes_and_goes_and_the_table_stays() {
    for (engine, place) in engines() {
        let project = Project::fixture("hello");
        let arguments = format!("run {place} --color never");
        let mut run = OnTerminal::podline(&project, arguments.split(' ')).start();
        run.until_text("▶ build").until_text("of 5 done");
        let ended = run.end().expect(0).everything;
        assert!(!ended.contains(" done"), "{engine}: the view is gone at the end:\n{ended}");
        assert!(ended.contains("✔ pipeline succeeded"), "{engine}: {ended}");
        for job in ["build:words", "build:page", "test:sorted", "test:page", "package"] {
            let has_row = ended.lines().any(|line| line.contains(job) && line.contains("✔ success"));
            assert!(has_row, "{engine}: {ended}");
        }
    }
}

#[test]
fn a_job_shows_what_it_uses_of_what_it_may() {
    for (engine, place) in engines() {
        let project = Project::with(
            "job: { image: 'busybox:1.36', script: ['x=0; while [ $x -lt 99999999 ]; do x=$((x + 1)); done'] }\n",
        );
        let arguments = format!("run {place}");
        let mut run = OnTerminal::podline(&project, arguments.split(' ')).size(120, 24).start();
        run.until("a running job", |screen| screen.contents().contains("1 running"));
        if run.screen().contains("not enforced") {
            eprintln!("skipped on {engine}: no cgroups can be used");
            continue;
        }
        // a kubelet looks every ten seconds or so
        run.until("CPU and memory with their limits", |screen| {
            let screen = screen.contents();
            screen.contains("/1 cpu  ") && screen.contains("Mi/1Gi")
        });
        run.press("q");
        run.end().expect(130);
        let events = project.read(".podline/runs/1/events.jsonl");
        assert!(events.contains("\"event\":\"job_usage\""), "{engine}: the record has it: {events}");
    }
}

#[test]
fn a_shell_has_what_the_job_has_and_the_size_of_the_terminal() {
    for (engine, place) in engines() {
        let project = Project::fixture("failing");
        let arguments = format!("shell unit {place} --color never");
        let mut shell = OnTerminal::podline(&project, arguments.split(' ')).start();
        shell.until_text("`exit` leaves it").until_text("unit:");
        shell.press("echo \"[$CI_JOB_NAME $PWD]\"; stty size\n");
        shell.until_text("[unit /builds/local/project]").until_text("24 80");
        shell.resize(100, 30).press("stty size\n").until_text("30 100");
        // what is typed goes to the shell, also the keys that end a program
        shell.press("echo slee''ps; sleep 600\n").until_text("sleeps");
        shell.press("\u{3}").press("echo $((6 * 7))\n").until_text("42");
        shell.press("exit\n");
        let ended = shell.end().expect(0);
        assert!(is_restored(&shell), "{engine}: {}", ended.everything);
    }
}

#[test]
fn a_shell_opens_where_a_job_has_failed_and_the_run_goes_on_after_it() {
    for (engine, place) in engines() {
        let project = Project::with(
            "unit:\n  image: busybox:1.36\n  script: ['echo left > behind', 'exit 3']\n  after_script: ['cat behind']\n",
        );
        let arguments = format!("run unit --shell-on-failure {place} --color never");
        let mut shell = OnTerminal::podline(&project, arguments.split(' ')).start();
        shell.until_text("`unit` failed with exit code 3: a shell in its pod").until_text("unit:");
        shell.press("cat behind; echo changed > behind; exit\n");
        shell.until_text("left").until_text("pipeline failed");
        shell.end().expect(1);
        let log = project.podline(&["log", "unit"]).run().expect(0);
        assert!(log.stdout.contains("changed"), "{engine}: after_script runs when they have left: {log}");
    }
}

#[test]
fn a_run_that_is_blocked_waits_for_a_key_and_the_terminal_is_as_it_was() {
    for (_, place) in engines() {
        let project = Project::with(
            "stages: [build, gate]\ndefault: { image: 'busybox:1.36' }\n\
             compile: { stage: build, script: echo compiled }\n\
             deploy: { stage: gate, when: manual, allow_failure: false, script: echo deployed }\n",
        );
        let arguments = format!("run {place} --color never");
        let start = || OnTerminal::podline(&project, arguments.split(' ')).start();
        let mut run = start();
        run.until_text("waiting for you to start deploy: p starts it, q ends the run");
        run.press("?").until_text("choose a job");
        run.press("p").until_text("pipeline succeeded");
        run.end().expect(0);
        assert!(is_restored(&run));

        let mut run = start();
        run.until_text("waiting for you to start deploy");
        run.press("q").until_text("pipeline waits for a manual job");
        run.end().expect(4);
        assert!(is_restored(&run));
    }
}

#[test]
fn a_key_shows_the_log_of_a_job_while_it_runs_and_another_cancels_it() {
    for (_, place) in engines() {
        let project = Project::with(
            "slow: { image: 'busybox:1.36', script: ['echo the first line && sleep 600'], after_script: ['true'] }\n",
        );
        let arguments = format!("run {place} --color never");
        let mut run = OnTerminal::podline(&project, arguments.split(' ')).start();
        run.until_text("the first line").until_text("? keys");
        // the pager of this test is `cat`: it shows the log and goes
        run.press("l").until_text("Running with podline");
        run.press("c").until_text("pipeline canceled");
        run.end().expect(130);
    }
}
