//! Names made fit for URLs and host names.

use sha2::{Digest, Sha256};

/// `CI_COMMIT_REF_SLUG` and its like: lower case, everything outside `[0-9a-z]` a dash, at most 63 bytes,
/// no dash at the ends (`Gitlab::Utils.slugify`).
pub fn slugify(text: &str) -> String {
    let slug: String = text
        .to_lowercase()
        .chars()
        .map(
            |character| {
                if character.is_ascii_lowercase() || character.is_ascii_digit() { character } else { '-' }
            },
        )
        .take(63)
        .collect();
    slug.trim_matches('-').to_owned()
}

/// `CI_ENVIRONMENT_SLUG`: at most 24 bytes, starts with a letter, and where that changes the name, ends in
/// six characters of its hash (`Gitlab::Slug::Environment`).
pub fn environment_slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.to_lowercase().chars() {
        let kept = character.is_ascii_lowercase() || character.is_ascii_digit();
        if kept || !slug.ends_with('-') {
            slug.push(if kept { character } else { '-' });
        }
    }
    if !slug.starts_with(|first: char| first.is_ascii_lowercase()) {
        slug = format!("env-{slug}").replace("--", "-");
    }
    if slug.len() <= 24 && slug == name {
        return slug.strip_suffix('-').unwrap_or(&slug).to_owned();
    }
    slug.truncate(17);
    let dash = if slug.ends_with('-') { "" } else { "-" };
    format!("{slug}{dash}{}", suffix(name))
}

/// The last six digits, to the base 36, of the name's SHA-256.
fn suffix(name: &str) -> String {
    const MODULUS: u64 = 36_u64.pow(6);
    let digest = Sha256::digest(name.as_bytes());
    let mut rest = digest.iter().fold(0, |rest, byte| (rest * 256 + u64::from(*byte)) % MODULUS);
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
        rest /= 36;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_lower_case_short_and_without_dashes_at_their_ends() {
        for (text, expected) in [
            ("main", "main"),
            ("feature/Add_X", "feature-add-x"),
            ("-v1.0-", "v1-0"),
            ("ÄÖ", ""),
            ("test 1/3", "test-1-3"),
            ("build: [a, b]", "build---a--b"),
        ] {
            assert_eq!(slugify(text), expected, "{text}");
        }
        assert_eq!(slugify(&"a".repeat(80)).len(), 63);
        assert_eq!(slugify(&format!("{}-b", "a".repeat(62))), "a".repeat(62));
    }

    #[test]
    fn environment_slugs_tell_names_apart_that_had_to_change() {
        // The shapes are those of GitLab's own specification.
        for (name, kept, is_changed) in [
            ("production", "production", false),
            ("staging-1234567890123456", "staging-1234567890123456", false),
            ("foo-", "foo", false),
            ("staging-12345678-", "staging-12345678", false),
            ("staging-12345678901234567", "staging-123456789-", true),
            ("9-staging-123456789012345", "env-9-staging-123-", true),
            ("staging-1234567890123456-", "staging-123456789-", true),
            ("staging-12345678-01234567", "staging-12345678-", true),
            ("PRODUCTION", "production-", true),
            ("review/1-foo", "review-1-foo-", true),
            ("1-foo", "env-1-foo-", true),
            ("foo**bar", "foo-bar-", true),
            ("*-foo", "env-foo-", true),
            ("", "env-", true),
        ] {
            let end = if is_changed { suffix(name) } else { String::new() };
            assert_eq!(environment_slug(name), format!("{kept}{end}"), "{name}");
        }
        assert_eq!(suffix("staging-12345678901234567"), "s729ne");
        assert_eq!(suffix("9-staging-123456789012345"), "f6hm7j");
    }
}
