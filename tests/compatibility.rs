//! `docs/compatibility.md` says what the code's table says.

use std::path::Path;

use podline::config::keyword::support;

#[test]
fn the_page_of_keywords_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let page = support::page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/compatibility.md is out of date: run the tests with INSTA_UPDATE=always");
}
