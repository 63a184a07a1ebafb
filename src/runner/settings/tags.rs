//! Which jobs a runner takes, by their tags.

use super::Settings;

impl Settings {
    /// Why no runner takes a job with these tags; `None` where one does. As most files have tags and no runner
    /// of this machine has them, they count only where the settings name some.
    pub fn refuses(&self, tags: &[String]) -> Option<String> {
        let own = self.tags.as_ref()?;
        if tags.is_empty() {
            let reason = "the job has no tags, and the runner takes only jobs with tags";
            return (!self.run_untagged && !own.is_empty()).then(|| reason.to_owned());
        }
        let missing: Vec<_> =
            tags.iter().filter(|tag| !own.contains(tag)).map(|tag| format!("`{tag}`")).collect();
        match missing.as_slice() {
            [] => None,
            [tag] => Some(format!("no runner has the tag {tag}")),
            tags => Some(format!("no runner has the tags {}", tags.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_takes_what_its_tags_cover() {
        let words = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let table = [
            (None, false, "gpu", None),
            (Some("linux docker"), false, "linux", None),
            (Some("linux docker"), false, "docker linux", None),
            (Some("linux"), false, "linux gpu", Some("no runner has the tag `gpu`")),
            (Some("linux"), false, "gpu arm", Some("no runner has the tags `gpu`, `arm`")),
            (Some("linux"), false, "", Some("the job has no tags, and the runner takes only jobs with tags")),
            (Some("linux"), true, "", None),
            (Some(""), false, "", None),
        ];
        for (own, run_untagged, job, reason) in table {
            let settings = Settings { tags: own.map(words), run_untagged, ..Settings::default() };
            assert_eq!(settings.refuses(&words(job)).as_deref(), reason, "{own:?} {job:?}");
        }
    }
}
