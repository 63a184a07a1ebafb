//! What is said to who looks on: what comes next and why (`--step`, `--speed`), and what podline asks of
//! Kubernetes (`--narrate`).

use super::{
    text,
    theme::{Label, Theme},
};
use crate::event::{Until, Upcoming};

/// Before what comes next; its other lines stand below the text.
const NEXT: &str = "next: ";

/// Before what is asked of Kubernetes.
const ASKS: &str = "kube: ";

/// What comes next, and why; then what the run waits for.
pub(super) fn upcoming(upcoming: &Upcoming, theme: &Theme, width: usize) -> Vec<String> {
    let subject = match &upcoming.job {
        Some(job) => format!("`{job}`"),
        None => format!("stage `{}`", upcoming.stage),
    };
    let head = theme.paint(Label::Manual, NEXT);
    let mut lines = text::hang(&head, &text::bare(&format!("{subject}: {}", upcoming.what)), width);
    lines.extend(below(&text::bare(&upcoming.why), theme, width));
    let waits = match upcoming.until {
        Until::Enter => Some("Enter goes on, Ctrl-C ends the run".to_owned()),
        Until::Seconds(time) => Some(format!("in {}", text::took(time))),
        Until::Nothing => None,
    };
    lines.extend(waits.into_iter().flat_map(|waits| below(&waits, theme, width)));
    lines
}

/// What podline asks for; the command below it stays one that can be copied, on several lines too.
pub(super) fn request(message: &str, command: Option<&str>, theme: &Theme, width: usize) -> Vec<String> {
    let mut lines = text::hang(&theme.paint(Label::Running, ASKS), &text::bare(message), width);
    lines.extend(command.into_iter().flat_map(|command| shell(&text::bare(command), width)));
    lines
}

fn below(words: &str, theme: &Theme, width: usize) -> Vec<String> {
    let lines = text::hang(&" ".repeat(NEXT.len()), words, width);
    lines.into_iter().map(|line| theme.paint(Label::Muted, line)).collect()
}

/// A command on as many lines as it takes, broken as a shell allows it.
fn shell(command: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(ASKS.len());
    let mut lines = vec![indent.clone()];
    for word in command.split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        let is_empty = last.trim().is_empty();
        if !is_empty && text::width(last) + text::width(word) + 3 > width {
            last.push_str(" \\");
            lines.push(format!("{indent}  {word}"));
        } else {
            last.push_str(if is_empty { "" } else { " " });
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_comes_next_says_why_and_what_it_waits_for() {
        let mut next = Upcoming {
            stage: "test".into(),
            job: None,
            what: "it has the jobs `unit` and `style`".into(),
            why: "all jobs up to stage `build` are done".into(),
            until: Until::Enter,
        };
        let stage = upcoming(&next, &Theme::PLAIN, 80);
        next.job = Some("unit\u{1b}[2J".into());
        next.what =
            "a pod is made with a service beside the job, and runs the 3 commands of its script".into();
        next.until = Until::Seconds(Duration::from_secs(4));
        let job = upcoming(&next, &Theme::PLAIN, 80);
        insta::assert_snapshot!([stage, job].concat().join("\n"));
    }

    #[test]
    fn a_command_can_be_copied_from_a_narrow_terminal() {
        let command = "kubectl --kubeconfig /home/ada/.local/state/podline/kind/podline-dev/kubeconfig --namespace kube-ops get pod runner-1";
        let lines = request("asks for the pod of `unit`", Some(command), &Theme::PLAIN, 80);
        insta::assert_snapshot!(lines.join("\n"));
        let typed = lines[1..].join("\n").replace("\\\n", "");
        assert_eq!(typed.split_whitespace().collect::<Vec<_>>(), command.split(' ').collect::<Vec<_>>());
    }
}
