//! What somebody does with single keys while a run is shown: a pure function from keys to wishes.

use super::model::{Job, Model};
use super::theme::Look;
use crate::event::{Status, Wish};

/// What the keys have made of the view so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hand {
    /// Whether keys are read at all.
    pub is_there: bool,
    /// The job that was chosen: its name, with those of the trigger jobs that lead to it.
    pub chosen: Option<String>,
    /// Whether the keys are explained.
    pub help: bool,
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// Something of the run.
    Wish(Wish),
    /// To read the log of a job.
    Log(String),
    /// To end the run, as Ctrl-C does.
    End,
}

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    Escape,
    Enter,
    Letter(char),
}

/// What can be done with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Log,
    Retry,
    Play,
    Cancel,
}

impl Act {
    pub(super) const ALL: [Self; 4] = [Self::Log, Self::Retry, Self::Play, Self::Cancel];

    fn of(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.letter() == letter)
    }

    pub(super) fn letter(self) -> char {
        match self {
            Self::Log => 'l',
            Self::Retry => 'r',
            Self::Play => 'p',
            Self::Cancel => 'c',
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Retry => "run again",
            Self::Play => "start",
            Self::Cancel => "cancel",
        }
    }

    /// Whether it can be done with a job now. Once its pipeline has ended, a job of a child pipeline is retried with
    /// the trigger job.
    fn suits(self, model: &Model, path: &str, job: &Job) -> bool {
        match self {
            Self::Log => job.attempt > 0 && job.runner.is_some(),
            Self::Retry => job.attempt > 0 && job.is_done() && model.goes_on(path),
            Self::Play => matches!(job.status, Status::Manual | Status::Scheduled),
            Self::Cancel => matches!(job.look(), Look::Running | Look::Waiting),
        }
    }

    /// What can be done with a job now.
    pub(super) fn suiting(model: &Model, path: &str, job: &Job) -> Vec<Self> {
        Self::ALL.into_iter().filter(|act| act.suits(model, path, job)).collect()
    }
}

impl Hand {
    /// Takes a key.
    pub(super) fn press(&mut self, key: Key, model: &Model) -> Option<Deed> {
        match key {
            Key::Up => self.step(model, -1),
            Key::Down => self.step(model, 1),
            Key::Escape => (self.chosen, self.help) = (None, false),
            Key::Letter('?') => self.help = !self.help,
            Key::Letter('q') => return Some(Deed::End),
            Key::Enter => return self.act(Act::Log, model),
            Key::Letter(letter) => return self.act(Act::of(letter)?, model),
        }
        None
    }

    /// Does something with the chosen job; without one, with the only one that it can be done with. Where there
    /// are several, the first of them is chosen, for the next key.
    fn act(&mut self, act: Act, model: &Model) -> Option<Deed> {
        let jobs = model.all_jobs();
        let suits =
            |path: &String| jobs.iter().any(|(name, job)| name == path && act.suits(model, name, job));
        let job = match self.chosen.clone().filter(suits) {
            Some(chosen) => chosen,
            None => {
                let mut suiting = jobs.iter().filter(|(path, job)| act.suits(model, path, job));
                let first = suiting.next()?.0.clone();
                if suiting.next().is_some() {
                    self.chosen = Some(first);
                    return None;
                }
                first
            }
        };
        Some(match act {
            Act::Log => Deed::Log(job),
            Act::Retry => Deed::Wish(Wish::Retry(job)),
            Act::Play => Deed::Wish(Wish::Play(job)),
            Act::Cancel => Deed::Wish(Wish::Cancel(job)),
        })
    }

    /// Chooses the next job; at first what most likely needs a hand: what waits for somebody, what failed, what
    /// runs.
    fn step(&mut self, model: &Model, by: isize) {
        let jobs = model.all_jobs();
        let at = self.chosen.as_ref().and_then(|chosen| jobs.iter().position(|(path, _)| path == chosen));
        let next = match at {
            Some(at) => at.saturating_add_signed(by).min(jobs.len() - 1),
            None => {
                let first = |look| jobs.iter().position(|(_, job)| job.look() == look);
                let looks = [Look::Failed, Look::Manual, Look::Running];
                looks.into_iter().find_map(first).unwrap_or(0)
            }
        };
        self.chosen = jobs.get(next).map(|(path, _)| path.clone());
    }
}

