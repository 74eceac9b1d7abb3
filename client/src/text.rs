//! Text that fits into its limit.

/// Cuts text to so many bytes, between characters.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("abc".to_owned(), 3), "abc");
        assert_eq!(cut("abc".to_owned(), 2), "ab");
        assert_eq!(cut("aéé".to_owned(), 4), "aé");
    }
}
