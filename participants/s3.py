"""S3 buckets: files that several hosts must share, which are exports, the erasure journal and the audit head.

The only module that knows boto3, which servers have by the extra `server`; it is imported when a bucket is first used.
Nothing is ever held whole in memory but what is smaller than one part of an upload.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from django.conf import settings

SCHEME = "s3"
# Bytes of a part: at least 5 MiB of all but the last, and at most 10,000 parts. Later parts are larger, so that a
# file may have some 400 GB.
PART = 8 << 20
PARTS_OF_A_SIZE = 1_000
AT_ONCE = 1_000  # keys that one request deletes

# By the service's code: what an operator should look at.
MEANINGS = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "the key may not do this: it needs to list, read, write and delete under the prefix",
    "InvalidAccessKeyId": "S3_ACCESS_KEY_ID is not known there",
    "SignatureDoesNotMatch": "S3_SECRET_ACCESS_KEY does not belong to S3_ACCESS_KEY_ID",
    "RequestTimeTooSkewed": "this host's clock is wrong",
    "PermanentRedirect": "the bucket lies in another region: set S3_REGION",
    "AuthorizationHeaderMalformed": "the bucket lies in another region: set S3_REGION",
}
PASSING = {"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "Throttling", "QuotaExceeded"}
TOO_MANY, SERVERS_FAULT = 429, 500  # HTTP statuses, by which it may pass too: also 507, a full store
# An upload is gone where another worker has begun again, or what it belongs to was deleted meanwhile.
GONE = {"NoSuchKey", "404", "NotFound", "NoSuchUpload"}


class StoreFault(Exception):
    """A place for files cannot be used. The message says why, for who runs the installation; it names no person.

    `passing`: it may be over in a moment, without anybody changing anything.
    """

    passing = False


class Missing(StoreFault):
    """There is nothing under this key, or no such upload any more."""


@contextmanager
def store_faults(bucket: str) -> Iterator[None]:
    """Faults of the service in an operator's words. Raises Missing, StoreFault."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in GONE:
            raise Missing(f"The bucket {bucket} does not hold it, or no more ({code}).") from error
        fault = StoreFault(f"The bucket {bucket} refuses: {MEANINGS.get(code, error)} ({code}).")
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
        fault.passing = code in PASSING or status == TOO_MANY or status >= SERVERS_FAULT
        raise fault from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise StoreFault("No credentials for the bucket: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.") from error
    except (exceptions.BotoCoreError, OSError) as error:
        fault = StoreFault(f"The bucket {bucket} cannot be reached: {error}")
        fault.passing = True
        raise fault from error


@dataclass(frozen=True, slots=True)
class Bucket:
    """Keys under a prefix of one bucket. `url`: s3://bucket/prefix."""

    url: str

    @property
    def name(self) -> str:
        return urlsplit(self.url).netloc

    def key(self, path: str) -> str:
        prefix = urlsplit(self.url).path.strip("/")
        return f"{prefix}/{path}" if prefix else path

    @property
    def client(self) -> Any:
        return _client(settings.S3_ENDPOINT_URL, settings.S3_REGION, settings.S3_ACCESS_KEY_ID)

    def put(self, path: str, content: bytes) -> None:
        """Write a small file whole. Raises StoreFault, as all of these."""
        with store_faults(self.name):
            self.client.put_object(Bucket=self.name, Key=self.key(path), Body=content, **_encryption())

    def size(self, path: str) -> int:
        """Bytes of a file. Raises Missing where there is none."""
        with store_faults(self.name):
            return int(self.client.head_object(Bucket=self.name, Key=self.key(path))["ContentLength"])

    def open(self, path: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """The bytes [start, end) of a file, read while they come. Raises Missing where there is none."""
        byte_range = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        with store_faults(self.name):
            answer = self.client.get_object(Bucket=self.name, Key=self.key(path), **byte_range)
        return cast(BinaryIO, answer["Body"])

    def paths(self, under: str = "") -> Iterator[str]:
        """Files below a path that ends with a slash, or all, without the prefix."""
        skip = len(self.key(""))
        with store_faults(self.name):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.key(under)):
                yield from (item["Key"][skip:] for item in page.get("Contents", ()))

    def folders(self) -> set[str]:
        """First steps of the paths of all files, and of those whose upload was begun."""
        top, skip = {"Bucket": self.name, "Prefix": self.key(""), "Delimiter": "/"}, len(self.key(""))
        names: set[str] = set()
        with store_faults(self.name):
            for page in self.client.get_paginator("list_objects_v2").paginate(**top):
                names |= {item["Prefix"][skip:].rstrip("/") for item in page.get("CommonPrefixes", ())}
        return names | {key[skip:].split("/", 1)[0] for key, _ in self._uploads("")}

    def remove(self, under: str) -> None:
        """Delete all files below a path that ends with a slash, with their former versions, and begun uploads."""
        self.abandon(under)
        with store_faults(self.name):
            for keys in _batches(self._keys(under)):
                answer = self.client.delete_objects(Bucket=self.name, Delete={"Objects": keys, "Quiet": True})
                if refused := answer.get("Errors"):
                    raise StoreFault(f"The bucket {self.name} does not delete: {refused[0].get('Message', '')}")

    def abandon(self, under: str) -> None:
        """Give up what a killed worker left half-uploaded."""
        for key, upload in list(self._uploads(under)):
            with suppress(Missing), store_faults(self.name):
                self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)

    def upload(self, path: str) -> Upload:
        return Upload(self, path)

    def _uploads(self, under: str) -> Iterator[tuple[str, str]]:
        with store_faults(self.name):
            for page in self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.name, Prefix=self.key(under)
            ):
                yield from ((upload["Key"], upload["UploadId"]) for upload in page.get("Uploads", ()))

    def _keys(self, under: str) -> Iterator[dict[str, str]]:
        """Keys and versions that a deletion must name.

        In a bucket that keeps versions a key alone would leave them all there.
        """
        where = {"Bucket": self.name, "Prefix": self.key(under)}
        if not self._keeps_versions():
            yield from ({"Key": self.key(path)} for path in self.paths(under))
            return
        for page in self.client.get_paginator("list_object_versions").paginate(**where):
            for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield {"Key": version["Key"], "VersionId": version["VersionId"]}

    def _keeps_versions(self) -> bool:
        from botocore.exceptions import ClientError

        try:
            return bool(self.client.get_bucket_versioning(Bucket=self.name).get("Status"))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NotImplemented", "MethodNotAllowed"):
                return False  # a service without versions
            raise


