//! Where a row comes from, in the muted column on its right.

use crate::report::{text, theme::Theme};

/// A place between two words, of which the line is what nobody can do without.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// What stands before it: the origin of a variable.
    pub(super) origin: String,
    /// `file:line`.
    pub(super) place: String,
    /// The key that the line was taken from: `.base`.
    pub(super) from: String,
}

/// Columns that a key takes at least, so that its beginning says something.
const LEAST: usize = 6;

impl Place {
    /// A place alone.
    pub(super) fn of(place: Option<&str>) -> Self {
        Self { place: place.unwrap_or_default().to_owned(), ..Self::default() }
    }

    fn whole(&self) -> String {
        let words = [&self.origin, &self.place, &self.from];
        words.into_iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }

    /// Columns that it takes as a whole.
    pub(super) fn width(&self) -> usize {
        text::width(&self.whole())
    }

    /// As much as fits: the key gives way first, then the folders of the file.
    pub(super) fn shown(&self, columns: usize, theme: &Theme) -> String {
        let whole = self.whole();
        if text::width(&whole) <= columns {
            return whole;
        }
        let without_key = Self { from: String::new(), ..self.clone() };
        let rest = columns.saturating_sub(without_key.width() + 1);
        if !self.from.is_empty() && !self.place.is_empty() && rest >= LEAST {
            return format!("{} {}", without_key.whole(), text::cut(&self.from, rest, theme));
        }
        if self.place.is_empty() {
            return text::cut(&whole, columns, theme);
        }
        let lead = if self.origin.is_empty() { String::new() } else { format!("{} ", self.origin) };
        let room = columns.saturating_sub(text::width(&lead));
        text::cut(&format!("{lead}{}", text::cut_start(&self.place, room, theme)), columns, theme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_stays_when_the_rest_gives_way() {
        let place = |origin: &str, place: &str, from: &str| Place {
            origin: origin.to_owned(),
            place: place.to_owned(),
            from: from.to_owned(),
        };
        for (whole, columns, shown) in [
            (place("", "ci/build.yml:14", ".base"), 30, "ci/build.yml:14 .base"),
            (place("", "ci/build.yml:14", ".base-image"), 24, "ci/build.yml:14 .base-i…"),
            (place("", "ci/build.yml:14", ".base-image"), 19, "ci/build.yml:14"),
            (place("", "ci/build.yml:14", ".base-image"), 10, "…ld.yml:14"),
            (place("global", "ci/build.yml:14", ""), 16, "global …d.yml:14"),
            (place("command line", "", ""), 8, "command…"),
        ] {
            assert_eq!(whole.shown(columns, &Theme::PLAIN), shown, "{whole:?}");
        }
    }
}
