//! The live view at moments of scripted runs.

use std::time::Duration;

use proptest::prelude::*;

use super::frame;
use crate::event::{Event, Outline, OutlineJob};
use crate::report::{keys::Hand, script, text, theme::Theme};

fn shown(theme: &Theme, seconds: u64, width: usize, height: usize, events: &[script::Timed]) -> String {
    let now = Duration::from_secs(seconds);
    frame(&script::until(events, now), theme, width, height, now, &Hand::default()).join("\n")
}

#[test]
fn a_cluster_is_made_before_anything_runs() {
    insta::assert_snapshot!(shown(&Theme::PLAIN, 6, 80, 24, &script::mixed()));
}

#[test]
fn a_running_pipeline_at_40_80_and_200_columns() {
    for width in [40, 80, 200] {
        let frame = shown(&Theme::PLAIN, 61, width, 24, &script::mixed());
        insta::assert_snapshot!(format!("running_{width}"), frame);
    }
}

#[test]
fn a_running_pipeline_in_ascii_and_in_colour() {
    insta::assert_snapshot!(
        "running_ascii",
        shown(&Theme { color: false, unicode: false }, 61, 80, 24, &script::mixed())
    );
    let colored = shown(&Theme { color: true, unicode: true }, 61, 80, 24, &script::mixed());
    insta::assert_snapshot!("running_colour", colored.replace('\u{1b}', "␛"));
}

#[test]
fn a_run_that_is_being_canceled_says_what_that_means() {
    insta::assert_snapshot!(shown(&Theme::PLAIN, 106, 80, 24, &script::mixed()));
}

#[test]
fn a_hundred_jobs_stay_calm() {
    for (width, height) in [(40, 24), (80, 24), (200, 50)] {
        let frame = shown(&Theme::PLAIN, 40, width, height, &script::hundred());
        insta::assert_snapshot!(format!("hundred_{width}"), frame);
    }
}

#[test]
fn a_low_terminal_gets_the_totals_and_what_fits() {
    for height in [4, 8, 12] {
        insta::assert_snapshot!(
            format!("low_{height}"),
            shown(&Theme::PLAIN, 40, 80, height, &script::hundred())
        );
    }
}

