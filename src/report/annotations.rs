//! Diagnostics as annotations of GitHub Actions: one workflow command each
//! (`docs.github.com/actions/reference/workflow-commands-for-github-actions`).

use super::diagnostics::Record;

/// One line per diagnostic: `::error file=a.yml,line=1,col=2,title=code::message`.
pub fn lines(records: &[Record]) -> String {
    records.iter().map(line).collect()
}

fn line(record: &Record) -> String {
    let Record { severity, code, message, file, line, column, help } = record;
    let place = [
        file.as_ref().map(|file| format!("file={}", property(file))),
        line.map(|line| format!("line={line}")),
        column.map(|column| format!("col={column}")),
        Some(format!("title={}", property(code))),
    ];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(",");
    let help = help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    format!("::{severity} {place}::{}\n", data(&format!("{message}{help}")))
}

/// A message, which may hold anything but what ends the line.
pub(super) fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value before the message, which ends at a comma or colon.
pub(super) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_or_name_ends_it() {
        let record = Record {
            severity: "error",
            code: "wrong-type",
            message: "100% wrong:\r\n::error::not mine".to_owned(),
            file: Some("group/a,b:c@main.yml".to_owned()),
            line: Some(3),
            column: Some(7),
            help: Some("quote it".to_owned()),
        };
        let nowhere = Record {
            severity: "warning",
            file: None,
            line: None,
            column: None,
            help: None,
            ..record.clone()
        };
        insta::assert_snapshot!(lines(&[record, nowhere]), @r"
    ::error file=group/a%2Cb%3Ac@main.yml,line=3,col=7,title=wrong-type::100%25 wrong:%0D%0A::error::not mine%0Aquote it
    ::warning title=wrong-type::100%25 wrong:%0D%0A::error::not mine
    ");
    }
}
