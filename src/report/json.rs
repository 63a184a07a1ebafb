//! One JSON object per event and line, for other programs. The names are those of [`Event`].

use std::time::Duration;

use crate::event::Event;

/// An event and when it happened, in seconds since the run began.
#[derive(serde::Serialize)]
struct Line<'e> {
    /// The trigger jobs that lead to the child pipeline that it is of.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pipeline: &'e [String],
    #[serde(flatten)]
    event: &'e Event,
    at: f64,
}

/// An event as one line, with its end.
pub fn line(event: &Event, at: Duration) -> String {
    let (pipeline, event) = event.place();
    let line = Line { pipeline, event, at: (at.as_secs_f64() * 1000.0).round() / 1000.0 };
    let json = serde_json::to_string(&line).expect("an event has string keys and values that JSON has");
    json + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    #[test]
    fn a_run_is_one_object_per_line_and_ends_with_the_status_of_each_job() {
        let events = script::mixed();
        let lines: Vec<_> = events.iter().map(|(_, event)| line(event, Duration::ZERO)).collect();
        assert!(lines.iter().all(|line| line.ends_with("}\n") && line.matches('\n').count() == 1));
        insta::assert_snapshot!("json", lines.concat());
        let (at, last) = events.last().expect("a script has events");
        insta::assert_snapshot!(line(last, *at).trim_end(), @r#"{"event":"pipeline_finished","status":"failed","jobs":{"compile":"success","docs":"success","lint":"failed","unit: [stable]":"success","unit: [nightly]":"success","e2e":"failed","bench":"canceled","image":"skipped","staging":"manual","production":"manual"},"took":110.0,"at":110.0}"#);
    }
}
