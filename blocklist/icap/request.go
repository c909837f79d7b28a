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

// statusError is answered with its status, and is the end of its connection.
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

// request is an ICAP request, without the body in it.
type request struct {
	method  string
	header  textproto.MIMEHeader
	http    []byte // the header of the HTTP request as it came
	tooLong bool   // that header is, and was passed over
	hasBody bool   // a body follows, or the beginning of one
	preview bool
	allow   bool // 204 without a preview
	last    bool // the client wants the connection to be closed
}

// readRequest reads a request up to its body. Where the client closes the connection before it is [io.EOF].
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
		q.last = q.last || strings.Contains(q.header.Get("Encapsulated"), "opt-body") // it is not read
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

// readHead reads lines up to an empty one; those before the first do not count.
func readHead(r *bufio.Reader) (head []byte, err error) {
	whole := true // what was read before ends with its line
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

// readLine reads the first line.
func (q *request) readLine(line string) error {
	method, rest, _ := strings.Cut(line, " ")
	uri, version, _ := strings.Cut(rest, " ")
	q.method = method
	if version != "ICAP/1.0" {
		return &statusError{http.StatusHTTPVersionNotSupported, "ICAP Version Not Supported",
			fmt.Errorf("version %.20q", version)}
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

// readEncapsulated reads what the request has inside, and how many bytes of header.
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

// hasWord reports whether a list of words has one.
func hasWord(fields []string, word string) bool {
	for part := range strings.SplitSeq(strings.Join(fields, ","), ",") {
		if strings.EqualFold(strings.TrimSpace(part), word) {
			return true
		}
	}
	return false
}

// httpRequest is what counts of an HTTP request for being refused or not.
type httpRequest struct {
	method, target string
	hosts, accept  []string
}

// parseHTTP takes a header apart. Proxies pass on what net/http does not take, and what they pass on has to be looked
// up: so there is nothing that is not read, fields that are folded (RFC 9112, section 5.2) and that come more than
// once included.
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

// fields yields the fields of a header, unfolded.
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

// isMethod reports whether a method is one: a token (RFC 9110, section 5.6.2), not a line that is split otherwise
// than by spaces.
func isMethod(method string) bool {
	odd := func(c rune) bool {
		return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	}
	return method != "" && !strings.ContainsFunc(method, odd)
}
