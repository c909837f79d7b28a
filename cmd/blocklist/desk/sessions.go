package desk

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Limits of sessions and one-time links.
const (
	sessionIdle  = time.Hour
	sessionLasts = 12 * time.Hour
	linkLasts    = 15 * time.Minute
	linkAgain    = 10 * time.Second // minimum time between two links
	maxSessions  = 100
)

const sessionCookie = "desk-session"

// sessions has the sessions of a desk on loopback. A session begins with a one-time link, which only a person who can
// read the terminal output of the desk knows.
type sessions struct {
	show func(path string)
	now  func() time.Time

	mu     sync.Mutex
	link   string
	linked time.Time
	open   map[string]*session
}

type session struct{ begun, used time.Time }

func newSessions(show func(path string)) *sessions {
	return &sessions{show: show, now: time.Now, open: map[string]*session{}}
}

// newLink makes and shows a new one-time link; the previous one becomes invalid. If the previous link was shown less
// than [linkAgain] ago, newLink does nothing.
func (s *sessions) newLink() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().Sub(s.linked) < linkAgain {
		return
	}
	s.link, s.linked = rand.Text(), s.now()
	s.show("/enter?" + url.Values{"token": {s.link}}.Encode())
}

// enter begins a session, and returns its secret. It returns an empty text if the link is not the newest one, is used
// already, or is too old.
func (s *sessions) enter(link string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == "" || link != s.link || s.now().Sub(s.linked) > linkLasts {
		return ""
	}
	s.link = ""
	s.clean()
	if len(s.open) >= maxSessions {
		return ""
	}
	secret := rand.Text()
	s.open[secret] = &session{s.now(), s.now()}
	return secret
}

// clean drops the sessions that have expired.
func (s *sessions) clean() {
	for secret, one := range s.open {
		if s.ended(one) {
			delete(s.open, secret)
		}
	}
}

func (s *sessions) ended(one *session) bool {
	return s.now().Sub(one.used) > sessionIdle || s.now().Sub(one.begun) > sessionLasts
}

// valid reports whether a request belongs to an open session. If it does, the idle time of that session begins again.
func (s *sessions) valid(r *http.Request) bool {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.open[cookie.Value]
	if one == nil || s.ended(one) {
		return false
	}
	one.used = s.now()
	return true
}

// leave ends the session of a request.
func (s *sessions) leave(r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, cookie.Value)
	}
}