class Upload:
    """A file on its way into a bucket: part after part, and there is no such file before `finish`."""

    def __init__(self, bucket: Bucket, path: str) -> None:
        self._bucket, self._path = bucket, path
        self._where = {"Bucket": bucket.name, "Key": bucket.key(path)}
        self._waiting = bytearray()
        self._id = ""
        self._parts: list[dict[str, Any]] = []

    def write(self, data: memoryview) -> None:
        self._waiting += data
        while len(self._waiting) >= (size := PART * (1 + len(self._parts) // PARTS_OF_A_SIZE)):
            self._send(bytes(self._waiting[:size]))
            del self._waiting[:size]

    def finish(self) -> None:
        """The file is there when this returns."""
        if not self._id:
            self._bucket.put(self._path, bytes(self._waiting))
            return
        if self._waiting:
            self._send(bytes(self._waiting))
        with store_faults(self._bucket.name):
            self._bucket.client.complete_multipart_upload(
                **self._where, UploadId=self._id, MultipartUpload={"Parts": self._parts}
            )

    def abandon(self) -> None:
        """Leave nothing of it there."""
        if self._id:
            with suppress(Missing), store_faults(self._bucket.name):
                self._bucket.client.abort_multipart_upload(**self._where, UploadId=self._id)

    def _send(self, part: bytes) -> None:
        client, number = self._bucket.client, len(self._parts) + 1
        with store_faults(self._bucket.name):
            if not self._id:
                self._id = client.create_multipart_upload(**self._where, **_encryption())["UploadId"]
            answer = client.upload_part(**self._where, UploadId=self._id, PartNumber=number, Body=part)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})


def _batches(keys: Iterable[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    batch: list[dict[str, str]] = []
    for key in keys:
        batch.append(key)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _encryption() -> dict[str, str]:
    """S3_ENCRYPTION: AES256, aws:kms, or aws:kms:KEY; empty: as the bucket does by itself."""
    method, _, key = settings.S3_ENCRYPTION.partition("aws:kms:")
    if key:
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    return {"ServerSideEncryption": method} if method else {}


@lru_cache(maxsize=4)
def _client(endpoint: str, region: str, key_id: str) -> Any:
    """S3 client, one a process: it may be used by several threads, and keeps its connections."""
    import boto3
    from botocore.config import Config

    # Services of others than Amazon want the bucket in the path, and do not all know the newer checksums.
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 4},
        s3={"addressing_style": "path"} if endpoint else {},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    keys = {"aws_access_key_id": key_id, "aws_secret_access_key": settings.S3_SECRET_ACCESS_KEY} if key_id else {}
    where = {"endpoint_url": endpoint or None, "region_name": region or None}
    return boto3.session.Session().client("s3", config=config, **where, **keys)
