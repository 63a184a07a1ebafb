//! A layer on its way from a registry into a file.

use std::{path::PathBuf, time::Duration};

use futures::StreamExt as _;
use oci_client::{
    client::{BlobResponse, SizedStream},
    errors::OciDistributionError as Failure,
    manifest::OciDescriptor,
};
use sha2::{Digest as _, Sha256};
use tokio::{fs::File, io::AsyncWriteExt as _};

use super::{
    client::Registry,
    failure::{PullError, is_passing, told},
};
use crate::engine::embedded::image::store::hex;

/// How often in a row a connection may break without a byte in between.
const FRUITLESS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 250 });

/// What is there of a layer.
struct Part {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl Registry {
    /// Fetches a layer into a file. A connection that breaks is taken up where it broke, or begun anew where the
    /// registry cannot do that; what has come is a layer only if it is what its digest says.
    pub(super) async fn layer(
        &self,
        layer: &OciDescriptor,
        to: PathBuf,
        came: &(dyn Fn(u64) + Sync),
    ) -> Result<(), PullError> {
        let mut part = Part { file: File::create(to).await?, digest: Sha256::new(), bytes: 0 };
        let mut fruitless = 0;
        loop {
            let before = part.bytes;
            match self.rest(layer, &mut part, came).await {
                Ok(()) => break,
                Err(failure) if is_passing(&failure) => {
                    fruitless = if part.bytes > before { 0 } else { fruitless + 1 };
                    if fruitless >= FRUITLESS {
                        return Err(told(self.name(), &failure));
                    }
                    tokio::time::sleep(PAUSE * 2_u32.pow(fruitless)).await;
                }
                Err(failure) => return Err(told(self.name(), &failure)),
            }
        }
        part.file.flush().await?;
        let found = format!("sha256:{}", hex(&part.digest.finalize()));
        if found == layer.digest {
            return Ok(());
        }
        Err(PullError::refused(format!("a layer is `{found}`, and `{}` was promised", layer.digest)))
    }

    /// Fetches what is missing of a layer.
    async fn rest(
        &self,
        layer: &OciDescriptor,
        part: &mut Part,
        came: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Failure> {
        let mut stream = match part.bytes {
            0 => self.client.pull_blob_stream(&self.reference, layer).await?,
            bytes => match self.client.pull_blob_stream_partial(&self.reference, layer, bytes, None).await? {
                BlobResponse::Partial(stream) => stream,
                BlobResponse::Full(stream) => {
                    part.begin_anew().await?;
                    stream
                }
            },
        };
        part.take(&mut stream, came).await?;
        let size = u64::try_from(layer.size).unwrap_or_default();
        if part.bytes < size {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }
}

impl Part {
    async fn begin_anew(&mut self) -> Result<(), Failure> {
        use tokio::io::AsyncSeekExt as _;

        self.file.set_len(0).await?;
        self.file.rewind().await?;
        (self.digest, self.bytes) = (Sha256::new(), 0);
        Ok(())
    }

    async fn take(&mut self, stream: &mut SizedStream, came: &(dyn Fn(u64) + Sync)) -> Result<(), Failure> {
        while let Some(piece) = stream.stream.next().await {
            let piece = piece?;
            self.file.write_all(&piece).await?;
            self.digest.update(&piece);
            self.bytes += piece.len() as u64;
            came(piece.len() as u64);
        }
        Ok(())
    }
}
