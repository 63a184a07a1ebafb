//! Durations where a keyword takes one.

use std::time::Duration;

use super::{context::Context, value::Value};
use crate::config::{
    keyword::{NaturalDuration, duration},
    source::Spanned,
};

/// A duration of at most `longest`.
pub(super) fn read(value: &Value<'_>, longest: Duration, cx: &mut Context<'_>) -> Option<NaturalDuration> {
    let text = value.string(cx)?;
    match duration::parse(&text) {
        Ok(read) if read <= longest => Some(Spanned::new(read, text.span)),
        Ok(_) => {
            let days = longest.as_secs() / 86_400;
            cx.report(value.error("duration-too-long", format_args!("should not exceed {days} days")));
            None
        }
        Err(why) => {
            let help = "durations look like `90`, `3 minutes`, `1h 30m`, `2 days`";
            cx.report(value.error("bad-duration", format_args!("should be a duration: {why}")).help(help));
            None
        }
    }
}

/// How long GitLab is to keep something, of which nothing is made here: it may be `never`.
pub(super) fn check(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = value.string(cx)?;
    if !text.eq_ignore_ascii_case("never") {
        read(value, Duration::MAX, cx)?;
    }
    Some(text)
}

/// The same where it may hold variables.
pub(super) fn check_expanded(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = value.string(cx)?;
    if text.contains('$') { Some(text) } else { check(value, cx) }
}
