//! One JSON object per event and line, for other programs. The names are those of [`Event`].

use crate::event::Event;

/// An event as one line, with its end.
pub fn line(event: &Event) -> String {
    let json = serde_json::to_string(event).expect("an event has string keys and values that JSON has");
    json + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    #[test]
    fn a_run_is_one_object_per_line_and_ends_with_the_status_of_each_job() {
        let lines: Vec<_> = script::mixed().iter().map(|(_, event)| line(event)).collect();
        assert!(lines.iter().all(|line| line.ends_with("}\n") && line.matches('\n').count() == 1));
        insta::assert_snapshot!("json", lines.concat());
        insta::assert_snapshot!(lines.last().expect("a script has events"), @r#"{"event":"pipeline_finished","status":"failed","jobs":{"compile":"success","docs":"success","lint":"failed","unit: [stable]":"success","unit: [nightly]":"success","e2e":"failed","bench":"canceled","image":"skipped","staging":"manual","production":"manual"},"took":110.0}"#);
    }
}
