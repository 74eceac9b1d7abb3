//! YAML as Kubernetes reads it, with the line of every value.
//!
//! Kubernetes reads YAML 1.1: an unquoted `0644` is octal, and an unquoted `yes` is true. A parser of
//! YAML 1.2 alone would change file modes in silence.

use saphyr::{MarkedYaml, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::{BufferedInput, Parser};
use serde_json::{Map, Number, Value};

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Line of the file, from 1.
    pub(super) line: usize,
    data: Data,
}

#[derive(Clone, Debug, PartialEq)]
enum Data {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// The documents of a file; empty ones are left out.
///
/// # Errors
/// Where the text is no YAML, or more than a document of Kubernetes may hold.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, String> {
    let mut parser = Parser::new(BufferedInput::new(text.chars()));
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    loader.early_parse(false);
    let wrong =
        |error: &saphyr::ScanError| format!("line {}: {}", error.marker().line(), error.info());
    parser.load(&mut loader, true).map_err(|error| wrong(&error))?;
    if let Some(error) = loader.error() {
        return Err(wrong(error));
    }
    let nodes = loader.into_documents().iter().map(node).collect::<Result<Vec<_>, _>>()?;
    Ok(nodes.into_iter().filter(|node| node.data != Data::Scalar(Value::Null)).collect())
}

impl Node {
    /// The value under a path of keys; nothing if it is null.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        let mut node = self;
        for key in path {
            let Data::Map(entries) = &node.data else { return None };
            node = entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)?;
        }
        (node.data != Data::Scalar(Value::Null)).then_some(node)
    }

    /// The text under a path.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        match &self.at(path)?.data {
            Data::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The whole number under a path.
    pub(super) fn number(&self, path: &[&str]) -> Option<u64> {
        match &self.at(path)?.data {
            Data::Scalar(value) => value.as_u64(),
            _ => None,
        }
    }

    /// Whether the value under a path is true.
    pub(super) fn is_true(&self, path: &[&str]) -> bool {
        self.at(path).is_some_and(|node| node.data == Data::Scalar(Value::Bool(true)))
    }

    /// The line of the value under a path, or of the innermost one around it that is there.
    pub(super) fn line_of(&self, path: &[&str]) -> usize {
        let around = (0..=path.len()).rev().find_map(|length| self.at(&path[..length]));
        around.map_or(self.line, |node| node.line)
    }

    /// The items of a list.
    pub(super) fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            Data::Scalar(_) | Data::Map(_) => &[],
        }
    }

    /// The keys of a map, with their values.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.data {
            Data::Map(entries) => entries,
            Data::Scalar(_) | Data::List(_) => &[],
        }
    }

    /// The same as JSON.
    pub(super) fn to_json(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => items.iter().map(Self::to_json).collect(),
            Data::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.clone(), value.to_json()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

fn node(yaml: &MarkedYaml<'_>) -> Result<Node, String> {
    let line = yaml.span.start.line();
    let data = match &yaml.data {
        YamlData::Representation(text, style, tag) => {
            let is_text =
                *style != ScalarStyle::Plain || tag.as_ref().is_some_and(|tag| tag.suffix == "str");
            Data::Scalar(if is_text { Value::String(text.to_string()) } else { plain(text) })
        }
        YamlData::Sequence(items) => Data::List(items.iter().map(node).collect::<Result<_, _>>()?),
        YamlData::Mapping(entries) => {
            let mut own = Vec::new();
            let mut merged = Vec::new();
            for (key, value) in entries {
                let YamlData::Representation(name, ..) = &key.data else {
                    return Err(format!("line {}: a key that is no text", key.span.start.line()));
                };
                let value = node(value)?;
                if name == "<<" { merged.push(value) } else { own.push((name.to_string(), value)) }
            }
            merge(&mut own, merged);
            Data::Map(own)
        }
        YamlData::Tagged(_, inner) => return node(inner),
        YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => {
            return Err(format!("line {line}: a value that cannot be read"));
        }
    };
    Ok(Node { line, data })
}

/// Adds what `<<` brings, where it is not there yet.
fn merge(own: &mut Vec<(String, Node)>, merged: Vec<Node>) {
    for node in merged {
        let maps = match node.data {
            Data::List(items) => items,
            Data::Map(_) | Data::Scalar(_) => vec![node],
        };
        for map in maps {
            let Data::Map(entries) = map.data else { continue };
            for (key, value) in entries {
                if own.iter().all(|(name, _)| *name != key) {
                    own.push((key, value));
                }
            }
        }
    }
}

/// An unquoted value as YAML 1.1 means it.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let number = whole(text).map(Number::from).or_else(|| fraction(text));
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// A whole number: decimal, `0x`, `0b`, `0o`, or octal with a leading zero.
fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    // `_` may stand between digits; a sign must not come twice.
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, &digits[..]),
    };
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

/// A number with a fraction or an exponent; words such as `inf` are text.
fn fraction(text: &str) -> Option<Number> {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    if !is_number {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_mean_what_they_mean_to_kubernetes() {
        let text = "mode: 0644\nquoted: \"0644\"\nsuspend: yes\ncpu: 0.5\nmemory: 1e3\nversion: 1.2.3\n\
                    none: ~\nempty:\nhex: 0x1F\nminus: -5\nword: on time\nport: !!str 80\nblock: |\n  a\n  b\n";
        let documents = documents(text).unwrap();
        assert_eq!(
            documents[0].to_json(),
            json!({
                "mode": 420, "quoted": "0644", "suspend": true, "cpu": 0.5, "memory": 1000.0,
                "version": "1.2.3", "none": null, "empty": null, "hex": 31, "minus": -5,
                "word": "on time", "port": "80", "block": "a\nb\n",
            })
        );
    }

    #[test]
    fn every_value_knows_its_line() {
        let text = "# first\nkind: A\n---\nkind: B\nspec:\n  list:\n    - one\n    - two\n";
        let documents = documents(text).unwrap();
        assert_eq!((documents[0].line, documents[1].line), (2, 4));
        assert_eq!(documents[1].line_of(&["spec", "list"]), 7);
        assert_eq!(documents[1].at(&["spec", "list"]).unwrap().items()[1].line, 8);
        assert_eq!(documents[1].line_of(&["spec", "no"]), 6, "the line of what spec holds");
        assert_eq!(documents[1].line_of(&["no"]), 4);
    }

    #[test]
    fn anchors_and_merges_are_resolved() {
        let text = "base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\nsame: *base\n";
        let json_of = documents(text).unwrap()[0].to_json();
        assert_eq!(json_of["more"], json!({"a": 1, "b": 3}));
        assert_eq!(json_of["same"], json!({"a": 1, "b": 2}));
    }

    #[test]
    fn empty_documents_are_none() {
        assert!(documents("---\n---\n# nothing\n").unwrap().is_empty());
        assert!(documents("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        for (wrong, line) in [
            ("a: [1, 2\nb: 3\n", "line 2"),
            ("a: 1\na: 2\n", "line 2"),
            ("x: {{ .Values.x }}\n", "line 1"),
        ] {
            let why = documents(wrong).unwrap_err();
            assert!(why.contains(line), "{wrong}: {why}");
        }
    }

    #[test]
    fn a_small_file_cannot_become_a_huge_one() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text += &format!("a{level}: &a{level} [{before}]\n");
        }
        assert!(documents(&text).is_err());
    }
}
