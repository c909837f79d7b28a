package dnsfilter

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/upstream"
	"github.com/goccy/go-yaml/ast"
)

// maxSettings is the longest settings file that is read, in bytes.
const maxSettings = 1 << 20

// Settings are what dnsfilter.yaml says. Paths in it are relative to the folder of the file.
type Settings struct {
	File     string           // where they were read; empty if nowhere
	Listen   []string         // addresses as ParseListen reads them; default udp and tcp at 127.0.0.1:5353
	Upstream []netip.AddrPort // resolvers; default: the system's
	State    string           // folder of the store; default: $STATE_DIRECTORY, else a folder for caches of the user
	Cache    int64            // bytes of answers to keep; default DefaultCache, 0 is none
	Lists    []List           // in order: the first that blocks a name decides
	Allow    []string         // files of names that are never blocked
}

// List is one list of the settings: a signed one that is followed (Root and From), or a file of the operator's (File).
type List struct {
	Rule

	Root   string          // file with the list's root, its trusted beginning
	From   []string        // base URLs of origins and mirrors, or folders that are copies of one
	File   string          // any format that package formats reads; re-read when it changes
	Format formats.Format  // zero: detected
	Scope  blocklist.Scope // zero: what the format means

	line, column int
}

// ReadSettings reads a settings file. If it has mistakes, the error is of type [Mistakes] and tells all of them. Whether
// the files named in it exist is another question: see [Settings.CheckFiles].
func ReadSettings(path string) (*Settings, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	if len(text) > maxSettings {
		return nil, fmt.Errorf("reading settings: %s: %w: more than 1 MiB", path, blocklist.ErrTooLarge)
	}
	return parseSettings(path, text)
}

// DefaultSettings are those of an empty file.
func DefaultSettings() *Settings {
	s := &Settings{Cache: DefaultCache}
	s.setDefaults()
	return s
}

func parseSettings(path string, text []byte) (*Settings, error) {
	r := &reader{file: path}
	s := &Settings{File: path, Cache: DefaultCache}
	if body := r.document(text); body != nil {
		r.mapping(body, fields{
			"listen":   many(r, &s.Listen, parseListenText),
			"upstream": many(r, &s.Upstream, upstream.ParseAddr),
			"state":    one(r, &s.State, s.path),
			"cache":    one(r, &s.Cache, parseSize),
			"lists":    func(n ast.Node) { r.sequence(n, func(item ast.Node) { s.readList(r, item) }) },
			"allow":    many(r, &s.Allow, s.path),
		})
	}
	s.checkNames(r)
	s.setDefaults()
	if err := s.checkLoop(); err != nil {
		r.fail(nil, "%v", err)
	}
	return s, r.mistakes.err()
}

// readList reads one list and checks what its keys mean together.
func (s *Settings) readList(r *reader, n ast.Node) {
	l := List{Rule: Rule{Action: NXDomain}}
	reason := Reason(0)
	at := n.GetToken()
	l.line, l.column = at.Position.Line, at.Position.Column
	if m, ok := n.(ast.MapNode); ok {
		if it := m.MapRange(); it.Next() { // the token of a mapping is its first colon
			l.line, l.column = it.Key().GetToken().Position.Line, it.Key().GetToken().Position.Column
			at = it.Key().GetToken()
		}
	}
	given := map[string]bool{}
	before := len(r.mistakes)
	known := fields{
		"name":     one(r, &l.Rule.List, parseListName),
		"root":     one(r, &l.Root, s.path),
		"from":     many(r, &l.From, s.origin),
		"file":     one(r, &l.File, s.path),
		"format":   one(r, &l.Format, formats.Parse),
		"scope":    one(r, &l.Scope, parseScope),
		"action":   one(r, &l.Action, ParseAction),
		"sinkhole": many(r, &l.Sinkhole, parseAddr),
		"ede":      one(r, &reason, ParseReason),
	}
	for key, read := range known {
		known[key] = func(n ast.Node) { given[key] = true; read(n) }
	}
	r.mapping(n, known)
	if l.Reason = reason; !given["ede"] && given["from"] {
		l.Reason = Censored
	}
	if len(r.mistakes) == before {
		for _, why := range l.contradictions(given) {
			r.fail(at, "%s", why)
		}
	}
	s.Lists = append(s.Lists, l)
}

// contradictions says what is missing or too much.
func (l *List) contradictions(given map[string]bool) (why []string) {
	note := func(wrong bool, text string) {
		if wrong {
			why = append(why, text)
		}
	}
	note(!given["name"], "a list needs a name")
	note(given["file"] && (given["from"] || given["root"]), "a list has either a file, or from and root")
	note(!given["file"] && !given["from"], "a list needs from (origins) and root, or a file")
	note(given["from"] && !given["root"], "a signed list needs its root: the file that the agency hands out")
	note(given["root"] && !given["from"] && !given["file"], "a signed list needs from: the origins to get it from")
	note(given["from"] && len(l.From) == 0, "from names no origin")
	note(given["from"] && (given["format"] || given["scope"]), "format and scope are for files; a signed list says itself what it means")
	note(l.Action == Sinkhole && len(l.Sinkhole) == 0, "the action sinkhole needs addresses: sinkhole: [192.0.2.80]")
	note(l.Action != Sinkhole && given["sinkhole"], "sinkhole addresses are used by the action sinkhole only")
	return why
}

