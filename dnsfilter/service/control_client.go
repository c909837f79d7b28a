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

// maxControlAnswer is the longest answer that is read, in bytes: the findings of many lists.
const maxControlAnswer = 64 << 20

// Control speaks with the service that runs with a state folder, over a socket in it that only the service's user can
// open.
type Control struct {
	path   string
	client http.Client
}

// NewControl makes a control for the service with that state folder; it connects when it is asked something.
func NewControl(state string) *Control {
	c := new(Control)
	if state != "" {
		c.path, _ = config.ControlSocket(state) // one that is too long can't be connected to
	}
	c.client = http.Client{Timeout: controlTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.path)
		},
	}}
	return c
}

// ErrNotRunning is returned when no service answers at the state folder, or not to this user.
var ErrNotRunning = errors.New("no running service answers")

// Status returns how the service stands.
func (c *Control) Status(ctx context.Context) (s Status, err error) {
	err = c.call(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// Accept puts the release of a list in force that is on hold under an ID; see [subscribe.Subscription.Accept].
func (c *Control) Accept(ctx context.Context, list, id string) error {
	return c.call(ctx, http.MethodPost, "/accept", holdDecision{list, id}, &struct{}{})
}

// Reject says that the release of a list is not wanted that is on hold under an ID; see
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
