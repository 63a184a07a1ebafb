//! Hides the values of masked variables, in texts and in streams of any chunks.

/// GitLab masks nothing shorter.
pub const SHORTEST: usize = 8;

const MASKED: &[u8] = b"[MASKED]";

/// Replaces values by `[MASKED]`, also what is left of one that overlaps another.
#[derive(Debug, Clone)]
pub struct Mask {
    /// Longest first.
    values: Vec<Vec<u8>>,
    /// Whether some value begins with this byte.
    begins: [bool; 256],
    /// What may be the beginning of a value.
    held: Vec<u8>,
}

impl Default for Mask {
    fn default() -> Self {
        Self { values: Vec::new(), begins: [false; 256], held: Vec::new() }
    }
}

/// How far what is hidden goes from some place on.
enum Covered {
    /// Nothing is hidden there.
    Not,
    /// To this place.
    To(usize),
    /// More text has to come before that can be said.
    Unknown,
}

impl Mask {
    /// Hides these values, each line of them, and what JSON makes of them.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<Vec<u8>> = values
            .into_iter()
            // A program may print one line of a key without the others.
            .flat_map(|value| {
                let lines: Vec<_> = value.lines().map(|line| line.trim_end().to_owned()).collect();
                lines.into_iter().chain([value])
            })
            .filter(|value| value.len() >= SHORTEST)
            .flat_map(|value| [in_json(&value), value])
            .map(String::into_bytes)
            .collect();
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        let mut mask = Self { values: all, ..Self::default() };
        for value in &mask.values {
            mask.begins[usize::from(value[0])] = true;
        }
        mask
    }

    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What can be shown once this chunk of a stream has come.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        if self.is_empty() {
            return chunk.to_vec();
        }
        self.held.extend_from_slice(chunk);
        let (shown, used) = self.replace(&self.held, false);
        self.held.drain(..used);
        shown
    }

    /// What is left when nothing more will come.
    pub fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.replace(&held, true).0
    }

    /// A text that is complete.
    pub fn text(&self, text: &str) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.replace(text.as_bytes(), true).0).into_owned()
    }

    /// What to show for a text, and how much of it that covers.
    fn replace(&self, text: &[u8], is_end: bool) -> (Vec<u8>, usize) {
        let mut shown = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            match self.covered(text, at, is_end) {
                Covered::Not => {
                    shown.push(text[at]);
                    at += 1;
                }
                Covered::To(end) => {
                    shown.extend_from_slice(MASKED);
                    at = end;
                }
                Covered::Unknown => break,
            }
        }
        (shown, at)
    }

    /// How far the value that begins at a place goes, with those that begin within it.
    fn covered(&self, text: &[u8], start: usize, is_end: bool) -> Covered {
        let mut end = start;
        let mut at = start;
        while at < end || at == start {
            if self.begins[usize::from(text[at])] {
                let rest = &text[at..];
                // A longer value that is not complete yet counts before a shorter one that is.
                if !is_end
                    && self.values.iter().any(|value| value.len() > rest.len() && value.starts_with(rest))
                {
                    return Covered::Unknown;
                }
                let found = self.values.iter().find(|value| rest.starts_with(value));
                end = end.max(found.map_or(end, |value| at + value.len()));
            }
            at += 1;
        }
        if end == start { Covered::Not } else { Covered::To(end) }
    }
}

/// A text as it stands within quotes in JSON.
fn in_json(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a text is JSON");
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mask(values: &[&str]) -> Mask {
        Mask::new(values.iter().map(|it| (*it).to_owned()))
    }

    #[test]
    fn values_are_hidden() {
        for (values, output, shown) in [
            (&["password1"][..], "it is password1.", "it is [MASKED]."),
            (&["password1", "password1extended"], "password1extended password1", "[MASKED] [MASKED]"),
            (&["password1", "password1extended"], "password1exten", "[MASKED]exten"),
            (&["password1", "word1word2"], "password1word2.", "[MASKED]."),
            (&["abcdabcd"], "abcdabcdabcd", "[MASKED]"),
            (&["short"], "short", "short"),
            (&[""], "nothing", "nothing"),
            (&["first line\nsecond line"], "first line\nsecond line\n", "[MASKED]\n"),
            (&["first line\nsecond line"], "a second line\n", "a [MASKED]\n"),
            (&["first line\r\nsecond line"], "first line\nsecond line\n", "[MASKED]\n[MASKED]\n"),
            (&["say \"hello\""], r#"{"a":"say \"hello\""}"#, r#"{"a":"[MASKED]"}"#),
            (&["first line\nsecond line"], r#""first line\nsecond line""#, r#""[MASKED]""#),
        ] {
            assert_eq!(mask(values).text(output), shown, "{values:?}");
        }
    }

    /// Values that begin, end and overlap as unluckily as may be, some of several lines.
    fn values() -> impl Strategy<Value = Vec<String>> {
        let value = prop_oneof!["[ab]{8,12}", "[ab]{8,9}\n[ab]{8,10}"];
        prop::collection::vec(value, 1..4).prop_map(|mut values| {
            // one that begins as another does
            let longer = format!("{}ab", values[0]);
            values.push(longer);
            values
        })
    }

    fn output(values: &[String], filler: &[String]) -> String {
        filler.iter().zip(values.iter().cycle()).map(|(a, b)| format!("{a}{b}")).collect()
    }

    proptest! {
        #[test]
        fn no_value_survives_whatever_the_chunks(
            values in values(),
            filler in prop::collection::vec("[abc\n]{0,6}", 1..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let output = output(&values, &filler);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(output.len())).collect();
            cuts.extend([0, output.len()]);
            cuts.sort_unstable();
            let mut mask = Mask::new(values.clone());
            let mut shown = Vec::new();
            for range in cuts.windows(2) {
                shown.extend(mask.push(&output.as_bytes()[range[0]..range[1]]));
            }
            shown.extend(mask.finish());
            let shown = String::from_utf8(shown).expect("text");
            for value in values.iter().flat_map(|value| value.lines()) {
                prop_assert!(!shown.contains(value), "{value} in {shown}");
            }
            prop_assert_eq!(shown, mask.text(&output), "chunks change nothing");
        }
    }
}
