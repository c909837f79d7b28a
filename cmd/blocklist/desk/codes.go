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

// code lets an officer's terminal read one request, and bring one signature.
type code struct {
	Text       string
	Until      time.Time
	Urgent     bool
	what       string // that is pending
	recipients []string
	author     string
}

// codes are those that have not been used.
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
	made.Text, made.Until = text[:5]+"-"+text[5:10]+"-"+text[10:15]+"-"+text[15:], time.Now().Add(codeLasts)
	if c.all == nil {
		c.all = map[string]*code{}
	}
	c.all[made.Text] = &made
	return &made
}

// find returns a code that still counts, nil if there is none.
func (c *codes) find(r *http.Request) *code {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.all[strings.ToUpper(text)]
	if !ok || one == nil || time.Now().After(one.Until) {
		return nil
	}
	return one
}

// use ends a code.
func (c *codes) use(one *code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, one.Text)
}