// checkNames finds names that are used twice.
func (s *Settings) checkNames(r *reader) {
	first := map[string]int{}
	for i := range s.Lists {
		l := &s.Lists[i]
		if line, twice := first[l.Rule.List]; twice && l.Rule.List != "" {
			r.mistakes = append(r.mistakes, l.mistake(s.File, fmt.Sprintf("list %q is there already, at line %d", l.Rule.List, line)))
			continue
		}
		first[l.Rule.List] = l.line
	}
}

func (l *List) mistake(file, text string) Mistake {
	return Mistake{File: file, Line: max(l.line, 1), Column: max(l.column, 1), Text: text}
}

// setDefaults fills in what was not given.
func (s *Settings) setDefaults() {
	if len(s.Listen) == 0 {
		s.Listen = []string{"udp://127.0.0.1:5353", "tcp://127.0.0.1:5353"}
	}
	if s.State != "" {
		return
	}
	s.State, _, _ = strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	if s.State == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			base = os.TempDir()
		}
		s.State = filepath.Join(base, "argine", "dnsfilter")
	}
}

// checkLoop finds a resolver that is one of the addresses listened on: queries would go round.
func (s *Settings) checkLoop() error {
	for _, text := range s.Listen {
		_, at, err := ParseListen(text)
		if err == nil && slices.Contains(s.Upstream, at) {
			return fmt.Errorf("resolver %s is this server itself: name another, or listen elsewhere", at)
		}
	}
	return nil
}

// Policy returns what the lists do.
func (s *Settings) Policy() Policy {
	var p Policy
	for _, path := range s.Allow {
		p.Allow = append(p.Allow, allowName(path))
	}
	for _, l := range s.Lists {
		p.Rules = append(p.Rules, l.Rule)
	}
	return p
}

// path makes a path of the settings absolute.
func (s *Settings) path(text string) (string, error) {
	if text == "" {
		return "", errors.New("a path is needed")
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(filepath.Dir(s.File), text)
	}
	return filepath.Abs(text)
}

// origin reads a base URL, or the path of a folder.
func (s *Settings) origin(text string) (string, error) {
	if !strings.Contains(text, "://") {
		return s.path(text)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("origin %q: write https://host, or the path of a folder", text)
	}
	return text, nil
}

func parseListenText(text string) (string, error) {
	_, _, err := ParseListen(text)
	return text, err
}

func parseListName(text string) (string, error) {
	if strings.HasPrefix(text, allowPrefix) {
		return "", fmt.Errorf("list name %q: names below %s are taken", text, allowPrefix)
	}
	return text, blocklist.CheckListName(text)
}

func parseScope(text string) (blocklist.Scope, error) {
	for _, s := range []blocklist.Scope{blocklist.ScopeDomain, blocklist.ScopeHost} {
		if text == s.String() {
			return s, nil
		}
	}
	return 0, fmt.Errorf("unknown scope %q: there are domain and host", text)
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q is no IP address", text)
	}
	return a.Unmap(), nil
}

// parseSize reads a number of bytes, with KiB, MiB or GiB after it if one likes.
func parseSize(text string) (int64, error) {
	digits, shift := text, 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if before, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = strings.TrimSpace(before), 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if most := int64(1) << 40 >> shift; err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("size %q: write it like 64MiB, at most 1024GiB", text)
	}
	return n << shift, nil
}

// Override puts command-line values above the settings: addresses to listen on (udp://, tcp://, or without a scheme for
// both), resolvers, and files of names to block after the other lists.
func (s *Settings) Override(listen, resolvers, files []string) error {
	if len(listen) > 0 {
		s.Listen = nil
	}
	for _, text := range listen {
		schemes := []string{text}
		if !strings.Contains(text, "://") {
			schemes = []string{"udp://" + text, "tcp://" + text}
		}
		for _, address := range schemes {
			if _, err := parseListenText(address); err != nil {
				return err
			}
		}
		s.Listen = append(s.Listen, schemes...)
	}
	if len(resolvers) > 0 {
		s.Upstream = nil
	}
	for _, text := range resolvers {
		at, err := upstream.ParseAddr(text)
		if err != nil {
			return err
		}
		s.Upstream = append(s.Upstream, at)
	}
	for _, path := range files {
		if err := s.addFile(path); err != nil {
			return err
		}
	}
	return s.checkLoop()
}

// addFile adds a list under the name of its file.
func (s *Settings) addFile(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	name := listWord(path)
	for i := 2; s.named(name); i++ {
		name = fmt.Sprintf("%s-%d", listWord(path), i)
	}
	s.Lists = append(s.Lists, List{Rule: Rule{List: name, Action: NXDomain}, File: abs})
	return nil
}

// named tells whether a list has this name.
func (s *Settings) named(name string) bool {
	return slices.ContainsFunc(s.Lists, func(l List) bool { return l.Rule.List == name })
}
