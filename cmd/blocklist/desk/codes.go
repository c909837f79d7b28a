package desk

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Limits of codes.
const (
	codeLasts = 15 * time.Minute
	maxCodes  = 100
)

// code is a one-time code. It lets an officer's terminal read one request, and bring one signature.
type code struct {
	ID         string // in the URL of its page
	Text       string // the secret
	Until      time.Time
	Urgent     bool
	At         string // address of the desk, as its author reaches it
	Used       bool
	Signer     string // the officer who has signed with it; empty: it was refused, or not used yet
	what       string // that is pending
	id         string // of its exact bytes
	recipients []string
	author     string
}

// Path returns the path of the page about it.
func (c code) Path() string { return newSigning(c.Urgent, false).Back + "/code/" + c.ID }

// codes are the one-time codes that have not expired.
type codes struct {
	mu  sync.Mutex
	all map[string]*code
}

// add makes a code.
func (c *codes) add(made code) *code {
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
		c.all = map[string]*code{}
	}
	c.all[made.Text] = &made
	return &made
}

// find returns the code that a request has, or nil if it is unknown, used or expired.
func (c *codes) find(r *http.Request) *code {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.all[strings.ToUpper(text)]
	if !ok || one == nil || one.Used || time.Now().After(one.Until) {
		return nil
	}
	return one
}

// use ends a code. Its page says who has signed with it.
func (c *codes) use(one *code, signer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one.Used, one.Signer = true, signer
}

// of returns the code of a page, as its author may see it.
func (c *codes) of(id, author string) (one code, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		if one.ID == id && one.author == author {
			return *one, nil
		}
	}
	return one, errNoPage
}