#[test]
fn a_waiting_job_says_what_it_needs() {
    let job = |name: &str, needs: Option<Vec<String>>| OutlineJob {
        name: name.into(),
        stage: "test".into(),
        needs,
    };
    let jobs = vec![job("unit", None), job("e2e\u{1b}[2J", Some(vec!["unit".into()]))];
    let outline = Outline {
        name: None,
        title: "push to main".into(),
        engine: "kind".into(),
        slots: 1,
        stages: vec!["test".into()],
        jobs,
    };
    let runner = "gitlab-ci-runner-0".into();
    let start = Event::JobStarted { job: "unit".into(), attempt: 1, runner: Some(runner) };
    let events = [(Duration::ZERO, Event::PipelineStarted(outline)), (Duration::ZERO, start)];
    insta::assert_snapshot!(shown(&Theme::PLAIN, 1, 80, 24, &events).trim_start(), @r"
    ▶ test       1s  0 of 2 done
      ⠋ unit     1s  preparing the pod
      ○ 1 waiting: e2e (needs unit)

    0 of 2 done · 1s · 1 running · 1 waiting
    ");
}

proptest! {
    #[test]
    fn the_view_never_outgrows_the_terminal(
        seconds in 0u64..130, width in 20usize..220, height in 2usize..60, many: bool,
        color: bool, unicode: bool, is_there: bool, help: bool, at in 0usize..12,
    ) {
        let names = ["e2e", "lint", "production", "none"];
        let chosen = names.get(at).map(|name| (*name).to_owned());
        let hand = Hand { is_there, help, chosen };
        let events = if many { script::hundred() } else { script::mixed() };
        let now = Duration::from_secs(seconds);
        let lines = frame(&script::until(&events, now), &Theme { color, unicode }, width, height, now, &hand);
        prop_assert!(lines.len() < height);
        for line in lines {
            prop_assert!(text::width(&line) <= width, "{line:?}");
        }
    }
}

#[test]
fn the_chosen_job_is_pointed_at_and_says_what_can_be_done_with_it() {
    let shown = |seconds, chosen: &str, help| {
        let hand = Hand { is_there: true, help, chosen: Some(chosen.to_owned()) };
        let now = Duration::from_secs(seconds);
        frame(&script::until(&script::mixed(), now), &Theme::PLAIN, 80, 24, now, &hand).join("\n")
    };
    let both = [shown(61, "e2e", false), shown(61, "image", false), shown(100, "lint", true)];
    insta::assert_snapshot!("frame_chosen", both.join("\n----------\n"));
}

#[test]
fn a_running_job_says_how_long_it_usually_takes() {
    let now = Duration::from_secs(61);
    let mut model = script::until(&script::mixed(), now);
    let usual = [("e2e", 40), ("bench", 1)];
    model.usual = usual.iter().map(|(job, it)| ((*job).to_owned(), Duration::from_secs(*it))).collect();
    let lines = frame(&model, &Theme { color: true, unicode: true }, 80, 24, now, &Hand::default());
    insta::assert_snapshot!("frame_usual", lines.join("\n").replace('\u{1b}', "␛"));
}

#[test]
fn a_run_that_is_blocked_asks_for_a_key() {
    let mut events = script::mixed();
    events.truncate(events.len() - 1);
    let blocked = Event::Blocked { jobs: vec!["staging".into()] };
    events.push((Duration::from_secs(111), blocked));
    let (now, hand) = (Duration::from_secs(112), Hand { is_there: true, ..Hand::default() });
    for width in [40, 80] {
        let lines = frame(&script::until(&events, now), &Theme::PLAIN, width, 24, now, &hand);
        insta::assert_snapshot!(format!("frame_blocked_{width}"), lines.join("\n"));
    }
}

#[test]
fn a_child_pipeline_stands_below_the_job_that_started_it() {
    let outline = |title: &str, jobs: &[(&str, &str)]| {
        let mut stages: Vec<String> = jobs.iter().map(|(_, stage)| (*stage).to_owned()).collect();
        stages.dedup();
        let job = |(name, stage): &(&str, &str)| OutlineJob {
            name: (*name).into(),
            stage: (*stage).into(),
            needs: None,
        };
        let jobs = jobs.iter().map(job).collect();
        Event::PipelineStarted(Outline {
            name: None,
            title: title.into(),
            engine: "kind".into(),
            slots: 4,
            stages,
            jobs,
        })
    };
    let below = |pipeline: &[&str], event| Event::Downstream {
        pipeline: pipeline.iter().map(|name| (*name).to_owned()).collect(),
        event: Box::new(event),
    };
    let start = |job: &str, runner: Option<&str>| Event::JobStarted {
        job: job.into(),
        attempt: 1,
        runner: runner.map(str::to_owned),
    };
    let child = outline("child", &[("unit", "test"), ("style", "test"), ("publish", "publish")]);
    let events = [
        outline("push to main", &[("tests", "start"), ("docs", "start"), ("report", "report")]),
        start("tests", None),
        start("docs", None),
        below(&["tests"], child),
        below(&["tests"], start("unit", Some("r-0"))),
        below(&["tests"], start("publish", None)),
        below(&["tests", "publish"], outline("child", &[("notes", "run")])),
        below(&["tests", "publish"], start("notes", Some("r-1"))),
    ];
    let events: Vec<_> = events.into_iter().map(|event| (Duration::ZERO, event)).collect();
    insta::assert_snapshot!("frame_children", shown(&Theme::PLAIN, 1, 80, 24, &events).trim_start());
}
