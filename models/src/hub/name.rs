//! What people call a model of the hub.

/// Names that stand for `facebook/musicgen-{name}`.
pub const SHORT_NAMES: [&str; 11] = [
    "small",
    "medium",
    "large",
    "melody",
    "melody-large",
    "stereo-small",
    "stereo-medium",
    "stereo-large",
    "stereo-melody",
    "stereo-melody-large",
    "style",
];

/// The hub's `OWNER/MODEL` that `name` means: itself, or one of [`SHORT_NAMES`] with or without `musicgen-`.
///
/// `None` if it can be no name of the hub.
#[must_use]
pub fn repository_id(name: &str) -> Option<String> {
    let short = name.strip_prefix("musicgen-").unwrap_or(name);
    if SHORT_NAMES.contains(&short) {
        return Some(format!("facebook/musicgen-{short}"));
    }
    let (owner, model) = name.split_once('/')?;
    (is_part(owner) && is_part(model)).then(|| name.to_owned())
}

/// The hub's rule for owners and models. It keeps names from leaving the cache's folder, too.
fn is_part(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=96).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with(['-', '.'])
        && !text.ends_with(['-', '.'])
        && !text.contains("..")
        && !text.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_those_of_the_published_models() {
        for name in ["small", "musicgen-small", "facebook/musicgen-small"] {
            assert_eq!(repository_id(name).as_deref(), Some("facebook/musicgen-small"));
        }
        assert_eq!(
            repository_id("stereo-melody-large").as_deref(),
            Some("facebook/musicgen-stereo-melody-large")
        );
    }

    #[test]
    fn a_path_is_no_name() {
        for name in
            ["", "smal", "/small", "a/b/c", "../small", "./small", "a/..", "~/small", "a/b--c", "a b/c"]
        {
            assert_eq!(repository_id(name), None, "{name}");
        }
    }
}
