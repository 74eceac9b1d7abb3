//! The layers of the configuration, put over each other: defaults, file, environment, flags.

use std::path::Path;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::{Config, DEFAULTS, Flags, Problems, opentelemetry};

/// Variables that begin so set keys: `BELLRINGER__SECTION__KEY`.
const PREFIX: &str = "BELLRINGER__";
/// Sets `store.url`.
pub(super) const DATABASE_URL: &str = "BELLRINGER_DATABASE_URL";

impl Config {
    /// Reads the layers and checks the result.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut tree: Table = DEFAULTS.parse().expect("a test reads the defaults");
        if let Some(path) = file {
            let shown = path.display();
            match std::fs::read_to_string(path) {
                Err(error) => problems.push(format!("cannot read {shown}: {error}")),
                Ok(text) => match text.parse::<Table>() {
                    Err(error) => problems.push(format!("{shown} is not TOML: {error}")),
                    Ok(table) => overlay(&mut tree, table, &shown.to_string(), &mut problems),
                },
            }
        }
        let environment: Vec<(String, String)> = environment.collect();
        opentelemetry::overlay(&mut tree, &environment, &mut problems);
        for (name, value) in environment {
            set_from_environment(&mut tree, &name, value, &mut problems);
        }
        if let Some(url) = &flags.database_url {
            set(&mut tree, "store", "url", Value::String(url.clone()));
        }
        if let Some(listen) = flags.listen {
            set(&mut tree, "server", "listen", Value::String(listen.to_string()));
        }
        if flags.insecure {
            set(&mut tree, "auth", "insecure", Value::Boolean(true));
        }
        let read = read_sections(tree, &mut problems);
        if let Some(config) = &read {
            config.check(&mut problems);
        }
        match read {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(Problems(problems)),
        }
    }
}

fn overlay(tree: &mut Table, table: Table, source: &str, problems: &mut Vec<String>) {
    for (section, values) in table {
        let Value::Table(values) = values else {
            problems.push(format!("{source}: {section} must be a section"));
            continue;
        };
        match tree.get_mut(&section) {
            Some(Value::Table(known)) => {
                for (key, value) in values {
                    if known.contains_key(&key) {
                        known.insert(key, value);
                    } else {
                        problems.push(format!("{source}: there is no setting {section}.{key}"));
                    }
                }
            }
            _ => problems.push(format!("{source}: there is no section {section}")),
        }
    }
}

fn set_from_environment(tree: &mut Table, name: &str, value: String, problems: &mut Vec<String>) {
    if name == DATABASE_URL {
        set(tree, "store", "url", Value::String(value));
        return;
    }
    let Some(path) = name.strip_prefix(PREFIX) else { return };
    let path = path.to_lowercase();
    let known = path
        .split_once("__")
        .and_then(|(section, key)| Some((section, key, tree.get(section)?.get(key)?.clone())));
    match known {
        None => problems.push(format!("{name}: there is no such setting")),
        Some((section, key, before)) => {
            let parsed = match before {
                Value::Integer(_) => value.parse().ok().map(Value::Integer),
                Value::Boolean(_) => value.parse().ok().map(Value::Boolean),
                Value::Float(_) => value.parse().ok().map(Value::Float),
                _ => Some(Value::String(value)),
            };
            match parsed {
                Some(value) => set(tree, section, key, value),
                None => problems.push(format!("{name}: must be of the same type as {before}")),
            }
        }
    }
}

pub(super) fn set(tree: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(section)) = tree.get_mut(section) {
        section.insert(key.to_owned(), value);
    }
}

/// Reads the sections one by one, and every key that is wrong in them.
fn read_sections(tree: Table, problems: &mut Vec<String>) -> Option<Config> {
    let defaults: Table = DEFAULTS.parse().expect("a test reads the defaults");
    let mut sound = defaults.clone();
    for (section, values) in &tree {
        let Value::Table(values) = values else { continue };
        for (key, value) in values {
            // One change at a time against the defaults tells which key is wrong.
            let mut trial = defaults.clone();
            set(&mut trial, section, key, value.clone());
            match Config::deserialize(Value::Table(trial)) {
                Ok(_) => set(&mut sound, section, key, value.clone()),
                Err(error) => {
                    problems.push(format!("{section}.{key}: {}", error.message().trim()));
                }
            }
        }
    }
    Config::deserialize(Value::Table(sound)).ok()
}
