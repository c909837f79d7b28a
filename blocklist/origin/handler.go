package origin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// document matches the names of documents below /lists/LIST/. Requests can open only these documents and release
// files.
var document = regexp.MustCompile(`^(timestamp|[1-9][0-9]{0,18}\.(root|snapshot|targets|urgent))\.json$`)

const (
	maxPush = 4 << 30 // size limit of a push, in bytes
	// maxDiscard is the number of bytes of a refused push that are still read and discarded, so that the client reads
	// the answer.
	maxDiscard  = 16 << 20
	discardTime = 5 * time.Second // time limit for discarding the rest of a refused push
	// stall is the time limit for one read of a push, and the shortest time limit for writing an answer.
	stall = 30 * time.Second
	// asking is the time limit for reading the documents of a push. The sender is unknown until the documents are
	// verified.
	asking  = time.Minute
	minRate = 16 << 10 // minimum rate at which a client must read an answer, in bytes per second
	minPush = 4 << 10  // minimum average rate of a push after its first minute, in bytes per second
)

// Limits on concurrent pushes, in total and for each list. In the asking phase, the documents of a push are read and
// not yet verified. In the receiving phase, the officers' signatures on a push have been verified, and its files are
// read.
const (
	maxAsking, maxAskingEach       = 32, 8
	maxReceiving, maxReceivingEach = 8, 2
)

// Handler serves the origin over HTTP: POST /lists/LIST accepts a push; GET and HEAD /lists/LIST/... serve files with
// conditional requests and ranges; GET /events announces releases until Run ends; GET /healthz reports whether every
// list can be read and has an unexpired timestamp. POST /receipts/LIST accepts a receipt of a registered subscriber.
// GET /receipts/LIST returns the receipts to clients with the list's token. No other request needs a credential: the
// officers' signatures authorise a push.
//
// The handler limits bodies and sets deadlines while it reads and writes. The server in front of it needs a
// ReadHeaderTimeout (10 s) and an IdleTimeout (2 min), but neither ReadTimeout nor WriteTimeout.
func (o *Origin) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /lists/{list...}", o.servePush)
	mux.HandleFunc("GET /lists/{path...}", o.serveFile)
	mux.HandleFunc("POST /receipts/{list...}", o.receiveReceipt)
	mux.HandleFunc("GET /receipts/{list...}", o.serveReceipts)
	mux.HandleFunc("GET /events", o.serveEvents)
	mux.HandleFunc("GET /healthz", o.serveHealth)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this origin serves GET /lists/LIST/timestamp.json and what that leads to, and takes POST /lists/LIST from 'blocklist push'", http.StatusNotFound)
	})
	return mux
}

func (o *Origin) servePush(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	body := &progressReader{r: http.MaxBytesReader(w, r.Body, maxPush), control: control, until: time.Now().Add(asking)}
	list := r.PathValue("list")
	h, err := o.receivePush(r.Context(), list, body)
	if err != nil {
		o.o.Log.WarnContext(r.Context(), "refusing a push", slog.String("list", list), slogErr(err))
	}
	body.until = time.Now().Add(discardTime)
	_, _ = io.CopyN(io.Discard, body, maxDiscard)
	_ = control.SetWriteDeadline(time.Now().Add(stall))
	if held := (*trust.OrdersError)(nil); errors.As(err, &held) {
		w.Header().Set("Content-Type", trust.OrdersType)
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write(held.Held) // the client may be gone
		return
	}
	if err != nil {
		refuse(w, err)
		return
	}
	fmt.Fprintf(w, "%s serial %d with %d entries is published\n", h.List, h.Serial, h.Entries)
}

