package main

import (
	"context"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// printNotes prints notes about typed entries: how each is stored, if that differs, and possible mistakes.
func (a *app) printNotes(ctx context.Context, l *publish.Ledger, typed []string, entries []blocklist.Entry) error {
	for i, e := range entries {
		for _, note := range notesOf(typed[i], e) {
			a.printf("note: %s", note)
		}
		covering, ok, err := l.Covering(ctx, e)
		if err != nil {
			return err
		}
		if ok && !covering.Monitor {
			a.printf("note: %s: %s covers it already", e.Target(), covering.Target())
		}
	}
	return nil
}

// Texts of notes about typed entries.
var (
	noteStored    = publish.Phrase{Key: "note.stored", Text: "%s is stored as %s"}
	noteStoredFor = publish.Phrase{Key: "note.stored.for", Text: "%s is stored as %s, %s"}
	noteSchemes   = publish.Phrase{Key: "note.schemes", Text: "for http and https"}
	noteUser      = publish.Phrase{Key: "note.user", Text: "without user and password"}
	notePorts     = publish.Phrase{Key: "note.ports", Text: "for every port"}
	noteStar      = publish.Phrase{Key: "note.star", Text: "%s: the star counts as the character; only /* at the end covers what is below"}
	noteTracker   = publish.Phrase{Key: "note.tracker", Text: "%s: %s says where a visitor came from; with it, only URLs with exactly this query are listed"}
	noteOnion     = publish.Phrase{Key: "note.onion", Text: "%s: names of Tor (.onion) are not looked up in the DNS, so a resolver never sees them"}
)

// notesOf returns the notes about a typed entry: how it is stored, if that differs, and possible mistakes.
func notesOf(typed string, e blocklist.Entry) []publish.Message {
	return append(storedNotes(typed, e), entryNotes(e)...)
}

// storedNotes returns a note on how a target is stored, if the stored form differs from the typed text.
func storedNotes(typed string, e blocklist.Entry) []publish.Message {
	target, _, _ := strings.Cut(strings.TrimSpace(typed), " ")
	if target == e.Target() {
		return nil
	}
	stored := []publish.Message{noteStored.With(target, e.Target())}
	if e.Scope != blocklist.ScopeURL {
		return stored
	}
	rest := target
	if _, after, ok := strings.Cut(target, "://"); ok {
		rest = after
	}
	authority, _, _ := strings.Cut(rest, "/")
	var why publish.Messages
	if strings.HasPrefix(strings.ToLower(target), "http:") {
		why = append(why, noteSchemes.With())
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		why = append(why, noteUser.With())
		authority = authority[at+1:]
	}
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		why = append(why, notePorts.With())
	}
	if len(why) == 0 {
		return stored
	}
	return []publish.Message{noteStoredFor.With(target, e.Target(), why)}
}

// trackers are names of query parameters that identify where a visitor came from; they do not select a page.
const trackers = "fbclid gclid msclkid igshid mc_eid yclid ttclid"

// entryNotes returns notes on possible mistakes in an entry.
func entryNotes(e blocklist.Entry) (notes []publish.Message) {
	target := e.Target()
	host := target
	if e.Scope == blocklist.ScopeURL {
		path := strings.TrimPrefix(target, "https://")
		host, path, _ = strings.Cut(strings.TrimPrefix(path, "*."), "/")
		path, query, _ := strings.Cut(path, "?")
		if strings.Contains(strings.TrimSuffix("/"+path, "/*"), "*") {
			notes = append(notes, noteStar.With(target))
		}
		if tracker := findTracker(query); tracker != "" {
			notes = append(notes, noteTracker.With(target, tracker))
		}
	}
	if strings.HasSuffix(host, ".onion") {
		notes = append(notes, noteOnion.With(target))
	}
	return notes
}

func findTracker(query string) string {
	for part := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(part, "=")
		if key != "" && (strings.HasPrefix(key, "utm_") || strings.Contains(" "+trackers+" ", " "+key+" ")) {
			return key
		}
	}
	return ""
}
