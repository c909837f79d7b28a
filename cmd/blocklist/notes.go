package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// printNotes prints how typed entries are stored, if the stored form differs, and what about them may be a mistake.
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

// notesOf returns how a typed entry is stored, if the stored form differs, and what about it may be a mistake.
func notesOf(typed string, e blocklist.Entry) []string {
	return append(storedNotes(typed, e), entryNotes(e)...)
}

// storedNotes returns how a target is stored, if the stored form differs from the typed text.
func storedNotes(typed string, e blocklist.Entry) []string {
	target, _, _ := strings.Cut(strings.TrimSpace(typed), " ")
	if target == e.Target() {
		return nil
	}
	note := fmt.Sprintf("%s is stored as %s", target, e.Target())
	if e.Scope != blocklist.ScopeURL {
		return []string{note}
	}
	rest := target
	if _, after, ok := strings.Cut(target, "://"); ok {
		rest = after
	}
	authority, _, _ := strings.Cut(rest, "/")
	var why []string
	if strings.HasPrefix(strings.ToLower(target), "http:") {
		why = append(why, "for http and https")
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		why = append(why, "without user and password")
		authority = authority[at+1:]
	}
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		why = append(why, "for every port")
	}
	if len(why) > 0 {
		note += ", " + strings.Join(why, ", ")
	}
	return []string{note}
}

// trackers are parts of a query that say where a visitor came from, not which page it is.
const trackers = "fbclid gclid msclkid igshid mc_eid yclid ttclid"

// entryNotes returns what about an entry may be a mistake.
func entryNotes(e blocklist.Entry) (notes []string) {
	target := e.Target()
	host := target
	if e.Scope == blocklist.ScopeURL {
		path := strings.TrimPrefix(target, "https://")
		host, path, _ = strings.Cut(strings.TrimPrefix(path, "*."), "/")
		path, query, _ := strings.Cut(path, "?")
		if strings.Contains(strings.TrimSuffix("/"+path, "/*"), "*") {
			notes = append(notes, target+": the star counts as the character; only /* at the end covers what is below")
		}
		if tracker := findTracker(query); tracker != "" {
			notes = append(notes, fmt.Sprintf("%s: %s says where a visitor came from; with it, only URLs with exactly this query are listed", target, tracker))
		}
	}
	if strings.HasSuffix(host, ".onion") {
		notes = append(notes, target+": names of Tor (.onion) are not looked up in the DNS, so a resolver never sees them")
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