// receivePush receives a push for a list. It limits the cost of unverified input: for a list that the origin does not
// trust, it does not read the body. For other lists, it reads only a few pushes at a time.
func (o *Origin) receivePush(ctx context.Context, list string, body *progressReader) (h blocklist.Header, err error) {
	roots := &rootChain{o: o}
	if err = blocklist.CheckListName(list); err == nil {
		err = roots.begin(list)
	}
	if err != nil {
		return h, err
	}
	if !o.asking.acquire(list) {
		return h, fmt.Errorf("%s: %w by other pushes; try again in a moment", list, blocklist.ErrBusy)
	}
	free := sync.OnceFunc(func() { o.asking.release(list) })
	defer free()
	return o.accept(ctx, roots, body, func() {
		free()
		body.until, body.n, body.waited = time.Time{}, 0, 0
	})
}

// refuse writes the error response for a refused push or receipt.
func refuse(w http.ResponseWriter, err error) {
	code, text := answer(err)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	http.Error(w, text, code)
}

// errSlow is the error for a push that is too slow. It could otherwise keep its connection and disk space
// indefinitely.
var errSlow = fmt.Errorf("too slow, %w", os.ErrDeadlineExceeded)

// progressReader sets a deadline for every read of a push and enforces a minimum average rate. Time spent between
// reads, such as verification, does not count.
type progressReader struct {
	r       io.Reader
	control *http.ResponseController
	until   time.Time // deadline of all reads together; zero: the time limit of each read is stall
	n       int64
	waited  time.Duration
}

func (p *progressReader) Read(b []byte) (int, error) {
	if p.waited > time.Minute && p.n < int64(p.waited.Seconds())*minPush {
		return 0, fmt.Errorf("%w: %d bytes in %s", errSlow, p.n, p.waited.Round(time.Second))
	}
	began := time.Now()
	deadline := began.Add(stall)
	if !p.until.IsZero() {
		if began.After(p.until) {
			return 0, fmt.Errorf("%w: after %d bytes the sender is still unknown", errSlow, p.n)
		}
		deadline = p.until
	}
	_ = p.control.SetReadDeadline(deadline)
	n, err := p.r.Read(b)
	_ = p.control.SetReadDeadline(time.Time{})
	p.n, p.waited = p.n+int64(n), p.waited+time.Since(began)
	return n, err
}

// answer returns the HTTP status and the text of the response to a push or receipt that was refused with the error err.
// The text does not show internal errors of the origin: its log has them.
func answer(err error) (code int, text string) {
	var tooLong *http.MaxBytesError
	switch {
	case errors.Is(err, blocklist.ErrTooLarge), errors.As(err, &tooLong):
		code = http.StatusRequestEntityTooLarge
	case errors.Is(err, blocklist.ErrRollback):
		code = http.StatusConflict
	case errors.Is(err, blocklist.ErrUntrusted), errors.Is(err, blocklist.ErrExpired):
		code = http.StatusForbidden
	case errors.Is(err, blocklist.ErrMalformed), errors.Is(err, blocklist.ErrDigest):
		code = http.StatusBadRequest
	case errors.Is(err, blocklist.ErrGap):
		return http.StatusPreconditionFailed, missing(err)
	case errors.Is(err, blocklist.ErrBusy):
		code = http.StatusServiceUnavailable
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusServiceUnavailable, "it came too slowly; try again from a faster connection"
	default:
		return http.StatusInternalServerError, "the origin could not take it; its log says why; try again"
	}
	return code, err.Error()
}

// missing returns the paths in a [trust.MissingError], one a line: the files that a push lacks. For another error, it
// returns the error's text.
func missing(err error) string {
	if e := (*trust.MissingError)(nil); errors.As(err, &e) {
		return strings.Join(e.Paths, "\n")
	}
	return err.Error()
}

