//! The names of the classes in an activation file's metadata.
//!
//! The key is `classes`, a JSON list of names in the order of the labels. Files from elsewhere are read too: the keys
//! `class_names`, `labels`, `label_names` and `names`; instead of the list a JSON object from label to name or from name
//! to label, or names with commas between them. Without any of these keys a class is called by its number.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

const KEYS: [&str; 5] = ["classes", "class_names", "labels", "label_names", "names"];

/// The names, by label, or the rest of the sentence "FILE cannot be used: ...".
pub fn class_names(metadata: &HashMap<String, String>) -> Result<Option<Vec<String>>, String> {
    KEYS.iter().find(|&&key| metadata.contains_key(key)).map_or(Ok(None), |key| names_of(metadata, key))
}

/// The names under a key, as [`class_names`].
pub fn names_of(metadata: &HashMap<String, String>, key: &str) -> Result<Option<Vec<String>>, String> {
    let Some(text) = metadata.get(key) else { return Ok(None) };
    let names = names(text).ok_or_else(|| {
        format!("its metadata {key:?} is {text:?}, and should be a JSON list of the names of the classes")
    })?;
    let mut sorted: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    sorted.sort_unstable();
    if sorted.first().is_none_or(|name| name.is_empty()) || sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(format!("its metadata {key:?} is {text:?}, where a name is missing or used twice"));
    }
    Ok(Some(names))
}

fn names(text: &str) -> Option<Vec<String>> {
    let name = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match serde_json::from_str(text) {
        Ok(Value::Array(values)) => values.iter().map(name).collect(),
        Ok(Value::Object(pairs)) => {
            let of_pair = |(key, value): (&String, &Value)| match (key.parse::<usize>(), value.as_u64()) {
                (_, Some(label)) => Some((usize::try_from(label).ok()?, key.clone())),
                (Ok(label), None) => Some((label, name(value)?)),
                (Err(_), None) => None,
            };
            let by_label: BTreeMap<usize, String> = pairs.iter().map(of_pair).collect::<Option<_>>()?;
            let complete = by_label.len() == pairs.len() && by_label.keys().copied().eq(0..by_label.len());
            complete.then(|| by_label.into_values().collect())
        }
        Ok(_) => None,
        Err(_) if text.contains(['[', '{']) => None,
        Err(_) => Some(text.split(',').map(|name| name.trim().to_owned()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, text: &str) -> Result<Option<Vec<String>>, String> {
        class_names(&HashMap::from([(key.to_owned(), text.to_owned())]))
    }

    #[test]
    fn names_are_found_under_several_keys_and_in_several_forms() {
        let expected = Ok(Some(vec!["rock".to_owned(), "pop".to_owned()]));
        for key in KEYS {
            assert_eq!(of(key, r#"["rock", "pop"]"#), expected);
        }
        for text in [r#"{"0": "rock", "1": "pop"}"#, r#"{"pop": 1, "rock": 0}"#, "rock, pop"] {
            assert_eq!(of("classes", text), expected, "{text}");
        }
        assert_eq!(of("other", "[]"), Ok(None));
    }

    #[test]
    fn names_that_cannot_be_told_apart_are_refused() {
        for text in
            ["[]", r#"["a", "a"]"#, r#"["a", ""]"#, "[1", "[[1]]", r#"{"a": 1}"#, r#"{"a": 0, "b": 0}"#]
        {
            assert!(of("classes", text).unwrap_err().contains("classes"), "{text}");
        }
    }
}
