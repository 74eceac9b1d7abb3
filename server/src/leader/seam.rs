//! For tests alone: other texts for the leader's statements, so that its guards can be switched off.

use std::borrow::Cow;
use std::path::Path;

/// The text of a statement: its file below the folder `BELLRINGER_TEST_STATEMENTS`, if there is one.
pub(super) fn text(sql: &'static str) -> Cow<'static, str> {
    let name = sql.strip_prefix("-- ").and_then(|rest| rest.split_once(':')).map(|(name, _)| name);
    let replaced = name.and_then(|name| {
        let folder = std::env::var_os("BELLRINGER_TEST_STATEMENTS")?;
        std::fs::read_to_string(Path::new(&folder).join(name).with_extension("sql")).ok()
    });
    replaced.map_or(Cow::Borrowed(sql), Cow::Owned)
}
