package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// asked returns the pending document that a form is about: the urgent orders, or the root or release.
func (v *visit) asked() (*publish.Pending, error) {
	if v.r.FormValue("what") == "urgent" {
		return v.ledger.PendingUrgent(v.r.Context())
	}
	return v.ledger.Pending()
}

// recipients returns the recipients (age public keys) that a submitted form names. A signing request is encrypted to
// them.
func (v *visit) recipients() []string { return strings.Fields(v.r.FormValue("recipients")) }

// request sends the signing request for the pending document as a file.
func (v *visit) request() error {
	p, err := v.asked()
	if err != nil {
		return err
	}
	return writeRequest(v.r.Context(), v.w, v.ledger, p, v.recipients())
}

// bringSignatures adds officers' signatures and refusals, from uploaded files, to the pending document.
func (v *visit) bringSignatures() error {
	if err := v.r.ParseMultipartForm(maxUpload); err != nil {
		return fmt.Errorf("reading the files: %w: %w", blocklist.ErrMalformed, err)
	}
	files := v.r.MultipartForm.File["signature"]
	if len(files) == 0 {
		return fmt.Errorf("%w: no file was chosen", blocklist.ErrMalformed)
	}
	for _, header := range files {
		f, err := header.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(f, publish.MaxSignature+1))
		if err = errors.Join(err, f.Close()); err == nil {
			_, err = bring(v.r.Context(), v.ledger, text)
		}
		if err != nil {
			return &fileError{header.Filename, err}
		}
	}
	return v.redirect(local(v.r.FormValue("back")), nil)
}

// bring adds an officer's signature or refusal to the pending document. It returns the name of the officer who has
// signed, or an empty text for a refusal.
func bring(ctx context.Context, l *publish.Ledger, text []byte) (signer string, err error) {
	if len(text) > publish.MaxSignature {
		return "", fmt.Errorf("%w: it is no signature", blocklist.ErrTooLarge)
	}
	if strings.Contains(string(text), `"argine-refusal"`) {
		_, err = l.AddRefusal(ctx, text)
		return "", err
	}
	p, err := l.AddSignature(ctx, text)
	if err != nil {
		return "", err
	}
	return p.Signer, nil
}

// signing has the data for the forms about signatures.
type signing struct {
	What, Back   string
	Confidential bool
	Root         *publish.RootInfo // root in force, which officers' machines need; nil: none
}

// signaturesOf returns the path of the page with the forms for signatures.
func signaturesOf(urgent bool) string {
	if urgent {
		return "/urgent"
	}
	return "/pending"
}

func newSigning(urgent, confidential bool, root *publish.RootInfo) signing {
	s := signing{Back: signaturesOf(urgent), Confidential: confidential, Root: root}
	if urgent {
		s.What = "urgent"
	}
	return s
}

// writeRequest writes a signing request to w. It first makes the whole request in memory, so that nothing is sent if an
// error occurs. If w is an HTTP response, it adds the headers for saving a file.
func writeRequest(ctx context.Context, w io.Writer, l *publish.Ledger, p *publish.Pending, recipients []string) error {
	var b bytes.Buffer
	if err := l.WriteRequest(ctx, &b, p, recipients...); err != nil {
		return err
	}
	if answer, ok := w.(http.ResponseWriter); ok {
		name := strings.NewReplacer("/", "-", " ", "-").Replace(p.What())
		if len(recipients) > 0 {
			name += ".age"
		} else {
			name += ".tar"
		}
		answer.Header().Set("Content-Type", "application/octet-stream")
		answer.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename=%q`, name))
		answer.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	}
	_, err := b.WriteTo(w)
	return err
}

// maxUpload is the maximum total size of an upload of signatures, in bytes.
const maxUpload = 1 << 20
