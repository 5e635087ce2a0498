package backup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// S3 says how a bucket is reached.
type S3 struct {
	Endpoint string // https://s3.example.com; http:// is in clear
	Region   string
	CA       string // file with the authority's certificate; "": the system's
	Key      string
	Secret   string
}

// bucket is a place in an S3 bucket.
type bucket struct {
	client *minio.Client
	bucket string
	prefix string // "" or with a slash at its end
}

// partSize bounds the memory of an upload of many bytes.
const partSize = 16 << 20

// openBucket opens s3://bucket/prefix.
func openBucket(ctx context.Context, target string, o S3) (*bucket, error) {
	const op = "backup.openBucket"
	name, prefix, _ := strings.Cut(strings.TrimPrefix(target, "s3://"), "/")
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	u, err := url.Parse(o.Endpoint)
	if name == "" || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" ||
		strings.Trim(u.Path, "/") != "" {
		return nil, fault.E(op, fault.Invalid, "A bucket needs its server's address.").WithField("--s3-endpoint").
			WithHint("such as s3://bucket/prefix --s3-endpoint https://s3.example.com")
	}
	if o.Key == "" || o.Secret == "" {
		return nil, fault.E(op, fault.Invalid, "The key to the bucket is missing.").
			WithHint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	transport, err := transportFor(o.CA, u.Scheme == "https")
	if err != nil {
		return nil, err
	}
	c, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(o.Key, o.Secret, ""),
		Secure: u.Scheme == "https", Region: o.Region, Transport: transport})
	if err != nil {
		return nil, fault.Wrap(op, fault.Invalid, err)
	}
	there, err := c.BucketExists(ctx, name)
	if err == nil && !there {
		return nil, fault.E(op, fault.NotFound, "There is no bucket %q at %s.", name, u.Host).WithHint("make it first")
	}
	return &bucket{c, name, prefix}, bucketError(err)
}

func transportFor(ca string, secure bool) (http.RoundTripper, error) {
	const op = "backup.transportFor"
	transport, err := minio.DefaultTransport(secure)
	if err != nil || ca == "" {
		return transport, fault.Wrap(op, fault.Internal, err)
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fault.E(op, fault.Invalid, "The authority's certificate cannot be read: %v.", fault.InWords(err)).
			WithField("--s3-ca")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fault.E(op, fault.Invalid, "%s has no certificate.", ca).WithField("--s3-ca")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// bucketError gives the errors of a bucket their kinds.
func bucketError(err error) error {
	var s3 minio.ErrorResponse
	if err == nil || !errors.As(err, &s3) {
		return err
	}
	switch s3.Code {
	case minio.NoSuchKey, minio.NoSuchBucket:
		return fault.Wrap("backup.bucket", fault.NotFound, err)
	case minio.AccessDenied, "SignatureDoesNotMatch", "InvalidAccessKeyId":
		return fault.E("backup.bucket", fault.Denied, "The bucket refuses the key: %s.", strings.TrimSuffix(s3.Message, "."))
	}
	return err
}

func (b *bucket) put(ctx context.Context, name string, size int64, r io.Reader) error {
	_, err := b.client.PutObject(ctx, b.bucket, b.prefix+name, r, size,
		minio.PutObjectOptions{PartSize: partSize, NumThreads: 1, ContentType: "application/octet-stream"})
	return bucketError(err)
}

func (b *bucket) get(ctx context.Context, name string) (io.ReadCloser, error) {
	o, err := b.client.GetObject(ctx, b.bucket, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, bucketError(err)
	}
	if _, err := o.Stat(); err != nil { // GetObject itself asks nothing
		return nil, errors.Join(bucketError(err), o.Close())
	}
	return o, nil
}

func (b *bucket) list(ctx context.Context, dir string, fn func(string, int64) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing if fn fails
	for o := range b.client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + dir, Recursive: true}) {
		if o.Err != nil {
			return bucketError(o.Err)
		}
		if err := fn(strings.TrimPrefix(o.Key, b.prefix), o.Size); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *bucket) remove(ctx context.Context, name string) error {
	return bucketError(b.client.RemoveObject(ctx, b.bucket, b.prefix+name, minio.RemoveObjectOptions{}))
}

func (b *bucket) flush() error { return nil }
func (b *bucket) close() error { return nil }
