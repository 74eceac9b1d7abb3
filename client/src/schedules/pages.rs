//! Pages of an answer as one stream.

use futures_util::{Stream, stream};

use crate::error::Error;

/// The token of the next page.
pub(super) fn next(token: String) -> Option<String> {
    Some(token).filter(|token| !token.is_empty())
}

/// The items of all pages.
pub(super) fn pages<T, F>(
    read: impl Fn(String) -> F + Clone + Send,
) -> impl Stream<Item = Result<T, Error>> + Send
where
    T: Send,
    F: Future<Output = Result<(Vec<T>, Option<String>), Error>> + Send,
{
    let first = (Vec::new().into_iter(), Some(String::new()));
    stream::try_unfold(first, move |(mut page, mut token)| {
        let read = read.clone();
        async move {
            loop {
                if let Some(item) = page.next() {
                    return Ok(Some((item, (page, token))));
                }
                let Some(next) = token else { return Ok(None) };
                let (items, following) = read(next).await?;
                page = items.into_iter();
                token = following;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn all_pages_are_read_to_the_last() {
        let read = |token: String| async move {
            let page: u32 = token.parse().unwrap_or(0);
            let next = (page < 3).then(|| (page + 1).to_string());
            // An empty page is not the last one.
            let items = if page == 1 { Vec::new() } else { vec![page, page * 10] };
            Ok::<_, Error>((items, next))
        };
        let items: Vec<u32> = pages(read).try_collect().await.unwrap();
        assert_eq!(items, [0, 0, 2, 20, 3, 30]);
    }
}
