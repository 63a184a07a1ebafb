//! Names of pods, as GitLab Runner gives them: RFC 1123 labels of at most 63 characters.

use sha2::{Digest, Sha256};

use crate::runner::{Build, Slot};

/// The longest name of a pod whose host name Kubernetes keeps whole.
const MAX: usize = 63;

/// How many characters of a runner's token its pods are named after.
const SHORT_TOKEN: usize = 9;

/// Characters of a [`suffix`].
const SUFFIX: usize = 8;

/// The name without its suffix: what the pods of a slot have in common.
pub fn base(run: &str, build: &Build, slot: &Slot) -> String {
    let token = short_token(run);
    let name = format!("runner-{token}-project-{}-concurrent-{}", build.project_id, slot.index);
    let mut name = rfc_1123(&name);
    name.truncate(MAX - SUFFIX - 1);
    name.trim_end_matches('-').to_owned()
}

/// A name with its suffix.
pub fn full(base: &str, suffix: &str) -> String {
    format!("{base}-{suffix}")
}

/// Eight characters of `a-z0-9` that differ between runs, jobs and attempts. A pod that is made again has a
/// new name: the old one may still be going away.
pub fn suffix(run: &str, job: u64, attempt: u32) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let digest = Sha256::digest(format!("{run}/{job}/{attempt}"));
    digest.iter().take(SUFFIX).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

/// The start of the run's id, which stands where a runner has its token: `CI_RUNNER_SHORT_TOKEN`.
pub fn short_token(run: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric();
    let token: String = run.chars().filter(plain).take(SHORT_TOKEN).collect();
    if token.is_empty() { "r".to_owned() } else { token.to_lowercase() }
}

/// Lower case, and `-` for what a label may not have.
fn rfc_1123(text: &str) -> String {
    let lower = text.to_lowercase();
    let allowed = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    lower.chars().map(allowed).collect()
}

/// Whether a text is an RFC 1123 label.
pub fn is_label(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edge = |c: Option<char>| c.is_some_and(|c| c != '-');
    text.len() <= MAX && text.chars().all(inside) && edge(text.chars().next()) && edge(text.chars().last())
}

/// Whether a text is a host name: RFC 1123 labels with dots between.
pub fn is_host_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}
