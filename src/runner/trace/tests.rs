use proptest::prelude::*;

use super::*;

const END: &str = "\x1epodline:n end status=failed code=3 after=0 oom=1 peak=4096\n";

fn parser(masked: &[&str]) -> TraceParser {
    TraceParser::new("n", masked.iter().map(|it| (*it).to_owned()), OUTPUT_LIMIT)
}

/// All items of a text that comes in chunks of this size.
fn items(parser: &mut TraceParser, text: &[u8], size: usize) -> Vec<TraceItem> {
    let mut items: Vec<_> = text.chunks(size.max(1)).flat_map(|chunk| parser.push(chunk)).collect();
    items.extend(parser.finish());
    items
}

fn text(items: &[TraceItem]) -> Vec<u8> {
    let lines = items.iter().filter_map(|item| match item {
        TraceItem::Line(line) => Some(line.as_slice()),
        TraceItem::Mark(_) => None,
    });
    lines.collect::<Vec<_>>().concat()
}

fn line(text: &str) -> TraceItem {
    TraceItem::Line(text.as_bytes().to_vec())
}

#[test]
fn marks_are_found_in_any_chunks_and_wherever_a_line_is() {
    let output = format!("\x1epodline:n script\none\nhalf\x1epodline:n after_script code=3\n{END}");
    let end = EndMark { ending: Ending::Exited, code: 3, after: Some(0), oom_kills: 1, peak: 4096 };
    for size in 1..output.len() {
        assert_eq!(
            items(&mut parser(&[]), output.as_bytes(), size),
            [
                TraceItem::Mark(Mark::Script),
                line("one\n"),
                line("half"),
                TraceItem::Mark(Mark::AfterScript),
                TraceItem::Mark(Mark::End(end)),
            ],
            "chunks of {size}"
        );
    }
}

#[test]
fn a_mark_with_another_nonce_or_other_words_is_output() {
    for output in
        ["\x1epodline:x script\n", "\x1epodline:n nothing\n", "\x1e\x1epodline", "\x1epodline:n scr"]
    {
        let found = items(&mut parser(&[]), output.as_bytes(), 3);
        assert_eq!(text(&found), output.as_bytes());
    }
}

#[test]
fn a_mark_that_never_ends_is_output() {
    let output = [b"\x1epodline:n script".as_slice(), &[b'x'; 2000]].concat();
    let mut parser = parser(&[]);
    let now: Vec<_> = output.chunks(100).flat_map(|chunk| parser.push(chunk)).collect();
    assert!(now.is_empty(), "it is one line without an end");
    assert_eq!(text(&parser.finish()), output);
}

#[test]
fn a_termination_message_is_an_end_mark() {
    let mark = EndMark::parse("end status=timeout code=143 after=timeout oom=0 peak=0\n");
    let expected = EndMark { ending: Ending::Timeout, code: 143, after: None, oom_kills: 0, peak: 0 };
    assert_eq!(mark, Some(expected));
    assert_eq!(EndMark::parse("end status=odd code=1 after=0 oom=0 peak=0"), None);
    assert_eq!(EndMark::parse(""), None);
}

#[test]
fn output_over_the_limit_is_dropped_and_that_is_said_once() {
    let mut parser = TraceParser::new("n", [], 10);
    let output = format!("12345\n789\nover\nand over\n{END}");
    let found = items(&mut parser, output.as_bytes(), 4);
    assert_eq!(
        String::from_utf8_lossy(&text(&found)),
        "12345\n789\n\n\x1b[33;1mJob's log exceeded limit of 10 bytes.\n\
         Job execution will continue but no more output will be collected.\x1b[0;m\n"
    );
    assert!(matches!(found.last(), Some(TraceItem::Mark(Mark::End(_)))), "marks are no output");
}

#[test]
fn a_line_is_shown_as_a_terminal_leaves_it() {
    for (line, shown) in [
        (&b"plain\n"[..], "plain"),
        (b"10%\r50%\r100%\n", "100%"),
        (b"dos\r\n", "dos"),
        (b"section_start:1:step\r\x1b[0K\x1b[36;1mStep\x1b[0;m\n", "\x1b[36;1mStep\x1b[0;m"),
        (b"bad \xff\n", "bad \u{fffd}"),
    ] {
        assert_eq!(display(line), shown);
    }
}

#[test]
fn a_trace_keeps_its_last_lines_and_all_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jobs/test.log");
    let mut trace = Trace::create(&path).expect("a trace");
    for number in 0..25 {
        trace.line(format!("line {number}\n").as_bytes()).expect("a line");
    }
    trace.line(b"cut").expect("a line");
    trace.say("Job succeeded").expect("a line");
    assert_eq!(trace.tail().len(), TAIL);
    assert_eq!(trace.tail().last().map(String::as_str), Some("Job succeeded"));
    let written = std::fs::read_to_string(&path).expect("a trace");
    assert!(written.starts_with("line 0\n"));
    assert!(written.ends_with("line 24\ncut\nJob succeeded\n"));
}

proptest! {
    #[test]
    fn no_masked_value_survives_any_chunking(
        values in prop::collection::vec("[ab]{8,12}", 1..4),
        filler in prop::collection::vec("[abc\n]{0,6}", 1..6),
        size in 1usize..9,
    ) {
        let output: String = filler.iter().zip(values.iter().cycle()).map(|(a, b)| format!("{a}{b}")).collect();
        let mut parser = TraceParser::new("n", values.clone(), OUTPUT_LIMIT);
        let found = items(&mut parser, output.as_bytes(), size);
        let shown = String::from_utf8(text(&found)).expect("text");
        for value in &values {
            prop_assert!(!shown.contains(value.as_str()), "{value} in {shown}");
        }
    }

    #[test]
    fn output_without_marks_comes_out_byte_for_byte(
        output in prop::collection::vec(any::<u8>(), 0..400),
        size in 1usize..50,
    ) {
        let found = items(&mut parser(&["not in there at all"]), &output, size);
        prop_assert_eq!(text(&found), output);
    }
}
