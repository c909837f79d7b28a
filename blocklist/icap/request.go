package icap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// statusError is an error with the ICAP status of the answer. The connection is closed after the answer.
type statusError struct {
	status int
	text   string
	why    error
}

func (e *statusError) Error() string { return fmt.Sprintf("%d %s: %v", e.status, e.text, e.why) }
func (e *statusError) Unwrap() error { return e.why }

func bad(format string, args ...any) error {
	return &statusError{http.StatusBadRequest, "Bad Request", fmt.Errorf(format, args...)}
}

// request is an ICAP request, without the body of the HTTP request in it.
type request struct {
	method  string
	header  textproto.MIMEHeader
	http    []byte // header of the HTTP request, as received
	tooLong bool   // whether the HTTP header was too long, and was skipped
	hasBody bool   // whether a body, or its preview, follows
	preview bool
	allow   bool // whether the client accepts 204 without a preview (Allow: 204)
	last    bool // whether the connection is closed after this request
}

// readRequest reads a request up to its body. It returns [io.EOF] if the client closed the connection before the
// request.
func readRequest(r *bufio.Reader) (q request, err error) {
	head, err := readHead(r)
	if err != nil {
		return q, err
	}
	line, rest, _ := bytes.Cut(head, []byte("\n"))
	if err := q.readLine(strings.TrimSuffix(string(line), "\r")); err != nil {
		return q, err
	}
	q.header, err = textproto.NewReader(bufio.NewReader(bytes.NewReader(rest))).ReadMIMEHeader()
	if err != nil {
		return q, bad("the header: %w: %w", blocklist.ErrMalformed, err)
	}
	_, q.preview = q.header["Preview"]
	q.allow = hasWord(q.header["Allow"], "204")
	q.last = hasWord(q.header["Connection"], "close")
	if q.method == http.MethodOptions {
		q.last = q.last || strings.Contains(q.header.Get("Encapsulated"), "opt-body") // its body is not read
		return q, nil
	}
	n, err := q.readEncapsulated(q.header.Get("Encapsulated"))
	if err != nil {
		return q, err
	}
	if q.tooLong = n > maxHTTPHead; q.tooLong {
		_, err = io.CopyN(io.Discard, r, int64(n))
		return q, err
	}
	q.http = make([]byte, n)
	_, err = io.ReadFull(r, q.http)
	return q, err
}

// readHead reads lines up to an empty line. It skips empty lines before the first line.
func readHead(r *bufio.Reader) (head []byte, err error) {
	whole := true // the previous read ended at a line end
	for seen := 0; seen < maxHead; {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if len(head) > 0 || len(line) > 0 {
				err = errors.Join(io.ErrUnexpectedEOF, err)
			}
			return nil, err
		}
		seen += len(line)
		empty := whole && len(bytes.TrimRight(line, "\r\n")) == 0
		whole = err == nil
		if empty && len(head) == 0 {
			continue
		}
		head = append(head, line...)
		if empty {
			return head, nil
		}
	}
	return nil, bad("the header: %w: more than %d bytes", blocklist.ErrTooLarge, maxHead)
}

// readLine parses the request line.
func (q *request) readLine(line string) error {
	method, rest, _ := strings.Cut(line, " ")
	uri, version, _ := strings.Cut(rest, " ")
	q.method = method
	if version != "ICAP/1.0" {
		return &statusError{
			http.StatusHTTPVersionNotSupported, "ICAP Version Not Supported",
			fmt.Errorf("version %.20q", version),
		}
	}
	switch q.method {
	case "REQMOD", http.MethodOptions:
	case "RESPMOD":
		return &statusError{http.StatusMethodNotAllowed, "Method Not Allowed For Service", fmt.Errorf("method %s", q.method)}
	default:
		return &statusError{http.StatusNotImplemented, "Method Not Implemented", fmt.Errorf("method %.20q", q.method)}
	}
	_, path, _ := strings.Cut(uri, "://")
	if i := strings.IndexByte(path, '/'); i >= 0 {
		path, _, _ = strings.Cut(path[i:], "?")
	}
	if path != Path {
		return &statusError{http.StatusNotFound, "ICAP Service Not Found", fmt.Errorf("path %.80q: it is %s", path, Path)}
	}
	return nil
}

// readEncapsulated parses the Encapsulated field of a REQMOD request. It returns the length of the HTTP header, in
// bytes.
func (q *request) readEncapsulated(field string) (n int, err error) {
	first, second, _ := strings.Cut(field, ",")
	kind, size, _ := strings.Cut(strings.TrimSpace(second), "=")
	n, err = strconv.Atoi(size)
	q.hasBody = kind == "req-body"
	if strings.TrimSpace(first) != "req-hdr=0" || !q.hasBody && kind != "null-body" || err != nil || n <= 0 {
		return 0, bad("Encapsulated: %.80q: %w: of a request it is req-hdr=0, and req-body or null-body", field,
			blocklist.ErrMalformed)
	}
	if n > maxPassedOver {
		return 0, bad("Encapsulated: %.80q: %w: a header of more than %d bytes", field, blocklist.ErrTooLarge, maxPassedOver)
	}
	return n, nil
}

// hasWord reports whether comma-separated field values contain a word.
func hasWord(fields []string, word string) bool {
	for part := range strings.SplitSeq(strings.Join(fields, ","), ",") {
		if strings.EqualFold(strings.TrimSpace(part), word) {
			return true
		}
	}
	return false
}

// httpRequest is the part of an HTTP request that a lookup needs.
type httpRequest struct {
	method, target string
	hosts, accept  []string
}

// parseHTTP parses the header of an HTTP request. It never fails, because proxies forward requests that net/http
// rejects, and these must be looked up too. It reads folded fields (RFC 9112, section 5.2) and repeated ones.
func parseHTTP(head []byte) (q httpRequest) {
	line, rest, _ := strings.Cut(string(head), "\n")
	q.method, q.target, _ = strings.Cut(strings.TrimRight(line, "\r"), " ")
	if i := strings.LastIndex(q.target, " HTTP/"); i >= 0 {
		q.target = q.target[:i]
	}
	q.target = strings.TrimSpace(q.target)
	for field := range fields(rest) {
		key, value, _ := strings.Cut(field, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "host":
			q.hosts = append(q.hosts, value)
		case "accept":
			q.accept = append(q.accept, value)
		}
	}
	return q
}

// fields yields the fields of an HTTP header. It joins folded lines.
func fields(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		field := ""
		for line := range strings.Lines(text) {
			if folded := line[0] == ' ' || line[0] == '\t'; folded && field != "" {
				field += " " + strings.TrimSpace(line)
				continue
			}
			if field != "" && !yield(field) {
				return
			}
			field = strings.TrimRight(line, "\r\n")
		}
		if field != "" {
			yield(field)
		}
	}
}

// isMethod reports whether a text is a valid method: a token (RFC 9110, section 5.6.2). If a request line has
// separators other than spaces, its method is not valid.
func isMethod(method string) bool {
	odd := func(c rune) bool {
		return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	}
	return method != "" && !strings.ContainsFunc(method, odd)
}
