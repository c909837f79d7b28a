package dnstap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	framestream "github.com/farsightsec/golang-framestream"

	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// contentType is the content type of frames with dnstap messages.
const contentType = "protobuf:dnstap.Dnstap"

// within is the time limit for connecting, and for each write.
const within = 5 * time.Second

// writer is a connection to a collector, or an open file.
type writer struct {
	*framestream.Writer

	to   io.Closer
	file *os.File // nil: the writer is a connection
	path string
}

// open connects to the collector, or creates the file.
func (s *Sink) open(ctx context.Context) (*writer, error) {
	t := s.config.Target
	if t.Network == "file" {
		return openFile(t.Address)
	}
	d := net.Dialer{Timeout: within}
	conn, err := d.DialContext(ctx, t.Network, t.Address)
	if err != nil {
		return nil, err
	}
	w, err := framestream.NewWriter(conn, &framestream.WriterOptions{
		ContentTypes: [][]byte{[]byte(contentType)}, Bidirectional: true, Timeout: within,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("greeting the collector: %w", err), conn.Close())
	}
	return &writer{Writer: w, to: conn}, nil
}

// openFile creates a file. If there is an old one, openFile renames it, since a file has a single stream with a
// beginning and an end.
func openFile(path string) (*writer, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		if err := os.Rename(path, path+"."+info.ModTime().UTC().Format("20060102T150405.000")); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w, err := framestream.NewWriter(f, &framestream.WriterOptions{ContentTypes: [][]byte{[]byte(contentType)}})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &writer{Writer: w, to: f, file: f, path: path}, nil
}

// isMoved reports whether the file was renamed or removed. It returns false for a connection.
func (w *writer) isMoved() bool { return w.file != nil && files.IsMoved(w.file, w.path) }

// abort closes a connection at once, even during a write. It does nothing for a file.
func (w *writer) abort() {
	if w.file == nil {
		_ = w.to.Close() // it may be closed already
	}
}

// close ends the stream and closes the connection or file. It ignores errors, since all messages were flushed or
// counted as dropped.
func (w *writer) close() {
	_ = w.Close()
	_ = w.to.Close()
}
