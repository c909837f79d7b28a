package fetch

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Origin is one source of a list: an origin server, a mirror, a folder with a copy, or a bundle. Its content is not
// trusted. An Origin is safe for concurrent use, except for the method Timestamp.
type Origin struct {
	Name string // for messages: a URL without password, or a path

	base   *url.URL // base URL of the list's files
	client *http.Client

	events   *url.URL // URL of announcements; nil for a folder
	receipts *url.URL // URL for receipts; nil for a folder

	noReceiptsUntil time.Time // no receipts are sent to the origin before this time

	conditions    http.Header // headers for a conditional request of the timestamp
	conditionsFor []byte      // the timestamp with which the conditions were received
}

// Origins returns the origins at these addresses: base URLs (http or https), or paths of folders and bundles. They use
// the client's Transport and Jar. If the client is nil, the transport has default limits, and the proxy of the
// environment. Origins fails with [blocklist.ErrMalformed] for other addresses.
func Origins(list string, addresses []string, client *http.Client) (all []*Origin, err error) {
	if len(addresses) == 0 {
		return nil, errors.New("it needs at least one origin")
	}
	hosts := allowedHosts{}
	client = newClient(client, hosts)
	for _, address := range addresses {
		o, err := at(address, client)
		if err != nil {
			return nil, err
		}
		hosts[o.base.Host] = true
		if !o.IsLocal() {
			o.events, o.receipts = o.base.JoinPath("events"), o.base.JoinPath("receipts", list)
		}
		o.base = o.base.JoinPath("lists", list)
		all = append(all, o)
	}
	return all, nil
}

// At returns an origin whose address is the base URL or folder of one list's files: no list name is appended. It
// accepts the same addresses as [Origins].
func At(address string) (*Origin, error) { return at(address, newClient(nil, nil)) }

func at(address string, client *http.Client) (*Origin, error) {
	if !strings.Contains(address, "://") {
		files := newClient(&http.Client{Transport: http.NewFileTransportFS(regularFiles{os.DirFS(address)})}, nil)
		return &Origin{Name: address, base: &url.URL{Scheme: "file", Path: "/"}, client: files}, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("origin %.200q: %w: it needs a URL like https://origin.example, or a folder", address,
			blocklist.ErrMalformed)
	}
	return &Origin{Name: u.Redacted(), base: u, client: client}, nil
}

// IsLocal reports whether the origin is a path: a folder or a bundle.
func (o *Origin) IsLocal() bool { return o.base.Scheme == "file" }

// IsBundle reports whether the origin's path is currently a regular file, which is a bundle.
func (o *Origin) IsBundle() bool {
	info, err := os.Stat(o.Name)
	return o.IsLocal() && err == nil && info.Mode().IsRegular()
}

// regularFiles allows access to files and folders only: reading a named pipe could block forever.
type regularFiles struct{ fs.FS }

func (f regularFiles) Open(name string) (fs.File, error) {
	info, err := fs.Stat(f.FS, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.FS.Open(name)
}