func (o *Origin) serveFile(w http.ResponseWriter, r *http.Request) {
	list, name, ok := splitPath(r.PathValue("path"))
	if !ok {
		http.Error(w, "there is no such document; a list begins with /lists/LIST/timestamp.json", http.StatusNotFound)
		return
	}
	f, err := os.OpenInRoot(filepath.Join(o.dir, listsDir), filepath.FromSlash(list+"/"+name))
	if err != nil {
		o.serveMissing(w, list, err)
		return
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		o.serveMissing(w, list, err)
		return
	}
	deadline := time.Now().Add(stall + time.Duration(info.Size()/minRate)*time.Second)
	_ = http.NewResponseController(w).SetWriteDeadline(deadline)
	if err := serveContent(w, r, name, f, info); err != nil {
		o.serveMissing(w, list, err)
	}
}

// serveContent serves a file: a release file from disk, a document from memory, because its ETag is computed from its
// content.
func serveContent(w http.ResponseWriter, r *http.Request, name string, f *os.File, info fs.FileInfo) error {
	head := w.Header()
	head.Set("Cache-Control", "public, max-age=31536000, immutable")
	if file, ok := strings.CutPrefix(name, trust.TargetsDir+"/"); ok {
		hash, _, _ := strings.Cut(file, ".")
		head.Set("ETag", `"`+hash+`"`)
		head.Set("Content-Type", contentType(file))
		http.ServeContent(w, r, "", info.ModTime(), f)
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(f, tuf.MaxTargets))
	if err != nil {
		return err
	}
	head.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(b)))
	head.Set("Content-Type", "application/json")
	if name == trust.TimestampName {
		head.Set("Cache-Control", shortLived)
	}
	http.ServeContent(w, r, "", info.ModTime(), bytes.NewReader(b))
	return nil
}

// contentType returns the media type of a release file. An encrypted file has the suffix .age; any other is compressed.
func contentType(file string) string {
	if strings.HasSuffix(file, ".age") {
		return "application/octet-stream"
	}
	return "application/zstd"
}

// shortLived is the Cache-Control of answers that may change at any moment: a short cache lifetime still reduces the
// load.
const shortLived = "public, max-age=2"

func (o *Origin) serveMissing(w http.ResponseWriter, list string, err error) {
	w.Header().Set("Cache-Control", shortLived)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		http.Error(w, "there is no such document of this list here", http.StatusNotFound)
		return
	}
	o.o.Log.Error("serving", slog.String("list", list), slogErr(err))
	http.Error(w, "the origin could not read the document; its log says why", http.StatusInternalServerError)
}

// splitPath splits the path after /lists/ into the list and the file name.
func splitPath(path string) (list, name string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", "", false
	}
	list, name = path[:i], path[i+1:]
	if before, found := strings.CutSuffix(list, "/"+trust.TargetsDir); found && trust.ReleaseFile.MatchString(name) {
		return before, trust.TargetsDir + "/" + name, blocklist.CheckListName(before) == nil
	}
	return list, name, document.MatchString(name) && blocklist.CheckListName(list) == nil
}

// healthFor is how long the result of /healthz is cached. Any client may request it, and each check reads all lists.
const healthFor = time.Second

// health is the cached result of a health check.
type health struct {
	mu sync.Mutex
	at time.Time
	ok bool
}

func (o *Origin) serveHealth(w http.ResponseWriter, _ *http.Request) {
	if !o.healthy() {
		http.Error(w, "a list can't be read or its timestamp has expired; the log says which", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// healthy reports whether every list can be read and has an unexpired timestamp. It caches the result for healthFor.
func (o *Origin) healthy() bool {
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	if !o.health.at.IsZero() && time.Since(o.health.at) < healthFor {
		return o.health.ok
	}
	lists, err := o.lists()
	for _, list := range lists {
		st, loadErr := o.load(list)
		if loadErr == nil && st.timestamp.Version > 0 && time.Now().After(st.timestamp.Expires) {
			loadErr = fmt.Errorf("%s: timestamp: %w", list, blocklist.ErrExpired)
		}
		err = errors.Join(err, loadErr)
	}
	if err != nil {
		o.o.Log.Error("checking health", slogErr(err))
	}
	o.health.at, o.health.ok = time.Now(), err == nil
	return err == nil
}
