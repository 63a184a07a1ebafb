//! Small aligned tables without boxes, as wide as their content and never wider than the terminal.

use super::text;
use super::theme::{Label, Look, Theme};

/// Columns between two columns of a table.
const GAP: usize = 2;

/// A table: its columns and rows of cells.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column of a [`Table`].
#[derive(Debug, Clone)]
pub struct Column {
    title: &'static str,
    right: bool,
    fit: Fit,
    optional: u8,
}

/// What happens to the text of a column that is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It stays whole.
    Whole,
    /// It is cut at its end, to no less than this many columns.
    End(usize),
    /// It is cut in its middle, to no less than this many columns.
    Middle(usize),
}

/// A cell of a [`Table`].
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    label: Label,
    look: Option<Look>,
}

impl Column {
    /// A column whose cells begin on the left and stay whole.
    pub fn new(title: &'static str) -> Self {
        Self { title, right: false, fit: Fit::Whole, optional: 0 }
    }

    /// Its cells end on the right: numbers, times.
    #[must_use]
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// What happens when the table is too wide.
    #[must_use]
    pub fn fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// It may be left out of a narrow table; the one with the highest number goes first.
    #[must_use]
    pub fn optional(mut self, order: u8) -> Self {
        self.optional = order;
        self
    }
}

impl Cell {
    /// A cell in the style of a label.
    pub fn new(label: Label, text: impl Into<String>) -> Self {
        Self { text: text.into(), label, look: None }
    }

    /// A cell with the symbol and the word of a status.
    pub fn status(look: Look) -> Self {
        Self { text: look.word().into(), label: look.label(), look: Some(look) }
    }

    /// A cell of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Label::Text, text)
    }

    /// What it shows.
    fn shown(&self, theme: &Theme) -> String {
        self.look.map_or_else(|| self.text.clone(), |look| format!("{} {}", theme.symbol(look), self.text))
    }

    fn width(&self) -> usize {
        text::width(&self.text) + if self.look.is_some() { 2 } else { 0 }
    }
}

impl Table {
    /// A table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row: one cell for each column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// Its lines. A column that has nothing in any row is left out.
    pub fn lines(&self, theme: &Theme, width: usize) -> Vec<String> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let layout = self.layout(width);
        let titles = self.columns.iter().map(|column| Cell::new(Label::Muted, column.title)).collect();
        let rows = std::iter::once(&titles).chain(&self.rows);
        rows.map(|row| text::cut(&self.line(row, &layout, theme), width, theme)).collect()
    }

    fn line(&self, row: &[Cell], layout: &[(usize, usize)], theme: &Theme) -> String {
        let cell = |&(at, width): &(usize, usize)| {
            let (column, cell) = (&self.columns[at], &row[at]);
            let text = match column.fit {
                Fit::Middle(_) => text::cut_middle(&cell.shown(theme), width, theme),
                Fit::End(_) | Fit::Whole => text::cut(&cell.shown(theme), width, theme),
            };
            let painted = theme.paint(cell.label, &text);
            if column.right { text::pad_left(&painted, width) } else { text::pad(&painted, width) }
        };
        layout.iter().map(cell).collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    }

    /// The columns that are shown and how wide each is.
    fn layout(&self, width: usize) -> Vec<(usize, usize)> {
        let filled = |at: &usize| self.rows.iter().any(|row| !row[*at].text.is_empty());
        let mut shown: Vec<_> = (0..self.columns.len()).filter(filled).collect();
        loop {
            let widths: Vec<_> = shown.iter().map(|at| self.natural(*at)).collect();
            let (widths, fits) = self.shrink(&shown, widths, width);
            let optional = |at: &&usize| self.columns[**at].optional > 0;
            let next = shown.iter().filter(optional).max_by_key(|at| self.columns[**at].optional);
            match next.copied() {
                Some(next) if !fits => shown.retain(|at| *at != next),
                _ => return shown.into_iter().zip(widths).collect(),
            }
        }
    }

    fn natural(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[at].width());
        cells.max().unwrap_or(0).max(text::width(self.columns[at].title))
    }

    /// Takes what is too much from the columns that can be cut, last column first.
    fn shrink(&self, shown: &[usize], mut widths: Vec<usize>, width: usize) -> (Vec<usize>, bool) {
        let gaps = GAP * shown.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        for (at, column) in shown.iter().enumerate().rev() {
            if let Fit::End(least) | Fit::Middle(least) = self.columns[*column].fit {
                let taken = excess.min(widths[at].saturating_sub(least));
                widths[at] -= taken;
                excess -= taken;
            }
        }
        (widths, excess == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters() -> Table {
        let mut table = Table::new(vec![
            Column::new("cluster").fit(Fit::Middle(12)),
            Column::new("nodes").right(),
            Column::new("age").right().optional(1),
            Column::new("kept for").optional(2),
            Column::new("project").fit(Fit::End(10)),
        ]);
        for (name, nodes, age, project) in [
            ("podline-5f2c", "1", "2h05m", "group/shop"),
            ("podline-a-rather-long-name", "3", "41s", "漢字/プロジェクト"),
        ] {
            let cells = [name, nodes, age, "", project];
            table.row(cells.into_iter().map(Cell::text).collect());
        }
        table
    }

    #[test]
    fn a_table_is_as_wide_as_it_needs() {
        insta::assert_snapshot!(clusters().lines(&Theme::PLAIN, 80).join("\n"), @r"
        cluster                     nodes    age  project
        podline-5f2c                    1  2h05m  group/shop
        podline-a-rather-long-name      3    41s  漢字/プロジェクト
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_less() {
        insta::assert_snapshot!(clusters().lines(&Theme::PLAIN, 40).join("\n"), @r"
        cluster         nodes    age  project
        podline-5f2c        1  2h05m  group/shop
        podline…g-name      3    41s  漢字/プロ…
        ");
        insta::assert_snapshot!(clusters().lines(&Theme::PLAIN, 32).join("\n"), @r"
        cluster        nodes  project
        podline-5f2c       1  group/shop
        podlin…g-name      3  漢字/プロ…
        ");
    }

    #[test]
    fn a_table_without_rows_is_nothing() {
        assert!(Table::new(vec![Column::new("cluster")]).lines(&Theme::PLAIN, 80).is_empty());
    }
}
