//! The archive on S3. Objects are written once: `If-None-Match` decides, not a look beforehand.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use payops_core::port::{
    Archive, ArchiveHead, ArchivePage, ErrorKind, PortError, PortResult, PutOutcome,
};
use sha2::{Digest as _, Sha256};

use crate::fail::{Call, code};

/// How often a put is tried that meets another put of the same key.
const TRIES_MAX: u32 = 5;
const LIST_MAX: i32 = 1000;
/// How long reading a body may take; the client's own limits end with the headers.
const BODY: Duration = Duration::from_secs(15);

#[derive(Clone, Debug)]
pub struct S3Archive {
    client: Client,
    bucket: String,
    account: Option<String>,
}

impl S3Archive {
    /// An archive in `bucket`, which must be there. With `account`, a bucket of that name that
    /// belongs to another account is neither written nor read.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>, account: Option<String>) -> Self {
        Self {
            client,
            bucket: bucket.into(),
            account,
        }
    }

    fn resource(&self) -> String {
        format!("bucket {}", self.bucket)
    }

    async fn put(&self, call: &Call, key: &str, bytes: &[u8]) -> PortResult<Put> {
        let digest = Sha256::digest(bytes);
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.account.clone())
            .if_none_match("*")
            .checksum_sha256(STANDARD.encode(digest))
            .metadata("sha256", hex::encode(digest))
            .content_type("application/json")
            .body(ByteStream::from(bytes.to_vec()));
        match request
            .customize()
            .interceptor(call.track_attempts())
            .send()
            .await
        {
            Ok(_) => Ok(Put::Created),
            Err(error) => match (
                code(&error),
                error.raw_response().map_or(0, |raw| raw.status().as_u16()),
            ) {
                ("PreconditionFailed", _) | (_, 412) => Ok(Put::Exists),
                ("ConditionalRequestConflict", _) => Ok(Put::Contended),
                _ => Err(call.to_error(error)),
            },
        }
    }
}

enum Put {
    Created,
    Exists,
    Contended,
}

#[async_trait]
impl Archive for S3Archive {
    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> PortResult<PutOutcome> {
        let call = Call::write("s3:PutObject", self.resource());
        for tries in 0..TRIES_MAX {
            match self.put(&call, key, bytes).await? {
                Put::Created => return Ok(PutOutcome::Created),
                // What is there is read: the digest in its metadata is only what somebody wrote
                // there. If it was deleted in between, it is put again.
                Put::Exists => {
                    if let Some(held) = self.get(key).await? {
                        return Ok(PutOutcome::Exists {
                            sha256: hex::encode(Sha256::digest(held)),
                        });
                    }
                }
                Put::Contended => {}
            }
            tokio::time::sleep(Duration::from_millis(50 << tries)).await;
        }
        Err(call.error(
            ErrorKind::Unavailable,
            format!(
                "another upload of the same key is still in progress after {TRIES_MAX} attempts"
            ),
        ))
    }

    async fn get(&self, key: &str) -> PortResult<Option<Vec<u8>>> {
        let call = Call::read("s3:GetObject", self.resource());
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.account.clone());
        let object = match request.send().await {
            Ok(object) => object,
            // Whoever may not list the bucket is told "access denied" here instead.
            Err(error) if code(&error) == "NoSuchKey" => return Ok(None),
            Err(error) => return Err(call.to_error(error)),
        };
        let lost = |words: &str| call.error(ErrorKind::Unavailable, words);
        let body = tokio::time::timeout(BODY, object.body.collect())
            .await
            .map_err(|_| lost("reading the object timed out"))?;
        let body = body.map_err(|error| {
            PortError::because(
                ErrorKind::Unavailable,
                lost("the object was only partly read").message,
                error,
            )
        })?;
        Ok(Some(body.to_vec()))
    }

    async fn list(&self, from: Option<&str>, limit: usize) -> PortResult<ArchivePage> {
        let call = Call::read("s3:ListBucket", self.resource());
        let most = i32::try_from(limit.max(1))
            .unwrap_or(LIST_MAX)
            .min(LIST_MAX);
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .max_keys(most);
        let request = request
            .set_expected_bucket_owner(self.account.clone())
            .set_start_after(from.map(str::to_owned));
        let page = request.send().await.map_err(|error| call.to_error(error))?;
        let more = page.is_truncated.unwrap_or(false);
        let head = |object: aws_sdk_s3::types::Object| {
            Some(ArchiveHead {
                key: object.key?,
                bytes: u64::try_from(object.size.unwrap_or(0)).unwrap_or(0),
            })
        };
        let objects: Vec<ArchiveHead> = page
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(head)
            .collect();
        let next = objects.last().filter(|_| more).map(|last| last.key.clone());
        Ok(ArchivePage { objects, next })
    }
}