/// The keys in what a terminal has sent; what means nothing is passed over.
pub(super) fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (0x1b, [b'[' | b'O', last, more @ ..]) => {
                rest = more;
                keys.extend(match last {
                    b'A' => Some(Key::Up),
                    b'B' => Some(Key::Down),
                    _ => None,
                });
            }
            (0x1b, _) => keys.push(Key::Escape),
            (b'\r' | b'\n', _) => keys.push(Key::Enter),
            (b'k', _) => keys.push(Key::Up),
            (b'j', _) => keys.push(Key::Down),
            (letter, _) if letter.is_ascii_graphic() => {
                keys.push(Key::Letter(letter.to_ascii_lowercase().into()));
            }
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::script;

    /// What keys ask for, one after the other, at a moment of the mixed run.
    fn pressed(seconds: u64, typed: &str) -> (Hand, Vec<Deed>) {
        let model = script::until(&script::mixed(), Duration::from_secs(seconds));
        let mut hand = Hand { is_there: true, ..Hand::default() };
        let deeds = keys(typed.as_bytes()).into_iter().filter_map(|key| hand.press(key, &model)).collect();
        (hand, deeds)
    }

    #[test]
    fn keys_are_found_in_what_a_terminal_sends() {
        let all = [Key::Up, Key::Down, Key::Letter('r'), Key::Escape, Key::Enter, Key::Letter('?')];
        assert_eq!(keys(b"\x1b[A\x1bOBR\x1b\r?\x00\xc3"), all);
        assert_eq!(keys(b"\x1b[5~"), [Key::Letter('~')], "a key that is not known does nothing");
    }

    #[test]
    fn the_first_arrow_chooses_what_needs_a_hand_and_the_next_goes_on_from_there() {
        assert_eq!(pressed(30, "j").0.chosen.as_deref(), Some("compile"), "it runs");
        assert_eq!(pressed(108, "j").0.chosen.as_deref(), Some("e2e"), "it failed");
        assert_eq!(pressed(108, "jk").0.chosen.as_deref(), Some("unit: [nightly]"));
        assert_eq!(pressed(108, "jkkkkkkkkkkkk").0.chosen.as_deref(), Some("compile"));
        assert_eq!(pressed(108, "j\u{1b}").0.chosen, None);
    }

    #[test]
    fn a_job_of_a_child_pipeline_runs_again_while_that_goes_on() {
        let acts = |seconds| {
            let model = script::until(&script::family(), Duration::from_secs(seconds));
            let jobs = model.all_jobs();
            let (path, job) = jobs.iter().find(|(path, _)| path == "tests/style").expect("it is there");
            Act::suiting(&model, path, job)
        };
        assert_eq!(acts(5), [Act::Log, Act::Cancel]);
        assert_eq!(acts(7), [Act::Log, Act::Retry]);
        assert_eq!(acts(13), [Act::Log]);
    }

    #[test]
    fn a_letter_acts_on_the_chosen_job_or_on_the_only_one_that_it_can_act_on() {
        let wish = |wish: Wish| vec![Deed::Wish(wish)];
        assert_eq!(pressed(108, "jr").1, wish(Wish::Retry("e2e".into())));
        assert_eq!(pressed(108, "jl").1, [Deed::Log("e2e".into())]);
        assert_eq!(pressed(30, "jc").1, wish(Wish::Cancel("compile".into())));
        // two jobs wait for somebody: the first is chosen, and then started
        let (hand, deeds) = pressed(120, "p");
        assert_eq!((hand.chosen.as_deref(), deeds), (Some("staging"), vec![]));
        assert_eq!(pressed(120, "pp").1, wish(Wish::Play("staging".into())));
        assert_eq!(pressed(30, "p").1, [], "nothing waits for anybody");
        assert_eq!(pressed(30, "q").1, [Deed::End]);
    }
}
