/** What the daemon loads when its blobs are in a bucket. */
export { Bucket } from './bucket.js'
export { claimBucket } from './claim-bucket.js'
export { readCredentials } from './credentials.js'
export { S3BlobStore } from './s3-blob-store.js'
