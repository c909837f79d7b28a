package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// maxControlAnswer is the maximum length of a response over the control socket, in bytes. That is enough for the
// findings on many lists.
const maxControlAnswer = 64 << 20

// Control is a client for the control socket of a running service. The socket is in the service's state folder, and
// only the service's user can open it.
type Control struct {
	path   string
	client http.Client
}

// NewControl returns a client for the service that runs with the given state folder. It connects at the first request.
func NewControl(state string) *Control {
	c := new(Control)
	if state != "" {
		c.path, _ = config.ControlSocket(state) // connecting to a path that is too long fails
	}
	c.client = http.Client{Timeout: controlTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.path)
		},
	}}
	return c
}

// Status returns the status of the service.
func (c *Control) Status(ctx context.Context) (s Status, err error) {
	err = c.call(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// Accept puts the release or file on hold in force, given the list and the ID of the hold; see
// [subscribe.Subscription.Accept].
func (c *Control) Accept(ctx context.Context, list, id string) error {
	return c.call(ctx, http.MethodPost, "/accept", holdDecision{list, id}, &struct{}{})
}

// Reject rejects the release or file on hold, given the list and the ID of the hold; see
// [subscribe.Subscription.Reject].
func (c *Control) Reject(ctx context.Context, list, id string) error {
	return c.call(ctx, http.MethodPost, "/reject", holdDecision{list, id}, &struct{}{})
}

func (c *Control) call(ctx context.Context, method, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	return c.send(ctx, method, path, bytes.NewReader(body), answer)
}

func (c *Control) send(ctx context.Context, method, path string, body io.Reader, answer any) error {
	if c.path == "" {
		return config.ErrNoState
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://control"+path, body)
	if err != nil {
		return err
	}
	response, err := c.client.Do(r)
	if err != nil {
		return fmt.Errorf("asking %s: %w: %w", c.path, ErrNotRunning, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	dec := json.NewDecoder(io.LimitReader(response.Body, maxControlAnswer))
	if response.StatusCode != http.StatusOK {
		var wrong controlError
		if err := dec.Decode(&wrong); err != nil {
			return fmt.Errorf("asking %s: %s", c.path, response.Status)
		}
		return errors.New(wrong.Error)
	}
	return dec.Decode(answer)
}
