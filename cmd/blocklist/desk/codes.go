package desk

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Limits of one-time codes.
const (
	codeLasts = 15 * time.Minute
	maxCodes  = 100
)

// code is a one-time code with which an officer's terminal can fetch one signing request, and deliver one signature or
// refusal.
type code struct {
	ID         string // part of the URL of the code's page
	Text       string // the secret, which the officer types
	Until      time.Time
	Urgent     bool
	At         string // base URL of the desk, as the browser of the author knows it
	Used       bool
	Signer     string // officer who has signed with the code; empty: not used yet, or used for a refusal
	what       string // description of the pending document
	id         string // ID of the pending document, see [publish.Pending.ID]
	recipients []string
	author     string
}

// Path returns the path of the code's page.
func (c code) Path() string { return signaturesOf(c.Urgent) + "/code/" + c.ID }

// codes has the one-time codes that have not expired.
type codes struct {
	mu  sync.Mutex
	all map[string]code // by secret, without hyphens
}

// add fills in the secret, the ID and the expiry of a code, and stores the code. It drops expired codes. If there are
// still too many, it also drops some that have not expired.
func (c *codes) add(made code) code {
	c.mu.Lock()
	defer c.mu.Unlock()
	for text, one := range c.all {
		if time.Now().After(one.Until) || len(c.all) >= maxCodes {
			delete(c.all, text)
		}
	}
	text := rand.Text()[:20]
	made.ID = rand.Text()
	made.Text, made.Until = text[:5]+"-"+text[5:10]+"-"+text[10:15]+"-"+text[15:], time.Now().Add(codeLasts)
	if c.all == nil {
		c.all = map[string]code{}
	}
	c.all[text] = made
	return made
}

// find returns a copy of the code that a request presents. It fails if the code is unknown, used or expired.
func (c *codes) find(r *http.Request) (*code, error) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	defer c.mu.Unlock()
	one, known := c.all[secretOf(text)]
	switch {
	case !ok || !known:
		return nil, errors.New("the code is not known: it is mistyped, or expired; the desk makes another one")
	case one.Used:
		return nil, errors.New("the code was used: it works once; the desk makes another one for the next officer")
	case time.Now().After(one.Until):
		return nil, errors.New("the code has expired; the desk makes another one")
	}
	return &one, nil
}

// secretOf returns the secret of a code as it was shown or typed, with or without hyphens.
func secretOf(text string) string { return strings.ToUpper(strings.ReplaceAll(text, "-", "")) }

// use marks a code as used. The argument signer is the officer who has signed with it; empty for a refusal.
func (c *codes) use(one *code, signer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if used, known := c.all[secretOf(one.Text)]; known {
		used.Used, used.Signer = true, signer
		c.all[secretOf(one.Text)] = used
	}
}

// of returns the code with this ID. It fails unless the person is the code's author.
func (c *codes) of(id, author string) (one code, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		if one.ID == id && one.author == author {
			return one, nil
		}
	}
	return one, errNoPage
}
