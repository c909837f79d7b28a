package config

import (
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// maxSettings is the longest settings file that is read, in bytes.
const maxSettings = 1 << 20

// Settings are what dnsfilter.yaml says. Paths in it are relative to the folder of the file.
type Settings struct {
	File     string              // where they were read; empty if nowhere
	Listen   []string            // addresses as ParseListen reads them; default udp and tcp at 127.0.0.1:5353
	Upstream []upstream.Endpoint // resolvers; default: the system's
	State    string              // folder of the store; default: $STATE_DIRECTORY, else argine/dnsfilter in the user's folder for states; empty if neither is known
	Cache    int64               // bytes of answers to keep; default DefaultCache, 0 is none
	Lists    []List              // in order: the first that blocks a name decides
	Allow    []string            // files of names that are never blocked
	Quorums  []dnsfilter.Quorum  // what several lists agree on; lists without an action of their own act in a quorum only
	Views    []View              // clients for whom other lists apply, or the same ones otherwise
	Clients  []netip.Prefix      // networks that are served; default DefaultClients
	Local    []string            // of SpecialZones those that are answered without the upstream; default all; see discovery for resolver.arpa
	Metrics  netip.AddrPort      // where /metrics, /healthz and /readyz are served over HTTP; zero: nowhere
	// StructuredErrors is as in Policy.
	StructuredErrors uint16
	Guard            GuardLimits // holds updates of lists that would block too much, or suddenly too little

	RateLimit     dnsfilter.RateLimit // of queries over UDP; default: none
	Pprof         netip.AddrPort      // where profiles are served over HTTP, at a loopback address; zero: nowhere
	CookieSecrets string              // file, see ReadCookieSecrets; default: this server's own, new at each start

	fileAt map[string]place // where files are named
	given  map[string]bool  // the keys that the file has
}

// List is one list of the settings: a signed one that is followed (Root and From), or a file of the operator's (File).
type List struct {
	dnsfilter.Rule

	Root     string          // file with the list's root, its trusted beginning
	From     []string        // base URLs of origins and mirrors, or folders that are copies of one
	Identity string          // file with the age identity that opens the list, where it is confidential
	Receipts string          // file with the key that signs receipts; empty: none are sent
	File     string          // any format that package formats reads; re-read when it changes
	Format   formats.Format  // zero: detected
	Scope    blocklist.Scope // zero: what the format means

	Zone      string   // of an RPZ file: the name of the zone, to which its owners are relative; empty: as $ORIGIN or the SOA record says
	StopPage  []string // of a file: the addresses, or names, to which its author leads what is blocked; none: as package formats finds out
	Unguarded bool     // of a file: what the guards find does not count

	place   place
	implied bool // the action was not given
	broken  bool // it has mistakes
}

// Read reads a settings file. If it has mistakes, the error is of type [Errors] and tells all of them. Whether
// the files named in it exist is another question: see [Settings.CheckFiles].
func Read(path string) (*Settings, error) {
	f, err := files.Open(path)
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

// Default are those of a file that sets nothing.
func Default() *Settings {
	s := &Settings{Cache: dnsfilter.DefaultCache}
	s.setDefaults()
	return s
}

// setDefaults fills in what was not given.
func (s *Settings) setDefaults() {
	if len(s.Listen) == 0 {
		s.Listen = []string{"udp://127.0.0.1:5353", "tcp://127.0.0.1:5353"}
	}
	if s.Local == nil {
		s.Local = dnsfilter.SpecialZones()
	}
	if s.State == "" {
		s.State = defaultState()
	}
}

// checkLoop finds a resolver that is this server itself: queries would go round.
func (s *Settings) checkLoop(resolvers []upstream.Endpoint) error {
	for _, text := range s.Listen {
		_, at, err := dnsfilter.ParseListen(text)
		for _, u := range resolvers {
			own, asked := at.Addr().Unmap(), u.Addr.Addr().Unmap()
			here := own == asked || own.IsUnspecified() && asked.IsLoopback() || asked.IsUnspecified() && own.IsLoopback()
			if err == nil && here && u.Addr.Port() == at.Port() {
				return fmt.Errorf("resolver %s is this server itself: name another with upstream, or listen elsewhere", u)
			}
		}
	}
	return nil
}

// Policy returns what the lists do.
func (s *Settings) Policy() dnsfilter.Policy {
	p := dnsfilter.Policy{StructuredErrors: s.StructuredErrors}
	for _, path := range s.Allow {
		p.Allow = append(p.Allow, AllowName(path))
	}
	for _, l := range s.Lists {
		p.Rules = append(p.Rules, l.Rule)
		p.Later = append(p.Later, l.Rule.List)
	}
	p.Later = append(p.Later, p.Allow...)
	p.Quorums = s.Quorums
	for _, v := range s.Views {
		p.Views = append(p.Views, s.policyView(v, p))
	}
	return p
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
		at, err := upstream.ParseEndpoint(text)
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
	return s.checkLoop(s.Upstream)
}

// addFile adds a list under the name of its file.
func (s *Settings) addFile(path string) error {
	if strings.Contains(path, "://") {
		return files.NotURL(path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	name := listWord(path)
	for i := 2; s.list(name) != nil; i++ {
		name = fmt.Sprintf("%s-%d", listWord(path), i)
	}
	s.Lists = append(s.Lists, List{Rule: dnsfilter.Rule{List: name, Action: dnsfilter.NXDomain}, File: abs})
	return nil
}

// forwarder makes the upstream of the settings.
func (s *Settings) forwarder() (dnsfilter.Upstream, error) {
	addrs := s.Upstream
	if len(addrs) == 0 {
		var err error
		if addrs, err = upstream.System(); err != nil {
			return nil, err
		}
	}
	if err := s.checkLoop(addrs); err != nil {
		return nil, err
	}
	return upstream.New(addrs...)
}

// OwnFiles returns the settings file, and those that belong to it.
func (s *Settings) OwnFiles() []string {
	files := s.Guard.Files()
	for _, path := range []string{s.File, s.CookieSecrets} {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}
