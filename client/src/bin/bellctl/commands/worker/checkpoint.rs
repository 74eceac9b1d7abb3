//! The file through which a command reads its last checkpoint and writes the next one.

use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::{fs::File, io::AsyncReadExt};

/// Largest checkpoint, in bytes.
const LARGEST: u64 = 64 * 1024;

/// The file, in a directory of its own that goes with it.
#[derive(Debug)]
pub(crate) struct CheckpointFile {
    directory: TempDir,
    last: Bytes,
    told: bool,
}

impl CheckpointFile {
    /// Makes the file with the last checkpoint in it; it is empty if there is none.
    pub(crate) fn create(last: Bytes) -> std::io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("bellctl-").tempdir()?;
        std::fs::write(directory.path().join("checkpoint"), &last)?;
        Ok(Self { directory, last, told: false })
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("checkpoint")
    }

    /// What the command has written since the last look; `None` if it has not.
    pub(crate) async fn look(&mut self) -> Option<Bytes> {
        let content = read(&self.path()).await.ok()?;
        if content.len() as u64 > LARGEST {
            if !self.told {
                self.told = true;
                tracing::warn!("checkpoint is larger than 64 KiB and is not sent");
            }
            return None;
        }
        if content == self.last {
            return None;
        }
        self.last = Bytes::from(content);
        Some(self.last.clone())
    }
}

/// At most one byte more than is allowed.
async fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path).await?.take(LARGEST + 1).read_to_end(&mut content).await?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_checkpoint_is_seen_once_when_it_changes() {
        let mut file = CheckpointFile::create(Bytes::from_static(b"page 3")).unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"page 3");
        assert_eq!(file.look().await, None);

        std::fs::write(file.path(), b"page 4").unwrap();
        assert_eq!(file.look().await.unwrap(), "page 4");
        assert_eq!(file.look().await, None);
    }

    #[tokio::test]
    async fn a_checkpoint_that_is_too_large_is_not_sent() {
        let mut file = CheckpointFile::create(Bytes::new()).unwrap();
        std::fs::write(file.path(), vec![b'x'; 65_537]).unwrap();
        assert_eq!(file.look().await, None);
    }
}
