package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
)

// Limits on what an officer's terminal fetches from a desk.
const (
	maxRequest  = 4 << 30 // maximum length of a request, in bytes; one with a snapshot is as long as the list
	deskTimeout = 10 * time.Minute
)

// signAtDesk signs what is pending at a desk.
func (a *app) signAtDesk(ctx context.Context, base string, s signFlags) error {
	return a.answerDesk(ctx, base, s.code, s.out, func(path string, deliver delivery) error {
		return a.signRequest(ctx, path, base, s, func(signature []byte, what string) error {
			if err := deliver(signature); err != nil {
				return err
			}
			a.printf("signed: %s", what)
			a.result(fields{"desk": base, "signed": what})
			return nil
		})
	})
}

// refuseAtDesk refuses what is pending at a desk.
func (a *app) refuseAtDesk(ctx context.Context, base string, r refuseFlags) error {
	return a.answerDesk(ctx, base, r.code, r.out, func(path string, deliver delivery) error {
		return a.refuseRequest(path, base, r, func(refusal []byte, what string) error {
			if err := deliver(refusal); err != nil {
				return err
			}
			a.printf("refused: %s; nothing of it is in force", what)
			a.result(fields{"desk": base, "refused": what})
			return nil
		})
	})
}

// delivery sends an officer's signature or refusal to a desk.
type delivery func(answer []byte) error

// answerDesk fetches the signing request from a desk with a one-time code. It calls the function do with the path of a
// temporary file that contains the request, and with a function that sends the officer's answer to the desk. The
// argument out is the value of --output, which must be empty.
func (a *app) answerDesk(ctx context.Context, base, code, out string,
	do func(path string, deliver delivery) error,
) error {
	if code == "" {
		return usage("--code is missing: the page of the desk makes one")
	}
	if out != "" {
		return usage("the answer goes to the desk: -o goes with the FILE of a request")
	}
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	folder, err := os.MkdirTemp("", "blocklist-request-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder
	d := deskClient{deskOf(base), code}
	path := filepath.Join(folder, "request")
	if err := d.fetch(ctx, path); err != nil {
		return err
	}
	return do(path, func(answer []byte) error {
		said, err := d.send(ctx, http.MethodPost, "/terminal/signature", answer)
		if err != nil {
			return err
		}
		return said.Close()
	})
}

func codeFlag(cmd *cobra.Command, code *string) {
	cmd.Flags().StringVar(code, "code", "", "the one-time `CODE` that a desk has shown")
}

// deskOf returns the base URL of a desk, given the URL of any of its pages.
func deskOf(page string) string {
	u, err := url.Parse(page)
	if err != nil {
		return page
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// deskClient sends HTTP requests from an officer's terminal to a desk.
type deskClient struct{ base, code string }

// fetch saves the signing request to a file.
func (d deskClient) fetch(ctx context.Context, path string) error {
	body, err := d.send(ctx, http.MethodGet, "/terminal/request", nil)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	return writeFileMode(path, 0o600, func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(body, maxRequest+1))
		if err == nil && n > maxRequest {
			err = fmt.Errorf("fetching the request: %w", blocklist.ErrTooLarge)
		}
		return err
	})
}

// send sends an HTTP request to the desk, and returns the body of the response.
func (d deskClient) send(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+d.code)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("asking the desk: %w", err)
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode == http.StatusOK && kind != "text/html" {
		return answer.Body, nil
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	if kind == "text/html" || answer.StatusCode/100 == 3 {
		return nil, withHint(fmt.Errorf("asking the desk: %w: the answer is %s with a page for people, and no signing request",
			blocklist.ErrMalformed, answer.Status),
			"check the address; the proxy in front of a desk must let %s/terminal/ through without a sign-in", d.base)
	}
	return nil, answerError("the desk", answer)
}

// answerError returns the error for a response that is not what was asked for: the reason that the server gives, then
// the status. The argument who begins the text with the name of the server.
func answerError(who string, answer *http.Response) error {
	why, _ := io.ReadAll(io.LimitReader(answer.Body, 400))
	if said := strings.TrimSpace(string(why)); said != "" {
		return fmt.Errorf("%s says: %s (%s)", who, said, answer.Status)
	}
	return fmt.Errorf("%s answers %s, without a reason", who, answer.Status)
}
